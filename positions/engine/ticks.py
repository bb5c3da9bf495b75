"""Prices on a venue's tick, exactly: decimals in, decimals out."""

from __future__ import annotations

import math
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from fractions import Fraction

from positions.engine.rules import Rounding
from positions.engine.types import Side

# Sums and products of any two float64 are exact within so many digits; an inexact one raises.
_EXACT = Context(prec=1200, traps=[Inexact, InvalidOperation, Overflow])
_HALF = Fraction(1, 2)


def round_price(*, price: Decimal, tick: Decimal, side: Side, rounding: Rounding) -> Decimal:
    """Return the price as the venue prints it.

    price     quote per base; digits of a float64 that mean nothing must be gone, for a hair above
              a tick is the next tick: Decimal(f"{price:.15g}")
    tick      quote per base, > 0
    rounding  NEAREST: a tie goes up. AGAINST_OWNER: up for a long, down for a short, and a price on
              a tick stays there. TICK_BEYOND: one tick towards the mark, and not rounded otherwise

    Result: quote per base, exact. A short's price below one tick becomes 0 where it goes down.
    Raises ValueError on a tick that is not positive, or on a price that is not finite.

    Source: docs/formulas.md#ticks.
    """
    if not (tick.is_finite() and tick > 0):
        raise ValueError(f"tick must be positive, not {tick}")
    if not price.is_finite():
        raise ValueError(f"price must be finite, not {price}")
    if rounding is Rounding.TICK_BEYOND:
        return _EXACT.add(price, _EXACT.multiply(tick, Decimal(side.sign)))
    steps = Fraction(price) / Fraction(tick)
    return _EXACT.multiply(tick, Decimal(_round_steps(steps, side, rounding)))


def _round_steps(steps: Fraction, side: Side, rounding: Rounding) -> int:
    if rounding is Rounding.NEAREST:
        return math.floor(steps + _HALF)
    return math.ceil(steps) if side is Side.LONG else math.floor(steps)
