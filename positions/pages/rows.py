"""One position as a row of a table: plain values, so that rendering asks the database nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from positions.engine.types import MarginMode, PositionState
from positions.freshness import is_stale, stale_after_s
from positions.live_cells import Shown, is_bankrupt, is_ranked_apart, shown, sort_key
from positions.models import Position
from positions.pages.rules import Mark, market_marks
from venues import registry

# States that change while a page is open: live.js swaps their badges.
LIVE_STATES = (PositionState.STALE, PositionState.BREACHED, PositionState.DISPUTED)
COLUMNS = (
    "liquidation_distance",
    "margin_ratio",
    "liquidation_price",
    "mark_price",
    "entry_price",
    "quantity",
    "collateral_usd",
    "unrealized_pnl_usd",
)


@dataclass(frozen=True, slots=True)
class Row:
    """What a table shows of a position.

    title     the asset, or the symbol where the venue does not list it
    label     how a person speaks of it: "SOL short on Bybit"
    sort      data-sort of the row; None sorts last
    marks     what must be known of its market, such as a delisting
    at        when its newest figure arrived: of the reading or of the price
    budget_s  seconds after which its age is stale
    rank      the distance of the account behind a cross position, where that orders it
    """

    id: str
    url: str
    title: str
    symbol: str
    side: str
    label: str
    venue: str
    account: str
    severity: str
    state: str
    sort: float | None
    badges: tuple[str, ...]
    marks: Sequence[Mark]
    as_of: datetime
    at: datetime
    budget_s: float
    cells: Mapping[str, Shown]
    rank: Shown | None


def build_row(position: Position, *, now: datetime) -> Row:
    """Return a position as a row; needs account, market and provenance."""
    state = state_of(position, now=now)
    return Row(
        id=str(position.pk),
        url=reverse("position", args=[position.pk]),
        title=title_of(position),
        symbol=position.market.symbol if position.market.asset else "",
        side=position.side,
        label=label_of(position),
        venue=registry.label(position.account.venue),
        account=position.account.label,
        severity=position.severity,
        state=state,
        sort=sort_key(position),
        badges=badges_of(position),
        marks=market_marks(position.market, now=now, is_far_shown=False),
        as_of=position.received_at,
        at=max(position.received_at, position.price_received_at or position.received_at),
        budget_s=stale_after_s(position.account.poll_budget_s),
        cells={name: shown(position, name) for name in COLUMNS},
        rank=shown(position, "rank_distance") if is_ranked_apart(position) else None,
    )


def build_rows(positions: Iterable[Position], *, now: datetime) -> list[Row]:
    """Return positions as rows, in their order."""
    return [build_row(position, now=now) for position in positions]


def title_of(position: Position) -> str:
    """Return the short name of what a position is in."""
    return position.market.asset or position.market.symbol


def label_of(position: Position) -> str:
    """Return how a person speaks of a position: "SOL short on Bybit"."""
    return f"{title_of(position)} {position.side} on {registry.label(position.account.venue)}"


def state_of(position: Position, *, now: datetime) -> str:
    """Return the state, stale as soon as its time is up and not only once that is written down."""
    is_late = is_stale(
        seen_at=position.received_at, budget_s=position.account.poll_budget_s, now=now
    )
    is_open = position.state in {PositionState.OPEN, PositionState.DISPUTED}
    return str(PositionState.STALE if is_open and is_late else position.state)


def badges_of(position: Position) -> tuple[str, ...]:
    """Return the kinds of badges that hold whatever the state is."""
    facts = (
        (position.account.is_simulated, "simulated"),
        (not position.market.is_known, "not_listed"),
        (not position.margin_mode, "mode_unknown"),
        (position.margin_mode == MarginMode.CROSS, "cross"),
        (position.margin_mode == MarginMode.PORTFOLIO, "portfolio"),
        (bool(position.auto_add_margin), "not_contained"),
        (is_bankrupt(position), "bankrupt"),
    )
    return tuple(kind for is_so, kind in facts if is_so)
