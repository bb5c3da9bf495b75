"""The generic adapter believes the venue's own row, not what ccxt makes of it."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import Any

import pytest

from positions.engine.types import MarginMode, Side, Source
from tests.venues.fake_client import BTC, FakeClient, read_prices, read_scope
from tests.venues.reading_checks import check_scope
from venues import registry
from venues.adapters.generic import VENUES
from venues.base import REGISTRY
from venues.errors import BadAccount, Unreachable, UnreadableAnswer

registry.load()

BY_CCXT = "ccxt worked it out; the venue did not say it"
# Scopes of Binance; and polymarket, which makes new credentials to be read.
ELSEWHERE = {"binance", "binanceusdm", "binancecoinm", "polymarket"}


def unified(**fields: Any) -> dict[str, Any]:
    info = {
        "symbol": "BTC_USDT", "size": "0.5", "entry": "60000", "mark_price": "61000",
        "liq_price": "55000.5", "margin": "3000.25", "maintenance_margin": "122", "lever": "10",
        "pnl": "500",
    }  # fmt: skip
    return {
        "symbol": "BTC/USDT:USDT",
        "side": "long",
        "hedged": False,
        "contracts": 0.5,
        "entryPrice": 60000.0,
        "markPrice": 61000.0,
        "liquidationPrice": 55000.5,
        "positionMargin": 3000.25,
        "maintenanceMargin": 122.0,
        "leverage": 10.0,
        "unrealizedPnl": 500.0,
        "notional": 30500.0,
        "marginMode": "isolated",
        "info": {**info, **fields.pop("info", {})},
        **fields,
    }


def read(*rows: Any, venue: str = "blofin") -> Any:
    reading = read_scope(venue, "all", FakeClient({"fetch_positions": list(rows)}))
    check_scope(reading)
    return reading


def test_what_the_venue_printed_keeps_its_text() -> None:
    [held] = read(unified()).positions

    assert held.margin_mode is MarginMode.ISOLATED
    assert (held.contracts.source, held.contracts.text) == (Source.REPORTED, "0.5")
    assert held.liquidation_price.text == "55000.5"
    assert held.collateral.text == "3000.25"
    assert held.maintenance_margin.text == "122"
    assert held.notional.source is Source.DERIVED


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("liquidationPrice", "liquidation_price"),
        ("positionMargin", "collateral"),
        ("maintenanceMargin", "maintenance_margin"),
        ("entryPrice", "entry_price"),
        ("leverage", "leverage"),
    ],
)
def test_what_ccxt_worked_out_is_unknown(name: str, field: str) -> None:
    [held] = read(unified(**{name: 1234.5})).positions

    assert getattr(held, field).reason == BY_CCXT


def test_a_number_of_another_field_confirms_nothing() -> None:
    row = unified(positionMargin=10.0, info={"margin": "3000.25", "lever": "10"})

    [held] = read(row).positions

    assert held.collateral.reason == BY_CCXT


@pytest.mark.parametrize("stand_in", ["0", "99999999", "1e15", "-953.83", "", "1000000"])
def test_stand_ins_for_no_liquidation_price_do_not_survive(stand_in: str) -> None:
    row = unified(
        liquidationPrice=float(stand_in) if stand_in else None, info={"liq_price": stand_in}
    )

    [held] = read(row).positions

    assert held.liquidation_price.reason == "the venue gives none"


def test_a_flat_row_is_left_out() -> None:
    reading = read(unified(contracts=0.0, side=None))

    assert (reading.positions, reading.refusals) == ((), ())


@pytest.mark.parametrize("side", [None, "both"])
def test_a_row_without_side_is_refused(side: str | None) -> None:
    reading = read(unified(side=side))

    assert reading.positions == ()
    assert "side" in reading.refusals[0].reason


def test_a_negative_size_is_a_short_where_no_side_is_told() -> None:
    [held] = read(unified(side=None, contracts=-0.5, info={"size": "-0.5"})).positions

    assert held.side is Side.SHORT
    assert held.contracts.text == "0.5"


def test_a_negative_size_of_a_long_is_refused() -> None:
    reading = read(unified(contracts=-0.5))

    assert "contradicts" in reading.refusals[0].reason


def test_a_venue_that_does_not_tell_the_hedge_mode_keeps_both_sides() -> None:
    reading = read(unified(hedged=None), unified(hedged=None, side="short"))

    assert [position.slot for position in reading.positions] == ["long", "short"]


def test_no_margin_mode_is_unknown() -> None:
    [held] = read(unified(marginMode=None)).positions

    assert held.margin_mode is None
    assert not held.collateral.is_known


@pytest.mark.parametrize(
    ("told", "mode"),
    [
        ("isolated", MarginMode.ISOLATED),
        ("CROSSED", MarginMode.CROSS),
        (None, None),
        ("new", None),
    ],
)
def test_a_margin_mode_that_ccxt_writes_fixed_is_read_from_the_row(
    told: str | None, mode: MarginMode | None
) -> None:
    row = unified(marginMode="cross", info={"margin_mode": told, "contract_code": "BTC-USDT"})

    [held] = read_scope("htx", "linear", FakeClient({"fetch_positions": [row]})).positions

    assert held.margin_mode == mode


@pytest.mark.parametrize(
    ("told", "mode"),
    [("ISOLATED", MarginMode.ISOLATED), ("CROSS", MarginMode.CROSS), (None, MarginMode.CROSS)],
)
def test_a_row_without_mode_is_cross_where_the_venue_says_so(
    told: str | None, mode: MarginMode
) -> None:
    row = unified(marginMode="isolated", info={"margin_mode": told})

    [held] = read(row, venue="woofipro").positions

    assert held.margin_mode is mode


def test_a_venue_that_always_says_cross_in_ccxt_alone_says_nothing() -> None:
    options = {"symbols": "BTC/USDT:USDT"}
    fake = FakeClient({"fetch_positions": [unified(marginMode="cross")]}, options=options)

    [held] = read_scope("hashkey", "all", fake).positions

    assert held.margin_mode is None


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "-inf", "1,5", "12,345.6"])
def test_a_bad_number_that_ccxt_passes_over_spoils_its_row(bad: str) -> None:
    other = unified(symbol="ETH/USDT:USDT")

    reading = read(unified(entryPrice=None, info={"entry": bad}), other)

    assert [position.market.symbol for position in reading.positions] == ["ETH/USDT:USDT"]
    assert "not a number" in reading.refusals[0].reason


def test_a_value_that_shows_another_contract_size_is_refused() -> None:
    reading = read(unified(notional=305.0, info={"value": "305"}))

    assert "contradicts" in reading.refusals[0].reason


def test_a_contract_that_is_not_listed_is_shown() -> None:
    [held] = read(unified(symbol="NEW_USDT")).positions

    assert not held.market.is_known
    assert held.notional.reason == "the venue lists no such contract"


@pytest.mark.parametrize("told", [("on", True), ("off", False), ("maybe", None)])
def test_the_switch_that_adds_margin(told: tuple[str, bool | None]) -> None:
    [held] = read(unified(info={"autoMargin": told[0]})).positions

    assert held.auto_add_margin is told[1]


def test_an_answer_that_is_no_list_is_not_an_empty_book() -> None:
    with pytest.raises(UnreadableAnswer):
        read_scope("blofin", "all", FakeClient({"fetch_positions": {"a": 1}}))


def test_rows_of_another_settle_coin_are_left_to_its_scope() -> None:
    usd = replace(BTC, symbol="BTC/USD:USD", settle="USD")
    fake = FakeClient(
        {"fetch_positions": [unified(), unified(symbol=usd.symbol)]}, markets=[BTC, usd]
    )

    [held] = read_scope("phemex", "linear:USDT", fake).positions

    assert held.market.symbol == BTC.symbol


def test_an_option_of_the_venue_replaces_its_scopes() -> None:
    fake = FakeClient({"fetch_positions": []}, options={"settle": "BTC"})

    [scope] = registry.get("phemex").scopes(fake.request)
    read_scope("phemex", scope, fake)

    assert scope == "settle=BTC"
    assert fake.asked == [("fetch_positions", {"args": (None, {"settle": "BTC"})})]


def test_named_symbols_are_asked_for() -> None:
    fake = FakeClient({"fetch_positions": []}, options={"symbols": "BTC/USDT:USDT"})

    read_scope("blofin", "all", fake)

    assert fake.asked == [("fetch_positions", {"args": (["BTC/USDT:USDT"], {})})]


def test_a_venue_that_answers_for_one_contract_is_asked_for_each() -> None:
    eth = replace(BTC, symbol="ETH/USDT:USDT", venue_symbol="ETHUSDT")

    def answer(params: Any) -> Any:
        return [unified(symbol=params["args"][0][0])]

    fake = FakeClient(
        {"fetch_positions": answer},
        markets=[BTC, eth],
        options={"symbols": "BTC/USDT:USDT, ETH/USDT:USDT"},
    )

    reading = read_scope("hashkey", "all", fake)

    assert [held.market.symbol for held in reading.positions] == [BTC.symbol, eth.symbol]


def test_a_venue_that_answers_for_one_contract_needs_names() -> None:
    with pytest.raises(BadAccount, match="option symbols"):
        read_scope("hashkey", "all", FakeClient({"fetch_positions": []}))


def test_an_id_in_small_letters_is_found() -> None:
    [held] = read(unified(symbol="btcusdt")).positions

    assert held.market.symbol == BTC.symbol


def ticker(**fields: Any) -> dict[str, Any]:
    info = {"markPrice": "61000.5", "indexPrice": "61001", "fundingRate": "0.0001"}
    return {
        "symbol": "BTC/USDT:USDT",
        "markPrice": 61000.5,
        "indexPrice": 61001.0,
        "last": 61002.0,
        "timestamp": 1780000000000,
        "info": info,
        **fields,
    }


def prices(answer: Any) -> Any:
    fake = FakeClient({"fetch_tickers": answer})
    return read_prices("blofin", ["BTC/USDT:USDT", "NEW/USDT:USDT"], fake)


def test_prices_are_the_venues_word() -> None:
    [quote] = prices({"BTC/USDT:USDT": ticker()}).quotes

    assert quote.mark_price.text == "61000.5"
    assert quote.index_price.text == "61001"
    assert quote.funding_rate.text == "0.0001"
    assert quote.last_price.reason == BY_CCXT


def test_a_mark_price_that_ccxt_passes_over_is_read_from_the_row() -> None:
    [quote] = prices({"BTC/USDT:USDT": ticker(markPrice=None)}).quotes

    assert quote.mark_price.text == "61000.5"


def test_two_mark_prices_in_one_row_are_none() -> None:
    info = {"a": {"markPrice": "61000.5"}, "b": {"mark_price": "61001"}}

    [quote] = prices({"BTC/USDT:USDT": ticker(markPrice=None, info=info)}).quotes

    assert not quote.mark_price.is_known


def test_a_ticker_without_mark_price_has_none() -> None:
    [quote] = prices({"BTC/USDT:USDT": ticker(markPrice=None, info={"last": "61002"})}).quotes

    assert quote.mark_price.reason == "the venue's list of tickers holds no mark price"


@pytest.mark.parametrize("answer", [{}, [], None])
def test_tickers_without_the_contract_leave_it_out(answer: Any) -> None:
    assert prices(answer).quotes == ()


def test_prices_that_fail_are_a_failure() -> None:
    with pytest.raises(Unreachable):
        prices(Unreachable("no"))


def test_one_settle_coin_that_fails_leaves_the_others() -> None:
    usdc = type(BTC)(symbol="BTC/USDC:USDC", venue_symbol="BTCUSDC", kind=BTC.kind)

    def answer(params: Any) -> Any:
        wanted = params["args"][0]
        return Unreachable("no") if wanted == [usdc.symbol] else {BTC.symbol: ticker()}

    fake = FakeClient({"fetch_tickers": answer}, markets=[BTC, usdc])

    reading = read_prices("blofin", [BTC.symbol, usdc.symbol], fake)

    assert [quote.symbol for quote in reading.quotes] == [BTC.symbol]


def test_a_venue_without_tickers_has_no_prices() -> None:
    fake = FakeClient({})

    assert read_prices("bullish", ["BTC/USDT:USDT"], fake).quotes == ()
    assert fake.asked == []


def test_a_venue_without_a_list_of_tickers_is_asked_one_by_one() -> None:
    fake = FakeClient({"fetch_ticker": ticker()})

    [quote] = read_prices("hibachi", [BTC.symbol], fake).quotes

    assert quote.mark_price.text == "61000.5"
    assert fake.asked == [("fetch_ticker", {"args": (BTC.symbol,)})]


@pytest.mark.parametrize("row", [None, "text", 7, [], {}])
def test_a_row_that_is_no_position_is_refused(row: Any) -> None:
    reading = read(row, unified())

    assert (len(reading.positions), len(reading.refusals)) == (1, 1)


def test_a_row_without_the_venues_own_is_shown_as_ccxts() -> None:
    [held] = read(unified() | {"info": None}).positions

    assert held.contracts.source is Source.DERIVED
    assert held.entry_price.reason == BY_CCXT


def test_the_same_row_twice_is_one_position() -> None:
    reading = read(unified(), unified())

    assert (len(reading.positions), reading.refusals) == (1, ())


def test_both_is_no_side_of_a_size_with_a_sign() -> None:
    row = unified(side="both", contracts=None, info={"amount": "-0.5"})

    [held] = read(row, venue="whitebit").positions

    assert (held.side, held.contracts.text) == (Side.SHORT, "0.5")


@pytest.mark.parametrize("slug", sorted(VENUES))
def test_a_generic_venue_writes_nowhere(slug: str) -> None:
    posts = [read for read in REGISTRY[slug].reads if read.startswith("POST")]
    words = ("order", "transfer", "withdraw", "leverage", "authorize", "approve", "cancel")

    assert not [read for read in posts for word in words if word in read.lower()]
    assert {read.partition(" ")[0] for read in REGISTRY[slug].reads} <= {"GET", "POST"}


def test_every_venue_of_ccxt_that_has_positions_is_here() -> None:
    ccxt = importlib.import_module("ccxt")

    readable = {name for name in ccxt.exchanges if getattr(ccxt, name)().has.get("fetchPositions")}

    assert (
        readable - ELSEWHERE
        == {adapter.ccxt_id for adapter in REGISTRY.values() if adapter.ccxt_id} - ELSEWHERE
    )


def test_price_methods_are_those_that_ccxt_has() -> None:
    ccxt = importlib.import_module("ccxt")
    names = {
        "fetch_mark_prices": "fetchMarkPrices",
        "fetch_tickers": "fetchTickers",
        "fetch_ticker": "fetchTicker",
    }

    for slug, facts in VENUES.items():
        has = getattr(ccxt, slug)().has
        if facts.prices:
            assert has.get(names[facts.prices]), slug
