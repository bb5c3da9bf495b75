"""One isolated position with the collateral that is all it can lose, in exact numbers.

Money (collateral, cost) is an integer of the smallest unit, 10^-scale of the settle currency;
quantities, prices and rates are Fractions. The entry is kept as `cost`, the notional paid in
smallest units, so that blending entries neither rounds nor grows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

from positions.engine.rulebook import find_rule
from positions.engine.rules import MarginRules, equity, requirement
from positions.engine.types import PositionState, Side, Terms, Tier

DEFAULT_SCALE = 8


class RefusedError(ValueError):
    """A step that the venue would refuse; the compartment stays as it was."""


@dataclass(frozen=True, slots=True)
class Compartment:
    """One isolated position and the collateral that is all it can lose.

    rule        key into positions.engine.rules.RULES
    quantity    linear: base units; inverse: quote units; 0 once ended
    cost        notional at entry, smallest units of the settle currency
    collateral  smallest units, without unrealised profit; below 0 only while profit backs it
    leverage    initial margin is the notional divided by it
    fee_rate    charged on the notional of each trade, and inside the trigger where the rule says so
    liquidation_fee_rate
                of the notional, to the insurance fund, out of what a liquidation leaves
    scale       digits of the smallest unit
    """

    state: PositionState
    rule: str
    side: Side
    quantity: Fraction
    cost: int
    collateral: int
    leverage: Fraction
    tiers: tuple[Tier, ...]
    fee_rate: Fraction
    liquidation_fee_rate: Fraction
    scale: int = DEFAULT_SCALE

    @property
    def unit(self) -> int:
        """Return how many smallest units make one of the settle currency."""
        unit: int = 10**self.scale
        return unit

    @property
    def rules(self) -> MarginRules:
        """Return the switches of the margin rule."""
        return find_rule(key=self.rule)

    @property
    def entry_price(self) -> Fraction | None:
        """Return the blended entry, quote per base; None once ended."""
        if not self.quantity:
            return None
        value = self._entry_value / self.unit
        return 1 / value if self.rules.is_inverse else value

    def terms(self, *, trigger_price: Fraction | None) -> Terms:
        """Return what the solver needs to know. Raises RefusedError once ended."""
        entry = self.entry_price
        if entry is None:
            raise RefusedError(f"the compartment is {self.state.value}")
        return Terms(
            rule=self.rule,
            side=self.side,
            quantity=self.quantity,
            entry_price=entry,
            collateral=Fraction(self.collateral, self.unit),
            trigger_price=trigger_price,
            tiers=self.tiers,
            fee_rate=self.fee_rate,
        )

    def unit_value(self, *, price: Fraction) -> Fraction:
        """Return what one unit of quantity is worth at that price, smallest units."""
        return self.unit / price if self.rules.is_inverse else price * self.unit

    def notional(self, *, price: Fraction) -> Fraction:
        """Return the notional at that price, smallest units, not rounded."""
        return self.quantity * self.unit_value(price=price)

    def equity(self, *, price: Fraction) -> Fraction:
        """Return collateral plus unrealised profit, smallest units, not rounded."""
        return equity(
            direction=Fraction(self.rules.direction(self.side)),
            quantity=self.quantity,
            value=self.unit_value(price=price),
            entry_value=self._entry_value,
            collateral=Fraction(self.collateral),
        )

    def required(self, *, price: Fraction) -> Fraction:
        """Return maintenance plus the closing fee where the rule counts it, smallest units."""
        value = self.unit_value(price=price)
        measured_at = self._entry_value if self.rules.is_entry_basis else value
        size = (
            self.quantity if self.rules.is_tier_fixed else self.quantity * measured_at / self.unit
        )
        tier = _tier_at(self.tiers, size)
        maintenance = requirement(
            rate=exact(tier.rate),
            amount=exact(tier.amount) * self.unit if self.rules.is_cumulative else Fraction(0),
            notional=self.quantity * measured_at,
        )
        fee = self.fee_rate if self.rules.is_fee_counted else Fraction(0)
        return maintenance + fee * self.quantity * value

    def initial_margin(self, *, price: Fraction) -> int:
        """Return the margin that opening it at that price takes, smallest units."""
        return math.ceil(self.notional(price=price) / self.leverage)

    def is_liquidatable(self, *, price: Fraction) -> bool:
        """Tell whether equity meets the requirement at that price."""
        held, required = self.equity(price=price), self.required(price=price)
        return held < required if self.rules.is_strict else held <= required

    @property
    def _entry_value(self) -> Fraction:
        return self.cost / self.quantity

    def to_record(self) -> dict[str, Any]:
        """Return plain JSON values: text, integers and lists; `from_record` reads them back."""
        record = {field.name: getattr(self, field.name) for field in fields(self)}
        plain = {key: str(v) if isinstance(v, Fraction) else v for key, v in record.items()}
        tiers = [[tier.floor, tier.rate, tier.amount] for tier in self.tiers]
        return plain | {"state": self.state.value, "side": self.side.value, "tiers": tiers}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Compartment:
        """Return the compartment that `to_record` wrote."""
        exacts = ("quantity", "leverage", "fee_rate", "liquidation_fee_rate")
        return cls(
            **{
                **record,
                **{name: Fraction(record[name]) for name in exacts},
                "state": PositionState(record["state"]),
                "side": Side(record["side"]),
                "tiers": tuple(Tier(*row) for row in record["tiers"]),
            }
        )


@lru_cache(maxsize=4096)
def exact(number: float | Fraction) -> Fraction:
    """Return the number as it is written: 0.005 is 1/200, not the nearest binary fraction."""
    return number if isinstance(number, Fraction) else Fraction(Decimal(repr(float(number))))


def _tier_at(tiers: tuple[Tier, ...], notional: Fraction) -> Tier:
    reached = [tier for tier in tiers if exact(tier.floor) <= notional]
    return reached[-1] if reached else tiers[0]
