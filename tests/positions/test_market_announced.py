"""Changes that a person enters before they come into force."""

from __future__ import annotations

from datetime import timedelta

import pytest

from positions import announcements
from positions.announced_terms import AnnouncementError, collect_terms, read_lines
from positions.market_data import ingest_feed
from positions.market_selectors import held_positions
from positions.models import Position
from riskhub.teams.models import AuditEntry
from tests.factories import make_account, make_market, make_user
from tests.positions.market_says import STEPS, listed, table, told
from tests.positions.readings import at, outcome, reading
from tests.positions.test_ingest import store
from tests.positions.test_market_rules import rule_events, tell
from venues.models import AnnouncedChange, FeedKind, Market, MarketChange, TierTable

pytestmark = pytest.mark.django_db

TIGHTER = "0 1%\n100,000 2%"


@pytest.fixture
def position():
    store(outcome(make_account(), reading()))
    tell(told(tiers=[table(*STEPS)]))
    return Position.objects.select_related("market", "team").get()


def announce(position, *, seconds=3600, **given):
    terms = collect_terms(market=position.market, **(given or {"tiers": TIGHTER}))
    return announcements.announce(
        market=position.market, terms=terms, effective_at=at(seconds), now=at(10)
    )


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("0 0.004\n50000 0.005", [[0.0, 0.004, 0.0, None], [50000.0, 0.005, 50.0, None]]),
        ("0\t0.4%\n50,000\t0.5%", [[0.0, 0.004, 0.0, None], [50000.0, 0.005, 50.0, None]]),
        ("0,0.004\n50000,0.005", [[0.0, 0.004, 0.0, None], [50000.0, 0.005, 50.0, None]]),
        ("0 0.004 0\n\n5e4 0.005 20", [[0.0, 0.004, 0.0, None], [50000.0, 0.005, 20.0, None]]),
        ("0 | 1% | 0 | 125", [[0.0, 0.01, 0.0, 125.0]]),
        ("0, 0.40 %", [[0.0, 0.004, 0.0, None]]),
        ("0\u00a00.40\u00a0%", [[0.0, 0.004, 0.0, None]]),
    ],
)
def test_lines_are_read_as_people_copy_them(text, rows):
    assert read_lines(text=text, market=make_market()).rows == rows


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0", "Line 1 should hold a floor and a rate"),
        ("0 0.004\n50000", "Line 2 should hold"),
        ("0 half", "Line 1: 'half' is not a number."),
        ("0 0.4", ""),
        ("0 4", "not between 0 and 1"),
        ("0 nan", "not a finite number"),
        ("0 0.01\n0 0.02", "do not ascend"),
        ("100 0.01", "does not begin at 0"),
        ("1 2 3 4 5", "Line 1 should hold"),
        ("0 0.5%\n50000 0.4%", "Line 2: its rate is lower"),
        ("0 0.4% -5", "Line 1: an amount is not below 0"),
        ("0 0.4%\n50000 0.5% 50\n600000 1%", "Line 3 gives no amount"),
    ],
)
def test_lines_that_are_no_table_are_a_sentence(text, says):
    if not says:
        assert read_lines(text=text, market=make_market()).rows
        return
    with pytest.raises(AnnouncementError, match=says):
        read_lines(text=text, market=make_market())


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "Nothing changes"),
        ({"limits": {"min_contracts": -1.0}}, "a number above 0"),
        ({"limits": {"min_contracts": 2.0, "max_contracts": 1.0}}, "larger than the largest"),
        ({"funding_interval_h": 0.0}, "above 0"),
        ({"funding_interval_h": 1000.0}, "at most 168"),
    ],
)
def test_terms_that_cannot_be_are_a_sentence(given, says):
    with pytest.raises(AnnouncementError, match=says):
        collect_terms(market=make_market(), **given)


def test_a_preview_says_who_moves_and_writes_nothing(position):
    terms = collect_terms(market=position.market, tiers=TIGHTER)

    held = held_positions(team=position.team, market=position.market)
    [moved] = announcements.preview(positions=held, terms=terms, now=at(10))

    assert moved.is_moved
    assert moved.price_after > moved.price_before
    assert moved.ratio_after == pytest.approx(2 * moved.ratio_before)
    assert Position.objects.get().tier_version == 1


def test_what_the_preview_says_is_what_comes(position):
    terms = collect_terms(market=position.market, tiers=TIGHTER)
    held = held_positions(team=position.team, market=position.market)
    [moved] = announcements.preview(positions=held, terms=terms, now=at(10))
    announce(position)

    announcements.apply_due(now=at(3600))

    after = Position.objects.get()
    assert after.engine_liquidation_price == moved.price_after
    assert after.margin_ratio == pytest.approx(moved.ratio_after, rel=1e-12)


