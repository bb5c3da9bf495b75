"""What the alert tests share: a team, a recording channel kind, and how to evaluate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import pytest

from positions.alerts import base, outbox, pipeline
from positions.alerts.models import Channel, Message
from positions.models import Event, Position
from riskhub.teams.models import Team
from tests.factories import NOW, make_team


class Recorder(base.Channel):
    """A channel that keeps what it is given, after doing what `script` holds for the turn."""

    kind = "recorder"
    label = "Recorder"
    config_fields = ("name",)
    script: list[Exception | Callable[[], object]] = []
    sent: list[base.Message] = []

    def find_problem(self, config: base.Config) -> str:
        return ""

    def send(self, message: base.Message, config: base.Config) -> None:
        step = self.script.pop(0) if self.script else None
        if isinstance(step, Exception):
            raise step
        if step is not None:
            step()
        self.sent.append(message)


@pytest.fixture
def recorder() -> Iterator[type[Recorder]]:
    Recorder.script, Recorder.sent = [], []
    yield Recorder
    Recorder.script, Recorder.sent = [], []


@pytest.fixture
def team(db: None) -> Team:
    return make_team()


@pytest.fixture
def channel(team: Team, recorder: type[Recorder]) -> Channel:
    return Channel.objects.create(team=team, kind="recorder", label="recorder", created_at=NOW)


def evaluate(
    *positions: Position, events: tuple[Event, ...] = (), now: datetime = NOW
) -> list[str]:
    """Evaluate the positions' team and return the reasons of the messages this wrote."""
    before = set(Message.objects.values_list("pk", flat=True))
    pipeline.evaluate(team_id=positions[0].team_id, positions=positions, events=events, now=now)
    return list(
        Message.objects.exclude(pk__in=before).order_by("pk").values_list("reason", flat=True)
    )


def evaluate_staleness(now: datetime) -> list[str]:
    """Evaluate coverage and return the reasons of the messages this wrote."""
    before = set(Message.objects.values_list("pk", flat=True))
    pipeline.evaluate_staleness(now=now)
    return list(
        Message.objects.exclude(pk__in=before).order_by("pk").values_list("reason", flat=True)
    )


def sweep(now: datetime, limit: int = 100) -> int:
    return outbox.sweep(now=now, limit=limit)
