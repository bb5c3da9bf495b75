"""When each cycle last came round, so that a dead one is noticed."""

from __future__ import annotations

from datetime import datetime

from riskhub.models import Heartbeat

# Seconds after which a cycle counts as late: some turns of it, with room for a busy machine.
BEATS: dict[str, float] = {
    "polls": 15.0,
    "prices": 15.0,
    "reference": 15.0,
    "outbox": 30.0,
    "staleness": 30.0,
    "keys": 60.0,
    "housekeeping": 1800.0,
}


def beat(*, cycle: str, now: datetime) -> None:
    """Record that `cycle` came round."""
    Heartbeat.objects.update_or_create(cycle=cycle, defaults={"at": now})


def last_beats() -> dict[str, datetime]:
    """Return the last beat of each cycle that ever beat."""
    return dict(Heartbeat.objects.values_list("cycle", "at"))
