"""What venues send when something is wrong with one row, one page or one endpoint."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from positions.engine.types import MarginMode, Side
from tests.venues import corpus
from tests.venues.fake_client import BTC, FakeClient, read_prices, read_scope
from tests.venues.reading_checks import check_scope
from venues import registry
from venues.errors import (
    BadAccount,
    RateLimited,
    Unreachable,
    UnreadableAnswer,
    VenueError,
    VenueRefused,
)

registry.load()

BAD_NUMBERS = ("NaN", "Infinity", "-Infinity", "1e400", "", None, "1,5", "abc", True, [], {})
# A reading may do without these; without a number in the others a row means nothing.
MAY_BE_MISSING = ("", None)

Wrap = Callable[[list[Any]], Any]


def first_row(venue: str, name: str = "positions_long") -> dict[str, Any]:
    calls = json.loads((corpus.OWN / venue / f"{name}.json").read_text())["calls"]
    for call in calls:
        rows = find_rows(call["answer"])
        if rows:
            return dict(rows[0])
    raise LookupError(venue)


def find_rows(answer: Any) -> list[Any]:
    if isinstance(answer, list):
        return answer
    if "assetPositions" in answer:
        return answer["assetPositions"]
    data = answer.get("data", answer.get("result", {}))
    return data if isinstance(data, list) else data.get("list", [])


def bybit(rows: list[Any]) -> Any:
    return {"result": {"category": "linear", "list": rows, "nextPageCursor": ""}, "time": "1"}


VENUES: Mapping[str, tuple[str, str, Wrap]] = {
    "binance": ("linear", "fapiPrivateV3GetPositionRisk", lambda rows: rows),
    "bybit": ("linear:USDT", "privateGetV5PositionList", bybit),
    "okx": ("all", "privateGetAccountPositions", lambda rows: {"code": "0", "data": rows}),
    "hyperliquid": ("dex:main", "publicPostInfo", lambda rows: {"assetPositions": rows}),
}
NUMBERS = {
    "binance": (
        "positionAmt", "entryPrice", "markPrice", "unRealizedProfit", "liquidationPrice",
        "isolatedMargin", "notional", "isolatedWallet", "maintMargin", "adl",
    ),
    "bybit": (
        "size", "avgPrice", "markPrice", "liqPrice", "positionBalance", "positionMM",
        "unrealisedPnl", "leverage", "adlRankIndicator",
    ),
    "okx": (
        "pos", "avgPx", "markPx", "margin", "liqPx", "mmr", "upl", "lever", "mgnRatio", "adl",
        "idxPx",
    ),
    "hyperliquid": (
        "szi", "entryPx", "positionValue", "unrealizedPnl", "liquidationPx", "marginUsed",
        "maxLeverage",
    ),
}  # fmt: skip
FIELDS = [(venue, field) for venue, fields in NUMBERS.items() for field in fields]


def set_field(venue: str, row: dict[str, Any], **fields: Any) -> dict[str, Any]:
    if venue == "hyperliquid":
        return {**row, "position": {**row["position"], **fields}}
    return {**row, **fields}


def account(venue: str, rows: list[Any]) -> FakeClient:
    _, method, wrap = VENUES[venue]
    return FakeClient({method: wrap(rows)})


def symbol_field(venue: str) -> str:
    return {"okx": "instId", "hyperliquid": "coin"}.get(venue, "symbol")


@pytest.mark.parametrize(("venue", "field"), FIELDS)
def test_a_bad_number_spoils_its_own_row_alone(venue: str, field: str) -> None:
    scope, _, _ = VENUES[venue]
    # tradeMode 1: Bybit's word for isolated, without asking the account.
    row, name = {**first_row(venue), "tradeMode": "1"}, symbol_field(venue)
    good = [set_field(venue, row, **{name: f"GOOD{index}"}) for index in range(19)]

    for bad in BAD_NUMBERS:
        spoiled = set_field(venue, row, **{name: "BAD", field: bad})
        reading = read_scope(venue, scope, account(venue, [*good[:9], spoiled, *good[9:]]))

        check_scope(reading)
        names = [position.market.symbol for position in reading.positions]
        assert [name for name in names if name != "BAD"] == [f"GOOD{i}" for i in range(19)]
        if bad not in MAY_BE_MISSING:
            assert [refusal.venue_symbol for refusal in reading.refusals] == ["BAD"], bad


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("none", ["0", "0.00000000", "", None])
def test_no_liquidation_price_is_unknown_and_never_0(venue: str, none: str | None) -> None:
    scope, _, _ = VENUES[venue]
    field = {"binance": "liquidationPrice", "bybit": "liqPrice", "okx": "liqPx"}
    row = set_field(venue, first_row(venue), **{field.get(venue, "liquidationPx"): none})

    [held] = read_scope(venue, scope, account(venue, [row])).positions

    assert held.liquidation_price.value is None
    assert held.liquidation_price.reason == "the venue gives none"


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("answer", [None, {}, {"data": None}, {"result": {}}, "text", 5])
def test_an_answer_without_a_list_is_not_an_empty_book(venue: str, answer: Any) -> None:
    scope, method, _ = VENUES[venue]

    with pytest.raises(UnreadableAnswer):
        read_scope(venue, scope, FakeClient({method: answer}))


@pytest.mark.parametrize("venue", VENUES)
def test_a_position_listed_twice_is_kept_once(venue: str) -> None:
    scope, _, _ = VENUES[venue]
    row = first_row(venue)

    reading = read_scope(venue, scope, account(venue, [row, dict(row)]))

    assert len(reading.positions) == 1
    assert reading.refusals == ()


def test_of_two_rows_of_one_position_the_newer_is_kept_and_the_other_counted() -> None:
    row = first_row("binance")
    newer = {**row, "markPrice": "61999.00000000", "updateTime": 1780000009000}

    reading = read_scope("binance", "linear", account("binance", [newer, row]))

    [held] = reading.positions
    assert held.mark_price.text == "61999.00000000"
    assert len(reading.refusals) == 1


@pytest.mark.parametrize("venue", VENUES)
def test_rows_that_are_no_objects_are_counted(venue: str) -> None:
    scope, _, _ = VENUES[venue]

    reading = read_scope(venue, scope, account(venue, [None, "row", 7, []]))

    assert reading.positions == ()
    assert len(reading.refusals) == 4


def test_binance_says_why_leverage_is_missing_when_its_endpoint_fails() -> None:
    answers = {
        "fapiPrivateV3GetPositionRisk": [first_row("binance")],
        "fapiPrivateGetSymbolConfig": Unreachable("no"),
        "fapiPrivateGetLeverageBracket": Unreachable("no"),
    }

    [held] = read_scope("binance", "linear", FakeClient(answers)).positions

    assert "symbolConfig" in held.leverage.reason
    assert held.auto_add_margin is None
    assert "brackets" in held.maintenance_rate.reason
    assert held.maintenance_margin.text == "122.40000000"


@pytest.mark.parametrize("brackets", [None, [], [{}], [{"notionalFloor": "0"}], "text"])
def test_binance_does_not_guess_from_a_broken_bracket_table(brackets: Any) -> None:
    answers = {
        "fapiPrivateV3GetPositionRisk": [first_row("binance")],
        "fapiPrivateGetLeverageBracket": [{"symbol": "BTCUSDT", "brackets": brackets}],
    }

    [held] = read_scope("binance", "linear", FakeClient(answers)).positions

    assert not held.maintenance_rate.is_known
    assert not held.maintenance_amount.is_known


@pytest.mark.parametrize(
    ("notional", "rate", "amount"),
    [("49999.99", "0.004", "0"), ("50000", "0.005", "50"), ("700000", "0.01", "3050")],
)
def test_binance_bracket_of_the_notional(notional: str, rate: str, amount: str) -> None:
    table = [
        {"notionalFloor": "600000", "maintMarginRatio": "0.01", "cum": "3050"},
        {"notionalFloor": "0", "maintMarginRatio": "0.004", "cum": "0"},
        {"notionalFloor": "50000", "maintMarginRatio": "0.005", "cum": "50"},
    ]
    answers = {
        "fapiPrivateV3GetPositionRisk": [{**first_row("binance"), "notional": notional}],
        "fapiPrivateGetLeverageBracket": {"symbol": "BTCUSDT", "brackets": table},
    }

    [held] = read_scope("binance", "linear", FakeClient(answers)).positions

    assert str(held.maintenance_rate.value) == rate
    assert str(held.maintenance_amount.value) == amount


def bybit_pages(total: int, size: int = 200) -> Callable[[Mapping[str, Any]], Any]:
    row = first_row("bybit")

    def page(params: Mapping[str, Any]) -> Any:
        start = int(params.get("cursor") or 0)
        rows = [{**row, "symbol": f"C{i}USDT"} for i in range(start, min(start + size, total))]
        cursor = str(start + size) if rows else ""
        return {"result": {"category": "linear", "list": rows, "nextPageCursor": cursor}}

    return page


def test_bybit_reads_650_positions_on_all_pages() -> None:
    fake = FakeClient({"privateGetV5PositionList": bybit_pages(650)})

    reading = read_scope("bybit", "linear:USDT", fake)

    assert len(reading.positions) == 650


def test_bybit_page_that_fails_fails_the_whole_scope() -> None:
    pages = bybit_pages(650)

    def broken(params: Mapping[str, Any]) -> Any:
        return Unreachable("gone") if params.get("cursor") == "200" else pages(params)

    with pytest.raises(Unreachable):
        read_scope("bybit", "linear:USDT", FakeClient({"privateGetV5PositionList": broken}))


def test_bybit_cursor_that_repeats_on_a_short_page_is_the_end() -> None:
    answer = bybit([first_row("bybit")])
    answer["result"]["nextPageCursor"] = "again"
    fake = FakeClient({"privateGetV5PositionList": answer})

    reading = read_scope("bybit", "linear:USDT", fake)

    assert len(reading.positions) == 1
    assert reading.refusals == ()


def test_bybit_full_pages_in_a_circle_are_refused() -> None:
    rows = [{**first_row("bybit"), "symbol": f"C{i}USDT"} for i in range(200)]
    answer = bybit(rows)
    answer["result"]["nextPageCursor"] = "again"
    fake = FakeClient({"privateGetV5PositionList": answer})

    with pytest.raises(UnreadableAnswer, match="circle"):
        read_scope("bybit", "linear:USDT", fake)

    assert len(fake.asked) <= 20


def test_bybit_pages_without_end_are_refused() -> None:
    fake = FakeClient({"privateGetV5PositionList": bybit_pages(100_000)})

    with pytest.raises(UnreadableAnswer, match="does not end"):
        read_scope("bybit", "linear:USDT", fake)

    assert len(fake.asked) == 20


def test_bybit_answer_for_another_category_is_refused() -> None:
    fake = FakeClient({"privateGetV5PositionList": bybit([])})

    with pytest.raises(UnreadableAnswer, match="inverse"):
        read_scope("bybit", "inverse", fake)


@pytest.mark.parametrize(
    ("status", "account_mode", "trade_mode", "mode"),
    [
        ("5", "ISOLATED_MARGIN", "0", MarginMode.ISOLATED),
        ("5", "REGULAR_MARGIN", "0", MarginMode.CROSS),
        ("6", "PORTFOLIO_MARGIN", "0", MarginMode.PORTFOLIO),
        ("1", "REGULAR_MARGIN", "0", MarginMode.CROSS),
        ("1", "REGULAR_MARGIN", "1", MarginMode.ISOLATED),
        ("5", "SOMETHING_NEW", "0", None),
    ],
)
def test_bybit_margin_mode(
    status: str, account_mode: str, trade_mode: str, mode: MarginMode | None
) -> None:
    info = {"result": {"unifiedMarginStatus": status, "marginMode": account_mode}}
    answers = {
        "privateGetV5PositionList": bybit([{**first_row("bybit"), "tradeMode": trade_mode}]),
        "privateGetV5AccountInfo": info,
    }

    [held] = read_scope("bybit", "linear:USDT", FakeClient(answers)).positions

    assert held.margin_mode == mode


def test_bybit_margin_mode_is_unknown_when_the_account_cannot_be_asked() -> None:
    answers = {
        "privateGetV5PositionList": bybit([first_row("bybit")]),
        "privateGetV5AccountInfo": VenueRefused("no"),
    }

    [held] = read_scope("bybit", "linear:USDT", FakeClient(answers)).positions

    assert held.margin_mode is None
    assert held.collateral.reason == "the venue does not say whether the margin is isolated"


def test_bybit_rows_of_another_settle_coin_are_left_to_its_scope() -> None:
    fake = FakeClient({"privateGetV5PositionList": bybit([first_row("bybit")])})

    reading = read_scope("bybit", "linear:USDC", fake)

    assert reading.positions == ()
    assert reading.refusals == ()


@pytest.mark.parametrize("venue", VENUES)
def test_a_scope_that_is_not_there_is_a_sentence(venue: str) -> None:
    fake = FakeClient({}, options={"scopes": "futures"})

    with pytest.raises(BadAccount, match="no scope 'futures'"):
        read_scope(venue, "account", fake)


@pytest.mark.parametrize("venue", VENUES)
def test_the_scopes_option_narrows_what_is_read(venue: str) -> None:
    scope, _, _ = VENUES[venue]
    fake = FakeClient({}, options={"scopes": f" {scope} "})

    assert list(registry.get(venue).scopes(fake.request)) == [scope]


def test_hyperliquid_names_each_exchange_once() -> None:
    fake = FakeClient({}, options={"dex": "flx, xyz,flx"})

    scopes = registry.get("hyperliquid").scopes(fake.request)

    assert list(scopes) == ["dex:main", "dex:flx", "dex:xyz"]


def test_hyperliquid_asks_for_the_wallet_and_nothing_else() -> None:
    fake = FakeClient({"publicPostInfo": {"assetPositions": []}}, wallet=" 0x" + "AB" * 20)

    read_scope("hyperliquid", "dex:main", fake)

    wanted = {"type": "clearinghouseState", "user": "0x" + "ab" * 20}
    assert fake.asked == [("publicPostInfo", wanted)]


@pytest.mark.parametrize("prefix", ["0x", ""])
def test_hyperliquid_refuses_a_private_key_without_repeating_it(prefix: str) -> None:
    key = prefix + "1f" * 32

    with pytest.raises(BadAccount, match="private key") as caught:
        registry.get("hyperliquid").check_wallet(key)

    assert "1f1f" not in str(caught.value)


@pytest.mark.parametrize("wallet", ["", "0x12", "ab" * 20, "0x" + "zz" * 20, "0x" + "ab" * 21])
def test_hyperliquid_refuses_what_is_no_address(wallet: str) -> None:
    with pytest.raises(BadAccount, match="40 digits"):
        registry.get("hyperliquid").check_wallet(wallet)


def test_hyperliquid_lists_of_unequal_length_are_refused() -> None:
    fake = FakeClient({"publicPostInfo": [{"universe": [{"name": "BTC"}]}, []]})

    with pytest.raises(UnreadableAnswer):
        read_prices("hyperliquid", ["BTC/USDC:USDC"], fake)


def premium(symbol: str, mark: str) -> dict[str, str]:
    return {"symbol": symbol, "markPrice": mark, "indexPrice": mark, "lastFundingRate": ""}


def test_many_prices_are_one_request() -> None:
    symbols = [f"C{i}/USDT:USDT" for i in range(20)]
    markets = [
        type(BTC)(symbol=symbol, venue_symbol=f"C{i}USDT", kind=BTC.kind)
        for i, symbol in enumerate(symbols)
    ]
    rows = [premium(f"C{i}USDT", "5") for i in range(25)]
    fake = FakeClient({"fapiPublicGetPremiumIndex": rows}, markets=markets)

    reading = read_prices("binance", symbols, fake)

    assert {quote.symbol for quote in reading.quotes} == set(symbols)
    asked = [params for method, params in fake.asked if method == "fapiPublicGetPremiumIndex"]
    assert asked == [{}]
    assert reading.quotes[0].funding_rate.reason == "no funding"


def test_a_price_that_cannot_be_read_leaves_the_others() -> None:
    rows = {"BTCUSDT": premium("BTCUSDT", "61000"), "ETHUSDT": premium("ETHUSDT", "NaN")}
    eth = type(BTC)(symbol="ETH/USDT:USDT", venue_symbol="ETHUSDT", kind=BTC.kind)
    fake = FakeClient(
        {"fapiPublicGetPremiumIndex": lambda params: rows[params["symbol"]]}, markets=[BTC, eth]
    )

    reading = read_prices("binance", ["BTC/USDT:USDT", "ETH/USDT:USDT"], fake)

    assert [quote.symbol for quote in reading.quotes] == ["BTC/USDT:USDT"]


@pytest.mark.parametrize("error", [RateLimited("wait"), VenueRefused("no")])
def test_prices_that_nobody_answers_are_a_failure(error: VenueError) -> None:
    fake = FakeClient({"fapiPublicGetPremiumIndex": error})

    with pytest.raises(type(error)):
        read_prices("binance", ["BTC/USDT:USDT"], fake)


def test_okx_short_of_the_hedge_mode_has_no_sign() -> None:
    row = {**first_row("okx"), "posSide": "short"}
    fake = FakeClient({"privateGetAccountPositions": {"data": [row]}})

    [held] = read_scope("okx", "all", fake).positions

    assert (held.slot, held.side) == ("short", Side.SHORT)
    assert held.contracts.text == "25"
