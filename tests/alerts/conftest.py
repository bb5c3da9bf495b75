"""What the alert tests share: a team, a recording channel kind, and how to evaluate."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from positions.alerts import base
from positions.alerts.models import Channel
from positions.models import Position
from riskhub.teams.models import Team
from tests.factories import NOW, make_position, make_team


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


@pytest.fixture
def position(team: Team) -> Position:
    return make_position(team=team, margin_ratio=0.5)
