"""A newer trigger price moves risk between polls; an older one moves nothing."""

from __future__ import annotations

import random

import pytest

from positions import pricing
from positions.engine.types import Side, Source
from positions.models import Position
from tests.factories import make_account
from tests.positions.readings import SIGHTED, at, outcome, prices, reading
from tests.positions.test_ingest import kinds, store
from venues.base import AssetPriceReading, PriceOutcome, PriceReading
from venues.errors import Unreachable
from venues.models import AssetPrice, Feed, Quote

pytestmark = pytest.mark.django_db


def refresh(outcome):
    return pricing.ingest_prices(outcome=outcome, now=outcome.received_at)


def test_a_newer_price_moves_everything_that_hangs_on_it():
    account = make_account()
    store(outcome(account, reading()))

    moved = refresh(prices(account, seconds=2, BTC="57000"))

    position = Position.objects.get()
    assert moved == 1
    assert position.mark_price == 57_000.0
    assert position.printed["mark_price"] == "57000"
    assert position.unrealized_pnl == -3_000.0
    assert position.maintenance_margin == pytest.approx(57_000 * 0.005)
    assert position.margin_ratio == pytest.approx(57_000 * 0.005 / 3_000)
    assert position.liquidation_distance == pytest.approx((57_000 - 54_271.36) / 57_000)
    assert position.provenance.sources["unrealized_pnl"] == Source.DERIVED
    assert position.received_at == at(0)
    assert position.price_received_at == at(2)


def test_a_price_beyond_liquidation_is_a_breach_between_polls():
    account = make_account()
    store(outcome(account, reading()))

    refresh(prices(account, seconds=2, BTC="54000"))
    refresh(prices(account, seconds=4, BTC="56000"))

    position = Position.objects.get()
    assert kinds(position) == ["opened", "breached", "recovered"]
    assert position.state == "open"


def test_refresh_and_poll_at_the_same_price_agree_to_the_last_bit():
    account = make_account()
    store(outcome(account, reading()))
    refresh(prices(account, seconds=2, BTC="57123.4"))
    between = Position.objects.get()

    moved = reading(
        mark_price=SIGHTED("57123.4"),
        unrealized_pnl=SIGHTED("-2876.6"),
        maintenance_margin=SIGHTED("285.617"),
    )
    store(outcome(account, moved, seconds=30))

    after = Position.objects.get()
    for name in ("liquidation_distance", "bankruptcy_price", "notional"):
        assert getattr(after, name) == getattr(between, name)
    assert after.margin_ratio == pytest.approx(between.margin_ratio, rel=1e-12)


def test_older_prices_never_overwrite_newer_ones_in_any_order():
    account = make_account()
    store(outcome(account, reading(mark_price=SIGHTED("60000"))))
    seconds = list(range(1, 41))
    random.Random(14).shuffle(seconds)

    for second in seconds:
        refresh(prices(account, seconds=second, BTC=str(60_000 - second)))

    assert Position.objects.get().mark_price == 59_960.0
    assert Quote.objects.get().mark_price == 59_960.0


def test_a_price_that_the_venue_dates_before_the_reading_is_dropped():
    account = make_account()
    store(outcome(account, reading(venue_time=at(0))))

    moved = refresh(prices(account, seconds=2, venue_time=at(-86_400), BTC="12000"))

    assert moved == 0
    assert Position.objects.get().mark_price == 60_000.0


def test_a_late_poll_keeps_the_newer_price():
    account = make_account()
    store(outcome(account, reading()))
    refresh(prices(account, seconds=20, BTC="57000"))

    store(outcome(account, reading(mark_price=SIGHTED("59000")), seconds=19), cycle=10**14)

    position = Position.objects.get()
    assert position.mark_price == 57_000.0
    assert position.received_at == at(19)


def test_a_fresh_price_does_not_make_an_old_reading_fresh():
    account = make_account(poll_budget_s=30)
    store(outcome(account, reading()))

    refresh(prices(account, seconds=3600, BTC="59000"))

    assert Position.objects.get().state == "stale"


def test_gone_and_ended_positions_are_not_moved():
    account = make_account()
    store(outcome(account, reading()))
    store(outcome(account, seconds=30))

    refresh(prices(account, seconds=32, BTC="1"))

    position = Position.objects.get()
    assert position.state == "gone"
    assert position.mark_price == 60_000.0


def test_prices_of_another_environment_do_not_touch_the_position():
    real = make_account()
    replayed = make_account(environment="http://127.0.0.1:1/binance")
    store(outcome(real, reading()))

    refresh(prices(replayed, seconds=2, BTC="1"))

    assert Position.objects.get().mark_price == 60_000.0


def test_a_failed_refresh_is_noted_and_changes_nothing():
    account = make_account()
    store(outcome(account, reading()))

    refresh(PriceOutcome(account.venue, "", at(2), error=Unreachable("no connection")))

    assert Feed.objects.get().error == "no connection"
    assert Position.objects.get().mark_price == 60_000.0


def test_index_prices_value_what_was_unknown():
    account = make_account()
    store(outcome(account, reading(side=Side.LONG)))
    quotes = prices(account, seconds=2, BTC="60000").reading.quotes
    dollars = (AssetPriceReading("USDT", SIGHTED("0.9998")),)

    refresh(PriceOutcome(account.venue, "", at(2), PriceReading(quotes, dollars)))

    assert AssetPrice.objects.get().usd == 0.9998
    assert Position.objects.get().notional_usd == pytest.approx(60_000 * 0.9998)
