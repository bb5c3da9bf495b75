"""The inputs of a case: name, unit, what may stand there, and what it means.

Another name for the same input is an alias; an input with a default may be left out because
leaving it out says something ("no margin was added").
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Check(StrEnum):
    """What an input may be."""

    POSITIVE = "a number more than 0"
    NOT_NEGATIVE = "a number, 0 or more"
    NUMBER = "a number"
    SHARE = "a fraction from 0 to 1"
    COUNT = "a whole number from 1"
    TIERS = "a list of tiers"
    LIABILITIES = "a list of liabilities"


@dataclass(frozen=True, slots=True)
class Field:
    """One input.

    default  what it is when left out; None: leaving it out leaves figures unknown
    aliases  other names for it, in cases of venues that call it so
    """

    name: str
    unit: str
    check: Check
    help: str
    default: float | None = None
    aliases: tuple[str, ...] = ()


PRICE, SETTLE, FRACTION, BASE = "quote per base", "settle units", "fraction", "base units"
QUOTE, COUNT, TIMES = "quote units", "contracts", "times"
_P, _N, _S, _A = Check.POSITIVE, Check.NUMBER, Check.SHARE, Check.NOT_NEGATIVE

_POSITION = (
    Field("entry_price", PRICE, _P, "average price of the position", aliases=("cost_hold",)),
    Field("mark_price", PRICE, _P, "the price that values the position", aliases=("fair_price",)),
    Field("oracle_price", PRICE, _P, "the oracle's price"),
    Field("index_price", PRICE, _P, "the index price"),
    Field("price", PRICE, _P, "the price, where there is only one", aliases=("last_price",)),
    Field("quantity", BASE, _P, "size of the position, without a sign"),
    Field("contracts", COUNT, _P, "number of contracts, without a sign"),
    Field("contract_size", "per contract", _P, "base units (inverse: quote units) of a contract"),
    Field("multiplier", "settle per quote", _P, "settle units a quanto contract earns per point"),
    Field("position_size", QUOTE, _P, "size of an inverse position"),
    Field("notional", SETTLE, _A, "value of the position"),
    Field("notional_usd", QUOTE, _P, "size of the position in USD at entry"),
    Field("open_notional", QUOTE, _P, "value paid for the position"),
    Field("cost_position", QUOTE, _P, "value paid for the position"),
    Field("tick_size", PRICE, _P, "step of the prices"),
)
_MARGIN = (
    Field("leverage", TIMES, _P, "initial margin is the value divided by it"),
    Field("initial_margin_rate", FRACTION, _S, "initial margin as a share of the value"),
    Field("initial_margin", SETTLE, _A, "margin put in at the opening"),
    Field("extra_margin", SETTLE, _N, "margin added since, less what was taken out", default=0.0),
    Field("collateral", SETTLE, _N, "margin the position holds, without unrealised PnL"),
    Field("position_margin", SETTLE, _A, "margin of the position, as the venue reports it"),
    Field("isolated_margin_incl_upnl", SETTLE, _N, "margin of the position with unrealised PnL"),
    Field("equity", SETTLE, _N, "margin with unrealised PnL, at the mark price"),
    Field("liquidation_buffer", FRACTION, _S, "share of the way to keep from the liquidation"),
)
_REQUIRED = (
    Field("maintenance_margin_rate", FRACTION, _S, "maintenance margin as a share of the value"),
    Field(
        "maintenance_amount",
        SETTLE,
        _N,
        "deduction of the tier from the maintenance margin",
        default=0.0,
        aliases=("maintenance_deduction",),
    ),
    Field("maintenance_margin", SETTLE, _A, "maintenance margin, where it is given as an amount"),
    Field("tiers", "", Check.TIERS, "steps of the maintenance rate: min, max, mmr[, amount]"),
    Field("tier_index", "", Check.COUNT, "which step of the table, from 1"),
    Field("max_leverage", TIMES, _P, "highest leverage the market allows"),
    Field(
        "taker_fee_rate",
        FRACTION,
        _S,
        "fee of closing, as a share of the value",
        aliases=("fee_rate", "liquidation_fee_rate"),
    ),
    Field("close_fee_reserve", SETTLE, _A, "what is set apart for the fee of closing"),
    Field("open_fee", SETTLE, _A, "fee paid for the opening"),
    Field("next_funding_rate", FRACTION, _N, "funding due next, of the value; more than 0 is paid"),
    Field("fixed_requirement", SETTLE, _A, "what is required at every price besides", default=0.0),
)
_FUNDING = (
    Field(
        "accrued_funding",
        SETTLE,
        _N,
        "funding since the last settlement; less than 0 was paid",
        default=0.0,
        aliases=("funding_payment",),
    ),
    Field("funding_delta_per_unit", PRICE, _N, "unsettled funding of one unit", default=0.0),
    Field("funding_shift_per_unit", PRICE, _N, "accrued funding of one unit", default=0.0),
    Field("unit_accumulative_funding", PRICE, _N, "accrued funding of one unit", default=0.0),
    Field("borrow_rate_hourly", FRACTION, _A, "borrowing fee by the hour", default=0.0),
    Field("hours", "hours", _A, "how long the position has been open", default=0.0),
)
_PROTOCOLS = (
    Field("raw_usd", QUOTE, _N, "cash of the position: margin less what was paid for it"),
    Field("quote_balance", QUOTE, _N, "cash of the subaccount"),
    Field("cash", QUOTE, _N, "cash of the margin account"),
    Field("keeper_gas_reward", SETTLE, _A, "what a liquidation pays its keeper", default=0.0),
    Field("adjust_factor", FRACTION, _A, "the venue's adjust factor"),
    Field("margin_frozen_orders", SETTLE, _A, "margin held by open orders", default=0.0),
    Field("close_quantity", BASE, _P, "how much of the position is closed"),
    Field("close_quantums", "quantums", _P, "how much of the position is closed"),
    Field("position_quantums", "quantums", _P, "size of the position"),
    Field("bankruptcy_adjustment", TIMES, _P, "the protocol's bankruptcy adjustment"),
    Field("spread_to_maintenance_margin_ratio", FRACTION, _A, "the protocol's spread"),
    Field("min_keeper_fee", SETTLE, _A, "least fee of a liquidation"),
    Field("liquidation_fee_ratio", FRACTION, _S, "fee of a liquidation, of the value"),
    Field("liquidation_buffer_ratio", FRACTION, _S, "buffer of a liquidation, of the value"),
    Field("skew_scale", BASE, _P, "the market's skew scale"),
    Field("margin_fee_rate", FRACTION, _S, "fee of closing, of the size"),
    Field("liquidation_fee", SETTLE, _A, "fixed fee of a liquidation"),
    Field("amm_quote_reserve", QUOTE, _P, "quote reserve of the curve"),
    Field("amm_base_reserve", BASE, _P, "base reserve of the curve"),
    Field("unrealized_pnl_twap", SETTLE, _N, "unrealised PnL at the average price"),
    Field("iso_taker_fee_buffer", FRACTION, _S, "taker fee kept in the initial margin"),
    Field("base_mmr", FRACTION, _S, "least maintenance rate"),
    Field("base_imr", FRACTION, _S, "least initial rate"),
    Field("imr_factor", "", _A, "growth of the rates with the notional"),
    Field("bankruptcy_price", PRICE, _P, "bankruptcy price, where the venue printed one"),
)
_LENDING = (
    Field("collateral_quantity", BASE, _P, "units of the collateral"),
    Field("collateral_value", QUOTE, _P, "value of the collateral"),
    Field("debt", QUOTE, _A, "what is owed, with interest"),
    Field("liquidation_threshold", FRACTION, _S, "share of the collateral that counts"),
    Field("lltv", FRACTION, _S, "loan to value at which a loan is liquidated"),
    Field("collateral_ratio_min", TIMES, _P, "least collateral per debt"),
    Field("liabilities", "", Check.LIABILITIES, "loans: usdt, tiers[, maintenance_amount]"),
)
FIELDS: dict[str, Field] = {
    field.name: field
    for field in (*_POSITION, *_MARGIN, *_REQUIRED, *_FUNDING, *_PROTOCOLS, *_LENDING)
}
ALIASES: dict[str, str] = {
    alias: field.name for field in FIELDS.values() for alias in field.aliases
}
