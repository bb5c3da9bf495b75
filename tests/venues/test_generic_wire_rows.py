"""Rows in the shape of each venue, through ccxt's own parser: what survives it and what is said.

A line is as in test_recorded_expectations: symbol, slot, side, margin mode, known figures.
"""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest

from tests.venues.fake_client import FakeClient, read_scope
from tests.venues.reading_checks import check_scope
from tests.venues.test_recorded_expectations import check_line
from venues import registry
from venues.base import MarketSpec, ScopeReading
from venues.rows import split_symbol

registry.load()


BTC = "BTC/USDT:USDT"

# venue, id of the market, its symbol, contract size, row, expected line
Rows = tuple[str, str, str, float, dict[str, Any], str]

ROWS: tuple[Rows, ...] = (
    (
        "lighter", "1", "BTC/USDC:USDC", 1.0,
        {
            "market_id": 1, "symbol": "BTC", "initial_margin_fraction": "6.66", "sign": -1,
            "position": "0.50000", "avg_entry_price": "60000.0", "position_value": "30500.000000",
            "unrealized_pnl": "-500.000000", "liquidation_price": "66000.5", "margin_mode": 1,
            "allocated_margin": "2100.500000",
        },
        "BTC/USDC:USDC short short isolated contracts=0.50000 entry_price=60000.0 mark_price~61000"
        " collateral=2100.500000 liquidation_price=66000.5 unrealized_pnl=-500.000000"
        " leverage~15.015015015 notional~30500",
    ),
    (
        "lighter", "1", "BTC/USDC:USDC", 1.0,
        {
            "market_id": 1, "symbol": "BTC", "initial_margin_fraction": "0.50", "sign": 1,
            "position": "0.5", "avg_entry_price": "60000.0", "position_value": "30500",
            "unrealized_pnl": "500", "liquidation_price": "0", "margin_mode": 0,
            "allocated_margin": "0.000000",
        },
        "BTC/USDC:USDC long long cross contracts=0.5 entry_price=60000.0 mark_price~61000"
        " unrealized_pnl=500 leverage~200 notional~30500",
    ),
    (
        "grvt", "BTC_USDT_Perp", BTC, 1.0,
        {
            "event_time": "1765258069092857642", "instrument": "BTC_USDT_Perp", "size": "0.5",
            "notional": "30500.0", "entry_price": "60000.0", "mark_price": "61000.000008979",
            "unrealized_pnl": "500.0", "est_liquidation_price": "50000.25", "leverage": "10.0",
        },
        f"{BTC} long long unknown contracts=0.5 entry_price=60000.0 mark_price=61000.000008979"
        " liquidation_price=50000.25 unrealized_pnl=500.0 leverage=10.0 notional~30500.0000044895",
    ),
    (
        "derive", "ETH-PERP", "ETH/USDC:USDC", 1.0,
        {
            "instrument_type": "perp", "instrument_name": "ETH-PERP", "amount": "-2.5",
            "average_price": "3000.5", "mark_price": "2990.25", "index_price": "2991",
            "creation_timestamp": 0, "initial_margin": "-450.1", "maintenance_margin": "-300.2",
            "unrealized_pnl": "25.625", "leverage": "0.4", "liquidation_price": "4100.75",
        },
        "ETH/USDC:USDC short short unknown contracts=2.5 entry_price=3000.5 mark_price=2990.25"
        " liquidation_price=4100.75 unrealized_pnl=25.625 index_price=2991 notional~7475.625",
    ),
    (
        "paradex", "SOL-USD-PERP", "SOL/USD:USDC", 1.0,
        {
            "market": "SOL-USD-PERP", "status": "OPEN", "side": "SHORT", "size": "-10.5",
            "average_entry_price": "150.25", "unrealized_pnl": "-2.5", "leverage": "5",
            "cost": "-1577.625", "liquidation_price": "190.75", "last_updated_at": 1718950074249,
        },
        "SOL/USD:USDC short short unknown contracts=10.5 entry_price=150.25"
        " liquidation_price=190.75 unrealized_pnl=-2.5 leverage=5",
    ),
    (
        "extended", "BTC-USD", "BTC/USD:USD", 1.0,
        {
            "market": "BTC-USD", "side": "SHORT", "leverage": "10", "size": "0.1",
            "value": "4000", "openPrice": "39000", "markPrice": "40000",
            "liquidationPrice": "0", "margin": "400", "unrealisedPnl": "-100", "adl": "1",
        },
        "BTC/USD:USD short short unknown contracts=0.1 entry_price=39000 mark_price=40000"
        " unrealized_pnl=-100 leverage=10 notional~4000 adl_rank=1",
    ),
    (
        "apex", "BTC-USDT", BTC, 1.0,
        {
            "symbol": "BTC-USDT", "side": "SHORT", "size": "0.300", "entryPrice": "60000.0",
            "updatedTime": 1690366452416, "customInitialMarginRate": "0.04",
        },
        f"{BTC} short short unknown contracts=0.300 entry_price=60000.0 leverage~25",
    ),
    (
        "nado", "2", BTC, 1.0,
        {
            "product_id": 2,
            "balance": {
                "amount": "-100000000000000000", "v_quote_balance": "6050000000000000000000",
            },
            "product": {
                "oracle_price_x18": "61000000000000000000000",
                "risk": {"price_x18": "61000000000000000000000"},
            },
        },
        f"{BTC} net short unknown contracts~0.1 entry_price~60500 mark_price~61000"
        " index_price~61000 notional~6100",
    ),
    (
        "whitebit", "BTC_PERP", BTC, 1.0,
        {
            "positionId": 1, "market": "BTC_PERP", "modifyDate": 1741941025.309887,
            "amount": "-0.002", "basePrice": "82498.7", "liquidationPrice": "90177.2",
            "pnl": "-1.5", "margin": "4.2", "positionSide": "BOTH",
        },
        f"{BTC} short short unknown contracts=0.002 entry_price=82498.7"
        " liquidation_price=90177.2 unrealized_pnl=-1.5",
    ),
    (
        "whitebit", "BTC_PERP", BTC, 1.0,
        {
            "positionId": 2, "market": "BTC_PERP", "modifyDate": 1741941025.309887,
            "amount": "0.002", "basePrice": "82498.7", "liquidationPrice": None,
            "pnl": "1.5", "margin": "4.2", "positionSide": "SHORT",
        },
        f"{BTC} short short unknown contracts=0.002 entry_price=82498.7 unrealized_pnl=1.5",
    ),
    (
        "delta", "BTCUSD", "BTC/USD:USD", 0.001,
        {
            "size": -30, "entry_price": "67000.5", "margin": "201.1", "mark_price": "67100.5",
            "liquidation_price": "73500.5", "product_symbol": "BTCUSD", "adl_level": "4",
            "unrealized_pnl": "-3.00", "leverage": 10, "margin_mode": "isolated",
            "auto_topup": True,
        },
        "BTC/USD:USD short short isolated contracts=30 entry_price=67000.5 mark_price=67100.5"
        " collateral=201.1 liquidation_price=73500.5 unrealized_pnl=-3.00 leverage=10"
        " notional~2013.015 adl_rank=4",
    ),
    (
        "mexc", "ETH_USDT", "ETH/USDT:USDT", 0.01,
        {
            "symbol": "ETH_USDT", "positionType": 2, "openType": 1, "state": 1, "holdVol": 3,
            "holdAvgPrice": 3000.5, "openAvgPrice": 3000.5, "liquidatePrice": 3200.25,
            "oim": 9.1, "im": 12.6, "leverage": 10, "autoAddIm": True, "updateTime": 1609991676000,
        },
        "ETH/USDT:USDT short short isolated contracts=3 entry_price=3000.5 collateral=12.6"
        " liquidation_price=3200.25 leverage=10",
    ),
    (
        "bingx", "LTC-USDT", "LTC/USDT:USDT", 1.0,
        {
            "symbol": "LTC-USDT", "positionAmt": "2", "positionSide": "LONG", "isolated": True,
            "avgPrice": "80", "initialMargin": "16", "margin": "19", "leverage": 10,
            "unrealizedProfit": "-2", "liquidationPrice": 71.5, "riskRate": "0.05",
            "markPrice": "79", "positionValue": "158", "updateTime": 1721088016688,
        },
        # 19 is what is left of 21: margin was added to the first 16.
        "LTC/USDT:USDT long long isolated contracts=2 entry_price=80 mark_price=79 collateral~21"
        " liquidation_price=71.5 unrealized_pnl=-2 leverage=10 notional~158"
        " venue_margin_ratio=0.05",
    ),
    (
        "phemex", "BTCUSDT", BTC, 1.0,
        {
            "symbol": "BTCUSDT", "currency": "USDT", "side": "Sell", "crossMargin": False,
            "leverageRr": "8", "maintMarginReqRr": "0.005", "sizeRq": "0.5", "valueRv": "30000",
            "avgEntryPriceRp": "60000", "assignedPosBalanceRv": "3770",
            "positionMarginRv": "3750", "liquidationPriceRp": "67000.5", "markPriceRp": "60500",
            "posSide": "Short", "posMode": "Hedged", "unRealisedPnlRv": "-250",
            "transactTimeNs": 1700000000000000000, "deleveragePercentileRr": "0.25",
        },
        f"{BTC} short short isolated contracts=0.5 entry_price=60000 mark_price=60500"
        " collateral=3750 liquidation_price=67000.5 unrealized_pnl=-250 leverage=8 notional~30250"
        " maintenance_rate=0.005 adl_rank=0.25",
    ),
    (
        "kucoinfutures", "XBTUSDTM", BTC, 0.001,
        {
            "symbol": "XBTUSDTM", "crossMode": False, "currentQty": -500, "markPrice": 61000,
            "avgEntryPrice": 60000, "posMargin": 3018.5, "maintMargin": 2518.5,
            "posMaint": 140.5, "maintMarginReq": 0.004, "unrealisedPnl": -500,
            "liquidationPrice": 1000000, "realLeverage": 12.1, "currentTimestamp": 1623832488929,
            "autoDeposit": True, "isInverse": False, "settleCurrency": "USDT",
        },
        f"{BTC} short short isolated contracts=500 entry_price=60000 mark_price=61000"
        " collateral=3018.5 unrealized_pnl=-500 notional~30500 maintenance_margin=140.5"
        " maintenance_rate=0.004",
    ),
    (
        "krakenfutures", "PF_XBTUSD", "BTC/USD:USD", 1.0,
        {"side": "short", "symbol": "pf_xbtusd", "price": "60000.5", "size": "0.25",
         "fillTime": "2026-01-01T00:00:00.000Z", "maxFixedLeverage": "5.0",
         "unrealizedPnl": "-12.5"},
        "BTC/USD:USD short short isolated contracts=0.25 entry_price=60000.5"
        " unrealized_pnl=-12.5 leverage=5.0",
    ),
    (
        "cryptocom", "BTCUSD-PERP", "BTC/USD:USD", 1.0,
        {"quantity": "-0.5", "cost": "-30500", "open_position_pnl": "-500",
         "open_pos_cost": "-30000", "instrument_name": "BTCUSD-PERP", "type": "PERPETUAL_SWAP"},
        "BTC/USD:USD short short unknown contracts=0.5 entry_price~60000 unrealized_pnl=-500",
    ),
)  # fmt: skip


