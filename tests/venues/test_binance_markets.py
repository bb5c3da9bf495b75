"""Binance: brackets, ends, keys, listings and funding, with answers of our own."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.venues.binance_shape import (
    ask,
    market_of,
    missing_of,
    own,
    read_ends,
    read_funding,
    read_key,
    read_tiers,
    table_of,
)
from tests.venues.fake_client import BTC, FakeClient, read_prices
from tests.venues.reading_checks import unlisted_requests
from tests.venues.replay import Fault, Replay
from venues import registry
from venues.base import Held
from venues.errors import Unreachable, VenueRefused
from venues.figures import Row
from venues.market_data import Listing

registry.load()

BRACKETS = "fapiPrivateGetLeverageBracket"
SEEN = datetime(2026, 5, 28, 20, 26, 40, tzinfo=UTC)


def test_brackets_of_both_products(replay: Replay) -> None:
    expected = own("binance", "tiers")["expected"]
    base = replay.url("binance", "tiers")

    tables = ask("binance", base, "read_tiers", symbols=expected["symbols"])

    assert {each.symbol: table_of(each) for each in tables} == expected["tables"]


def test_brackets_of_many_contracts_are_one_request() -> None:
    markets = [market_of(f"C{index}/USDT:USDT") for index in range(30)]
    rows = [{"symbol": f"C{index}USDT", "brackets": [step(0, 0.01, 0)]} for index in range(40)]
    fake = FakeClient({BRACKETS: rows}, markets=markets)

    tables = read_tiers("binance", [market.symbol for market in markets], fake)

    assert len(tables) == 30
    assert fake.asked == [(BRACKETS, {})]


def step(floor: float, rate: Any, cum: Any, **fields: Any) -> dict[str, Any]:
    return {"notionalFloor": floor, "maintMarginRatio": rate, "cum": cum, **fields}


@pytest.mark.parametrize(
    "brackets",
    [
        None,
        [],
        "text",
        [{}],
        [step(0, None, 0)],
        [step(0, 0, 0)],
        [step(0, 0.01, None)],
        [step(10, 0.01, 0)],
        [step(0, 0.01, 0), step(0, 0.02, 0)],
        [step(0, "NaN", 0)],
        [7],
    ],
)
def test_a_broken_table_is_no_table(brackets: Any) -> None:
    fake = FakeClient({BRACKETS: {"symbol": "BTCUSDT", "brackets": brackets}})

    assert read_tiers("binance", [BTC.symbol], fake) == []


def test_brackets_come_in_any_order() -> None:
    table = [step(600_000, 0.01, 3050), step(0, 0.004, 0), step(50_000, 0.005, 50)]
    fake = FakeClient({BRACKETS: {"symbol": "BTCUSDT", "brackets": table}})

    [read_table] = read_tiers("binance", [BTC.symbol], fake)

    assert [tier.floor for tier in read_table.tiers] == [0, 50_000, 600_000]
    assert read_table.max_leverages == (None, None, None)


def test_a_table_with_a_multiplier_of_one_account_is_not_everybodys() -> None:
    table = {"symbol": "BTCUSDT", "notionalCoef": "1.5", "brackets": [step(0, 0.01, 0)]}

    assert read_tiers("binance", [BTC.symbol], FakeClient({BRACKETS: table})) == []


@pytest.mark.parametrize("name", ["ends", "ends_inverse"])
def test_how_positions_ended(replay: Replay, name: str) -> None:
    expected = own("binance", name)["expected"]
    missing = missing_of(expected)

    ends = ask(
        "binance",
        replay.url("binance", name),
        "read_ends",
        scope=expected["scope"],
        missing=missing,
    )

    told = [
        [each.symbol, each.slot, each.state, each.price.text or None, each.reference,
         each.at.isoformat()]
        for each in ends
    ]  # fmt: skip
    assert told == expected["ends"]
    assert unlisted_requests(registry.get("binance"), replay.asked()) == []


def held_btc(**fields: Any) -> Held:
    given = {"symbol": BTC.symbol, "slot": "net", "margin_mode": "isolated", "seen_at": SEEN}
    return Held(scope="linear", **{**given, **fields})


def trade(at: datetime, **fields: Any) -> dict[str, Any]:
    milliseconds = int(at.timestamp() * 1000)
    given = {"symbol": "BTCUSDT", "positionSide": "BOTH", "orderId": 7, "price": "61000"}
    return {**given, "time": milliseconds, **fields}


ENDS = {
    "fapiPrivateGetForceOrders": [],
    "fapiPrivateGetUserTrades": [],
    "fapiPrivateGetIncome": [],
}


def test_nothing_missing_asks_nothing() -> None:
    fake = FakeClient(ENDS)

    assert read_ends("binance", [], fake) == []
    assert fake.asked == []


def test_an_end_of_which_nothing_is_told_stays_unexplained() -> None:
    assert read_ends("binance", [held_btc()], FakeClient(ENDS)) == []


@pytest.mark.parametrize(
    "other",
    [
        trade(SEEN - timedelta(minutes=5)),
        trade(SEEN + timedelta(minutes=5), positionSide="LONG"),
        trade(SEEN + timedelta(minutes=5), symbol="ETHUSDT"),
        trade(SEEN, time=None),
    ],
)
def test_a_trade_of_another_time_or_side_ends_nothing(other: dict[str, Any]) -> None:
    fake = FakeClient({**ENDS, "fapiPrivateGetUserTrades": [other]})

    assert read_ends("binance", [held_btc()], fake) == []


def test_ends_that_cannot_be_read_are_a_failure() -> None:
    fake = FakeClient({**ENDS, "fapiPrivateGetUserTrades": Unreachable("no")})

    with pytest.raises(Unreachable):
        read_ends("binance", [held_btc()], fake)


def test_a_contract_that_is_no_longer_known_may_have_been_settled() -> None:
    at = int((SEEN + timedelta(seconds=30)).timestamp() * 1000)
    told = {"symbol": "BTCUSDT", "incomeType": "DELIVERED_SETTELMENT", "time": at, "tranId": 5}
    answers = {
        "fapiPrivateGetForceOrders": VenueRefused("Invalid symbol."),
        "fapiPrivateGetIncome": [told],
    }

    [end] = read_ends("binance", [held_btc()], FakeClient(answers))

    assert (end.state, end.reference) == ("settled", "settled:5")


def test_trades_alone_do_not_say_whether_a_position_was_liquidated() -> None:
    answers = {
        **ENDS,
        "fapiPrivateGetForceOrders": VenueRefused("no"),
        "fapiPrivateGetUserTrades": [trade(SEEN + timedelta(seconds=30))],
    }

    assert read_ends("binance", [held_btc()], FakeClient(answers)) == []


def test_settlements_that_are_refused_leave_the_other_ends() -> None:
    answers = {
        **ENDS,
        "fapiPrivateGetUserTrades": [trade(SEEN + timedelta(seconds=30))],
        "fapiPrivateGetIncome": VenueRefused("no"),
    }
    gone = held_btc(symbol="FADE/USDT:USDT")
    markets = [BTC, market_of("FADE/USDT:USDT")]

    [end] = read_ends("binance", [held_btc(), gone], FakeClient(answers, markets=markets))

    assert (end.symbol, end.state) == (BTC.symbol, "closed")


def test_a_read_only_key(replay: Replay) -> None:
    facts = read_key("binance", replay.url("binance", "key"))

    assert facts is not None
    assert (facts.can_withdraw, facts.can_transfer, facts.can_trade) == (False, False, False)
    assert facts.is_address_bound is True
    assert facts.expires_at is None
    assert ("enableReading", "true") in facts.told


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("enableWithdrawals", "can_withdraw"),
        ("enableInternalTransfer", "can_transfer"),
        ("permitsUniversalTransfer", "can_transfer"),
        ("enableFutures", "can_trade"),
        ("enablePortfolioMarginTrading", "can_trade"),
    ],
)
def test_each_right_of_a_key_is_seen(name: str, right: str) -> None:
    told = own("binance", "key")["calls"][0]["answer"]
    fake = FakeClient({"sapiGetAccountApiRestrictions": {**told, name: True}})

    facts = asyncio.run(registry.get("binance").read_key(client=fake))

    assert facts is not None
    assert getattr(facts, right) is True


def test_rights_that_are_not_told_are_not_known() -> None:
    fake = FakeClient({"sapiGetAccountApiRestrictions": {"ipRestrict": False}})

    facts = asyncio.run(registry.get("binance").read_key(client=fake))

    assert facts is not None
    assert (facts.can_withdraw, facts.can_transfer, facts.can_trade) == (None, None, None)
    assert facts.is_address_bound is False


@pytest.mark.parametrize(
    ("fields", "delists_at", "is_active"),
    [
        ({"status": "TRADING", "deliveryDate": "4133404800000"}, None, True),
        (
            {"status": "TRADING", "deliveryDate": 1781078400000},
            datetime(2026, 6, 10, 8, tzinfo=UTC),
            True,
        ),
        (
            {"status": "SETTLING", "deliveryDate": 1779350400000},
            datetime(2026, 5, 21, 8, tzinfo=UTC),
            False,
        ),
        (
            {"contractStatus": "TRADING", "deliveryDate": 1798185600000},
            datetime(2026, 12, 25, 8, tzinfo=UTC),
            True,
        ),
        ({"contractStatus": "PRE_DELIVERING", "deliveryDate": None}, None, False),
        ({}, None, True),
    ],
)
def test_what_the_list_of_contracts_says(
    fields: dict[str, Any], delists_at: datetime | None, is_active: bool
) -> None:
    listing = registry.get("binance").read_listing(Row(fields))

    assert listing == Listing(delists_at=delists_at, is_active=is_active)


def test_funding_with_its_interval(replay: Replay) -> None:
    expected = own("binance", "funding")["expected"]

    found = read_funding("binance", replay.url("binance", "funding"), expected["symbols"])

    told = {
        each.symbol: [each.rate.text, each.interval_h, each.next_at and each.next_at.isoformat()]
        for each in found
    }
    assert told == expected["funding"]


def test_an_interval_is_unknown_where_the_list_cannot_be_read(replay: Replay) -> None:
    base = replay.url("binance", "funding")
    replay.spoil("binance", "funding", Fault("/fapi/v1/fundingInfo", status=400, text="{}"))

    [found] = read_funding("binance", base, ["BTC/USDT:USDT"])

    assert found.rate.text == "0.00010000"
    assert found.interval_h is None


def test_one_product_that_fails_leaves_the_prices_of_the_other() -> None:
    mark = {"symbol": "BTCUSDT", "markPrice": "61000", "lastFundingRate": "0.0001"}
    answers = {
        "fapiPublicGetPremiumIndex": mark,
        "dapiPublicGetPremiumIndex": Unreachable("no"),
    }
    coin = market_of("BTC/USD:BTC")

    reading = read_prices(
        "binance", [BTC.symbol, coin.symbol], FakeClient(answers, markets=[BTC, coin])
    )

    assert [quote.symbol for quote in reading.quotes] == [BTC.symbol]
