"""Tell browsers what changed, once it has committed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db import transaction

from positions.live_cells import LIVE, cells
from positions.models import Event, EventKind, Position
from riskhub import live

# After these the page is asked for anew: rows come or go, or sentences say something else.
_MEMBERSHIP = {
    EventKind.BREACHED,
    EventKind.RECOVERED,
    EventKind.OPENED,
    EventKind.GONE,
    EventKind.RETURNED,
    EventKind.CLOSED,
    EventKind.LIQUIDATED,
    EventKind.DELEVERAGED,
    EventKind.SETTLED,
}


def publish(
    *, positions: Sequence[Position], events: Sequence[Event], names: Sequence[str] = LIVE
) -> None:
    """Tell browsers, once the transaction has committed, what changed in these figures."""
    by_team: dict[int, list[dict[str, Any]]] = {}
    for position in positions:
        by_team.setdefault(position.team_id, []).append(cells(position=position, names=names))
    for team_id, figures in by_team.items():
        _tell(team_id=team_id, event="figures", data=figures)
    for team_id in {event.team_id for event in events if event.kind in _MEMBERSHIP}:
        _tell(team_id=team_id, event="membership", data=None)


def _tell(*, team_id: int, event: str, data: Any) -> None:
    transaction.on_commit(partial(live.publish, team_id=team_id, event=event, data=data))
