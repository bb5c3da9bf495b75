"""Numbers, times and units as text: the one module that does it for pages, mail and exports.

Text for people uses a true minus sign, thousands separators and "—" for what is not known (None,
NaN, infinite). `decimal_string` and `iso` are for programs: ASCII, exact, None for the unknown.

Rounding never tells a lie about an edge: what is not zero does not read "0", and what is below
100 % does not read "100 %".
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import TypeAlias

Number: TypeAlias = float | int | Decimal
Seconds: TypeAlias = float | int | timedelta

DASH = "—"
MINUS = "\u2212"

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400
# Wide enough for every float written out in full, in either direction.
_WIDE = Context(prec=800, rounding=ROUND_HALF_EVEN)
# The machine's own language may not decide how a month is called.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CURRENCY_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£"}


def price(value: Number | None, *, digits: int = 5) -> str:
    """Return a price with `digits` significant digits: 97,250 or 0.000011020, never an exponent."""
    exact = _exact(value)
    return DASH if exact is None else _text(_significant(exact, digits=digits))


def quantity(value: Number | None, unit: str = "") -> str:
    """Return an amount without trailing zeros and, if given, its unit: 0.0123 BTC.

    Five significant digits, but a whole unit is never rounded away: 1,234,567 stays.
    """
    exact = _exact(value)
    if exact is None:
        return DASH
    digits = max(5, exact.adjusted() + 1)
    return f"{_text(_significant(exact, digits=digits).normalize(_WIDE))} {unit}".rstrip()


def money(value: Number | None, unit: str = "USD", *, is_signed: bool = False) -> str:
    """Return an amount of money: $4,200, $42.50, $0.42 or, in a coin, 0.0123 BTC."""
    exact = _exact(value)
    if exact is None:
        return DASH
    if unit not in _CURRENCY_SIGNS:
        return _sign(exact, is_signed=is_signed) + quantity(abs(exact), unit)
    return _currency(exact, sign=_CURRENCY_SIGNS[unit], is_signed=is_signed)


def signed_money(value: Number | None, unit: str = "USD") -> str:
    """Return a gain or a loss: +$233, −$812."""
    return money(value, unit, is_signed=True)


def percent(fraction: Number | None, *, digits: int | None = None, is_signed: bool = False) -> str:
    """Return a fraction as per cent: 0.031 is "3.1 %", 0.41 is "41 %", 0.0004 is "<0.1 %".

    Below zero it has one decimal more instead: −0.0004 is "−0.04 %".

    digits  decimals; None chooses one below 10 % and between 99.5 % and 100 %, else none
    """
    exact = _exact(fraction)
    if exact is None:
        return DASH
    points = _WIDE.multiply(exact, Decimal(100))
    return _percent(points, digits=digits, is_signed=is_signed)


def probability(fraction: Number | None) -> str:
    """Return a probability as per cent; certainty and impossibility show only when exact."""
    return percent(fraction)


def ratio(value: Number | None, *, digits: int = 2) -> str:
    """Return a plain ratio with fixed decimals: 0.86."""
    exact = _exact(value)
    return DASH if exact is None else _text(_rounded(exact, decimals=digits))


def leverage(value: Number | None) -> str:
    """Return a leverage: 5×, 12.5×."""
    exact = _exact(value)
    return DASH if exact is None else f"{_text(_rounded(exact, decimals=1).normalize(_WIDE))}×"


def basis_points(fraction: Number | None) -> str:
    """Return a small fraction in basis points: 0.00027 is "2.7 bp"."""
    exact = _exact(fraction)
    if exact is None:
        return DASH
    return f"{_text(_rounded(_WIDE.multiply(exact, Decimal(10_000)), decimals=1))} bp"


def sigmas(value: Number | None) -> str:
    """Return a distance in standard deviations: 2.3 σ."""
    return DASH if _exact(value) is None else f"{ratio(value, digits=1)} σ"


def count(value: int | None) -> str:
    """Return a whole number with separators: 1,204."""
    return DASH if value is None else _text(Decimal(value))


def age(seconds: Seconds | None) -> str:
    """Return how long ago, in the largest whole unit: 2 s, 4 min, 3 h, 2 d; the future is 0 s."""
    passed = _seconds(seconds)
    if passed is None:
        return DASH
    for unit_s, name in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if passed >= unit_s:
            return f"{passed // unit_s:,} {name}"
    return f"{max(passed, 0)} s"


def duration(seconds: Seconds | None) -> str:
    """Return a length of time in its two largest units: 2 d 3 h, 1 h 20 min, 45 s."""
    left = _seconds(seconds)
    if left is None:
        return DASH
    parts = []
    for unit_s, name in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min"), (1, "s")):
        whole, left = divmod(max(left, 0), unit_s)
        parts.append(f"{whole:,} {name}" if whole else "")
    first = next((i for i, part in enumerate(parts) if part), len(parts) - 1)
    return " ".join(part for part in parts[first : first + 2] if part) or "0 s"


def countdown(seconds: Seconds | None) -> str:
    """Return the time until something: in 2 h 5 min; "now" once it has come."""
    left = _seconds(seconds)
    if left is None:
        return DASH
    return f"in {duration(left)}" if left > 0 else "now"


def timestamp(instant: datetime | None) -> str:
    """Return an instant for people: 2026-11-22 15:46:03 UTC. Raises ValueError without a zone."""
    return DASH if instant is None else f"{_utc(instant):%Y-%m-%d %H:%M:%S} UTC"


def day(instant: datetime | None) -> str:
    """Return the day of an instant in UTC: 12 Nov 2026."""
    if instant is None:
        return DASH
    at = _utc(instant)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def time_of_day(instant: datetime | None) -> str:
    """Return the time of an instant whose day is plain: 15:46 UTC."""
    return DASH if instant is None else f"{_utc(instant):%H:%M} UTC"


def iso(instant: datetime | None) -> str | None:
    """Return an instant for programs: 2026-11-22T15:46:03.250Z; None stays None."""
    if instant is None:
        return None
    return _utc(instant).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def decimal_string(value: Number | None) -> str | None:
    """Return a number for programs: plain decimal, no exponent, shortest that reads back equal.

    None, NaN and the infinities are None: unknown is null, its reason stands beside it.
    """
    exact = _exact(value)
    if exact is None:
        return None
    return format(exact.normalize(_WIDE), "f") if exact else "0"


def _exact(value: Number | None) -> Decimal | None:
    if value is None:
        return None
    # float() first: the repr of a numpy scalar is not a number.
    known = Decimal(value if isinstance(value, Decimal | int) else repr(float(value)))
    return known if known.is_finite() else None


def _rounded(exact: Decimal, *, decimals: int) -> Decimal:
    return exact.quantize(Decimal(1).scaleb(-decimals), context=_WIDE)


def _significant(exact: Decimal, *, digits: int) -> Decimal:
    if not exact:
        return Decimal(0)
    decimals = digits - 1 - exact.adjusted()
    rounded = _rounded(exact, decimals=decimals)
    if rounded.adjusted() > exact.adjusted():
        # 0.999995 became 1.00000, which is one digit too many.
        rounded = _rounded(exact, decimals=decimals - 1)
    return rounded


def _text(number: Decimal) -> str:
    text = f"{number:,f}" if number else f"{abs(number):,f}"
    return text.replace("-", MINUS)


def _sign(exact: Decimal, *, is_signed: bool) -> str:
    if exact < 0:
        return MINUS
    return "+" if is_signed and exact > 0 else ""


def _currency(exact: Decimal, *, sign: str, is_signed: bool) -> str:
    size = abs(exact)
    before = _sign(exact, is_signed=is_signed)
    if not size:
        return f"{sign}0"
    if size < Decimal("0.01"):
        return f"{'>' if exact < 0 else '<'}{before}{sign}0.01"
    decimals = 0 if size >= Decimal("99.995") else 2
    return f"{before}{sign}{_text(_rounded(size, decimals=decimals))}"


def _percent(points: Decimal, *, digits: int | None, is_signed: bool) -> str:
    size = abs(points)
    before = _sign(points, is_signed=is_signed)
    if not size:
        return "0 %"
    if digits is None:
        is_small = size < Decimal("9.95") or Decimal("99.5") <= size < Decimal(100)
        digits = 1 if is_small else 0
    step = Decimal(1).scaleb(-digits)
    if size < step and points < 0:
        return f"{before}{_text(_tiny(size, decimals=digits + 1))} %"
    if size < step:
        return f"<{before}{step:f} %"
    rounded = _rounded(size, decimals=digits)
    if rounded == Decimal(100) > size:
        return f"{'<' if points < 0 else '>'}{before}{_text(rounded - step)} %"
    return f"{before}{_text(rounded)} %"


def _tiny(size: Decimal, *, decimals: int) -> Decimal:
    """Round what is below zero by next to nothing: ">−0.1 %" reads as its opposite."""
    return max(_rounded(size, decimals=decimals), Decimal(1).scaleb(-decimals))


def _seconds(value: Seconds | None) -> int | None:
    if value is None:
        return None
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    return math.floor(seconds) if math.isfinite(seconds) else None


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return instant.astimezone(UTC)
