"""Protocols that hold cash instead of margin: dYdX, MCDEX, Hyperliquid.

Cash of a position is its margin less what was paid for it, so that any reference price turns one
into the other; the answer does not depend on which.
"""

from __future__ import annotations

import math
from fractions import Fraction

from positions.calculator.derivations import Family
from positions.calculator.errors import NoFigureError

DYDX = "dYdX v4-chain protocol tests, clob liquidations"
balance = Family("balance", "margin = cash + s x size x reference price")
dydx = Family("dydx", DYDX)
mcdex = Family("mcdex", "MCDEX Mai v3 margin account tests")
hyperliquid = Family("hyperliquid", "Hyperliquid docs, margin tiers: rate = 1 / (2 x max leverage)")


@balance.gives("reference_price")
def trigger_is_reference(balance: float, trigger_price: float) -> float:
    return trigger_price


@balance.gives("reference_price", is_quiet=True)
def any_reference(balance: float) -> float:
    return 1.0


@balance.gives("held")
@balance.gives("unreserved")
def held_of_balance(balance: float, sign: float, size: float, reference_price: float) -> float:
    return balance + sign * size * reference_price


@dydx.gives("balance")
def quote_is_balance(quote_balance: float) -> float:
    return quote_balance


@mcdex.gives("balance")
def cash_is_balance(available_cash: float) -> float:
    return available_cash


@hyperliquid.gives("held", unless=("collateral",), is_quiet=True)
def held_of_raw_usd(raw_usd: float, sign: float, size: float, entry_price: float) -> float:
    return raw_usd + sign * size * entry_price


@hyperliquid.gives("unreserved", unless=("collateral",), is_quiet=True)
def unreserved_of_raw_usd(given_raw_usd: float, held: float) -> float:
    return held


@hyperliquid.gives("margin_used", source="Hyperliquid payload: marginUsed = rawUsd + szi x mark")
def equity_is_used(equity: float) -> float:
    return equity


@hyperliquid.gives("rate", unless=("maintenance_margin_rate",))
def rate_of_max_leverage(max_leverage: float) -> float:
    return 1.0 / (2.0 * max_leverage)


@mcdex.gives("available_cash")
def cash_after_funding(
    cash: float, sign: float, size: float, unit_accumulative_funding: float
) -> float:
    return cash - sign * size * unit_accumulative_funding


@mcdex.gives("fixed")
def keeper_is_fixed(keeper_gas_reward: float, fixed_requirement: float) -> float:
    return keeper_gas_reward + fixed_requirement


@dydx.gives("bankruptcy_quote")
def quote_of_closing(quote_balance: float, close_quantity: float, size: float) -> float:
    return -quote_balance * close_quantity / size


@dydx.gives("bankruptcy_quote", is_quiet=True, note="of closing the whole position")
def quote_of_closing_all(quote_balance: float) -> float:
    return -quote_balance


@dydx.gives("bankruptcy_quote_quantums")
def quantums_of_closing(
    quote_balance: float, close_quantums: float, position_quantums: float
) -> float:
    """Return quote quantums, a millionth each, rounded towards plus infinity as the protocol."""
    owed = -Fraction(repr(quote_balance)) * 10**6
    part = Fraction(repr(close_quantums)) / Fraction(repr(position_quantums))
    return float(math.ceil(owed * part))


@dydx.gives("fillable_price")
def price_of_liquidation_order(
    *,
    sign: float,
    size: float,
    trigger_price: float,
    equity: float,
    plain_maintenance: float,
    bankruptcy_adjustment: float,
    spread_to_maintenance_margin_ratio: float,
) -> float:
    if plain_maintenance == 0:
        raise NoFigureError("none: nothing is required")
    rating = min(1.0, bankruptcy_adjustment * (1.0 - equity / plain_maintenance))
    spread = rating * spread_to_maintenance_margin_ratio * plain_maintenance
    position = sign * size
    return (position * trigger_price - spread) / position
