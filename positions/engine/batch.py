"""Value objects to float64 columns: the one door between number types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Any

import numpy as np

from positions.engine.rulebook import find_rule
from positions.engine.rules import Floats, MarginRules
from positions.engine.solution import Bools
from positions.engine.tiers import Indices, Table, TierTables, share, stack_tables
from positions.engine.types import Terms, Tier


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Columns of n positions, (n,) arrays. NaN is "not known".

    sign           +1 long, -1 short
    quantity       as Terms has it; > 0
    entry_price    quote per base, > 0
    collateral     settle units, without unrealised PnL
    trigger_price  quote per base
    fee_rate       closing fee, a fraction; 0 where the rule does not count it
    next_funding_rate
                   fraction of the notional at entry; 0 where the rule does not count it
    fixed_requirement
                   settle units required at every price
    price_cap      quote per base; inf where the venue has none
    table          row of each position's table in `tables`
    is_entry_basis, is_tier_fixed
                   maintenance fixed at entry; the tier chosen by quantity
    is_walked      more than one price may meet the requirement, so that the solver must walk

    Raises ValueError on a quantity or an entry price that is not positive.
    """

    sign: Floats
    quantity: Floats
    entry_price: Floats
    collateral: Floats
    trigger_price: Floats
    fee_rate: Floats
    next_funding_rate: Floats
    fixed_requirement: Floats
    price_cap: Floats
    table: Indices
    is_inverse: Bools
    is_entry_basis: Bools
    is_tier_fixed: Bools
    is_strict: Bools
    is_walked: Bools
    tables: TierTables

    def __post_init__(self) -> None:
        _refuse_non_positive("quantity", self.quantity)
        _refuse_non_positive("entry_price", self.entry_price)

    def __len__(self) -> int:
        return len(self.quantity)

    def take(self, rows: slice | Indices | Bools) -> Batch:
        """Return some of the positions, with the same tables."""
        chosen = {name: getattr(self, name)[rows] for name in _COLUMNS}
        return Batch(**chosen, tables=self.tables)

    def change(self, **columns: Floats) -> Batch:
        """Return the same positions with other columns, each of shape (n,)."""
        changed: dict[str, Any] = {
            name: np.asarray(each, dtype=np.float64) for name, each in columns.items()
        }
        return replace(self, **changed)


_COLUMNS = tuple(field.name for field in fields(Batch) if field.name != "tables")


def build_batch(*, terms: Sequence[Terms]) -> Batch:
    """Return the columns of the given positions, in their order.

    A trigger price of None, or one that is not positive, becomes NaN, as does anything not
    finite: not known.
    Raises ValueError on a quantity or entry price <= 0 or on tiers that do not ascend,
    UnknownRuleError on a rule that RULES does not hold.
    """
    rule, keys = share(keys=[each.rule for each in terms])
    # Positions of one market share one tuple, so that each is converted once.
    distinct = {id(each.tiers): each.tiers for each in terms}
    table, ids = share(keys=[id(each.tiers) for each in terms])
    return build_columns(
        rules=keys,
        rule=rule,
        tables=[distinct[each] for each in ids],
        table=table,
        sign=_floats(terms, lambda each: each.side.sign),
        quantity=_floats(terms, lambda each: each.quantity),
        entry_price=_floats(terms, lambda each: each.entry_price),
        collateral=_floats(terms, lambda each: each.collateral),
        trigger_price=_floats(
            terms, lambda each: np.nan if each.trigger_price is None else each.trigger_price
        ),
        fee_rate=_floats(terms, lambda each: each.fee_rate),
        next_funding_rate=_floats(terms, lambda each: each.next_funding_rate),
        fixed_requirement=_floats(terms, lambda each: each.fixed_requirement),
    )


def build_columns(
    *,
    rules: Sequence[str],
    rule: Indices,
    tables: Sequence[Table],
    table: Indices,
    sign: Floats,
    quantity: Floats,
    entry_price: Floats,
    collateral: Floats,
    trigger_price: Floats,
    fee_rate: Floats,
    next_funding_rate: Floats,
    fixed_requirement: Floats,
) -> Batch:
    """Return a batch of columns that are there already; `rule` and `table` are places in the lists.

    Raises as build_batch does.
    """
    known = [find_rule(key=key) for key in rules]
    pairs, flat = np.unique(rule * len(tables) + table, return_inverse=True)
    split = [divmod(int(pair), len(tables)) for pair in pairs]
    stacked = stack_tables(tables=[_as_ruled(known[one], tables[other]) for one, other in split])
    fees = np.where(_switch(known, rule, lambda each: each.is_fee_counted), fee_rate, 0.0)
    is_entry_basis = _switch(known, rule, lambda each: each.is_entry_basis)
    is_tier_fixed = _switch(known, rule, lambda each: each.is_tier_fixed)
    is_smooth = stacked.top_rate[flat] + fees < 1.0
    is_counted = _switch(known, rule, lambda each: each.funding.is_next_required)
    caps = np.array([np.inf if each.price_cap is None else each.price_cap for each in known])
    return Batch(
        sign=sign,
        quantity=quantity,
        entry_price=entry_price,
        collateral=collateral,
        trigger_price=np.where(trigger_price > 0, trigger_price, np.nan),
        fee_rate=fees,
        next_funding_rate=np.where(is_counted, next_funding_rate, 0.0),
        fixed_requirement=fixed_requirement,
        price_cap=caps[rule],
        table=flat,
        is_inverse=_switch(known, rule, lambda each: each.is_inverse),
        is_entry_basis=is_entry_basis,
        is_tier_fixed=is_tier_fixed,
        is_strict=_switch(known, rule, lambda each: each.is_strict),
        is_walked=~(is_smooth | is_entry_basis | is_tier_fixed),
        tables=stacked,
    )


def _as_ruled(rule: MarginRules, table: Table) -> Table:
    if rule.is_cumulative:
        return table
    return tuple(Tier(floor=tier.floor, rate=tier.rate) for tier in table)


def _switch(
    rules: Sequence[MarginRules], rule: Indices, read: Callable[[MarginRules], bool]
) -> Bools:
    each = np.fromiter((read(one) for one in rules), np.bool_, len(rules))
    return each[rule]


def _refuse_non_positive(name: str, column: Floats) -> None:
    bad = np.flatnonzero(column <= 0)
    if bad.size:
        raise ValueError(f"{name} must be positive; position {bad[0]} has {column[bad[0]]}")


def _floats(terms: Sequence[Terms], read: Callable[[Terms], Any | float | Fraction]) -> Floats:
    column = np.fromiter((float(read(each)) for each in terms), np.float64, len(terms))
    return np.where(np.isfinite(column), column, np.nan)
