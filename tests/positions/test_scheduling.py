"""Who is polled when: claims, leases, back-off, budgets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.test import override_settings

from positions import scheduling
from positions.models import Position
from tests.factories import make_account
from tests.positions.readings import SIGHTED, at, failure, outcome, reading
from tests.positions.test_ingest import store
from venues.base import ScopeFailure
from venues.errors import Banned, PermissionRefused, RateLimited, Unreachable
from venues.models import Account

pytestmark = pytest.mark.django_db


def due_account(**columns):
    return make_account(next_poll_at=at(0), **columns)


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

    account.refresh_from_db()
    assert account.poll_budget_s == budget_s
    assert account.next_poll_at == at(budget_s)


@override_settings(POLL_BUDGET_S=30)
def test_failures_back_off_and_a_success_resets():
    account = due_account()
    pauses = []
    for turn in range(5):
        store(failure(account, Unreachable("no connection"), seconds=turn), cycle=turn + 1)
        account.refresh_from_db()
        pauses.append((account.next_poll_at - at(turn)).total_seconds())

    store(outcome(account, seconds=10), cycle=99)

    account.refresh_from_db()
    assert pauses == [30, 60, 120, 240, 300]
    assert account.failures == 0


@pytest.mark.parametrize("kind", [RateLimited, Banned])
def test_the_venues_wish_is_kept(kind):
    account = due_account()

    store(failure(account, kind("slow down", retry_after_s=700.0)))

    account.refresh_from_db()
    assert account.next_poll_at == at(700)


def test_price_feeds_follow_the_open_positions():
    account = due_account()
    store(outcome(account, reading(), reading("ETH/USDT:USDT")))

    feeds = scheduling.claim_price_feeds(now=at(1))

    assert feeds == [("binance", "", ["BTC/USDT:USDT", "ETH/USDT:USDT"])]
    assert scheduling.claim_price_feeds(now=at(1)) == []
    assert scheduling.claim_price_feeds(now=at(4)) == feeds


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

    account.refresh_from_db()
    assert account.blocked_reason == ""
    assert account.next_poll_at == at(35)


def test_a_ban_without_an_end_backs_off():
    account = due_account()
    for turn in range(6):
        store(failure(account, Banned("banned"), seconds=turn), cycle=turn + 1)

    account.refresh_from_db()
    assert account.next_poll_at == at(305)


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
