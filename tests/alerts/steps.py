"""Steps that the alert tests are told in."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from positions.alerts import outbox, pipeline
from positions.alerts.models import AlertRule, Message
from positions.models import Event, Position
from riskhub.teams.models import Team
from tests.factories import NOW


def evaluate(
    *positions: Position, events: tuple[Event, ...] = (), now: datetime = NOW
) -> list[str]:
    """Evaluate the positions' team and return the reasons of the messages this wrote."""
    before = _known()
    pipeline.evaluate(team_id=positions[0].team_id, positions=positions, events=events, now=now)
    return _reasons(since=before)


def evaluate_staleness(now: datetime) -> list[str]:
    """Evaluate coverage and return the reasons of the messages this wrote."""
    before = _known()
    pipeline.evaluate_staleness(now=now)
    return _reasons(since=before)


def _known() -> int:
    return Message.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def _reasons(*, since: int) -> list[str]:
    rows = Message.objects.filter(pk__gt=since).order_by("pk")
    return list(rows.values_list("reason", flat=True))


def sweep(now: datetime, limit: int = 100) -> int:
    return outbox.sweep(now=now, limit=limit)


RATIO_LEVELS = [
    {"level": 0.7, "rearm": 0.6, "severity": "warning"},
    {"level": 0.85, "rearm": 0.8, "severity": "critical"},
]


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def make_ratio_rule(team: Team, **columns: Any) -> AlertRule:
    values = {
        "name": "ratio",
        "measure": "margin_ratio",
        "levels": RATIO_LEVELS,
        "clear_for_s": 0.0,
        "created_at": NOW,
    }
    rule = AlertRule(team=team, **{**values, **columns})
    rule.full_clean()
    rule.save()
    return rule


def make_event_rule(team: Team, *kinds: str, **columns: Any) -> AlertRule:
    levels = [{"level": None, "rearm": None, "severity": "critical"}]
    values = {"kind": "event", "measure": "", "events": list(kinds), "levels": levels}
    return make_ratio_rule(team, **{**values, "repeat_s": 0, "name": f"events {kinds}", **columns})


def move(
    position: Position,
    *,
    now: datetime = NOW,
    events: tuple[Event, ...] | list[Event] = (),
    **columns: Any,
) -> list[str]:
    """Change a position as a poll would, and evaluate."""
    for name, value in columns.items():
        setattr(position, name, value)
    position.save()
    return evaluate(position, events=tuple(events), now=now)
