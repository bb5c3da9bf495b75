"""More accounts than a venue's rate budget carries: all of them less often, none refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from positions import coverage, feeds, pacing, scheduling
from positions.freshness import stale_after_s
from positions.models import Position
from tests.factories import make_account, make_feed, make_market, make_team
from tests.positions.readings import at, failure, outcome, reading
from tests.positions.test_ingest import store
from venues import registry
from venues.base import RawAnswer
from venues.errors import Unreachable
from venues.market_data import RateBudget
from venues.models import Account, FeedKind

pytestmark = pytest.mark.django_db
RISK = "GET /fapi/v3/positionRisk"
BINANCE = registry.get("binance").rate
# Of positions and settings of USD-M: 10 of weight.
ANSWERS = (RISK, "GET /fapi/v1/symbolConfig", "GET /dapi/v1/positionRisk")
WEIGHT = 11


@pytest.fixture(autouse=True)
def nothing_seen(monkeypatch):
    monkeypatch.setattr(pacing, "_seen", {})


def answered(account, *readings, seconds=0):
    answers = tuple(RawAnswer(line, 200, "[]", at(seconds)) for line in ANSWERS)
    return replace(outcome(account, *readings, seconds=seconds), answers=answers)


def many(count, **columns):
    team = make_team()
    return [make_account(team, next_poll_at=at(0), **columns) for _ in range(count)]


def carried_s(count, weight=WEIGHT):
    """Return the seconds in which the budget's share for polls carries one round of all."""
    return count * weight / (pacing.POLLS_SHARE * BINANCE.per_s)


def test_few_accounts_are_polled_as_often_as_is_wished():
    accounts = many(10)

    store(*(answered(each) for each in accounts))

    assert set(Account.objects.values_list("poll_budget_s", flat=True)) == {30.0}


def test_the_budget_of_500_accounts_is_what_the_venue_carries():
    accounts = many(500)

    store(*(answered(each) for each in accounts[:50]))

    polled = Account.objects.filter(pk__in=[each.pk for each in accounts[:50]])
    assert [each.poll_budget_s for each in polled] == pytest.approx([carried_s(500)] * 50)
    assert carried_s(500) > 200


def test_accounts_that_were_polled_together_are_spread_over_their_new_budget():
    accounts = many(500)

    store(*(answered(each) for each in accounts[:50]))

    due = Account.objects.filter(pk__in=[each.pk for each in accounts[:50]])
    pauses = sorted((each.next_poll_at - at(0)).total_seconds() for each in due)
    assert pauses[0] >= 30
    assert pauses[-1] <= carried_s(500)
    assert pauses[-1] - pauses[0] > 0.8 * (carried_s(500) - 30)
    assert max(later - sooner for sooner, later in pairwise(pauses)) < 0.2 * carried_s(500)


def test_what_was_spread_once_stays_so():
    account = many(500)[0]
    store(answered(account))

    store(answered(account, seconds=600))

    account.refresh_from_db()
    pause_s = (account.next_poll_at - at(600)).total_seconds()
    assert 0.9 * carried_s(500) <= pause_s <= carried_s(500)


def test_a_position_in_danger_is_polled_six_times_as_often_as_the_calm():
    accounts = many(500)

    store(answered(accounts[0], reading()), answered(accounts[1]))

    danger, calm = Account.objects.filter(pk__in=[accounts[0].pk, accounts[1].pk]).order_by("pk")
    assert Position.objects.get(account=danger).severity in pacing.ENDANGERED
    assert calm.poll_budget_s == pytest.approx(6 * danger.poll_budget_s)
    # 499 calm ones and one that wishes for six times as much.
    assert calm.poll_budget_s == pytest.approx(carried_s(505))


def test_a_poll_without_an_answer_keeps_what_was_known():
    account = many(500)[0]
    store(answered(account))

    store(failure(account, Unreachable("down"), seconds=300))

    account.refresh_from_db()
    assert account.poll_budget_s == pytest.approx(carried_s(500))


def test_stale_is_judged_by_what_is_possible():
    account = many(500)[0]
    store(answered(account, reading()))
    account.refresh_from_db()
    (entry,) = account.coverage.all()

    budget_s = account.poll_budget_s
    for seconds, state in ((budget_s, "fresh"), (3 * budget_s, "stale")):
        age = coverage.age_of(seen_at=entry.seen_at, budget_s=budget_s, now=at(seconds))
        assert age.state == state
        assert age.allowed_s == stale_after_s(budget_s)
    assert budget_s > 30


def test_no_more_are_claimed_than_can_be_asked_in_time():
    many(500)

    _, first = scheduling.claim_due(now=at(1))
    _, second = scheduling.claim_due(now=at(2))

    carried = pacing.POLLS_SHARE * BINANCE.per_s * 10
    assert 0 < len(first) <= carried / 10
    assert second == []


def test_a_venue_that_is_full_holds_up_no_other():
    many(100)
    other = make_account(venue="okx", next_poll_at=at(0))

    _, claimed = scheduling.claim_due(now=at(1))

    assert ("okx", other.pk) in claimed


@pytest.mark.slow
def test_a_round_of_500_never_asks_for_more_than_the_budget():
    """Simulated polls of 0.5 s: in no minute does more weight leave than the venue allows."""
    accounts = {each.pk: each for each in many(500)}
    sent: list[tuple[int, int]] = []

    for tick in range(1, 601):
        cycle, claimed = scheduling.claim_due(now=at(tick))
        for _, pk in claimed:
            sent.append((tick, WEIGHT))
            store(answered(accounts[pk], seconds=tick), cycle=cycle)

    by_second = Counter()
    for tick, weight in sent:
        by_second[tick] += weight
    # The first minute is one of catching up, at the pace of the gate in venues/rates.py.
    settled = [sum(by_second[s] for s in range(t, t + 60)) for t in range(300, 541)]
    assert max(settled) <= BINANCE.requests
    assert len({tick for tick, _ in sent if tick > 300}) > 150


def test_a_local_venue_has_no_budget():
    account = make_account(venue="reference", is_simulated=True)

    store(outcome(account))

    account.refresh_from_db()
    assert account.poll_budget_s == 30.0


@pytest.mark.parametrize(("weight", "seconds"), [(2, 2), (20, 6), (60, 18), (100_000, 60)])
def test_prices_come_as_often_as_the_venues_budget_carries(weight, seconds, monkeypatch):
    adapter = type(registry.get("binance"))
    monkeypatch.setattr(adapter, "rate", RateBudget(requests=800, window_s=60.0))
    feed = make_feed(make_market(), kind=FeedKind.PRICES)

    interval_s = feeds.pace_prices(place=("binance", ""), weight=weight, began_at=at(0))

    feed.refresh_from_db()
    assert interval_s == pytest.approx(seconds)
    if seconds > 2:
        assert (feed.next_at - at(0)).total_seconds() == pytest.approx(seconds)


def test_an_account_is_polled_at_its_own_pace_once_it_is_alone():
    account = many(1, poll_budget_s=300.0)[0]

    store(answered(account, seconds=1))

    account.refresh_from_db()
    assert account.poll_budget_s == 30.0
