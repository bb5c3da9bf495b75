"""Funding, candles and order books: stored once, each on its own cycle."""

from __future__ import annotations

from datetime import timedelta

import pytest

from positions import feeds, market_data, pricing
from positions.market_data import ingest_feed, make_request
from positions.models import Position
from tests.factories import make_account
from tests.positions.market_says import BTC, told
from tests.positions.readings import SIGHTED, T0, at, end, outcome, prices, reading
from tests.positions.test_ingest import store
from venues.errors import RateLimited
from venues.market_data import CandleReading, DepthReading, FundingReading
from venues.models import Candle, Depth, Feed, FeedKind, HostBan, Market, Quote

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


@pytest.fixture
def position():
    store(outcome(make_account(), reading()))
    return Position.objects.get()


def hours(first, last, *, close=100.0):
    return tuple(
        CandleReading(T0 + hour * HOUR, 100.0, 110.0, 90.0, close) for hour in range(first, last)
    )


def tell(kind, *, seconds=1.0, **columns):
    outcome = told(kind, seconds=seconds, **columns)
    return ingest_feed(outcome=outcome, now=outcome.received_at)


def request(kind, *, seconds):
    return make_request(kind=kind, venue="binance", environment="", symbols=[BTC], now=at(seconds))


def test_a_market_without_candles_is_read_back_a_week(position):
    assert request(FeedKind.CANDLES, seconds=0).hours == {BTC: 169}


def test_later_only_the_missing_hours_are_asked_for(position):
    tell(FeedKind.CANDLES, candles={BTC: hours(-168, 1)})

    assert request(FeedKind.CANDLES, seconds=3620).hours == {BTC: 2}


def test_the_growing_hour_is_written_over(position):
    tell(FeedKind.CANDLES, candles={BTC: hours(-1, 1)})
    tell(FeedKind.CANDLES, seconds=3700, candles={BTC: hours(0, 2, close=105.0)})

    closes = Candle.objects.order_by("opened_at").values_list("close", flat=True)
    assert list(closes) == [100.0, 105.0, 105.0]


def test_no_more_than_400_hours_are_kept(position):
    tell(FeedKind.CANDLES, candles={BTC: hours(-450, 1)})

    kept = Candle.objects.order_by("opened_at")
    assert kept.count() == market_data.MOST_HOURS
    assert kept.last().opened_at == T0


def test_an_hour_of_the_future_is_left_out(position):
    tell(FeedKind.CANDLES, candles={BTC: hours(0, 5)})

    assert Candle.objects.count() == 1


def test_candles_are_due_after_each_full_hour(position):
    feeds.claim_feeds(kind=FeedKind.CANDLES, now=at(100))
    tell(FeedKind.CANDLES, seconds=101, candles={BTC: hours(0, 1)})

    due_at = Feed.objects.get(kind=FeedKind.CANDLES).next_at

    assert at(3620) <= due_at < at(3640)


def test_the_latest_order_book_alone_is_kept(position):
    for second, price in ((1, 100.0), (2, 101.0)):
        book = DepthReading(BTC, bids=((price, 2.0),), asks=((price + 1, 3.0),))
        tell(FeedKind.DEPTH, seconds=second, depths=[book])

    depth = Depth.objects.get()
    assert (depth.bids, depth.asks) == ([[101.0, 2.0]], [[102.0, 3.0]])
    assert depth.received_at == at(2)


def test_order_books_are_read_of_markets_with_open_positions_alone(position):
    store(outcome(position.account, ends=[end(seconds=20)], seconds=30), cycle=10**14)

    assert feeds.claim_feeds(kind=FeedKind.DEPTH, now=at(31)) == []
    assert Market.objects.count() == 1


def test_each_kind_has_a_cycle_of_its_own(position):
    kinds = (FeedKind.RULES, FeedKind.CANDLES, FeedKind.DEPTH)
    first = [len(feeds.claim_feeds(kind=kind, now=at(0))) for kind in kinds]

    tell(FeedKind.RULES)
    tell(FeedKind.CANDLES)
    tell(FeedKind.DEPTH)
    again = [len(feeds.claim_feeds(kind=kind, now=at(17))) for kind in kinds]

    assert (first, again) == ([1, 1, 1], [0, 0, 1])


def test_a_claim_whose_task_was_lost_is_made_again(position):
    feeds.claim_feeds(kind=FeedKind.RULES, now=at(0))

    assert feeds.claim_feeds(kind=FeedKind.RULES, now=at(119)) == []
    assert len(feeds.claim_feeds(kind=FeedKind.RULES, now=at(121))) == 1


def test_two_beats_claim_a_feed_once(position):
    claims = [feeds.claim_feeds(kind=FeedKind.DEPTH, now=at(0)) for _ in range(2)]

    assert [len(each) for each in claims] == [1, 0]


def test_a_banned_host_is_left_alone(position):
    HostBan.objects.create(venue="binance", begun_at=at(0), until=at(100))

    assert feeds.claim_feeds(kind=FeedKind.DEPTH, now=at(50)) == []
    assert len(feeds.claim_feeds(kind=FeedKind.DEPTH, now=at(101))) == 1


def test_a_venues_wish_for_a_pause_is_heeded(position):
    feeds.claim_feeds(kind=FeedKind.DEPTH, now=at(0))
    error = RateLimited("slow down", retry_after_s=90.0)

    tell(FeedKind.DEPTH, error=error, wait_s=90.0)

    assert feeds.claim_feeds(kind=FeedKind.DEPTH, now=at(80)) == []
    assert len(feeds.claim_feeds(kind=FeedKind.DEPTH, now=at(92))) == 1


def test_a_market_that_could_not_be_read_is_named_and_the_others_are_stored(position):
    tell(
        FeedKind.CANDLES,
        candles={BTC: hours(0, 1)},
        troubles={"ETH/USDT:USDT": "Binance sent nothing."},
    )

    assert Feed.objects.get().error == "Binance sent nothing. (ETH/USDT:USDT)"
    assert Candle.objects.count() == 1


def test_funding_moves_the_position_and_outlives_prices_without_it(position):
    rate = FundingReading(BTC, SIGHTED("0.0003"), next_at=at(7200), interval_h=8.0)
    tell(FeedKind.FUNDING, funding=[rate])

    pricing.ingest_prices(outcome=prices(position.account, seconds=3, BTC="59000"), now=at(3))

    after, quote = Position.objects.get(), Quote.objects.get()
    assert (after.funding_rate, after.next_funding_at) == (0.0003, at(7200))
    assert (quote.funding_rate, quote.funding_received_at) == (0.0003, at(1))
    assert quote.mark_price == 59_000.0
    assert Market.objects.get().funding_interval_h == 8.0


def test_funding_that_has_grown_old_is_unknown_though_prices_are_fresh(position):
    tell(FeedKind.FUNDING, funding=[FundingReading(BTC, SIGHTED("0.0003"))])
    pricing.ingest_prices(outcome=prices(position.account, seconds=899, BTC="59000"), now=at(899))

    store(outcome(position.account, reading(), seconds=900), cycle=10**14)

    assert Position.objects.get().funding_rate is None
