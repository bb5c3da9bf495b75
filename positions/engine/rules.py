"""What a margin rule is: the switches of the one condition, equity against required.

Everything is stated in *value space*. The value of one unit of quantity is `u = P` for a linear
contract and `u = 1/P` for an inverse one, so that both obey the same two lines:

    equity(u)   = collateral + direction * quantity * (u - entry value)
    required(u) = rate * quantity * u - amount (+ fee rate * quantity * u) + what the rule adds

where the direction is `s` for linear and `-s` for inverse. A venue is a set of switches on top:
positions/engine/rulebook.py. Derivations, worked numbers and sources: docs/formulas.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from positions.engine.types import ContractKind, Side

Floats = npt.NDArray[np.float64]
Number = TypeVar("Number", Fraction, Floats)


class Basis(StrEnum):
    """The price at which the maintenance margin is measured."""

    MARK = "mark"
    ENTRY = "entry"


class ClosingFee(StrEnum):
    """Where the fee of closing stands.

    APART is not in the condition, or on both sides of it: it is reserved beside the margin and
    cancels out. At MARK it is part of the requirement, on the notional of the moment.
    """

    APART = "apart"
    MARK = "mark"


class TierKey(StrEnum):
    """The size that chooses the tier: it moves with the price, or it does not."""

    NOTIONAL = "notional at the basis price"
    QUANTITY = "quantity"


class Trigger(StrEnum):
    """The price series that liquidates."""

    MARK = "mark"
    INDEX = "index"
    ORACLE = "oracle"
    LAST = "last"
    MARK_AND_LAST = "mark and last"


class Charged(StrEnum):
    """What pays funding: the position's margin, the free balance before it, or neither."""

    POSITION = "position"
    FREE_BALANCE_FIRST = "free balance first"
    ELSEWHERE = "elsewhere"
    NEVER = "never"


class Rounding(StrEnum):
    """How the venue brings the price to its tick."""

    NEAREST = "nearest"
    AGAINST_OWNER = "up for a long, down for a short"
    TICK_BEYOND = "the formula, then one tick towards the mark"


class Leftover(StrEnum):
    """Who gets what a liquidated compartment still holds after the liquidation fee."""

    OWNER = "owner"
    INSURANCE = "insurance"
    POOL = "pool"


class FeeBase(StrEnum):
    """What a liquidation fee is a share of."""

    NOTIONAL = "notional"
    MAINTENANCE = "maintenance margin"
    FIXED = "a fixed amount"


class PrintedRatio(StrEnum):
    """The venue's own margin ratio; ours is always required / equity."""

    REQUIRED_TO_EQUITY = "required / equity"
    EQUITY_TO_REQUIRED = "equity / required"
    EQUITY_TO_MARGIN = "equity / position margin, less the adjust factor"
    EQUITY_TO_NOTIONAL = "equity / notional"


@dataclass(frozen=True, slots=True)
class Funding:
    """Who pays funding and how often.

    charged     what the payment is taken from
    sign        +1: longs pay a positive rate
    interval_h  hours between payments by default; a market may say otherwise; None: not stated
    is_next_required
                the payment predicted for the next settlement stands in the requirement
    """

    charged: Charged = Charged.POSITION
    sign: int = 1
    interval_h: float | None = 8.0
    is_next_required: bool = False


@dataclass(frozen=True, slots=True)
class LiquidationFee:
    """What a liquidation costs beside the loss; None where the source does not say."""

    base: FeeBase = FeeBase.NOTIONAL
    rate: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarginRules:
    """The switches of one venue's product, as one document states them.

    kind            linear, inverse, quanto or lending
    basis           maintenance measured at the mark price or fixed at entry, tier included
    closing_fee     whether the fee of closing stands in the trigger
    is_cumulative   tier amounts are deducted; otherwise the whole position bears its tier's rate
    tier_key        what chooses the tier: the notional, or the quantity (base units for linear
                    and quanto, quote units or contracts for inverse), which no price moves
    trigger         the series that is compared
    is_strict       liquidated below the requirement only, not when just meeting it
    has_order_margin
                    margin held by open orders stands in the requirement
    price_cap       beyond this price the venue knows no liquidation; None: no cap
    rounding        how the venue brings the answer to its tick
    leftover        who gets the rest after a liquidation; None: the source does not say
    printed_ratio   the convention of the venue's own margin ratio; None: it prints none
    venue, product  what the rule is of; "" for a family that any venue may follow
    document        date or version of the text, where texts of one venue disagree
    source          where the venue says so, as named in docs/formulas.md
    """

    key: str
    kind: ContractKind
    basis: Basis
    source: str
    closing_fee: ClosingFee = ClosingFee.APART
    is_cumulative: bool = True
    tier_key: TierKey = TierKey.NOTIONAL
    trigger: Trigger = Trigger.MARK
    is_strict: bool = False
    has_order_margin: bool = False
    funding: Funding = Funding()
    price_cap: float | None = None
    rounding: Rounding = Rounding.NEAREST
    liquidation_fee: LiquidationFee = LiquidationFee()
    leftover: Leftover | None = None
    printed_ratio: PrintedRatio | None = None
    venue: str = ""
    product: str = ""
    document: str = ""

    @property
    def is_inverse(self) -> bool:
        """Tell whether profit follows 1/price."""
        return self.kind is ContractKind.INVERSE

    @property
    def is_entry_basis(self) -> bool:
        """Tell whether maintenance is fixed at entry."""
        return self.basis is Basis.ENTRY

    @property
    def is_fee_counted(self) -> bool:
        """Tell whether the closing fee stands in the requirement."""
        return self.closing_fee is ClosingFee.MARK

    @property
    def is_tier_fixed(self) -> bool:
        """Tell whether the tier stays the same at every price."""
        return self.tier_key is TierKey.QUANTITY

    def direction(self, side: Side) -> int:
        """Return +1 where equity grows with the value of a unit, -1 where it shrinks."""
        return -side.sign if self.is_inverse else side.sign


def profit(*, direction: Number, quantity: Number, value: Number, entry_value: Number) -> Number:
    """Return unrealised profit, in settle units. Source: docs/formulas.md#the-one-condition."""
    return direction * quantity * (value - entry_value)


def equity(
    *,
    direction: Number,
    quantity: Number,
    value: Number,
    entry_value: Number,
    collateral: Number,
) -> Number:
    """Return collateral plus unrealised profit, in settle units.

    Source: docs/formulas.md#the-one-condition.
    """
    return collateral + profit(
        direction=direction, quantity=quantity, value=value, entry_value=entry_value
    )


def requirement(*, rate: Number, amount: Number, notional: Number) -> Number:
    """Return `rate` of the notional less the tier's deduction, in settle units.

    Source: docs/formulas.md#tiers.
    """
    return rate * notional - amount