def test_a_change_waits_for_its_time_and_then_comes_once(position):
    announce(position)

    early = announcements.apply_due(now=at(3599))
    first, second = (announcements.apply_due(now=at(3601)) for _ in range(2))

    change = MarketChange.objects.get()
    assert (early, first, second) == (0, 1, 0)
    assert TierTable.objects.count() == 2
    assert len(rule_events()) == 1
    assert (change.source, change.effective_at) == ("operator", at(3600))
    assert Position.objects.get().market.tier_table.source == "operator"


def test_two_beats_that_saw_the_same_change_due_apply_it_once(position):
    [row] = announce(position)
    due = AnnouncedChange.objects.select_related("market").get()

    answers = [announcements._apply(due, at(3601)) for _ in range(2)]

    row.refresh_from_db()
    assert answers == [True, False]
    assert row.applied_at == at(3601)
    assert len(rule_events()) == 1


def test_what_is_cancelled_never_comes(position):
    [row] = announce(position)

    was_cancelled = announcements.cancel(announced_id=row.pk, now=at(20))

    assert was_cancelled
    assert announcements.apply_due(now=at(7200)) == 0
    assert not announcements.cancel(announced_id=row.pk, now=at(30))


def test_what_is_in_force_cannot_be_cancelled(position):
    [row] = announce(position)
    announcements.apply_due(now=at(3600))

    assert not announcements.cancel(announced_id=row.pk, now=at(3700))


def test_the_venues_next_word_wins_and_is_a_change_of_its_own(position):
    announce(position)
    announcements.apply_due(now=at(3600))

    tell(told(seconds=4000, tiers=[table(*STEPS)]))

    sources = MarketChange.objects.order_by("pk").values_list("source", flat=True)
    assert list(sources) == ["operator", "venue"]
    assert Position.objects.get().tier_version == 3


def test_a_venue_that_confirms_what_was_announced_changes_nothing(position):
    announce(position)
    announcements.apply_due(now=at(3600))

    confirmed = table((0.0, 0.01, 0.0), (100_000.0, 0.02, 1_000.0))
    tell(told(seconds=4000, tiers=[confirmed]))

    assert TierTable.objects.count() == 2
    assert MarketChange.objects.count() == 1


def test_all_that_is_given_at_once_comes_at_once(position):
    rows = announce(
        position,
        tiers=TIGHTER,
        limits={"max_leverage": 20.0},
        delists_at=at(86_400),
        funding_interval_h=1.0,
    )

    done = announcements.apply_due(now=at(3600))

    market = Market.objects.get()
    assert (len(rows), done) == (4, 4)
    assert (market.max_leverage, market.funding_interval_h) == (20.0, 1.0)
    assert market.delists_at == at(86_400)
    assert market.tier_table.version == 2


def test_an_announced_delisting_outlives_a_list_that_says_nothing_of_it(position):
    announce(position, delists_at=at(86_400))
    announcements.apply_due(now=at(3600))

    ingest_feed(
        outcome=told(FeedKind.RULES, seconds=4000, specs=[listed(is_listing_read=False)]),
        now=at(4000),
    )

    assert Market.objects.get().delists_at == at(86_400)


def test_one_change_that_cannot_be_applied_holds_up_no_other(position):
    announce(position, seconds=100)
    AnnouncedChange.objects.update(change={"tiers": [["broken"]]})
    announce(position, seconds=200)

    assert announcements.apply_due(now=at(3600)) == 1
    assert TierTable.objects.count() == 2


def test_a_change_farther_than_two_years_is_refused(position):
    with pytest.raises(AnnouncementError, match="two years"):
        announce(position, seconds=timedelta(days=900).total_seconds())


def test_who_announced_it_stands_in_the_log_of_the_team(position):
    user = make_user(team=position.team)
    terms = collect_terms(market=position.market, tiers=TIGHTER)

    announcements.announce(
        market=position.market,
        terms=terms,
        effective_at=at(50),
        team=position.team,
        user=user,
        now=at(10),
    )

    entry = AuditEntry.objects.get(action="market.announced")
    assert (entry.team, entry.actor) == (position.team, user.get_username())


@pytest.mark.parametrize(
    ("seconds", "given", "says"),
    [
        (-86_400 * 366, {"limits": {"max_leverage": 20.0}}, "more than a year back"),
        (7200, {"delists_at": at(3600)}, "would end before"),
    ],
)
def test_a_time_that_can_only_be_a_slip_is_refused(position, seconds, given, says):
    with pytest.raises(AnnouncementError, match=says):
        announce(position, seconds=seconds, **given)

    assert not AnnouncedChange.objects.exists()


def test_the_same_change_is_announced_once(position):
    announce(position)

    with pytest.raises(AnnouncementError, match="announced already"):
        announce(position)
    announce(position, seconds=7200)

    assert AnnouncedChange.objects.count() == 2


def test_a_limit_that_a_person_is_first_to_tell_is_a_change(position):
    Market.objects.update(max_leverage=None)
    announce(position, limits={"max_leverage": 20.0})

    announcements.apply_due(now=at(3600))

    change = MarketChange.objects.get(kind="limits")
    assert (change.after, change.source) == ({"max_leverage": 20.0}, "operator")
