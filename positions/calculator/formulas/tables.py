"""Maintenance: tables of tiers, the tier of a position, and the margin it asks for."""

from __future__ import annotations

from positions.calculator.derivations import Family
from positions.calculator.errors import NoFigureError
from positions.calculator.formulas.margins import maintenance_holds_fee, snapshot_holds_fee
from positions.calculator.formulas.sizes import common, position
from positions.calculator.reading import Liability
from positions.engine.rules import MarginRules, requirement
from positions.engine.tiers import with_amounts
from positions.engine.types import Tier

Table = tuple[Tier, ...]
Liabilities = tuple[Liability, ...]

entry_basis = Family("entry-basis", "the rule's switch: maintenance is fixed at entry")
mark_basis = Family("mark-basis", "the rule's switch: maintenance follows the mark price")


@entry_basis.gives("basis_notional")
def basis_is_entry(entry_notional: float) -> float:
    return entry_notional


@mark_basis.gives("basis_notional")
@entry_basis.gives("basis_notional", is_quiet=True, note="at the mark price: no entry is given")
def basis_is_mark(notional: float) -> float:
    return notional


@position.gives("rate")
def rate_as_given(given_maintenance_margin_rate: float) -> float:
    return given_maintenance_margin_rate


@position.gives("table", is_quiet=True)
def table_of_tiers(tiers: Table) -> Table:
    return tiers


@position.gives("table")
def table_of_rate(rate: float, given_maintenance_amount: float = 0.0) -> Table:
    return (Tier(floor=0.0, rate=rate, amount=given_maintenance_amount),)


@position.gives("table", is_quiet=True, source="Twilight documentation: maintenance is an amount")
def table_of_amount(given_maintenance_margin: float) -> Table:
    return (Tier(floor=0.0, rate=0.0, amount=-given_maintenance_margin),)


@position.gives("tier", is_quiet=True)
def tier_by_index(rule: MarginRules, tiers: Table, tier_index: float) -> Tier:
    if tier_index > len(tiers):
        raise NoFigureError(f"none: there are {len(tiers)} tiers")
    return _as_ruled(rule, tiers[int(tier_index) - 1])


@position.gives("tier", is_quiet=True)
def tier_of_quantity(rule: MarginRules, tiers: Table, size: float, basis_notional: float) -> Tier:
    return _find(rule, tiers, size if rule.is_tier_fixed else basis_notional)


@position.gives("tier", is_quiet=True)
def tier_of_notional(rule: MarginRules, tiers: Table, basis_notional: float) -> Tier:
    return _find(rule, tiers, basis_notional)


@position.gives("maintenance_margin_rate")
def rate_is_maintenance_rate(rate: float) -> float:
    return rate


@position.gives("maintenance_margin_rate", is_quiet=True)
def rate_of_tier(tier: Tier) -> float:
    return tier.rate


@position.gives("maintenance_amount", is_quiet=True, source="docs/formulas.md, tiers")
def amount_of_tier(tier: Tier) -> float:
    return tier.amount


@position.gives("plain_maintenance", is_quiet=True)
def maintenance_of_tier(tier: Tier, basis_notional: float) -> float:
    return requirement(rate=tier.rate, amount=tier.amount, notional=basis_notional)  # type: ignore[type-var]


@common.gives("plain_maintenance")
def maintenance_of_table(
    rule: MarginRules, table: Table, basis_notional: float, size: float = 0.0
) -> float:
    tier = _find(rule, table, size if rule.is_tier_fixed else basis_notional)
    return maintenance_of_tier(tier, basis_notional)


@snapshot_holds_fee.gives("maintenance_margin", is_quiet=True)
def maintenance_of_snapshot(
    given_mark_price: float, plain_maintenance: float, close_fee: float
) -> float:
    return plain_maintenance + close_fee


@maintenance_holds_fee.gives("maintenance_margin")
def maintenance_with_fee(
    plain_maintenance: float, entry_notional: float, counted_funding: float, close_fee: float
) -> float:
    return plain_maintenance + counted_funding * entry_notional + close_fee


@common.gives("maintenance_margin")
def maintenance_is_plain(plain_maintenance: float) -> float:
    return plain_maintenance


@position.gives("maintenance_margin_via_deduction")
def maintenance_via_deduction(
    maintenance_margin_rate: float, maintenance_amount: float, basis_notional: float
) -> float:
    return maintenance_margin_rate * basis_notional - maintenance_amount


def sum_liabilities(liabilities: Liabilities, *, is_printed: bool) -> float:
    """Return the maintenance margin of all loans, by slices or by the deductions printed."""
    total = 0.0
    for each in liabilities:
        table = with_amounts(tiers=each.tiers)
        tier = _last_reached(table, each.owed)
        amount = tier.amount
        if is_printed:
            if each.amount is None:
                raise NoFigureError("unknown: missing maintenance_amount of a liability")
            amount = each.amount
        total += tier.rate * each.owed - amount
    return total


def _find(rule: MarginRules, table: Table, key: float) -> Tier:
    return _as_ruled(rule, _last_reached(table, key))


def _last_reached(table: Table, key: float) -> Tier:
    reached = [tier for tier in table if tier.floor <= key]
    return reached[-1] if reached else table[0]


def _as_ruled(rule: MarginRules, tier: Tier) -> Tier:
    return tier if rule.is_cumulative else Tier(floor=tier.floor, rate=tier.rate)