def make_market(exchange: Any, venue_id: str, symbol: str, size: float) -> dict[str, Any]:
    parts = split_symbol(symbol)
    made: dict[str, Any] = exchange.safe_market_structure(
        {
            "id": venue_id, "symbol": symbol, "base": parts.base, "quote": parts.quote,
            "settle": parts.settle, "baseId": parts.base, "quoteId": parts.quote,
            "settleId": parts.settle, "type": "swap", "spot": False, "swap": True,
            "contract": True, "linear": True, "inverse": False, "contractSize": size,
            "precision": {"amount": 1e-8, "price": 1e-8},
        }
    )  # fmt: skip
    return made


def unify(venue: str, market: tuple[str, str, float], row: Any) -> Any:
    """Return what ccxt makes of a row that the strict client decoded: numbers are texts."""
    exchange = getattr(importlib.import_module("ccxt"), venue)()
    exchange.set_markets([make_market(exchange, *market)])
    return exchange.parse_position(json.loads(json.dumps(row), parse_float=str, parse_int=str))


def read_row(venue: str, venue_id: str, symbol: str, size: float, *rows: Any) -> ScopeReading:
    parts = split_symbol(symbol)
    spec = MarketSpec(
        symbol=symbol, venue_symbol=venue_id, kind=parts.kind, asset=parts.base,
        quote=parts.quote, settle=parts.settle, contract_size=size,
    )  # fmt: skip
    unified = [unify(venue, (venue_id, symbol, size), row) for row in rows]
    fake = FakeClient({"fetch_positions": unified}, markets=[spec])
    scope = registry.get(venue).scopes(fake.request)[0]
    return read_scope(venue, scope, fake)


