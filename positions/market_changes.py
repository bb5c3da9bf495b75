"""Put changed rules of markets in force: versions, rows, and every position that they move.

One transaction: what a market's rules are, what the positions' figures become, events, incidents.
Order of locks, as for all writers: the feed of rules, then positions, then markets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from positions import pools
from positions.broadcast import publish
from positions.columns import derive, intern_provenance, rank_bankrupt, redraft
from positions.difference import Before, breach_changes
from positions.ingest import evaluate, write_positions
from positions.markets import tier_tables
from positions.models import Event, EventKind, Position
from positions.moving import keep_stale, lock_open
from positions.tier_tables import Table, store_version
from positions.valuation import value_at
from venues.models import Market, MarketChange

VENUE, OPERATOR = "venue", "operator"
TIERS, LIMITS, DELISTING = "tiers", "limits", "delisting"
FUNDING_INTERVAL, CONTRACT = "funding_interval", "contract"
# What a position's holder must know though no figure of the position moves.
_CONCERNS_ALL = frozenset({DELISTING, FUNDING_INTERVAL})
_FIGURES = ("liquidation_price", "engine_liquidation_price", "margin_ratio")


@dataclass(frozen=True, slots=True)
class RuleChange:
    """One change of one market's rules, not stored yet.

    before, after  as MarketChange shows them
    columns        of the market's row, as they will be
    table          the new maintenance table; None where another rule changes
    is_first       what was not known before: kept, but it is no news
    """

    market: Market
    kind: str
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Any] = field(default_factory=dict)
    table: Table | None = None
    is_first: bool = False


def put_in_force(
    *, changes: Sequence[RuleChange], source: str, effective_at: datetime, now: datetime
) -> int:
    """Store the changes and move the positions they concern; returns how many have an event.

    Call it inside a transaction that holds the venue's feed of rules.
    """
    if not changes:
        return 0
    positions = lock_open(market_ids={change.market.pk for change in changes})
    markets = {change.market.pk: change.market for change in changes}
    told = _store(changes, source=source, effective_at=effective_at, now=now)
    for position in positions:
        # The row as it is now, not as it was when the position was loaded.
        position.market = markets[position.market_id]
    return _move(positions, told, now)


def _store(
    changes: Sequence[RuleChange], *, source: str, effective_at: datetime, now: datetime
) -> list[MarketChange]:
    rows = []
    for change in changes:
        market, after = change.market, dict(change.after)
        for name, value in change.columns.items():
            setattr(market, name, value)
        if change.table is not None:
            version = store_version(
                market=market, table=change.table, source=source, effective_at=effective_at, now=now
            )
            after = {"version": version.version, "tiers": change.table.rows}
        if not change.is_first:
            rows.append(_row(change, after, source, effective_at, now))
        market.updated_at = now
        market.save(update_fields=[*_saved(change), "updated_at"])
    return MarketChange.objects.bulk_create(rows)


def _saved(change: RuleChange) -> list[str]:
    return [*change.columns, *(["tier_table"] if change.table is not None else [])]


def _row(
    change: RuleChange, after: Mapping[str, Any], source: str, at: datetime, now: datetime
) -> MarketChange:
    return MarketChange(
        market=change.market,
        kind=change.kind,
        source=source,
        before=dict(change.before),
        after=dict(after),
        noticed_at=now,
        effective_at=at,
    )


def _move(positions: Sequence[Position], told: Sequence[MarketChange], now: datetime) -> int:
    """Compute the positions again under the rules in force, and say what that moved."""
    if not positions:
        return 0
    before = {row.pk: (Before.of(row), _figures(row)) for row in positions}
    drafts = [redraft(position=row) for row in positions]
    tables = tier_tables(market_ids={row.market_id for row in positions})
    derive(drafts=drafts, tiers=tables, valuation=value_at(now=now))
    pools.rank_moved(positions)
    keep_stale(drafts=drafts, now=now)
    rank_bankrupt(drafts=drafts)
    intern_provenance(drafts=drafts)
    for row in positions:
        row.committed_at = now
    write_positions(positions=positions)
    events = [event for row in positions for event in _events(row, *before[row.pk], told, now)]
    Event.objects.bulk_create(events)
    evaluate(positions=positions, events=events, now=now)
    publish(positions=positions, events=events)
    return len({event.position_id for event in events if event.kind == EventKind.RULES_CHANGED})


def _figures(position: Position) -> dict[str, float | None]:
    return {name: getattr(position, name) for name in _FIGURES}


def _events(
    position: Position,
    before: Before,
    figures: Mapping[str, float | None],
    told: Iterable[MarketChange],
    now: datetime,
) -> list[Event]:
    if position.life is None:
        return []
    after = _figures(position)
    details = [
        _detail(change, figures, after)
        for change in told
        if change.market_id == position.market_id and _concerns(change, figures, after)
    ]
    rules = [(EventKind.RULES_CHANGED, detail) for detail in details]
    crossed = [(each.kind, each.detail) for each in breach_changes(before=before, after=position)]
    return [_event(position, kind, detail, now) for kind, detail in [*rules, *crossed]]


def _concerns(
    change: MarketChange, before: Mapping[str, float | None], after: Mapping[str, float | None]
) -> bool:
    return change.kind in _CONCERNS_ALL or (change.kind != LIMITS and before != after)


def _detail(
    change: MarketChange, before: Mapping[str, float | None], after: Mapping[str, float | None]
) -> dict[str, Any]:
    moved = {name: {"before": before[name], "after": after[name]} for name in _FIGURES}
    return {"change": str(change.pk), "what": change.kind, "source": change.source, **moved}


def _event(position: Position, kind: EventKind, detail: dict[str, Any], now: datetime) -> Event:
    return Event(
        team_id=position.team_id,
        position=position,
        life=position.life,
        kind=kind,
        at=now,
        committed_at=now,
        detail=detail,
    )
