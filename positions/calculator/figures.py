"""What the calculator answers: every figure with its unit and what it means."""

from __future__ import annotations

from dataclasses import dataclass

from positions.calculator.fields import FRACTION, PRICE, QUOTE, SETTLE, TIMES

FLAG, TEXT = "true or false", "text"


@dataclass(frozen=True, slots=True)
class Figure:
    """One answer: its name in the collection of cases, its unit, and what it means."""

    name: str
    unit: str
    help: str


_OURS = (
    Figure("liquidation_price", PRICE, "where equity meets the requirement, not rounded"),
    Figure("liquidation_price_tick", PRICE, "the same, on the venue's tick, rounded its way"),
    Figure("buffered_liquidation_price", PRICE, "a bot's own exit, short of the liquidation"),
    Figure("bankruptcy_price", PRICE, "where equity is nothing"),
    Figure("bankruptcy_value", SETTLE, "value of the position at the bankruptcy price"),
    Figure("notional", SETTLE, "value at the mark price; at entry where none is given"),
    Figure("entry_notional", SETTLE, "value at the entry price"),
    Figure("position_size", "", "size: base units; inverse: quote units; quanto: per point"),
    Figure("unrealized_pnl", SETTLE, "profit at the mark price"),
    Figure("equity", SETTLE, "margin plus unrealised profit"),
    Figure("required", SETTLE, "maintenance margin and what stands beside it in the trigger"),
    Figure("margin_ratio", FRACTION, "required / equity; 1 is liquidation"),
    Figure("effective_leverage", TIMES, "notional / equity"),
    Figure("liquidation_distance", FRACTION, "move to the liquidation, of the mark price"),
    Figure("state", TEXT, "open, breached or bankrupt"),
    Figure("liquidatable", FLAG, "the venue would liquidate at the mark price"),
    Figure("maintenance_safe", FLAG, "the venue would not liquidate at the mark price"),
)
_MARGINS = (
    Figure("initial_margin", SETTLE, "margin of the opening, as the venue reports it"),
    Figure("initial_margin_incl_fee", SETTLE, "margin of the opening with its fee"),
    Figure("maintenance_margin", SETTLE, "maintenance margin, as the venue reports it"),
    Figure("maintenance_margin_rate", FRACTION, "maintenance rate of the position's tier"),
    Figure("maintenance_amount", SETTLE, "deduction of the position's tier"),
    Figure("maintenance_margin_via_deduction", SETTLE, "rate x value less the deduction"),
    Figure("position_margin", SETTLE, "margin of the position, as the venue reports it"),
    Figure("position_margin_incl_close_fee", SETTLE, "margin with the reserve for closing"),
    Figure("isolated_margin_incl_upnl", SETTLE, "margin with unrealised profit"),
    Figure("open_fee", SETTLE, "fee of the opening"),
    Figure("close_fee", SETTLE, "fee set apart for the closing"),
    Figure("close_fee_reserve", SETTLE, "the same, under its other name"),
    Figure("order_cost", SETTLE, "initial margin and both fees"),
    Figure("venue_margin_ratio", "", "the venue's own ratio, in its own convention"),
)
_PROTOCOLS = (
    Figure("margin_used", SETTLE, "margin of the position with profit and funding"),
    Figure("available_cash", QUOTE, "cash less accrued funding"),
    Figure("bankruptcy_quote", QUOTE, "what closing brings when equity is nothing"),
    Figure("bankruptcy_quote_quantums", "quantums", "the same in the protocol's integers"),
    Figure("fillable_price", PRICE, "limit price of the liquidation order"),
    Figure("health_factor", TIMES, "collateral that counts / debt; below 1 is liquidated"),
    Figure("collateral_ratio", TIMES, "collateral / debt"),
    Figure("ltv", FRACTION, "debt / collateral"),
)
FIGURES: dict[str, Figure] = {figure.name: figure for figure in (*_OURS, *_MARGINS, *_PROTOCOLS)}
