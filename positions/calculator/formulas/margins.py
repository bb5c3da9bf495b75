"""Margin: of the opening, held by the position, and as venues report it."""

from __future__ import annotations

from positions.calculator.derivations import Family
from positions.calculator.formulas.sizes import common, position, value_of
from positions.engine.rules import MarginRules

# Reports of these venues hold the reserve for closing.
snapshot_holds_fee = Family(
    "snapshot-holds-fee", "Bybit v5 position payload: positionIM and positionMM hold the fee"
)
margin_holds_fee = Family(
    "margin-holds-fee", "KuCoin and BitMEX payloads: posMargin = posInit + posCross + posComm"
)
maintenance_holds_fee = Family(
    "maintenance-holds-fee", "KuCoin and BitMEX payloads: posMaint = value (r + funding) + posComm"
)
collateral_holds_fee = Family(
    "collateral-holds-fee", "Phemex help, USDT-M: assigned balance = value / leverage + close fee"
)
funding_joins_margin = Family(
    "funding-joins-margin", "Injective documentation: margin + funding payment"
)


@position.gives("margin_rate")
def margin_rate_is_initial(initial_margin_rate: float) -> float:
    return initial_margin_rate


@position.gives("margin_rate")
def margin_rate_of_leverage(leverage: float) -> float:
    return 1.0 / leverage


@position.gives("opening_margin")
def opening_margin_as_given(given_initial_margin: float) -> float:
    return given_initial_margin


@position.gives("opening_margin")
def opening_margin_at_entry(entry_notional: float, margin_rate: float) -> float:
    return entry_notional * margin_rate


@position.gives(
    "opening_margin",
    unless=("entry_price",),
    note="at the mark price: no entry price is given",
    is_quiet=True,
)
def opening_margin_at_mark(notional: float, margin_rate: float) -> float:
    return notional * margin_rate


@snapshot_holds_fee.gives("initial_margin", is_quiet=True)
def initial_margin_of_snapshot(
    given_mark_price: float, opening_margin: float, close_fee: float
) -> float:
    return opening_margin + close_fee


@position.gives("initial_margin")
def initial_margin_is_opening(opening_margin: float) -> float:
    return opening_margin


@position.gives(
    "initial_margin_incl_fee", source="MEXC payload: im = value / leverage + value x fee"
)
def initial_margin_with_fee(opening_margin: float, open_fee: float) -> float:
    return opening_margin + open_fee


@position.gives("margin")
def margin_as_given(given_collateral: float) -> float:
    return given_collateral


@position.gives("margin", is_quiet=True)
def margin_without_profit(given_isolated_margin_incl_upnl: float, unrealized_pnl: float) -> float:
    return given_isolated_margin_incl_upnl - unrealized_pnl


@position.gives("margin", is_quiet=True)
def margin_of_equity(given_equity: float, unrealized_pnl: float) -> float:
    return given_equity - unrealized_pnl


@position.gives("margin", unless=("entry_price",), is_quiet=True)
def margin_is_equity_at_reference(given_equity: float, reference_price: float) -> float:
    return given_equity


@position.gives("margin")
def margin_of_opening(opening_margin: float, extra_margin: float) -> float:
    return opening_margin + extra_margin


@position.gives("margin", is_quiet=True)
def margin_is_position_margin(given_position_margin: float) -> float:
    return given_position_margin


@position.gives("held")
def held_is_margin(margin: float) -> float:
    return margin


@collateral_holds_fee.gives("held", unless=("collateral", "isolated_margin_incl_upnl"))
def held_with_fee(margin: float, close_fee: float) -> float:
    return margin + close_fee


@funding_joins_margin.gives("held", is_final=True)
def held_with_funding(margin: float, accrued_funding: float) -> float:
    return margin + accrued_funding


@funding_joins_margin.gives("unreserved", is_final=True)
def unreserved_with_funding(held: float) -> float:
    return held


@position.gives("unreserved")
def unreserved_is_margin(margin: float) -> float:
    return margin


@common.gives("scaled_held")
def scaled_is_held(held: float) -> float:
    return held


@common.gives("scaled_unreserved")
def scaled_is_unreserved(unreserved: float) -> float:
    return unreserved


@position.gives("scaled_held", is_quiet=True)
@position.gives("scaled_unreserved", is_quiet=True)
def margin_of_one_unit(rule: MarginRules, entry_price: float, margin_rate: float) -> float:
    return value_of(rule, 1.0, entry_price) * margin_rate


@margin_holds_fee.gives("position_margin")
def position_margin_with_fee(margin: float, close_fee: float) -> float:
    return margin + close_fee


@position.gives("position_margin")
def position_margin_is_held(held: float) -> float:
    return held


@position.gives("position_margin_incl_close_fee")
def position_margin_with_reserve(unreserved: float, close_fee: float) -> float:
    return unreserved + close_fee
