"""Rules of markets in versions: what changed, whom it moves, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from positions import feeds, pricing
from positions.engine.types import MarginMode
from positions.market_data import ingest_feed
from positions.markets import ensure_markets
from positions.models import Event, EventKind, Position, Reading
from tests.factories import make_account
from tests.positions.market_says import BTC, STEPS, listed, table, told
from tests.positions.readings import SIGHTED, at, failure, outcome, prices, reading, spec
from tests.positions.test_ingest import store
from venues.errors import Unreachable
from venues.models import Feed, FeedKind, Market, MarketChange, TierTable

pytestmark = pytest.mark.django_db

DECEMBER = datetime(2026, 12, 1, 8, tzinfo=UTC)


def tell(outcome):
    return ingest_feed(outcome=outcome, now=outcome.received_at)


def rule_events():
    return list(Event.objects.filter(kind=EventKind.RULES_CHANGED).order_by("pk"))


@pytest.fixture
def position():
    account = make_account()
    store(outcome(account, reading(liquidation_price=SIGHTED("54300"))))
    return Position.objects.get()


def test_a_first_table_is_no_news_and_its_version_stands_behind_the_figures(position):
    tell(told(tiers=[table(*STEPS)]))

    after = Position.objects.get()
    assert (position.tier_version, after.tier_version) == (None, 1)
    assert after.market.tier_table.version == 1
    assert after.maintenance_margin == pytest.approx(300)
    assert rule_events() == []
    assert not MarketChange.objects.exists()


def test_the_same_table_read_again_makes_no_version():
    store(outcome(make_account(), reading()))
    for second in (1, 2, 3):
        tell(told(seconds=second, tiers=[table(*STEPS)]))

    assert TierTable.objects.count() == 1


def test_another_table_is_a_version_and_an_event_with_the_prices_before_and_after(position):
    tell(told(tiers=[table(*STEPS)]))
    before = Position.objects.get()

    tell(told(seconds=2, tiers=[table((0.0, 0.01, 0.0), (100_000.0, 0.02, 1_000.0))]))

    after, [event], change = Position.objects.get(), rule_events(), MarketChange.objects.get()
    assert after.tier_version == 2
    assert after.margin_ratio == pytest.approx(2 * before.margin_ratio)
    assert after.engine_liquidation_price > before.engine_liquidation_price
    assert event.detail["change"] == str(change.pk)
    assert event.detail["what"] == "tiers"
    assert event.detail["engine_liquidation_price"] == {
        "before": before.engine_liquidation_price,
        "after": after.engine_liquidation_price,
    }
    assert event.detail["margin_ratio"]["after"] == after.margin_ratio
    assert (change.before["version"], change.after["version"]) == (1, 2)


def test_a_step_that_no_position_reaches_is_a_change_that_moves_nobody(position):
    tell(told(tiers=[table(*STEPS)]))

    tell(told(seconds=2, tiers=[table(STEPS[0], (100_000.0, 0.02, 1_500.0))]))

    assert MarketChange.objects.count() == 1
    assert rule_events() == []
    assert Position.objects.get().tier_version == 2


def test_a_table_that_liquidates_is_a_breach_in_the_same_transaction():
    store(outcome(make_account(), reading(liquidation_price=SIGHTED("0").unknown("none"))))
    tell(told(tiers=[table(*STEPS)]))

    tell(told(seconds=2, tiers=[table((0.0, 0.2, 0.0))]))

    assert Position.objects.get().state == "breached"
    kinds = list(Event.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["opened", "rules_changed", "breached"]


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ((), "is empty"),
        (((0.0, 0.005), (0.0, 0.01)), "do not ascend"),
        (((0.0, 0.005), (200.0, 0.01), (100.0, 0.02)), "do not ascend"),
        (((10.0, 0.005),), "does not begin at 0"),
        (((0.0, 0.0),), "not between 0 and 1"),
        (((0.0, 1.5),), "not between 0 and 1"),
        (((0.0, float("nan")),), "not a finite number"),
        (((0.0, 0.005), (float("inf"), 0.01)), "not a finite number"),
    ],
)
def test_an_unsound_table_is_refused_and_the_old_one_stays(position, steps, says):
    tell(told(tiers=[table(*STEPS)]))

    tell(told(seconds=2, tiers=[table(*steps)]))

    assert TierTable.objects.count() == 1
    assert says in Feed.objects.get(kind=FeedKind.RULES).error
    assert Position.objects.get().tier_version == 1


def test_every_position_of_one_refresh_names_the_same_version(position):
    other = make_account()
    store(outcome(other, reading()), cycle=10**14)
    tell(told(tiers=[table(*STEPS)]))
    tell(told(seconds=2, tiers=[table((0.0, 0.01, 0.0))]))

    pricing.ingest_prices(outcome=prices(other, seconds=3, BTC="59000"), now=at(3))

    assert set(Position.objects.values_list("tier_version", flat=True)) == {2}


def test_a_reading_of_history_names_the_version_behind_it(position):
    tell(told(tiers=[table(*STEPS)]))

    store(outcome(position.account, reading(), seconds=30), cycle=10**14)

    versions = Reading.objects.order_by("received_at").values_list("tier_version", flat=True)
    assert list(versions) == [None, 1]


def test_limits_are_kept_and_changed_ones_move_nobody(position):
    tell(told(specs=[listed(min_contracts=0.001, max_leverage=125.0)]))
    tell(told(seconds=2, specs=[listed(min_contracts=0.002, max_leverage=100.0)]))

    market, change = Market.objects.get(), MarketChange.objects.get()
    assert (market.min_contracts, market.max_leverage) == (0.002, 100.0)
    assert change.kind == "limits"
    assert change.before == {"min_contracts": 0.001, "max_leverage": 125.0}
    assert rule_events() == []


def test_what_is_not_told_is_not_taken_back(position):
    tell(told(specs=[listed(max_leverage=125.0, funding_interval_h=8.0, delists_at=DECEMBER)]))

    tell(told(seconds=2, specs=[listed(is_listing_read=False)]))

    market = Market.objects.get()
    assert (market.max_leverage, market.funding_interval_h) == (125.0, 8.0)
    assert market.delists_at == DECEMBER


def test_a_delisting_concerns_every_open_position_and_may_be_taken_back(position):
    tell(told(specs=[listed(delists_at=DECEMBER)]))
    tell(told(seconds=2, specs=[listed()]))

    assert [event.detail["what"] for event in rule_events()] == ["delisting", "delisting"]
    assert Market.objects.get().delists_at is None
    first = MarketChange.objects.order_by("pk")[0]
    assert first.after == {"delists_at": "2026-12-01T08:00:00.000Z"}


def test_another_funding_interval_is_told_to_holders(position):
    tell(told(specs=[listed(funding_interval_h=8.0)]))
    tell(told(seconds=2, specs=[listed(funding_interval_h=4.0)]))

    assert [event.detail["what"] for event in rule_events()] == ["funding_interval"]


def test_a_contract_that_the_list_no_longer_has_is_marked_and_stays_visible(position):
    gone = replace(listed(), kind=None)

    tell(told(specs=[gone]))

    market = Market.objects.get()
    assert not market.is_known
    assert market.asset == "BTC"
    assert Position.objects.get().state == "open"


def test_an_older_list_in_a_poll_changes_no_rule(position):
    tell(told(specs=[listed(tick_size=0.5)]))

    store(outcome(position.account, reading(), seconds=30), cycle=10**14)

    assert Market.objects.get().tick_size == 0.5


def test_a_symbol_that_comes_to_be_listed_is_filled_by_a_poll():
    account = make_account()
    unlisted = replace(listed(), kind=None, asset="", settle="", quote="")
    store(outcome(account, reading(market=unlisted)))

    store(outcome(account, reading(), seconds=30), cycle=10**14)

    market = Market.objects.get()
    assert (market.is_known, market.asset) == (True, "BTC")


def test_an_older_answer_is_discarded(position):
    tell(told(seconds=5, tiers=[table(*STEPS)]))

    tell(told(seconds=4, tiers=[table((0.0, 0.02, 0.0))]))

    assert TierTable.objects.count() == 1


def test_a_failed_reading_changes_nothing_and_is_said(position):
    tell(told(tiers=[table(*STEPS)]))

    tell(told(seconds=2, error=Unreachable("no connection")))

    feed = Feed.objects.get(kind=FeedKind.RULES)
    assert feed.error == "no connection"
    assert feed.received_at == at(1)
    assert Position.objects.get().tier_version == 1


def test_cross_rows_are_named_but_never_computed(position):
    cross = reading("ETH/USDT:USDT", margin_mode=MarginMode.CROSS)
    store(outcome(make_account(), cross), cycle=10**14)
    tell(told(tiers=[table(*STEPS, symbol="ETH/USDT:USDT")]))

    tell(told(seconds=2, tiers=[table((0.0, 0.02, 0.0), symbol="ETH/USDT:USDT")]))

    held = Position.objects.get(margin_mode="cross")
    assert held.engine_liquidation_price is None
    assert held.tier_version == 2


def test_a_market_that_is_new_is_due_at_once_and_the_others_in_an_hour(position):
    [claim] = feeds.claim_feeds(kind=FeedKind.RULES, now=at(0))
    tell(told(seconds=1, tiers=[table(*STEPS)]))
    later = feeds.claim_feeds(kind=FeedKind.RULES, now=at(600))

    store(outcome(position.account, reading("ETH/USDT:USDT"), seconds=700), cycle=10**14)
    [again] = feeds.claim_feeds(kind=FeedKind.RULES, now=at(701))

    assert claim.symbols == (BTC,)
    assert later == []
    assert again.symbols == (BTC, "ETH/USDT:USDT")


def test_a_market_that_comes_up_during_a_reading_stays_due(position):
    feeds.claim_feeds(kind=FeedKind.RULES, now=at(0))
    ensure_markets(specs=[("binance", "", spec("ETH/USDT:USDT"))], now=at(0))

    tell(told(seconds=1, tiers=[table(*STEPS)]))

    assert len(feeds.claim_feeds(kind=FeedKind.RULES, now=at(2))) == 1


def test_a_failed_feed_is_tried_again_before_its_hour(position):
    feeds.claim_feeds(kind=FeedKind.RULES, now=at(0))

    tell(told(seconds=1, error=Unreachable("no connection")))

    assert feeds.claim_feeds(kind=FeedKind.RULES, now=at(200)) == []
    assert len(feeds.claim_feeds(kind=FeedKind.RULES, now=at(302))) == 1


def test_an_account_that_fails_leaves_the_rules_alone(position):
    tell(told(tiers=[table(*STEPS)]))

    store(failure(position.account, Unreachable("x"), seconds=30), cycle=10**14)

    assert Position.objects.get().tier_version == 1
