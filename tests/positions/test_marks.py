"""A venue's row and its price feed each tell a mark: which of the two counts, and that it stays."""

from __future__ import annotations

import pytest

from positions.engine.types import Side, Source
from positions.marks import FEED_IS_NEARER, ROW_IS_NEARER
from positions.models import Position
from tests.factories import make_account
from tests.positions.readings import SIGHTED, at, outcome, prices, reading
from tests.positions.test_ingest import kinds, store
from tests.positions.test_pricing import refresh
from venues.figures import Figure

pytestmark = pytest.mark.django_db


def seen() -> tuple[float | None, str, str]:
    position = Position.objects.select_related("provenance").get()
    provenance = position.provenance
    why = provenance.reasons.get("mark_price", "")
    return position.mark_price, provenance.sources["mark_price"], why


def derived(price: int) -> Figure:
    return Figure.derived(price)


def test_a_fresh_price_of_the_feed_counts_over_one_worked_out_of_the_row():
    account = make_account()
    store(outcome(account, reading(mark_price=derived(60_000))))
    refresh(prices(account, seconds=2, BTC="59500"))

    store(outcome(account, reading(mark_price=derived(60_000)), seconds=5))

    position = Position.objects.get()
    assert seen() == (59_500.0, Source.REPORTED, "")
    assert (position.received_at, position.price_received_at) == (at(5), at(2))
    assert position.unrealized_pnl == -500.0
    assert position.provenance.sources["unrealized_pnl"] == Source.DERIVED
    assert position.maintenance_rate == pytest.approx(0.005)
    assert position.liquidation_distance == pytest.approx((59_500 - 54_271.36) / 59_500)
    assert not {"mark_price", "unrealized_pnl"} & set(position.printed)


def test_a_price_of_the_feed_that_is_not_fresh_counts_no_more():
    account = make_account()
    store(outcome(account, reading()))
    refresh(prices(account, seconds=2, BTC="59500"))

    store(outcome(account, reading(mark_price=derived(60_000)), seconds=60))

    assert seen() == (60_000.0, Source.DERIVED, "")


@pytest.mark.parametrize(("row_time", "kept"), [(1, 59_500.0), (4, 60_000.0)])
def test_of_two_reported_marks_the_one_that_the_venue_dates_later_counts(row_time, kept):
    account = make_account()
    store(outcome(account, reading()))
    refresh(prices(account, seconds=3, BTC="59500"))

    store(outcome(account, reading(venue_time=at(row_time)), seconds=5))

    assert seen() == (kept, Source.REPORTED, "")


def test_without_the_venues_own_times_the_one_that_arrived_later_counts():
    account = make_account()
    store(outcome(account, reading()))
    refresh(prices(account, seconds=3, BTC="59500"))

    store(outcome(account, reading(), seconds=5))

    assert seen() == (60_000.0, Source.REPORTED, "")
    assert Position.objects.get().printed["unrealized_pnl"] == "0"


@pytest.mark.parametrize("row", [SIGHTED("55000"), derived(55_000)])
def test_of_marks_far_apart_the_one_nearer_to_liquidation_counts_and_says_so(row):
    account = make_account()
    store(outcome(account, reading()))
    refresh(prices(account, seconds=3, BTC="60000"))

    store(outcome(account, reading(mark_price=row, venue_time=at(1)), seconds=5))

    assert seen() == (55_000.0, row.source, ROW_IS_NEARER)


def test_the_feeds_mark_counts_where_it_is_the_one_nearer_to_liquidation():
    account = make_account()
    store(outcome(account, reading()))
    refresh(prices(account, seconds=3, BTC="55000"))

    store(outcome(account, reading(venue_time=at(4)), seconds=5))
    at_poll = seen()
    refresh(prices(account, seconds=6, BTC="55100"))

    assert at_poll == (55_000.0, Source.REPORTED, FEED_IS_NEARER)
    assert seen() == (55_100.0, Source.REPORTED, FEED_IS_NEARER)


