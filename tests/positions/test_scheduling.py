"""Who is polled when: claims, leases, back-off, budgets."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from django.test import override_settings

from positions import feeds, scheduling
from positions.models import Position
from tests.factories import make_account
from tests.positions.readings import SIGHTED, at, failure, outcome, reading
from tests.positions.test_ingest import store
from venues.base import ScopeFailure
from venues.errors import Banned, PermissionRefused, RateLimited, Unreachable
from venues.models import Account, FeedKind

pytestmark = pytest.mark.django_db


def due_account(**columns):
    return make_account(next_poll_at=at(0), **columns)


def pause_s(account, *, since):
    """Return for how long an account is left alone from that second on."""
    account.refresh_from_db()
    return (account.next_poll_at - at(since)).total_seconds()


def is_within(seconds, *, budget_s):
    """Tell whether a pause is that budget, less a tenth at most: jitter never breaks a budget."""
    return 0.9 * budget_s <= seconds <= budget_s


def ids(claimed):
    return [account_id for _, account_id in claimed]


def test_due_account_is_claimed_once_by_two_beats():
    account = due_account()

    _, first = scheduling.claim_due(now=at(1))
    _, second = scheduling.claim_due(now=at(1))

    assert ids(first) == [account.pk]
    assert ids(second) == []


@pytest.mark.parametrize(
    "columns",
    [{"is_enabled": False}, {"blocked_reason": "The key is not valid."}, {"next_poll_at": at(9)}],
)
def test_what_is_not_due_is_left_alone(columns):
    make_account(**{"next_poll_at": at(0), "last_seen_at": at(0), **columns})

    assert scheduling.claim_due(now=at(1))[1] == []


@override_settings(POLL_DEADLINE_S=20)
def test_a_claim_that_nobody_settles_is_taken_over_after_its_lease():
    account = due_account()
    scheduling.claim_due(now=at(0))

    assert scheduling.claim_due(now=at(29))[1] == []
    assert ids(scheduling.claim_due(now=at(31))[1]) == [account.pk]


def test_the_late_answer_of_a_taken_over_claim_does_not_settle_the_new_one():
    account = due_account()
    old, _ = scheduling.claim_due(now=at(0))
    new, _ = scheduling.claim_due(now=at(60))

    store(outcome(account, reading(), seconds=61), cycle=old)
    store(outcome(account, reading(contracts=SIGHTED("2")), seconds=62), cycle=new)

    account.refresh_from_db()
    assert account.ingested_cycle == new
    assert Position.objects.get().contracts == 2.0


def test_cycles_only_grow():
    cycles = [scheduling.new_cycle(now=at(second)) for second in range(50)]

    assert cycles == sorted(set(cycles))


@override_settings(POLL_BUDGET_S=30, POLL_FAST_BUDGET_S=5)
@pytest.mark.parametrize(("mark", "budget_s"), [("66000", 30), ("55500", 5)])
def test_an_account_in_danger_is_polled_faster(mark, budget_s):
    account = due_account()

    store(outcome(account, reading(mark_price=SIGHTED(mark))))

    assert is_within(pause_s(account, since=0), budget_s=budget_s)
    assert account.poll_budget_s == budget_s


@override_settings(POLL_BUDGET_S=30)
def test_failures_back_off_and_a_success_resets():
    account = due_account()
    pauses = []
    for turn in range(5):
        store(failure(account, Unreachable("no connection"), seconds=turn), cycle=turn + 1)
        pauses.append(pause_s(account, since=turn))

    store(outcome(account, seconds=10), cycle=99)

    account.refresh_from_db()
    budgets = [30, 60, 120, 240, 300]
    assert [
        is_within(pause, budget_s=budget) for pause, budget in zip(pauses, budgets, strict=True)
    ] == [True] * 5
    assert account.failures == 0


@pytest.mark.parametrize("kind", [RateLimited, Banned])
def test_the_venues_wish_is_kept(kind):
    account = due_account()

    store(failure(account, kind("slow down", retry_after_s=700.0)))

    assert 700 <= pause_s(account, since=0) <= 702


@override_settings(POLL_BUDGET_S=30, POLL_FAST_BUDGET_S=5)
def test_a_short_wish_brings_the_next_poll_forward():
    account = due_account()

    store(failure(account, RateLimited("slow down", retry_after_s=7.0)))

    assert 7 <= pause_s(account, since=0) <= 9


@override_settings(POLL_BUDGET_S=30)
def test_accounts_that_were_polled_together_drift_apart():
    accounts = [due_account() for _ in range(40)]
    for account in accounts:
        store(outcome(account, reading(mark_price=SIGHTED("66000"))))

    pauses = {pause_s(account, since=0) for account in accounts}

    assert all(is_within(pause, budget_s=30) for pause in pauses)
    assert len(pauses) > 30
    assert max(pauses) - min(pauses) > 2


@override_settings(POLL_BUDGET_S=30, POLL_FAST_BUDGET_S=5)
def test_a_poll_that_takes_three_intervals_is_skipped_twice_and_never_queued():
    account = due_account()
    claims = []
    for second in range(100):
        cycle, claimed = scheduling.claim_due(now=at(second))
        claims += [(second, cycle)] if claimed else []
        # Each answer comes 15 s after its claim, which is three of the account's intervals.
        if claims and second == claims[-1][0] + 15:
            told = outcome(account, reading(mark_price=SIGHTED("55500")), seconds=second)
            store(told, cycle=claims[-1][1])

    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(claims)]
    assert all(20 <= gap <= 21 for gap in gaps)
    assert len(gaps) >= 3


def test_the_lag_is_that_of_the_most_overdue_account():
    make_account(next_poll_at=at(3))
    make_account(next_poll_at=at(40))
    make_account(next_poll_at=at(0), is_enabled=False)

    assert scheduling.lag_s(now=at(33)) == 30
    assert scheduling.lag_s(now=at(1)) == 0


def test_price_feeds_follow_the_open_positions():
    account = due_account()
    store(outcome(account, reading(), reading("ETH/USDT:USDT")))

    claims = feeds.claim_feeds(kind=FeedKind.PRICES, now=at(1))

    symbols = ("BTC/USDT:USDT", "ETH/USDT:USDT")
    assert claims == [feeds.FeedClaim(FeedKind.PRICES, "binance", "", symbols)]
    assert feeds.claim_feeds(kind=FeedKind.PRICES, now=at(1)) == []
    assert feeds.claim_feeds(kind=FeedKind.PRICES, now=at(4)) == claims


def test_a_command_may_claim_what_is_not_due():
    account = make_account(next_poll_at=at(900))

    _, claimed = scheduling.claim(accounts=[account.pk], now=at(0))

    assert ids(claimed) == [account.pk]
    assert Account.objects.get().ingested_cycle == 0


@override_settings(POLL_BUDGET_S=30)
def test_one_part_that_stays_refused_neither_blocks_nor_slows_the_others():
    account = due_account()
    safe = reading(mark_price=SIGHTED("66000"))
    refused = ScopeFailure("inverse", PermissionRefused("The key may not read this."))
    for turn in range(6):
        told = replace(outcome(account, safe, seconds=turn), failures=(refused,))
        store(told, cycle=turn + 1)

    assert is_within(pause_s(account, since=5), budget_s=30)
    assert account.blocked_reason == ""


def test_a_ban_without_an_end_backs_off():
    account = due_account()
    for turn in range(6):
        store(failure(account, Banned("banned"), seconds=turn), cycle=turn + 1)

    assert is_within(pause_s(account, since=5), budget_s=300)


def test_an_account_that_was_never_scheduled_is_due():
    account = make_account(next_poll_at=None)

    assert ids(scheduling.claim_due(now=at(0))[1]) == [account.pk]


@override_settings(POLL_BUDGET_S=30)
def test_a_position_that_vanished_in_danger_does_not_keep_the_polls_fast():
    account = due_account()
    store(outcome(account, reading(mark_price=SIGHTED("55500"))))

    store(outcome(account, seconds=5))

    account.refresh_from_db()
    assert account.poll_budget_s == 30
