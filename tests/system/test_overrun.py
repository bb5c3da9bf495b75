"""A venue that takes three times the interval: turns are skipped, and nothing piles up."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import override_settings

from positions import ingest, tasks
from positions.models import Poll
from riskhub import clock
from tests.factories import make_account
from tests.positions.readings import at, outcome, reading

pytestmark = pytest.mark.django_db
INTERVAL_S, LATENCY_S, TICKS = 5, 15, 120


class Queue:
    """What the broker holds, and when each poll that was rung for comes back."""

    def __init__(self) -> None:
        self.rung: list[tuple[datetime, int, int]] = []

    def apply_async(self, *, kwargs: dict[str, Any], expires: float) -> None:
        back_at = clock.now() + timedelta(seconds=LATENCY_S)
        self.rung += [(back_at, pk, kwargs["cycle"]) for pk in kwargs["account_ids"]]

    def depth(self, account_id: int) -> int:
        return sum(pk == account_id for _, pk, _ in self.rung)

    def take_done(self) -> list[tuple[int, int]]:
        now = clock.now()
        done = [(pk, cycle) for back_at, pk, cycle in self.rung if back_at <= now]
        self.rung = [each for each in self.rung if each[0] > now]
        return done


@override_settings(POLL_BUDGET_S=INTERVAL_S, POLL_FAST_BUDGET_S=INTERVAL_S)
def test_polls_slower_than_their_interval_skip_turns_and_never_pile_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    queue, deepest = Queue(), 0
    accounts = [make_account(next_poll_at=at(0), poll_budget_s=INTERVAL_S) for _ in range(4)]
    monkeypatch.setattr(tasks.poll_batch, "apply_async", queue.apply_async)

    for tick in range(TICKS):
        now = at(tick)
        monkeypatch.setattr(clock, "now", lambda now=now: now)
        for pk, cycle in queue.take_done():
            account = next(each for each in accounts if each.pk == pk)
            seen = replace(outcome(account, reading()), received_at=now)
            ingest.ingest_outcomes(outcomes=[seen], cycle=cycle, now=now)
        tasks.dispatch_due()
        deepest = max(deepest, *(queue.depth(account.pk) for account in accounts))

    assert deepest == 1
    for account in accounts:
        polls = Poll.objects.filter(account=account).count()
        assert TICKS // (LATENCY_S + INTERVAL_S) <= polls <= TICKS // LATENCY_S
    assert any("polls_lag" in str(record.msg) for record in caplog.records)
