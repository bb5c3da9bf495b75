"""Feeds of markets: rules, funding, candles and order books, without or with an account's key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from positions.engine.types import Tier
from riskhub import clock, crypto
from tests.factories import NOW, make_account
from tests.venues.corpus import answering
from tests.venues.probe import API_KEY, SECRET, Probe
from tests.venues.replay import Fault, Replay
from venues import feeds, market_reads
from venues.base import REGISTRY, PriceReading, ScopeReading, VenueAdapter, VenueClient
from venues.errors import BadAccount, RateLimited, TimedOut, UnreadableAnswer
from venues.feeds import FeedOutcome, FeedRequest
from venues.figures import Figure, Row
from venues.market_data import DepthReading, FundingReading, Listing, TierReading
from venues.models import FeedKind

pytestmark = pytest.mark.django_db

KLINES, DEPTH = "/fapi/v1/klines", "/fapi/v1/depth"
BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
HOUR_MS = 3_600_000


class Told(Probe):
    """A venue whose tables and funding are told by this file."""

    keys: list[str]

    def read_listing(self, row: Row) -> Listing:
        return Listing(funding_interval_h=8.0)

    async def read_tiers(
        self, *, client: VenueClient, symbols: Sequence[str]
    ) -> Sequence[TierReading]:
        type(self).keys.append(client.request.credentials.get("apiKey", ""))
        return [TierReading(symbol, (Tier(0.0, 0.005),)) for symbol in symbols]

    async def read_funding(
        self, *, client: VenueClient, symbols: Sequence[str]
    ) -> Sequence[FundingReading]:
        return [FundingReading(symbol, Figure.reported("0.0001")) for symbol in symbols]


class Local(VenueAdapter):
    """A venue in our own database that answers nothing of its own."""

    label = "Local"

    def scopes(self, request: Any) -> Sequence[str]:
        return ("book",)

    async def read_scope(self, *, client: VenueClient, scope: str) -> ScopeReading:
        return ScopeReading(scope, ())

    async def read_prices(self, *, client: VenueClient, symbols: Sequence[str]) -> PriceReading:
        return PriceReading()


@pytest.fixture(autouse=True)
def _venues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Told, "slug", "told")
    monkeypatch.setattr(Told, "keys", [], raising=False)
    monkeypatch.setattr(Local, "slug", "here")
    monkeypatch.setitem(REGISTRY, "told", Told)
    monkeypatch.setitem(REGISTRY, "here", Local)


def read(
    kind: FeedKind,
    base: str = "",
    *,
    venue: str = "told",
    symbols: Sequence[str] = (BTC,),
    **more: Any,
) -> FeedOutcome:
    deadline_s = more.pop("deadline_s", 10.0)
    request = FeedRequest(kind, venue, base, symbols, **more)
    return market_reads.read_feed(request=request, now=NOW, deadline_s=deadline_s)


def kline(hour: int, *, high: str = "61000.0") -> list[Any]:
    opened_at = 1_763_820_000_000 + hour * HOUR_MS
    prices = ["60000.0", high, "59000.0", "60500.0", "12.5"]
    return [opened_at, *prices, opened_at + HOUR_MS - 1, "0", 1, "0", "0", "0"]


def book(**fields: Any) -> dict[str, Any]:
    return {
        "lastUpdateId": 1,
        "E": 1_763_820_000_000,
        "T": 1_763_820_000_000,
        "bids": [["60000.0", "1.5"], ["59999.0", "2"]],
        "asks": [["60001.0", "0.5"]],
        **fields,
    }


def test_rules_are_listings_and_tables(replay: Replay) -> None:
    base = replay.compose("binance", "rules")

    outcome = read(FeedKind.RULES, base, symbols=(BTC, "NONE/USDT:USDT"))

    listed, unlisted = outcome.specs
    assert outcome.error is None
    assert (listed.is_known, listed.funding_interval_h, listed.is_listing_read) == (True, 8.0, True)
    assert not unlisted.is_known
    assert [reading.symbol for reading in outcome.tiers] == [BTC, "NONE/USDT:USDT"]
    assert Told.keys == [""]


def test_tables_that_fail_leave_the_listing(
    replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> Any:
        raise UnreadableAnswer("The tables cannot be read.")

    monkeypatch.setattr(Told, "read_tiers", fail)
    base = replay.compose("binance", "rules")

    outcome = read(FeedKind.RULES, base)

    assert outcome.specs[0].is_known
    assert outcome.sentence == "The tables cannot be read."


def test_private_tables_are_asked_with_the_key_of_an_account_there(
    replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Told, "is_tier_private", True)
    base = replay.compose("binance", "rules")
    sealed = crypto.Secrets.of({"apiKey": API_KEY, "secret": SECRET})
    make_account(venue="told", environment=base, credentials=sealed)

    outcome = read(FeedKind.RULES, base)

    assert outcome.error is None
    assert Told.keys == [API_KEY]


def test_private_tables_without_a_key_are_said_to_be_unread(
    replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Told, "is_tier_private", True)
    base = replay.compose("binance", "rules")

    outcome = read(FeedKind.RULES, base)

    assert "to a key only" in outcome.sentence
    assert outcome.specs[0].is_known
    assert outcome.tiers == ()


def test_funding_is_read_for_all_markets_at_once(replay: Replay) -> None:
    outcome = read(FeedKind.FUNDING, replay.compose("binance", "rules"), symbols=(BTC, ETH))

    assert [reading.symbol for reading in outcome.funding] == [BTC, ETH]


def test_candles_come_oldest_first_and_as_many_as_are_asked_for(replay: Replay) -> None:
    calls = answering(KLINES, [kline(hour) for hour in (2, 0, 1)])
    base = replay.compose("binance", "candles", calls)

    outcome = read(FeedKind.CANDLES, base, hours={BTC: 2})

    candles = outcome.candles[BTC]
    hours = [clock.to_milliseconds(candle.opened_at) for candle in candles]
    assert hours == [kline(1)[0], kline(2)[0]]
    assert (candles[0].open, candles[0].high, candles[0].volume) == (60000.0, 61000.0, 12.5)


def test_an_hour_of_impossible_prices_is_left_out(replay: Replay) -> None:
    calls = answering(KLINES, [kline(0, high="1.0"), kline(1), kline(2, high="NaN")])
    base = replay.compose("binance", "candles", calls)

    outcome = read(FeedKind.CANDLES, base, hours={BTC: 10})

    assert [clock.to_milliseconds(each.opened_at) for each in outcome.candles[BTC]] == [kline(1)[0]]


def test_an_order_book_is_read_best_first(replay: Replay) -> None:
    base = replay.compose("binance", "depth", answering(DEPTH, book()))

    [depth] = read(FeedKind.DEPTH, base, levels=50).depths

    assert depth.bids == ((60000.0, 1.5), (59999.0, 2.0))
    assert depth.asks == ((60001.0, 0.5),)


def test_a_crossed_order_book_is_refused(replay: Replay) -> None:
    base = replay.compose("binance", "depth", answering(DEPTH, book(asks=[["59000.0", "1"]])))

    outcome = read(FeedKind.DEPTH, base)

    assert isinstance(outcome.error, UnreadableAnswer)
    assert outcome.depths == ()


def test_too_many_requests_ends_the_feed_with_the_venues_wish(replay: Replay) -> None:
    base = replay.compose("binance", "limited", answering(DEPTH, book()))
    fault = Fault(DEPTH, status=429, text='{"code": -1003}', headers={"Retry-After": "7"})
    replay.spoil("binance", "limited", fault)

    outcome = read(FeedKind.DEPTH, base, symbols=(BTC, ETH))

    assert isinstance(outcome.error, RateLimited)
    assert 5 < (outcome.wait_s or 0) <= 7


def test_one_market_that_cannot_be_read_costs_the_others_nothing(
    replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read_depth(_: Any, *, client: VenueClient, symbol: str, levels: int) -> DepthReading:
        if symbol == ETH:
            raise KeyError("odd answer")
        return DepthReading(symbol, ((1.0, 1.0),), ((2.0, 1.0),))

    monkeypatch.setattr(Told, "read_depth", read_depth)
    base = replay.compose("binance", "rules")

    outcome = read(FeedKind.DEPTH, base, symbols=(BTC, ETH))

    assert [depth.symbol for depth in outcome.depths] == [BTC]
    assert list(outcome.troubles) == [ETH]


def test_a_venue_that_does_not_answer_ends_at_the_deadline(
    replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    async def hang(*_: Any, **__: Any) -> Any:
        await asyncio.sleep(30)

    monkeypatch.setattr(Told, "read_funding", hang)
    base = replay.compose("binance", "rules")

    outcome = read(FeedKind.FUNDING, base, deadline_s=2.0)

    assert isinstance(outcome.error, TimedOut)


def test_a_local_venue_without_books_answers_with_nothing() -> None:
    outcomes = [read(kind, venue="here") for kind in (FeedKind.RULES, FeedKind.DEPTH)]

    assert [outcome.error for outcome in outcomes] == [None, None]
    assert [outcome.specs for outcome in outcomes] == [(), ()]


def test_a_venue_that_is_gone_is_a_sentence() -> None:
    assert isinstance(read(FeedKind.RULES, venue="atlantis").error, BadAccount)


@pytest.mark.parametrize(
    ("adapter", "kind", "is_served"),
    [
        (Told, FeedKind.FUNDING, True),
        (Probe, FeedKind.FUNDING, False),
        (Probe, FeedKind.RULES, True),
        (Probe, FeedKind.CANDLES, True),
        (Local, FeedKind.CANDLES, False),
        (Local, FeedKind.RULES, False),
        (Local, FeedKind.PRICES, True),
    ],
)
def test_a_venue_is_asked_for_what_it_serves(
    adapter: type[VenueAdapter], kind: FeedKind, is_served: bool
) -> None:
    assert feeds.serves(adapter=adapter(), kind=kind) is is_served
