"""Every read of markets for pages and REST: a team sees the markets that it holds or has held."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import (
    Count,
    Exists,
    F,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    prefetch_related_objects,
)

from positions.engine.types import ENDED_STATES, PositionState
from positions.models import Position
from riskhub.teams.models import Team
from venues.models import AnnouncedChange, Feed, Market, MarketChange, TierTable

_NOT_HELD = [*ENDED_STATES, PositionState.GONE]


def markets_of(*, team: Team) -> QuerySet[Market]:
    """Return the markets of a team with `held`, how many positions are open there."""
    mine = Position.objects.filter(team=team, market=OuterRef("pk"))
    rows = Market.objects.filter(Exists(mine)).select_related("tier_table", "latest_quote")
    return rows.annotate(held=_held_by(team)).order_by("venue", "symbol", "pk")


def held_markets(*, team: Team) -> QuerySet[Market]:
    """Return the markets with an open position of a team, those that end soonest first."""
    rows = Market.objects.select_related("tier_table", "latest_quote")
    soonest = F("delists_at").asc(nulls_last=True)
    held = rows.annotate(held=_held_by(team)).filter(held__gt=0)
    return held.order_by(soonest, "venue", "symbol", "pk")


def _held_by(team: Team) -> Count:
    is_open = Q(positions__team=team) & ~Q(positions__state__in=_NOT_HELD)
    return Count("positions", filter=is_open)


def with_rules(rows: QuerySet[Market]) -> QuerySet[Market]:
    """Return the markets with their table, what is announced, and what changed, newest first."""
    return with_announced(rows).prefetch_related("tier_table__tiers", _news())


def with_announced(rows: QuerySet[Market]) -> QuerySet[Market]:
    """Return the markets with what is announced alone; `fetch_rules` adds the rest to some."""
    waiting = AnnouncedChange.objects.filter(applied_at=None, cancelled_at=None)
    waiting = waiting.order_by("effective_at", "pk")
    return rows.prefetch_related(Prefetch("announced_changes", waiting, to_attr="announced"))


def fetch_rules(rows: Sequence[Market]) -> None:
    """Add table and changes to markets that have what is announced."""
    prefetch_related_objects(rows, "tier_table__tiers", _news())


def _news() -> Prefetch[str]:
    newest = MarketChange.objects.order_by("-noticed_at", "-pk")
    return Prefetch("changes", newest, to_attr="news")


def versions_of(*, market: Market, limit: int = 20) -> Sequence[TierTable]:
    """Return the latest versions of a market's table, newest first, with their steps."""
    rows = TierTable.objects.filter(market=market).prefetch_related("tiers")
    return list(rows.order_by("-version")[:limit])


def table_behind(*, position: Position) -> TierTable | None:
    """Return the version that a position's figures name, with its steps; None: its own rate."""
    if position.tier_version is None:
        return None
    rows = TierTable.objects.filter(market=position.market_id, version=position.tier_version)
    return rows.prefetch_related("tiers").first()


def held_positions(*, team: Team | None, market: Market) -> Sequence[Position]:
    """Return the open positions in a market, nearest liquidation first; None: of all teams."""
    rows = Position.objects.filter(market=market).exclude(state__in=_NOT_HELD)
    rows = rows if team is None else rows.filter(team=team)
    beside = ("account", "market", "provenance", "coverage", "life")
    return list(rows.select_related(*beside).order_by("liquidation_distance", "pk"))


def feeds_of(*, markets: Sequence[Market]) -> dict[tuple[str, str, str], Feed]:
    """Return (venue, environment, kind) -> feed of the venues of these markets."""
    rows = Feed.objects.filter(venue__in={market.venue for market in markets})
    return {(row.venue, row.environment, row.kind): row for row in rows}


def announced_of(*, team: Team, announced_id: int) -> AnnouncedChange | None:
    """Return an announced change in a market of the team; None: there is none, or of others."""
    mine = Position.objects.filter(team=team, market=OuterRef("market"))
    rows = AnnouncedChange.objects.filter(Exists(mine)).select_related("market")
    return rows.filter(pk=announced_id).first()
