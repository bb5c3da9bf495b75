"""Margins that hold a reserve for the fee of closing the position at its bankruptcy price.

A venue with such a reserve lets it stand on both sides of its trigger: in the margin and in the
maintenance. It cancels there, and our collateral and maintenance are without it
(docs/formulas.md, linear and inverse, entry basis). With q the size, u the value of one unit (the
price; 1 / price for inverse contracts), d the direction (+1 where equity grows with u), f the fee
rate and M the margin without the reserve, the bankruptcy value is q u_b = q u_e - d M, so

    held = M + f q u_b,   M = (held - f q u_e) / (1 - d f)

and a margin that was just opened at a leverage holds M = q u_e / leverage, from which f follows.

Worked (an API sample of Bybit): a long of 0.1 at 1198.45 with 28.58931118 and 0.06 %:
(28.58931118 - 0.071907) / 0.9994 = 28.534525, which is 119.845 / 4.2.
Sources: Bybit help, liquidation price (isolated, unified account): added margin counts as
extra / (1 -+ fee rate); Bybit help, "The New Margin Calculation": initial and maintenance margin
both hold entry x size x (1 -+ 1 / leverage) x fee rate.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from positions.engine.types import ContractKind, Side
from venues.figures import Figure, derive

# A higher rate is no fee: what was compared is not an initial margin at this leverage.
_HIGHEST_FEE = Decimal("0.005")
NO_FEE = "it holds a reserve for the fee of closing, whose rate is not known"


class Reserve(NamedTuple):
    """What an initial margin holds for the fee of closing.

    amount    settle units; 0 where it holds none, or more than a fee could be
    fee_rate  a fraction; None where `amount` does not tell it
    """

    amount: Decimal
    fee_rate: Decimal | None


NO_RESERVE = Reserve(Decimal(0), None)


def direction_of(*, kind: ContractKind, side: Side) -> int:
    """Return +1 where equity grows with the value of a unit: linear longs, inverse shorts."""
    return 1 if (side is Side.LONG) is not (kind is ContractKind.INVERSE) else -1


def reserve_in(
    *, initial_margin: Figure, value: Figure, leverage: Figure, direction: int
) -> Reserve:
    """Return what an initial margin holds beyond value / leverage.

    value  of the position at entry, settle units
    """
    initial, whole, times = initial_margin.value, value.value, leverage.value
    if not (initial and whole and times):
        return NO_RESERVE
    margin = whole / times
    amount = initial - margin
    if not 0 < amount < _HIGHEST_FEE * whole:
        return NO_RESERVE
    at_bankruptcy = whole - direction * margin
    return Reserve(amount, amount / at_bankruptcy if at_bankruptcy else None)


def without_reserve(*, held: Figure, value: Figure, fee_rate: Figure, direction: int) -> Figure:
    """Return the margin without the reserve it holds, settle units, derived.

    held   the margin as the venue shows it, without unrealised PnL
    value  of the position at entry, settle units
    Unknown where one of them is.
    """

    def margin(held: Decimal, value: Decimal, rate: Decimal) -> Decimal:
        return (held - value * rate) / (1 - direction * rate)

    return derive(margin, held, value, fee_rate)
