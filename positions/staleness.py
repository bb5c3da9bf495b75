"""Say of positions that their last word is too old; stale looks stale everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from positions.broadcast import publish
from positions.engine.types import PositionState
from positions.freshness import is_stale
from positions.models import Position

_MAY_GO_STALE = [PositionState.OPEN, PositionState.DISPUTED]


def mark_stale(*, now: datetime) -> int:
    """Mark positions whose reading outlived its budget; returns how many were marked.

    A breached position stays breached: it is the more urgent of the two.
    """
    with transaction.atomic():
        rows = Position.objects.filter(state__in=_MAY_GO_STALE).select_related(
            "account", "market", "provenance"
        )
        stale = _mark([row for row in rows if _is_stale(row, now)], now)
        publish(positions=stale, events=())
    return len(stale)


def _is_stale(position: Position, now: datetime) -> bool:
    budget_s = position.account.poll_budget_s
    return is_stale(seen_at=position.received_at, budget_s=budget_s, now=now)


def _mark(rows: Sequence[Position], now: datetime) -> list[Position]:
    """Mark the rows and return those that were; the conditions are asked again by the UPDATE.

    Meanwhile a poll may have read the row, or called it gone, and a price may have breached it.
    """
    marked = []
    for row in rows:
        held = Position.objects.filter(
            pk=row.pk, received_at=row.received_at, state__in=_MAY_GO_STALE
        )
        if held.update(state=PositionState.STALE, committed_at=now):
            row.state, row.committed_at = PositionState.STALE, now
            marked.append(row)
    return marked
