"""How a figure is read from a venue's own row, as data: for venues that ccxt reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from venues.figures import NOT_GIVEN, Figure, Row


class Reader(Protocol):
    """Reads one figure of a row; `words` says how, for people."""

    def read(self, row: Row) -> Figure:
        """Return the figure; raises RowError when what is there is no number."""
        ...

    @property
    def words(self) -> str:
        """Return how the figure is read, in the venue's own names."""
        ...


@dataclass(frozen=True, slots=True)
class Said:
    """The first of some fields that the row fills: the venue's own word.

    A name may lead into nested objects: "balance.amount". Where `is_unsigned`, a sign says
    something else (a side, a mode) and is dropped.
    """

    names: tuple[str, ...]
    is_unsigned: bool = False

    def read(self, row: Row) -> Figure:
        """Return the reported figure; unknown where the row has none."""
        for name in self.names:
            figure = number_at(row, name)
            if figure.is_known:
                return figure.magnitude() if self.is_unsigned else figure
        return Figure.unknown(NOT_GIVEN)

    @property
    def words(self) -> str:
        """Return the names of the fields."""
        return " or ".join(f"`{name}`" for name in self.names)


@dataclass(frozen=True, slots=True)
class Quotient:
    """One field over another, without sign."""

    over: str
    under: str

    def read(self, row: Row) -> Figure:
        """Return the derived figure; unknown where either is missing or the divisor is 0."""
        return _divide(number_at(row, self.over), number_at(row, self.under)).magnitude()

    @property
    def words(self) -> str:
        """Return the division."""
        return f"`{self.over}` / `{self.under}`"


@dataclass(frozen=True, slots=True)
class Share:
    """A whole over one field: a leverage from a margin fraction of which `whole` is all."""

    whole: int
    name: str

    def read(self, row: Row) -> Figure:
        """Return the derived figure; unknown where the field is missing or 0."""
        return _divide(Figure.derived(self.whole), number_at(row, self.name))

    @property
    def words(self) -> str:
        """Return the division."""
        return f"{self.whole} / `{self.name}`"


@dataclass(frozen=True, slots=True)
class Difference:
    """One field less another: a margin from a balance that includes unrealised profit."""

    whole: str
    part: str

    def read(self, row: Row) -> Figure:
        """Return the derived figure; unknown where either is missing."""
        return number_at(row, self.whole).minus(number_at(row, self.part))

    @property
    def words(self) -> str:
        """Return the subtraction."""
        return f"`{self.whole}` - `{self.part}`"


@dataclass(frozen=True, slots=True)
class Scaled:
    """A whole number that counts units of 10**-digits."""

    name: str
    digits: int = 18

    def read(self, row: Row) -> Figure:
        """Return the derived figure; unknown where the field is missing."""
        return number_at(row, self.name).times(Figure.derived(Decimal(10) ** -self.digits))

    @property
    def words(self) -> str:
        """Return the field and its scale."""
        return f"`{self.name}` / 1e{self.digits}"


@dataclass(frozen=True, slots=True)
class Complement:
    """What is missing to 1 of a weight that counts units of 10**-digits."""

    name: str
    digits: int = 18

    def read(self, row: Row) -> Figure:
        """Return the derived figure; unknown where the field is missing."""
        return Figure.derived(1).minus(Scaled(self.name, self.digits).read(row))

    @property
    def words(self) -> str:
        """Return the subtraction."""
        return f"1 - `{self.name}` / 1e{self.digits}"


@dataclass(frozen=True, slots=True)
class Opposite:
    """What was paid for each unit: a quote balance of the other sign over the amount."""

    quote: str
    amount: str

    def read(self, row: Row) -> Figure:
        """Return the derived figure; unknown where it would not be a price."""
        price = _divide(number_at(row, self.quote), number_at(row, self.amount))
        return price.times(Figure.derived(-1))

    @property
    def words(self) -> str:
        """Return the division."""
        return f"-`{self.quote}` / `{self.amount}`"


@dataclass(frozen=True, slots=True)
class Move:
    """Profit since entry: size times the way from one price to another."""

    size: str
    since: str
    until: str

    def read(self, row: Row) -> Figure:
        """Return the derived figure; unknown where one of the three is missing."""
        way = number_at(row, self.until).minus(number_at(row, self.since))
        return number_at(row, self.size).times(way)

    @property
    def words(self) -> str:
        """Return the product."""
        return f"`{self.size}` x (`{self.until}` - `{self.since}`)"


@dataclass(frozen=True, slots=True)
class Nowhere:
    """A figure that the row does not hold, whatever ccxt puts there."""

    reason: str = NOT_GIVEN

    def read(self, row: Row) -> Figure:
        """Return "unknown" with the reason."""
        return Figure.unknown(self.reason)

    @property
    def words(self) -> str:
        """Return the reason."""
        return self.reason


def said(*names: str) -> Said:
    """Return a reader of the first of some fields."""
    return Said(names)


def number_at(row: Row, path: str) -> Figure:
    """Return the number at a dotted path; unknown where there is none. Raises RowError."""
    fields: Any = row.fields
    *outer, name = path.split(".")
    for step in outer:
        fields = fields.get(step) if isinstance(fields, Mapping) else None
    if not isinstance(fields, Mapping):
        return Figure.unknown(NOT_GIVEN)
    return Row(fields).number(name, none=("",))


def _divide(over: Figure, under: Figure) -> Figure:
    return over.over(under) if under.value else Figure.unknown(NOT_GIVEN)
