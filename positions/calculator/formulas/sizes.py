"""Prices, sides and sizes: from the words of a venue to the engine's quantity."""

from __future__ import annotations

from positions.calculator.derivations import Family
from positions.engine.rules import MarginRules
from positions.engine.types import Side

# Where no size is given but no amount either, prices are those of one unit.
AMOUNTS = (
    "collateral",
    "initial_margin",
    "extra_margin",
    "maintenance_amount",
    "maintenance_margin",
    "tiers",
    "position_margin",
    "isolated_margin_incl_upnl",
    "fixed_requirement",
    "equity",
    "raw_usd",
    "quote_balance",
    "cash",
)

common = Family("common", "docs/formulas.md, of the one condition")
position = Family("position", "docs/formulas.md, of contracts")
oracle = Family("oracle", "the rule's trigger")
linear = Family("linear", "docs/formulas.md, linear")
inverse = Family("inverse", "docs/formulas.md, inverse")
quanto = Family("quanto", "BitMEX series guide: value = price x multiplier x contracts")


@common.gives("sign")
def sign_of_side(side: Side) -> float:
    return float(side.sign)


@common.gives("trigger_price")
def mark_triggers(mark_price: float) -> float:
    return mark_price


@oracle.gives("trigger_price")
@common.gives("trigger_price", is_quiet=True)
def oracle_triggers(oracle_price: float) -> float:
    return oracle_price


@oracle.gives("trigger_price", is_quiet=True)
@common.gives("trigger_price", is_quiet=True)
def index_triggers(index_price: float) -> float:
    return index_price


@common.gives("trigger_price", is_quiet=True)
def only_price_triggers(price: float) -> float:
    return price


@position.gives("entry_price", is_quiet=True)
def entry_of_cost(given_cost_position: float, size: float) -> float:
    return given_cost_position / size


@common.gives("reference_price")
def entry_is_reference(entry_price: float) -> float:
    return entry_price


@common.gives("reference_price", is_quiet=True)
def mark_of_equity_is_reference(given_equity: float, trigger_price: float) -> float:
    return trigger_price


@linear.gives("size")
@inverse.gives("size", is_quiet=True)
@quanto.gives("size", is_quiet=True)
def quantity_is_size(given_quantity: float) -> float:
    return given_quantity


@linear.gives("size")
@inverse.gives("size")
def size_of_contracts(contracts: float, contract_size: float) -> float:
    return contracts * contract_size


@quanto.gives("size")
def size_of_quanto_contracts(contracts: float, multiplier: float) -> float:
    return contracts * multiplier


@inverse.gives("size", is_quiet=True)
def position_size_is_size(given_position_size: float) -> float:
    return given_position_size


@linear.gives("size", is_quiet=True)
@quanto.gives("size", is_quiet=True)
def size_of_margin(given_initial_margin: float, leverage: float, given_entry_price: float) -> float:
    return given_initial_margin * leverage / given_entry_price


@inverse.gives("size", is_quiet=True, source="Twilight documentation: size = EP x IM x leverage")
def size_of_inverse_margin(
    given_initial_margin: float, leverage: float, given_entry_price: float
) -> float:
    return given_initial_margin * leverage * given_entry_price


@linear.gives("size", is_quiet=True)
def size_of_usd(given_notional_usd: float, given_entry_price: float) -> float:
    return given_notional_usd / given_entry_price


@inverse.gives("size", is_quiet=True)
def usd_is_size(given_notional_usd: float) -> float:
    return given_notional_usd


@linear.gives("size", is_quiet=True)
def size_of_open_notional(given_open_notional: float, given_entry_price: float) -> float:
    return given_open_notional / given_entry_price


@common.gives("position_size")
def size_is_position_size(size: float) -> float:
    return size


@common.gives("scale")
def size_is_scale(size: float) -> float:
    return size


@position.gives("scale", unless=AMOUNTS, is_quiet=True)
def scale_of_one_unit(entry_price: float, margin_rate: float) -> float:
    return 1.0


@position.gives("entry_notional")
def value_at_entry(rule: MarginRules, size: float, entry_price: float) -> float:
    return value_of(rule, size, entry_price)


@position.gives("entry_notional", is_quiet=True)
def usd_at_entry(given_open_notional: float) -> float:
    return given_open_notional


@common.gives("notional")
def value_at_mark(rule: MarginRules, size: float, trigger_price: float) -> float:
    return value_of(rule, size, trigger_price)


@position.gives("notional", is_quiet=True)
def notional_as_given(given_notional: float) -> float:
    return given_notional


@position.gives("notional", note="at entry: no mark price is given")
def value_at_entry_for_want_of_mark(entry_notional: float) -> float:
    return entry_notional


def value_of(rule: MarginRules, size: float, price: float) -> float:
    """Return the value of the position at that price, settle units."""
    return size / price if rule.is_inverse else size * price