def test_for_a_short_the_higher_mark_is_the_nearer():
    account = make_account()
    short = reading(side=Side.SHORT, liquidation_price=SIGHTED("65671.64"))
    store(outcome(account, short))
    refresh(prices(account, seconds=3, BTC="64000"))

    store(outcome(account, short, seconds=5))

    assert seen() == (64_000.0, Source.REPORTED, FEED_IS_NEARER)


def test_of_a_cross_position_the_mark_beside_its_line_is_the_nearer():
    account = make_account()
    cross = reading(
        margin_mode="cross",
        collateral=Figure.unknown("cross margin"),
        liquidation_price=SIGHTED("70000"),
    )
    store(outcome(account, cross))
    refresh(prices(account, seconds=3, BTC="65000"))

    store(outcome(account, cross, seconds=5))

    assert seen() == (65_000.0, Source.REPORTED, FEED_IS_NEARER)


def test_the_rows_mark_stays_against_a_feed_that_goes_on_contradicting_it():
    account = make_account(poll_budget_s=5)
    store(outcome(account, reading()))
    refresh(prices(account, seconds=1, BTC="60000"))
    store(outcome(account, reading(mark_price=derived(54_500)), seconds=2))
    row = (54_500.0, Source.DERIVED, ROW_IS_NEARER)

    calm = refresh(prices(account, seconds=4, BTC="60001")), seen()
    nearer = refresh(prices(account, seconds=6, BTC="54400")), seen()

    assert calm == (0, row)
    assert nearer == (1, (54_400.0, Source.REPORTED, ""))


def test_a_row_that_is_stale_holds_back_no_price():
    account = make_account(poll_budget_s=5)
    store(outcome(account, reading()))
    refresh(prices(account, seconds=1, BTC="60000"))
    store(outcome(account, reading(mark_price=derived(54_500)), seconds=2))

    refresh(prices(account, seconds=30, BTC="60001"))

    assert seen() == (60_001.0, Source.REPORTED, "")


def test_marks_that_agree_again_end_the_contradiction():
    account = make_account()
    store(outcome(account, reading()))
    refresh(prices(account, seconds=1, BTC="60000"))
    store(outcome(account, reading(mark_price=derived(54_500)), seconds=2))

    refresh(prices(account, seconds=4, BTC="55000"))

    assert seen() == (55_000.0, Source.REPORTED, "")


def test_a_row_and_a_feed_that_contradict_each_other_move_nothing_to_and_fro():
    account = make_account()
    calm = reading(mark_price=derived(60_000))
    store(outcome(account, calm))

    severities, states = [], []
    for second in range(2, 100, 4):
        refresh(prices(account, seconds=second, BTC="54000"))
        severities.append(Position.objects.get().severity)
        store(outcome(account, calm, seconds=second + 2))
        position = Position.objects.get()
        severities.append(position.severity)
        states.append(position.state)

    assert set(severities) == {"critical"}
    assert set(states) == {"breached"}
    assert kinds(position) == ["opened", "breached"]


def test_a_position_first_seen_beyond_its_line_is_breached_before_it_recovers():
    account = make_account()
    store(outcome(account, reading(mark_price=SIGHTED("54000"))))

    store(outcome(account, reading(), seconds=60))

    assert kinds(Position.objects.get()) == ["opened", "breached", "recovered"]


def test_a_late_row_that_is_far_nearer_counts_beside_a_newer_price():
    account = make_account()
    store(outcome(account, reading()))
    refresh(prices(account, seconds=20, BTC="60000"))
    late = reading(mark_price=SIGHTED("55000"), unrealized_pnl=SIGHTED("-5000"))

    store(outcome(account, late, seconds=19), cycle=10**14)

    position = Position.objects.get()
    assert seen() == (55_000.0, Source.REPORTED, ROW_IS_NEARER)
    assert position.provenance.sources["unrealized_pnl"] == Source.REPORTED
    assert position.printed["unrealized_pnl"] == "-5000"
