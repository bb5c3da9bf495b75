"""Store what a venue says of its contracts' rules: every difference is a change that is kept.

What is not told is not changed: a venue that says nothing of limits, or whose row could not be
read, leaves what was known in place, a person's word too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from positions import feeds
from positions.market_changes import (
    CONTRACT,
    DELISTING,
    FUNDING_INTERVAL,
    LIMITS,
    TIERS,
    VENUE,
    RuleChange,
    put_in_force,
)
from positions.markets import contract_columns, limit_columns
from positions.tier_tables import Table, check_table, tables_in_force
from riskhub import killpoints
from riskhub.formatting import iso
from venues.base import MarketSpec
from venues.feeds import FeedOutcome
from venues.market_data import TierReading
from venues.models import Market, TierTable

_InForce = Mapping[int, tuple[TierTable, Table]]


def ingest_rules(*, outcome: FeedOutcome, now: datetime) -> int:
    """Store one reading of a venue's rules; returns how many positions have an event of it.

    A table that is not sound is refused: the old one stays, and the feed says why.
    """
    with transaction.atomic():
        if not feeds.note_feed(outcome=outcome, now=now) or outcome.error is not None:
            return 0
        rows = _markets(outcome)
        refused, tables = _sound_tables(outcome)
        if refused:
            place = (outcome.venue, outcome.environment)
            feeds.note_trouble(kind=outcome.kind, place=place, text=_refusals(refused))
        in_force = tables_in_force(markets=rows.values())
        changes = [
            *(each for spec in outcome.specs for each in _listed_changes(rows, spec)),
            *(each for symbol in tables for each in _table_changes(rows, symbol, tables, in_force)),
        ]
        killpoints.reach("rules: compared")
        moved = put_in_force(
            changes=changes, source=VENUE, effective_at=outcome.received_at, now=now
        )
        killpoints.reach("rules: stored")
    return moved


def _markets(outcome: FeedOutcome) -> dict[str, Market]:
    rows = Market.objects.filter(venue=outcome.venue, environment=outcome.environment)
    return {row.symbol: row for row in rows}


def _sound_tables(outcome: FeedOutcome) -> tuple[dict[str, str], dict[str, Table]]:
    """Return why tables were refused, and the sound ones, by symbol."""
    refused, sound = {}, {}
    for reading in outcome.tiers:
        table, problem = _check(reading)
        if table is None:
            refused[reading.symbol] = problem
        else:
            sound[reading.symbol] = table
    return refused, sound


def _check(reading: TierReading) -> tuple[Table | None, str]:
    return check_table(tiers=reading.tiers, max_leverages=reading.max_leverages)


def _refusals(refused: Mapping[str, str]) -> str:
    first = next(iter(refused))
    more = f" and of {len(refused) - 1} more" if len(refused) > 1 else ""
    return f"The maintenance table of {first}{more} was refused: {refused[first]}"


def _table_changes(
    rows: Mapping[str, Market], symbol: str, tables: Mapping[str, Table], in_force: _InForce
) -> list[RuleChange]:
    market, table = rows.get(symbol), tables[symbol]
    if market is None:
        return []
    kept = in_force.get(market.pk)
    return table_change(market=market, table=table, kept=kept)


def table_change(
    *, market: Market, table: Table, kept: tuple[TierTable, Table] | None
) -> list[RuleChange]:
    """Return the change of a market's table; none where it is the one in force."""
    if kept is None:
        return [RuleChange(market, TIERS, table=table, is_first=True)]
    version, steps = kept
    if table.digest == steps.digest:
        return []
    before = {"version": version.version, "tiers": steps.rows}
    return [RuleChange(market, TIERS, before=before, table=table)]


def _listed_changes(rows: Mapping[str, Market], spec: MarketSpec) -> list[RuleChange]:
    """Return what the venue's list says differently of a market that is known here."""
    market = rows.get(spec.symbol)
    if market is None:
        return []
    if not spec.is_known:
        gone = columns_change(market=market, kind=DELISTING, columns={"is_known": False})
        return gone if market.is_known else []
    first = not market.is_known
    wanted = {
        CONTRACT: {**contract_columns(spec=spec), "is_known": True},
        LIMITS: _told(limit_columns(spec=spec)),
        DELISTING: _delisting(market, spec),
        FUNDING_INTERVAL: _told({"funding_interval_h": spec.funding_interval_h}),
    }
    return [
        change
        for kind, columns in wanted.items()
        for change in columns_change(market=market, kind=kind, columns=columns, is_first=first)
    ]


def _told(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in columns.items() if value is not None}


def _delisting(market: Market, spec: MarketSpec) -> dict[str, Any]:
    """Return the end of trading; a venue whose own row is not read cannot take one back."""
    is_told = spec.is_listing_read or spec.delists_at is not None
    ends = {"delists_at": spec.delists_at} if is_told else {}
    return {**ends, "is_active": spec.is_active}


def columns_change(
    *, market: Market, kind: str, columns: Mapping[str, Any], is_first: bool = False
) -> list[RuleChange]:
    """Return the change of some columns of a market; none where they are as they were.

    is_first  nothing was known of the market: what is told now is no news
    """
    differing = {name: value for name, value in columns.items() if getattr(market, name) != value}
    if not differing:
        return []
    before = {name: getattr(market, name) for name in differing}
    # A limit that was not told until now is not a limit that has changed; nor has a contract whose
    # asset RiskHub names in another way.
    was_unknown = kind in {LIMITS, FUNDING_INTERVAL} and set(before.values()) == {None}
    was_unknown = was_unknown or differing.keys() <= {"asset", "multiplier"}
    return [
        RuleChange(
            market,
            kind,
            before=_shown(before),
            after=_shown(differing),
            columns=differing,
            is_first=is_first or was_unknown,
        )
    ]


def _shown(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: iso(value) if isinstance(value, datetime) else value
        for name, value in columns.items()
    }
