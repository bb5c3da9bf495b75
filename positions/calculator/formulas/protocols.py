"""Protocols whose requirement or margin is put together in their own way, one after the other."""

from __future__ import annotations

from positions.calculator.answer import is_met
from positions.calculator.derivations import Family
from positions.calculator.errors import NoFigureError
from positions.engine.rules import MarginRules
from positions.engine.tiers import with_minimum
from positions.engine.types import Tier

Table = tuple[Tier, ...]

synthetix = Family("synthetix", "Synthetix futures v1 tests")
gmx = Family("gmx", "GMX v1 interface and vault tests")
htx = Family("htx", "HTX 104919792315746 and API samples")
orderly = Family("orderly", "Orderly js-sdk perp package and documentation")
alph = Family("alph", "Alph.trade docs, math")
perp_v1 = Family("perp-v1", "Perpetual Protocol v1 ClearingHouse tests")


@synthetix.gives("table", is_final=True)
def liquidation_margin(
    min_keeper_fee: float,
    liquidation_fee_ratio: float,
    liquidation_buffer_ratio: float,
    size: float,
    skew_scale: float = 0.0,
) -> Table:
    """Return max(least keeper fee, fee x value) + buffer x value, and PerpsV2's skew premium."""
    fees = with_minimum(
        tiers=(Tier(floor=0.0, rate=liquidation_fee_ratio),), minimum=min_keeper_fee
    )
    buffer = liquidation_buffer_ratio + (size / skew_scale if skew_scale else 0.0)
    return tuple(
        Tier(floor=tier.floor, rate=tier.rate + buffer, amount=tier.amount) for tier in fees
    )


@synthetix.gives("held", is_final=True)
@synthetix.gives("unreserved", is_final=True)
def margin_after_fee_and_funding(
    margin: float,
    sign: float,
    size: float,
    funding_shift_per_unit: float,
    given_open_fee: float = 0.0,
) -> float:
    return margin - given_open_fee - sign * size * funding_shift_per_unit


@gmx.gives("table", is_final=True)
def gmx_requirement(
    *,
    rule: MarginRules,
    entry_notional: float,
    accrued_funding: float,
    margin_fee_rate: float,
    liquidation_fee: float,
    max_leverage: float = 0.0,
) -> Table:
    """Return max(fees and funding owed, size / greatest leverage)."""
    rate = 1.0 / max_leverage if max_leverage else 0.0
    owed = entry_notional * margin_fee_rate - accrued_funding + liquidation_fee
    return with_minimum(tiers=(Tier(floor=0.0, rate=rate),), minimum=owed)


@gmx.gives("entry_notional")
def usd_is_entry_notional(given_notional_usd: float) -> float:
    return given_notional_usd


@htx.gives("rate", unless=("maintenance_margin_rate",))
def rate_of_adjust_factor(adjust_factor: float, leverage: float) -> float:
    return adjust_factor / leverage


@htx.gives("fixed", is_quiet=True)
def orders_are_fixed(adjust_factor: float, margin_frozen_orders: float) -> float:
    return adjust_factor * margin_frozen_orders


@htx.gives("position_margin", is_final=True)
def position_margin_at_mark(notional: float, leverage: float) -> float:
    return notional / leverage


@htx.gives("venue_margin_ratio")
def risk_rate(
    equity: float, position_margin: float, margin_frozen_orders: float, adjust_factor: float
) -> float:
    return _over_margin(equity, position_margin + margin_frozen_orders) - adjust_factor


@htx.gives(
    "venue_margin_ratio",
    unless=("quantity", "contracts", "entry_price"),
    is_quiet=True,
    note="of an account without a position",
)
def risk_rate_without_position(
    given_collateral: float, margin_frozen_orders: float, adjust_factor: float
) -> float:
    return _over_margin(given_collateral, margin_frozen_orders) - adjust_factor


@orderly.gives("rate", unless=("maintenance_margin_rate",), note="of the notional at this price")
def rate_of_notional(base_mmr: float, base_imr: float, imr_factor: float, notional: float) -> float:
    return float(max(base_mmr, base_mmr / base_imr * imr_factor * notional**0.8))


