"""The broker gives one message to two workers: done in a forked child, venue and all."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connections

from positions import scheduling, tasks
from positions.alerts.models import Incident, Message
from positions.models import Event, Poll, Reading
from riskhub import clock
from tests.factories import look_at_keys, make_rule, make_team
from tests.system import book
from tests.system.steps import travel
from tests.venues.probe import API_KEY, SECRET
from tests.venues.replay import new_replay, serving
from venues import rates, services

_STEP_S = 60


def twice(*, trials: int) -> dict[str, Any]:
    """Do each poll task in two threads at once, the book changed before each; return the effects.

    In every other trial the position comes near its liquidation price, in the others it recovers.
    """
    unthrottle()
    with serving() as server, ThreadPoolExecutor(2) as threads:
        replay = new_replay(server)
        for trial in range(trials):
            amount, mark = (0.5, 64_000.0) if trial % 2 else (0.8, 56_000.0)
            row = book.binance_long(amount=amount, mark=mark)
            url = replay.compose("binance", "twice", *book.binance(row))
            if trial == 0:
                make_installation(url)
            travel(seconds=_STEP_S * trial)
            cycle, claimed = scheduling.claim_due(now=clock.now())
            together = Barrier(2)
            ids = [pk for _, pk in claimed]
            done = [threads.submit(poll, together, ids, cycle) for _ in range(2)]
            stored = [each.result() for each in done]
            assert sorted(stored) == [0, 1], (trial, stored)
    return {"asked": len(replay.asked(scenario="twice")), **effects()}


def poll(together: Barrier, account_ids: Sequence[int], cycle: int) -> int:
    together.wait()
    try:
        return tasks.poll_batch(account_ids=list(account_ids), cycle=cycle)
    finally:
        connections["default"].close()


def make_installation(url: str) -> None:
    team = make_team()
    make_rule(team, name="distance", clear_for_s=0.0, repeat_s=0.0)
    services.create_account(
        team=team,
        venue="binance",
        label="one",
        environment=url,
        credentials={"apiKey": API_KEY, "secret": SECRET},
        now=clock.now(),
    )
    look_at_keys()


def effects() -> dict[str, Any]:
    """Count what all the trials left behind."""
    kinds = Event.objects.order_by("pk").values_list("kind", flat=True)
    reasons = Message.objects.order_by("pk").values_list("reason", flat=True)
    return {
        "polls": Poll.objects.count(),
        "readings": Reading.objects.count(),
        "events": list(kinds),
        "incidents": Incident.objects.count(),
        "messages": list(reasons),
    }


def unthrottle() -> None:
    """Waiting for the rate budget of a venue on loopback would prove nothing."""

    async def take(_: rates.Rate, __: int = 1) -> None:
        return

    rates.Rate.take = take
