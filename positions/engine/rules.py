"""Margin rules as data, and the one condition they switch: equity against required.

Everything is stated in *value space*. The value of one unit of quantity is `u = P` for a linear
contract and `u = 1/P` for an inverse one, so that both obey the same two lines:

    equity(u)   = collateral + direction * quantity * (u - entry value)
    required(u) = rate * quantity * u - amount (+ fee rate * quantity * u)

where the direction is `s` for linear and `-s` for inverse. A venue is a set of switches on top.
Derivations, worked numbers and sources: docs/formulas.md.
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


class Leftover(StrEnum):
    """Who gets what a liquidated compartment still holds after the liquidation fee."""

    OWNER = "owner"
    INSURANCE = "insurance"


class UnknownRuleError(KeyError):
    """A margin rule was asked for by a name that RULES does not hold."""

    def __str__(self) -> str:
        return f"no margin rule {self.args[0]!r}; known rules: {', '.join(sorted(RULES))}"


@dataclass(frozen=True, slots=True)
class MarginRules:
    """The switches of one family of venues.

    kind            linear or inverse
    basis           maintenance measured at the mark price or fixed at entry, tier included
    is_fee_counted  the fee of closing stands in the trigger; where it is reserved apart it does not
    is_cumulative   tier amounts are deducted; otherwise the whole position bears its tier's rate
    is_strict       liquidated below the requirement only, not when just meeting it
    leftover        who gets the rest after a liquidation
    source          where the venue says so, as named in docs/formulas.md
    """

    key: str
    kind: ContractKind
    basis: Basis
    is_fee_counted: bool
    is_cumulative: bool
    is_strict: bool
    leftover: Leftover
    source: str

    @property
    def is_inverse(self) -> bool:
        """Tell whether profit follows 1/price."""
        return self.kind is ContractKind.INVERSE

    @property
    def is_entry_basis(self) -> bool:
        """Tell whether maintenance is fixed at entry."""
        return self.basis is Basis.ENTRY

    def direction(self, side: Side) -> int:
        """Return +1 where equity grows with the value of a unit, -1 where it shrinks."""
        return -side.sign if self.is_inverse else side.sign


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
    return collateral + direction * quantity * (value - entry_value)


def requirement(*, rate: Number, amount: Number, quantity: Number, value: Number) -> Number:
    """Return `rate` of the notional less the tier's deduction, in settle units.

    Source: docs/formulas.md#tiers.
    """
    return rate * quantity * value - amount


def find_rule(*, key: str) -> MarginRules:
    """Return the rule of that name.

    Raises UnknownRuleError (a KeyError) that names the known rules.
    """
    try:
        return RULES[key]
    except KeyError:
        raise UnknownRuleError(key) from None


def _rule(
    key: str,
    *,
    source: str,
    is_fee_counted: bool = False,
    is_cumulative: bool = True,
    is_strict: bool = False,
    leftover: Leftover = Leftover.OWNER,
) -> MarginRules:
    kind, basis, *_ = key.split("-")
    return MarginRules(
        key=key,
        kind=ContractKind(kind),
        basis=Basis(basis),
        is_fee_counted=is_fee_counted,
        is_cumulative=is_cumulative,
        is_strict=is_strict,
        leftover=leftover,
        source=source,
    )


RULES: dict[str, MarginRules] = {
    rule.key: rule
    for rule in (
        _rule(
            "linear-mark",
            source="Binance FAQ b3c689c1 (USD-M), Aster; Hyperliquid docs, margin tiers",
        ),
        _rule(
            "linear-mark-flat",
            is_cumulative=False,
            source="CoinEx 6951824248601, Injective, StandX: the whole position bears one rate",
        ),
        _rule(
            "linear-mark-strict",
            is_strict=True,
            source="dYdX v4 protocol tests: liquidated strictly below the requirement",
        ),
        _rule(
            "linear-mark-fee",
            is_fee_counted=True,
            source="Gate leverage-margin page and support reply; Bitget 12560603808759; OKX "
            "6997123251341 (tables without deductions arrive with amounts of zero)",
        ),
        _rule(
            "linear-mark-fee-flat",
            is_fee_counted=True,
            is_cumulative=False,
            source="OKX tiered maintenance ratio, Bitget 360052911052: no deduction",
        ),
        _rule(
            "linear-entry",
            leftover=Leftover.INSURANCE,
            source="Bybit 360039261334 and margin-parameters; settled at the bankruptcy price",
        ),
        _rule("inverse-mark", source="Binance FAQ ceccfcfb (COIN-M)"),
        _rule(
            "inverse-mark-fee",
            is_fee_counted=True,
            source="OKX 6997123251341 (coin-margined), Gate support reply",
        ),
        _rule(
            "inverse-entry",
            leftover=Leftover.INSURANCE,
            source="Bybit 900000181046 (2024 text), MCS 360041008371",
        ),
    )
}
