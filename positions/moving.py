"""What moves positions between two polls shares: which rows it locks, and what stays stale."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from positions.columns import Draft
from positions.engine.types import PositionState
from positions.freshness import is_stale
from positions.models import Position

_NOT_MOVED = [state for state in PositionState if state.is_ended] + [PositionState.GONE]


def lock_open(*, market_ids: Iterable[int]) -> list[Position]:
    """Lock the open positions of these markets, in the one order of all writers."""
    rows = Position.objects.filter(market_id__in=list(market_ids)).exclude(state__in=_NOT_MOVED)
    return list(
        rows.select_related("account", "market", "provenance", "life", "coverage")
        .select_for_update(of=("self",))
        .order_by("account_id", "pk")
    )


def keep_stale(*, drafts: Sequence[Draft], now: datetime) -> None:
    """Let positions stay stale: a fresh price or rule does not make an old reading fresh.

    A breach is said all the same.
    """
    for draft in drafts:
        position = draft.position
        budget_s = position.account.poll_budget_s
        if not draft.is_breached and is_stale(
            seen_at=position.received_at, budget_s=budget_s, now=now
        ):
            position.state = PositionState.STALE
