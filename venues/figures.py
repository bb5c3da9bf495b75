"""A figure as a venue gives it: its exact text, its value, and whose word it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, DecimalException, InvalidOperation, localcontext
from typing import Any, TypeVar

from positions.engine.types import Source

_Choice = TypeVar("_Choice")

# Beyond these a float64 column would lose the figure; no price or size of any venue comes near.
_LARGEST = Decimal("1e30")
_SMALLEST = Decimal("1e-30")


class RowError(ValueError):
    """A row cannot be read; it is quarantined and the other rows are kept."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its source; `value` None means unknown, and `reason` says why.

    value    exact, as printed or as derived from printed figures
    source   reported (the venue's own word), derived (by us), or unknown
    reason   why the value is unknown; "" otherwise
    text     the exact characters of a reported figure; "" otherwise
    """

    value: Decimal | None
    source: Source
    reason: str = ""
    text: str = ""

    @classmethod
    def reported(cls, text: str) -> Figure:
        """Return the figure a venue printed; raises RowError unless it is a finite number."""
        try:
            value = Decimal(text)
        except InvalidOperation:
            raise RowError(f"{text[:40]!r} is not a number") from None
        if not value.is_finite() or abs(value) > _LARGEST or 0 < abs(value) < _SMALLEST:
            raise RowError(f"{text[:40]!r} is not a usable number")
        return cls(value=value, source=Source.REPORTED, text=text.strip())

    @classmethod
    def derived(cls, value: Decimal | int) -> Figure:
        """Return a figure that we worked out from what the venue printed."""
        return cls(value=Decimal(value), source=Source.DERIVED)

    @classmethod
    def unknown(cls, reason: str) -> Figure:
        """Return "unknown", with the reason that pages and exports show."""
        return cls(value=None, source=Source.UNKNOWN, reason=reason)

    @property
    def is_known(self) -> bool:
        """Tell whether there is a value."""
        return self.value is not None

    @property
    def number(self) -> float | None:
        """Return the value as float64 for columns; None when unknown."""
        return None if self.value is None else float(self.value)

    def plus(self, other: Figure) -> Figure:
        """Return the sum, derived; unknown where either is."""
        return self._with(other, "__add__")

    def minus(self, other: Figure) -> Figure:
        """Return the difference, derived; unknown where either is."""
        return self._with(other, "__sub__")

    def times(self, other: Figure) -> Figure:
        """Return the product, derived; unknown where either is."""
        return self._with(other, "__mul__")

    def over(self, other: Figure) -> Figure:
        """Return the quotient, derived; unknown where either is or the divisor is 0."""
        if other.value == 0:
            return Figure.unknown("divisor is 0")
        return self._with(other, "__truediv__")

    def magnitude(self) -> Figure:
        """Return the absolute value; a positive reported figure stays reported."""
        if self.value is None or self.value >= 0:
            return self
        return Figure(value=-self.value, source=self.source, text=self.text.lstrip("-"))

    def otherwise(self, other: Figure) -> Figure:
        """Return this figure, or `other` when this one is unknown."""
        return self if self.is_known else other

    def _with(self, other: Figure, operation: str) -> Figure:
        if self.value is None or other.value is None:
            return Figure.unknown(self.reason or other.reason)
        with localcontext() as context:
            context.prec = 40
            try:
                return Figure.derived(getattr(self.value, operation)(other.value))
            except DecimalException:
                return Figure.unknown("not computable")


NOT_GIVEN = "the venue gives none"


class Row:
    """One row of a venue's answer, read field by field; wrong shapes raise RowError."""

    __slots__ = ("fields",)

    def __init__(self, fields: Any) -> None:
        if not isinstance(fields, Mapping):
            raise RowError(f"a row is {type(fields).__name__}, not an object")
        self.fields: Mapping[str, Any] = fields

    def text(self, name: str) -> str:
        """Return a non-empty text; raises RowError when it is missing or no text."""
        value = self.fields.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise RowError(f"{name} is missing or no text")
        return str(value)

    def text_or(self, name: str, default: str = "") -> str:
        """Return a text, or `default` when the venue sends none."""
        value = self.fields.get(name)
        if value is None or value == "":
            return default
        return self.text(name)

    def number(self, name: str, *, none: tuple[str, ...] = (), reason: str = NOT_GIVEN) -> Figure:
        """Return a reported number.

        A missing or null field, and any text in `none`, is unknown with `reason`. Anything else
        that is not a finite decimal number ("1,5", NaN, true, "") raises RowError.
        """
        value = self.fields.get(name)
        if value is None or (isinstance(value, str) and value.strip() in none):
            return Figure.unknown(reason)
        if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
            raise RowError(f"{name} is {type(value).__name__}, not a number")
        try:
            return Figure.reported(str(value))
        except RowError as error:
            raise RowError(f"{name}: {error}") from None

    def positive(
        self, name: str, *, none: tuple[str, ...] = ("", "0"), reason: str = NOT_GIVEN
    ) -> Figure:
        """Return a reported number above 0; zero in any spelling means that there is none."""
        figure = self.number(name, none=none, reason=reason)
        if figure.value is not None and figure.value <= 0:
            return Figure.unknown(reason)
        return figure

    def choice(self, name: str, **choices: _Choice) -> _Choice:
        """Return the choice named by a text field (case ignored); raises RowError otherwise."""
        value = self.text(name).lower()
        if value not in choices:
            raise RowError(f"{name} is {value[:40]!r}, not one of {', '.join(choices)}")
        return choices[value]

    def flag(self, name: str) -> bool | None:
        """Return a boolean, or None when the venue does not say."""
        value = self.fields.get(name)
        if isinstance(value, str):
            return {"true": True, "false": False}.get(value.lower())
        return value if isinstance(value, bool) else None

    def milliseconds(self, name: str) -> int | None:
        """Return an instant in milliseconds, or None when the venue sends none or 0."""
        value = self.fields.get(name)
        try:
            whole = int(str(value))
        except ValueError:
            return None
        return whole if whole > 0 else None

    def row(self, name: str) -> Row:
        """Return a nested object; raises RowError when it is missing."""
        return Row(self.fields.get(name))
