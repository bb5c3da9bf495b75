"""Readings kept for charts and for computing again."""

from __future__ import annotations

from datetime import datetime, timedelta

from positions.group import Group
from positions.models import Position, Reading

# A reading is stored when a position changes, else once in this many seconds.
_HISTORY_STEP_S = 10


def write_history(group: Group) -> None:
    """Store a reading of each position that changed, and of the others once a step."""
    changed = {event.position_id for event in group.events}
    Reading.objects.bulk_create(
        [
            _reading(group, position)
            for position in group.touched
            if position.pk in changed or _is_due(position)
        ]
    )


def _is_due(position: Position) -> bool:
    last = position.account.last_seen_at
    step = timedelta(seconds=_HISTORY_STEP_S)
    return last is None or _bucket(last, step) != _bucket(position.received_at, step)


def _bucket(instant: datetime, step: timedelta) -> int:
    return int(instant.timestamp() // step.total_seconds())


_HISTORY_FIELDS = (
    "received_at",
    "venue_time",
    "quantity",
    "entry_price",
    "mark_price",
    "collateral",
    "unrealized_pnl",
    "maintenance_margin",
    "margin_ratio",
    "liquidation_price",
    "venue_liquidation_price",
    "engine_liquidation_price",
    "bankruptcy_price",
    "liquidation_distance",
    "tier_version",
    "provenance_id",
)


def _reading(group: Group, position: Position) -> Reading:
    return Reading(
        position=position,
        life=position.life,
        poll=group.polls[position.account_id],
        committed_at=group.now,
        **{name: getattr(position, name) for name in _HISTORY_FIELDS},
    )