@orderly.gives("margin", unless=("collateral", "initial_margin"), is_quiet=True)
def margin_with_fee_buffer(
    entry_notional: float,
    margin_rate: float,
    iso_taker_fee_buffer: float,
    extra_margin: float,
) -> float:
    return entry_notional * (margin_rate + iso_taker_fee_buffer) + extra_margin


@orderly.gives("held", is_final=True)
@orderly.gives("unreserved", is_final=True)
def margin_after_funding(
    margin: float, sign: float, size: float, funding_delta_per_unit: float
) -> float:
    return margin - sign * size * funding_delta_per_unit


@alph.gives("size")
def size_of_collateral(given_collateral: float, leverage: float, given_entry_price: float) -> float:
    return given_collateral * leverage / given_entry_price


@alph.gives("held", is_final=True)
@alph.gives("unreserved", is_final=True)
def collateral_after_borrowing(
    margin: float, entry_notional: float, borrow_rate_hourly: float, hours: float
) -> float:
    return margin - hours * borrow_rate_hourly * entry_notional


@alph.gives("table", is_quiet=True)
def nothing_is_required(given_maintenance_margin_rate: float = 0.0) -> Table:
    return (Tier(floor=0.0, rate=given_maintenance_margin_rate),)


@perp_v1.gives("spot_notional")
def notional_of_closing(
    sign: float, size: float, amm_quote_reserve: float, amm_base_reserve: float
) -> float:
    """Return what closing into the curve x y = k brings, or costs."""
    left = amm_base_reserve + sign * size
    if left <= 0:
        raise NoFigureError("none: the curve does not hold as much as the position")
    return abs(amm_quote_reserve - amm_quote_reserve * amm_base_reserve / left)


@perp_v1.gives("unrealized_pnl", is_quiet=True)
def milder_profit(
    sign: float, spot_notional: float, open_notional: float, unrealized_pnl_twap: float
) -> float:
    return max(sign * (spot_notional - open_notional), unrealized_pnl_twap)


@perp_v1.gives("unrealized_pnl")
def spot_profit(sign: float, spot_notional: float, open_notional: float) -> float:
    return sign * (spot_notional - open_notional)


@perp_v1.gives("unrealized_pnl", is_quiet=True, is_final=True)
def average_profit(given_unrealized_pnl_twap: float) -> float:
    return given_unrealized_pnl_twap


@perp_v1.gives("notional", is_final=True)
def notional_of_profit(sign: float, open_notional: float, unrealized_pnl: float) -> float:
    return open_notional + sign * unrealized_pnl


@perp_v1.gives("equity", is_final=True)
def margin_funding_and_profit(
    margin: float, accrued_funding: float, unrealized_pnl: float
) -> float:
    return margin + accrued_funding + unrealized_pnl


@perp_v1.gives("liquidation_price", is_final=True)
@perp_v1.gives("bankruptcy_price", is_final=True)
@perp_v1.gives("liquidation_distance", is_final=True)
@perp_v1.gives("residual", is_final=True)
def no_price_on_a_curve() -> float:
    raise NoFigureError("none: closing moves the curve's price; see venue_margin_ratio")


@perp_v1.gives("required", is_final=True)
def maintenance_is_required(maintenance_margin: float) -> float:
    return maintenance_margin


@perp_v1.gives("liquidatable", is_final=True)
def is_below_maintenance(
    rule: MarginRules, equity: float, required: float, notional: float
) -> bool:
    return is_met(rule=rule, equity=equity, required=required, scale=notional)


@perp_v1.gives("margin_ratio", is_final=True)
def required_to_equity(required: float, equity: float) -> float:
    return _of_equity(required, equity)


@perp_v1.gives("effective_leverage", is_final=True)
def notional_to_equity(notional: float, equity: float) -> float:
    return _of_equity(notional, equity)


@perp_v1.gives("state", is_final=True)
def state_on_the_curve(equity: float, liquidatable: bool) -> str:
    if not liquidatable:
        return "open"
    return "bankrupt" if equity <= 0 else "breached"


def _of_equity(amount: float, equity: float) -> float:
    if equity <= 0:
        raise NoFigureError("bankrupt")
    return amount / equity


def _over_margin(equity: float, margin: float) -> float:
    if margin == 0:
        raise NoFigureError("none: no margin is in use")
    return equity / margin
