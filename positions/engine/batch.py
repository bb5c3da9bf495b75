"""Value objects to float64 columns: the one door between number types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from positions.engine.rules import Floats, MarginRules, find_rule
from positions.engine.tiers import TierColumns, pad_tables
from positions.engine.types import Terms

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Columns of n positions; (n,) arrays, tier arrays (n, k). NaN is "not known".

    sign           +1 long, -1 short
    quantity       linear: base units; inverse: quote units; > 0
    entry_price    quote per base, > 0
    collateral     settle units, without unrealised PnL
    trigger_price  quote per base
    fee_rate       closing fee, a fraction; 0 where the rule does not count it
    tiers          amounts are 0 where the rule's tiers are flat

    Raises ValueError on a quantity or an entry price that is not positive.
    """

    sign: Floats
    quantity: Floats
    entry_price: Floats
    collateral: Floats
    trigger_price: Floats
    fee_rate: Floats
    tiers: TierColumns
    is_inverse: Bools
    is_entry_basis: Bools
    is_strict: Bools

    def __post_init__(self) -> None:
        _refuse_non_positive("quantity", self.quantity)
        _refuse_non_positive("entry_price", self.entry_price)

    def __len__(self) -> int:
        return len(self.quantity)

    def with_trigger_price(self, *, price: Floats) -> Batch:
        """Return the same positions at other trigger prices, shape (n,)."""
        return replace(self, trigger_price=np.asarray(price, dtype=np.float64))

    def with_collateral(self, *, collateral: Floats) -> Batch:
        """Return the same positions holding other margin, shape (n,)."""
        return replace(self, collateral=np.asarray(collateral, dtype=np.float64))


def build_batch(*, terms: Sequence[Terms]) -> Batch:
    """Return the columns of the given positions, in their order.

    A trigger price of None, or one that is not positive, becomes NaN, as does anything not
    finite: not known.
    Raises ValueError on a quantity or entry price <= 0 or on tiers that do not ascend,
    UnknownRuleError on a rule that RULES does not hold.
    """
    rules = [find_rule(key=each.rule) for each in terms]
    trigger = _floats(
        terms, lambda each: np.nan if each.trigger_price is None else each.trigger_price
    )
    tiers = pad_tables(tables=[each.tiers for each in terms])
    is_cumulative = _bools(rules, lambda rule: rule.is_cumulative)
    return Batch(
        sign=_floats(terms, lambda each: each.side.sign),
        quantity=_floats(terms, lambda each: each.quantity),
        entry_price=_floats(terms, lambda each: each.entry_price),
        collateral=_floats(terms, lambda each: each.collateral),
        trigger_price=np.where(trigger > 0, trigger, np.nan),
        fee_rate=np.where(
            _bools(rules, lambda rule: rule.is_fee_counted),
            _floats(terms, lambda each: each.fee_rate),
            0.0,
        ),
        tiers=replace(tiers, amount=np.where(is_cumulative[:, None], tiers.amount, 0.0)),
        is_inverse=_bools(rules, lambda rule: rule.is_inverse),
        is_entry_basis=_bools(rules, lambda rule: rule.is_entry_basis),
        is_strict=_bools(rules, lambda rule: rule.is_strict),
    )


def _refuse_non_positive(name: str, column: Floats) -> None:
    bad = np.flatnonzero(column <= 0)
    if bad.size:
        raise ValueError(f"{name} must be positive; position {bad[0]} has {column[bad[0]]}")


def _floats(terms: Sequence[Terms], read: Callable[[Terms], float | Fraction]) -> Floats:
    column = np.fromiter((float(read(each)) for each in terms), np.float64, len(terms))
    return np.where(np.isfinite(column), column, np.nan)


def _bools(rules: Sequence[MarginRules], read: Callable[[MarginRules], bool]) -> Bools:
    return np.fromiter((read(rule) for rule in rules), np.bool_, len(rules))
