"""What venues send when something is wrong with one row, one page or one endpoint."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.venues import corpus
from tests.venues.fake_client import BTC, FakeClient, read_prices, read_scope
from tests.venues.reading_checks import check_scope
from venues import registry
from venues.errors import (
    BadAccount,
    RateLimited,
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
