"""A figure as a venue gives it: its exact text, its value, and whose word it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Context, Decimal, DecimalException, InvalidOperation, getcontext, setcontext
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

from positions.engine.types import Source

_Choice = TypeVar("_Choice")

# Beyond these a float64 column would lose the figure; no price or size of any venue comes near.
_LARGEST = Decimal("1e30")
_SMALLEST = Decimal("1e-30")
_CONTEXT = Context(prec=40)
# Powers of ten that are within both limits, whatever the digits.
_USUAL = 30
_REASONS_KEPT = 4096
_BY_ZERO = "divisor is 0"
_NOT_COMPUTABLE = "not computable"

_value_of = itemgetter(0)

_Operation = Callable[[Decimal, Decimal], Decimal]


class RowError(ValueError):
    """A row cannot be read; it is quarantined and the other rows are kept."""


class Figure(NamedTuple):
    """A number with its source; `value` None means unknown, and `reason` says why.

    A tuple, because a poll of 500 accounts makes 150,000 of them: five times quicker to make than
    a frozen dataclass.

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
        return _figure(text, "", (), "")

    @classmethod
    def derived(cls, value: Decimal | int) -> Figure:
        """Return a figure that we worked out from what the venue printed."""
        return _make(Figure, (Decimal(value), _DERIVED, "", ""))

    @classmethod
    def unknown(cls, reason: str) -> Figure:
        """Return "unknown", with the reason that pages and exports show."""
        return _unknown(reason)

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
        return self._with(other, _CONTEXT.add)

    def minus(self, other: Figure) -> Figure:
        """Return the difference, derived; unknown where either is."""
        return self._with(other, _CONTEXT.subtract)

    def times(self, other: Figure) -> Figure:
        """Return the product, derived; unknown where either is."""
        return self._with(other, _CONTEXT.multiply)

    def over(self, other: Figure) -> Figure:
        """Return the quotient, derived; unknown where either is or the divisor is 0."""
        if other.value == 0:
            return _unknown(_BY_ZERO)
        return self._with(other, _CONTEXT.divide)

    def magnitude(self) -> Figure:
        """Return the absolute value; a positive reported figure stays reported."""
        if self.value is None or self.value >= 0:
            return self
        return Figure(value=-self.value, source=self.source, text=self.text.lstrip("-"))

    def otherwise(self, other: Figure) -> Figure:
        """Return this figure, or `other` when this one is unknown."""
        return self if self.is_known else other

    def _with(self, other: Figure, operation: _Operation) -> Figure:
        if self.value is None or other.value is None:
            return _unknown(self.reason or other.reason)
        try:
            return _make(Figure, (operation(self.value, other.value), _DERIVED, "", ""))
        except DecimalException:
            return _unknown(_NOT_COMPUTABLE)


# What Figure(…) does, without its keyword arguments.
_make = tuple.__new__
# Looking a member up in its enumeration takes as long as making a figure.
_REPORTED, _DERIVED, _UNKNOWN = Source.REPORTED, Source.DERIVED, Source.UNKNOWN


@contextmanager
def exactly() -> Iterator[None]:
    """Derive with 40 digits within; whoever reads many rows says so once (rows.read_rows)."""
    usual = getcontext()
    setcontext(_CONTEXT)
    try:
        yield
    finally:
        setcontext(usual)


def derive(formula: Callable[..., Decimal], *figures: Figure) -> Figure:
    """Return what `formula` makes of the values of `figures`, derived.

    For a formula of several steps: one figure is made at the end in place of one a step. Unknown
    where one of `figures` is, where the formula divides by 0 or where it has no value.
    """
    for figure in figures:
        if figure[0] is None:
            return _unknown(figure.reason)
    if getcontext() is not _CONTEXT:
        with exactly():
            return derive(formula, *figures)
    try:
        return _make(Figure, (formula(*map(_value_of, figures)), _DERIVED, "", ""))
    except ZeroDivisionError:
        return _unknown(_BY_ZERO)
    except DecimalException:
        return _unknown(_NOT_COMPUTABLE)


@lru_cache(_REASONS_KEPT)
def _unknown(reason: str) -> Figure:
    return Figure(value=None, source=_UNKNOWN, reason=reason)


NOT_GIVEN = "the venue gives none"
_NUMERIC = (str, int, float, Decimal)


class Row:
    """One row of a venue's answer, read field by field; wrong shapes raise RowError."""

    __slots__ = ("fields",)

    def __init__(self, fields: Any) -> None:
        if type(fields) is not dict and not isinstance(fields, Mapping):
            raise RowError(f"a row is {type(fields).__name__}, not an object")
        self.fields: Mapping[str, Any] = fields

    def text(self, name: str) -> str:
        """Return a non-empty text; raises RowError when it is missing or no text."""
        value = self.fields.get(name)
        if type(value) is str and value:
            return value
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
        return _figure(self.fields.get(name), name, none, reason)

    def positive(
        self, name: str, *, none: tuple[str, ...] = ("", "0"), reason: str = NOT_GIVEN
    ) -> Figure:
        """Return a reported number above 0; zero in any spelling means that there is none."""
        figure = _figure(self.fields.get(name), name, none, reason)
        value = figure[0]

        return figure if value and not value.is_signed() else _unknown(reason)

    def choice(self, name: str, **choices: _Choice) -> _Choice:
        """Return the choice named by a text field (case ignored); raises RowError otherwise."""
        value = self.text(name).lower()
        try:
            return choices[value]
        except KeyError:
            wanted = ", ".join(choices)
            raise RowError(f"{name} is {value[:40]!r}, not one of {wanted}") from None

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


# Called with values in their places: the many figures of a poll make its arguments' names cost.
def _figure(value: Any, name: str, none: tuple[str, ...], reason: str) -> Figure:
    """Return what a field says; `name` is for the error, the rest is as in Row.number."""
    if type(value) is not str:
        if value is None:
            return _unknown(reason)
        value = _text_of(value, name)
    text = value.strip()
    if text in none:
        return _unknown(reason)
    try:
        exact = Decimal(text)
    except InvalidOperation:
        raise _refused(name, text, "is not a number") from None
    # The power of ten settles it for all but the oddest.
    if not (-_USUAL < exact.adjusted() < _USUAL and exact.is_finite()):
        _check_range(exact, name, text)
    return _make(Figure, (exact, _REPORTED, "", text))


def _text_of(value: Any, name: str) -> str:
    if isinstance(value, bool) or not isinstance(value, _NUMERIC):
        raise RowError(f"{name} is {type(value).__name__}, not a number")
    return str(value)


def _check_range(value: Decimal, name: str, text: str) -> None:
    if not value.is_finite() or abs(value) > _LARGEST or 0 < abs(value) < _SMALLEST:
        raise _refused(name, text, "is not a usable number")


def _refused(name: str, text: str, problem: str) -> RowError:
    return RowError(f"{name}: {text[:40]!r} {problem}" if name else f"{text[:40]!r} {problem}")
