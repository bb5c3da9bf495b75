"""What is late, what is dated wrongly, and clocks that go back: no older figure poses as newer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from positions import feeds, scheduling
from positions.engine.types import Source
from positions.models import Position
from tests.factories import make_account
from tests.positions.readings import SIGHTED, at, outcome, prices, reading
from tests.positions.test_ingest import store
from tests.positions.test_pricing import refresh
from venues.base import AssetPriceReading, PriceOutcome, PriceReading
from venues.figures import Figure
from venues.models import AssetPrice, FeedKind

pytestmark = pytest.mark.django_db

A_DAY = 86_400


def with_quote(told, **columns):
    quote = replace(told.reading.quotes[0], **columns)
    return replace(told, reading=PriceReading((quote,)))


def test_a_late_poll_beside_a_newer_price_has_our_profit_and_its_own_rate():
    account = make_account()
    store(outcome(account, reading()))
    refresh(prices(account, seconds=20, BTC="57000"))
    late = reading(
        mark_price=SIGHTED("59000"),
        unrealized_pnl=SIGHTED("-1000"),
        maintenance_margin=SIGHTED("295"),
    )

    store(outcome(account, late, seconds=19), cycle=10**14)

    position = Position.objects.get()
    assert position.maintenance_rate == pytest.approx(0.005)
    assert position.unrealized_pnl == -3_000.0
    assert position.maintenance_margin == pytest.approx(285.0)
    assert position.provenance.sources["unrealized_pnl"] == Source.DERIVED
    assert not {"unrealized_pnl", "maintenance_margin"} & set(position.printed)


def test_a_price_that_arrived_before_the_reading_does_not_replace_the_readings():
    account = make_account()
    store(outcome(account, reading(venue_time=at(-9_000)), seconds=6))

    moved = refresh(prices(account, seconds=5, BTC="57000"))

    position = Position.objects.get()
    assert moved == 0
    assert (position.mark_price, position.price_received_at) == (60_000.0, at(6))


def test_a_quote_dated_in_the_future_does_not_stop_the_prices():
    account = make_account()
    store(outcome(account, reading()))
    refresh(prices(account, seconds=2, venue_time=at(10**8), BTC="57000"))

    refresh(prices(account, seconds=4, BTC="58000"))

    assert Position.objects.get().mark_price == 58_000.0


def test_an_older_answer_about_coins_does_not_replace_a_newer_one():
    account = make_account()
    for seconds, usd in ((4, "1.0"), (2, "0.5")):
        told = PriceReading((), (AssetPriceReading("USDT", SIGHTED(usd)),))
        refresh(PriceOutcome(account.venue, "", at(seconds), told))

    assert AssetPrice.objects.get().usd == 1.0


def test_an_index_price_stays_when_the_poll_does_not_tell_it():
    account = make_account()
    store(outcome(account, reading()))
    refresh(with_quote(prices(account, seconds=2, BTC="57000"), index_price=SIGHTED("57010")))

    store(outcome(account, reading(), seconds=4))

    assert Position.objects.get().index_price == 57_010.0


def test_a_mark_price_stays_with_its_own_time_when_the_poll_does_not_tell_it():
    account = make_account()
    silent = reading(mark_price=Figure.unknown("the venue gives none"))
    store(outcome(account, silent))
    refresh(prices(account, seconds=2, BTC="57000"))

    store(outcome(account, silent, seconds=4))
    kept = Position.objects.get()
    store(outcome(account, silent, seconds=60))

    assert (kept.mark_price, kept.price_received_at) == (57_000.0, at(2))
    assert Position.objects.get().mark_price is None


def test_funding_of_a_feed_that_stopped_is_unknown():
    account = make_account()
    store(outcome(account, reading()))
    funding = {"funding_rate": SIGHTED("0.001"), "next_funding_at": at(100)}
    refresh(with_quote(prices(account, seconds=2, BTC="57000"), **funding))

    store(outcome(account, reading(), seconds=A_DAY))

    position = Position.objects.get()
    assert (position.funding_rate, position.next_funding_at) == (None, None)
    assert position.provenance.sources["next_funding_at"] == Source.UNKNOWN


def test_a_clock_that_goes_back_a_day_stops_no_account():
    account = make_account(next_poll_at=at(A_DAY))
    ahead, _ = scheduling.claim_due(now=at(A_DAY))
    store(outcome(account, reading(), seconds=A_DAY), cycle=ahead)

    cycle, claimed = scheduling.claim_due(now=at(60))
    stored = store(outcome(account, reading(), seconds=61), cycle=cycle)

    assert claimed == [("binance", account.pk)]
    assert stored == [account.pk]


def test_a_claim_of_a_clock_that_went_back_is_taken_over():
    account = make_account(next_poll_at=at(0), last_seen_at=at(0))
    scheduling.claim_due(now=at(A_DAY))

    assert scheduling.claim_due(now=at(60))[1] == [("binance", account.pk)]


def test_a_clock_that_goes_back_stops_no_price_feed():
    store(outcome(make_account(), reading()))
    feeds.claim_feeds(kind=FeedKind.PRICES, now=at(A_DAY))

    assert len(feeds.claim_feeds(kind=FeedKind.PRICES, now=at(60))) == 1


def test_after_a_clock_went_back_the_readings_price_counts():
    account = make_account()
    store(outcome(account, reading()))
    refresh(prices(account, seconds=A_DAY, BTC="57000"))

    store(outcome(account, reading(), seconds=60), cycle=10**15)

    assert Position.objects.get().mark_price == 60_000.0