@pytest.mark.parametrize("case", ROWS, ids=lambda case: case[0])
def test_a_row_of_a_venue_says_what_it_says(case: Rows) -> None:
    venue, venue_id, symbol, size, row, line = case

    reading = read_row(venue, venue_id, symbol, size, row)

    check_scope(reading)
    assert reading.refusals == ()
    [held] = reading.positions
    check_line(held, line)


@pytest.mark.parametrize(
    ("venue", "row"),
    [
        ("lighter", {"market_id": 1, "symbol": "BTC", "sign": 1, "position": "0.00000",
                     "initial_margin_fraction": "5", "liquidation_price": "0", "margin_mode": 0}),
        ("apex", {"symbol": "1", "side": "LONG", "size": "0.000", "entryPrice": "0.00",
                  "customInitialMarginRate": "0"}),
        ("phemex", {"symbol": "1", "side": "None", "size": 0, "avgEntryPrice": 0.0,
                    "leverage": 1.0, "liquidationPrice": 0.0}),
        ("deribit", {"instrument_name": "1", "direction": "buy", "size": 0,
                     "average_price": 0, "estimated_liquidation_price": 0}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_flat_rows_are_no_positions(venue: str, row: dict[str, Any]) -> None:
    reading = read_row(venue, "1", "BTC/USDC:USDC", 1.0, row)

    assert (reading.positions, reading.refusals) == ((), ())


def test_cross_and_isolated_on_one_symbol_are_two_positions() -> None:
    row = {
        "symbol": "PERP_BTC_USDC", "position_qty": 0.5, "average_open_price": 60000,
        "mark_price": 61000, "est_liq_price": 0, "unsettled_pnl": 3.5, "mmr": 0.02,
    }  # fmt: skip
    isolated = {**row, "position_qty": 0.25, "margin_mode": "ISOLATED", "margin": 1500.5}

    reading = read_row("woofipro", "PERP_BTC_USDC", "BTC/USDC:USDC", 1.0, row, isolated)

    assert reading.refusals == ()
    [cross, alone] = reading.positions
    # Profit since entry, not since the last settlement.
    check_line(
        cross,
        "BTC/USDC:USDC long long cross contracts=0.5 entry_price=60000 mark_price=61000"
        " unrealized_pnl~500 notional~30500 maintenance_rate=0.02",
    )
    check_line(
        alone,
        "BTC/USDC:USDC long long isolated contracts=0.25 entry_price=60000 mark_price=61000"
        " collateral=1500.5 unrealized_pnl~250 notional~15250 maintenance_rate=0.02",
    )


def test_a_quote_balance_of_the_amounts_own_sign_makes_no_price() -> None:
    row = {
        "product_id": 2,
        "balance": {"amount": "100000000000000000", "v_quote_balance": "6000000000000000000000"},
        "product": {"oracle_price_x18": "61000000000000000000000"},
    }

    [held] = read_row("nado", "2", BTC, 1.0, row).positions

    assert held.entry_price.reason == "the venue gives none"
    assert held.mark_price.number == 61000.0


@pytest.mark.parametrize(("amount", "side"), [("0.002", "LONG"), ("-0.002", "SHORT")])
def test_a_sign_that_agrees_with_the_named_side_is_no_conflict(amount: str, side: str) -> None:
    row = {"market": "BTC_PERP", "amount": amount, "basePrice": "82498.7", "positionSide": side}

    [held] = read_row("whitebit", "BTC_PERP", BTC, 1.0, row).positions

    assert held.side == side.lower()


def test_a_sign_that_contradicts_the_named_side_is_refused() -> None:
    row = {"market": "BTC_PERP", "amount": "-1", "basePrice": "82498.7", "positionSide": "LONG"}

    reading = read_row("whitebit", "BTC_PERP", BTC, 1.0, row)

    assert reading.positions == ()
    assert "contradicts" in reading.refusals[0].reason


@pytest.mark.parametrize("stand_in", ["0", "-110163.84", "99999999", "1000000", None, ""])
def test_a_stand_in_on_the_wire_is_no_price(stand_in: str | None) -> None:
    row = {
        "contract_code": "BTC-USDT", "position_side": "long", "direction": "buy",
        "margin_mode": "isolated", "open_avg_price": "63204.5", "volume": "1", "lever_rate": 20,
        "liquidation_price": stand_in, "margin": "3.158275", "mark_price": "63165.5",
    }  # fmt: skip

    [held] = read_row("htx", "BTC-USDT", BTC, 0.001, row).positions

    assert held.liquidation_price.reason == "the venue gives none"
    assert held.collateral.text == "3.158275"


@pytest.mark.parametrize("field", ["margin", "liquidation_price", "open_avg_price", "mark_price"])
@pytest.mark.parametrize("bad", ["NaN", "1,5", "abc", True, [], {}])
def test_a_bad_number_in_a_known_field_refuses_its_row(field: str, bad: Any) -> None:
    row = {
        "contract_code": "BTC-USDT", "position_side": "long", "direction": "buy",
        "margin_mode": "isolated", "open_avg_price": "63204.5", "volume": "1",
        "margin": "3.1", "mark_price": "63165.5", "liquidation_price": "60000",
    }  # fmt: skip
    spoiled = {"info": {**row, field: bad}, "symbol": BTC, "side": "long", "contracts": 1.0}
    fake = FakeClient({"fetch_positions": [spoiled, {**spoiled, "info": row}]})

    reading = read_scope("htx", "linear", fake)

    assert len(reading.positions) == len(reading.refusals) == 1
