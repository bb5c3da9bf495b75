"""Store a price refresh: quotes first, then everything that the new trigger prices move."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from positions import markets, pools
from positions.broadcast import publish
from positions.columns import apply_quote, derive, intern_provenance, rank_bankrupt, redraft
from positions.difference import Before, breach_changes
from positions.ingest import evaluate, write_positions
from positions.live_cells import MOVED_BY_PRICE
from positions.marks import believed, holds_row, is_later
from positions.models import Event, Position
from positions.moving import keep_stale, lock_open
from positions.storable import storable_text
from positions.valuation import value_at
from riskhub import killpoints, logs
from venues import registry
from venues.base import PriceOutcome, QuoteReading
from venues.models import AssetPrice, Feed, FeedKind, Market, Quote

log = logs.get(__name__)


def ingest_prices(*, outcome: PriceOutcome, now: datetime) -> int:
    """Store one feed's prices and move the positions they concern; returns how many moved.

    A quote older by the venue's own time, or received earlier, than the one in place is dropped;
    so is a whole answer that arrived before the feed's last one.
    """
    with transaction.atomic():
        if not _note_feed(outcome):
            return 0
        if outcome.error is not None:
            log.info("prices_failed", venue=outcome.venue, error=logs.describe(outcome.error))
            return 0
        _store_asset_prices(outcome)
        fresh = _store_quotes(outcome, now)
        killpoints.reach("prices: quotes stored")
        moved = _move_positions(fresh, outcome, now)
        killpoints.reach("prices: positions moved")
    return moved


def _note_feed(outcome: PriceOutcome) -> bool:
    """Hold the feed and note the answer; False when a later one was stored already."""
    feed, _ = Feed.objects.select_for_update().get_or_create(
        venue=outcome.venue, environment=outcome.environment, kind=FeedKind.PRICES
    )
    if is_later(feed.received_at, than=outcome.received_at):
        return False
    error = "" if outcome.error is None else logs.scrub(str(outcome.error))
    feed.error = storable_text(error)[:300]
    if not error:
        feed.received_at = outcome.received_at
    feed.save(update_fields=["error", "received_at"])
    return True


def _store_asset_prices(outcome: PriceOutcome) -> None:
    is_simulated = registry.get(outcome.venue).is_simulated
    AssetPrice.objects.bulk_create(
        [
            AssetPrice(
                asset=reading.asset,
                venue=outcome.venue,
                environment=outcome.environment,
                is_simulated=is_simulated,
                usd=float(reading.usd.value),
                venue_time=reading.venue_time,
                received_at=outcome.received_at,
            )
            for reading in outcome.reading.asset_prices
            if reading.usd.value is not None and reading.usd.value > 0
        ],
        update_conflicts=True,
        unique_fields=["asset", "venue", "environment"],
        update_fields=["usd", "venue_time", "received_at", "is_simulated"],
    )


def _store_quotes(outcome: PriceOutcome, now: datetime) -> dict[int, QuoteReading]:
    """Store quotes that are newer than what is there; returns market id -> quote."""
    readings = {quote.symbol: quote for quote in outcome.reading.quotes}
    rows = Market.objects.filter(
        venue=outcome.venue, environment=outcome.environment, symbol__in=readings
    ).select_related("latest_quote")
    fresh = {
        row.pk: readings[row.symbol]
        for row in rows
        if _is_newer(row, readings[row.symbol], outcome)
    }
    Quote.objects.bulk_create(
        [
            _quote(row, readings[row.symbol], outcome, now)
            for row in sorted(rows, key=lambda row: row.pk)
            if row.pk in fresh
        ],
        update_conflicts=True,
        unique_fields=["market"],
        update_fields=[
            "mark_price",
            "index_price",
            "last_price",
            "funding_rate",
            "next_funding_at",
            "funding_received_at",
            "venue_time",
            "received_at",
            "committed_at",
        ],
    )
    return fresh


def _is_newer(market: Market, reading: QuoteReading, outcome: PriceOutcome) -> bool:
    if not reading.mark_price.is_known:
        return False
    kept = getattr(market, "latest_quote", None)
    if kept is None:
        return True
    was = believed(kept.venue_time, kept.received_at)
    told = believed(reading.venue_time, outcome.received_at)
    if was and told:
        return was < told
    return kept.received_at != outcome.received_at and not is_later(
        kept.received_at, than=outcome.received_at
    )


def _quote(market: Market, reading: QuoteReading, outcome: PriceOutcome, now: datetime) -> Quote:
    return Quote(
        market=market,
        mark_price=reading.mark_price.number,
        index_price=reading.index_price.number,
        last_price=reading.last_price.number,
        venue_time=reading.venue_time,
        received_at=outcome.received_at,
        committed_at=now,
        **_funding(market, reading, outcome),
    )


def _funding(market: Market, reading: QuoteReading, outcome: PriceOutcome) -> dict[str, Any]:
    """Return the funding of a quote; prices that carry none leave what came by itself in place."""
    kept = getattr(market, "latest_quote", None)
    if kept is not None and not reading.funding_rate.is_known:
        names = ("funding_rate", "next_funding_at", "funding_received_at")
        return {name: getattr(kept, name) for name in names}
    return {
        "funding_rate": reading.funding_rate.number,
        "next_funding_at": reading.next_funding_at,
        "funding_received_at": outcome.received_at if reading.funding_rate.is_known else None,
    }


def _move_positions(quotes: dict[int, QuoteReading], outcome: PriceOutcome, now: datetime) -> int:
    held = lock_open(market_ids=quotes)
    rows = [row for row in held if _may_move(row, quotes[row.market_id], outcome)]
    if not rows:
        return 0
    before = {row.pk: Before.of(row) for row in rows}
    drafts = [redraft(position=row) for row in rows]
    for draft in drafts:
        apply_quote(
            draft=draft,
            quote=quotes[draft.position.market_id],
            received_at=outcome.received_at,
        )
    derive(
        drafts=drafts,
        tiers=markets.tier_tables(market_ids=quotes),
        valuation=value_at(now=now),
    )
    pools.rank_moved(rows)
    keep_stale(drafts=drafts, now=now)
    rank_bankrupt(drafts=drafts)
    intern_provenance(drafts=drafts)
    for row in rows:
        row.committed_at = now
    write_positions(positions=rows)
    events = [event for row in rows for event in _events(before[row.pk], row, now)]
    Event.objects.bulk_create(events)
    evaluate(positions=rows, events=events, now=now)
    publish(positions=rows, events=events, names=MOVED_BY_PRICE)
    return len(rows)


def _may_move(position: Position, quote: QuoteReading, outcome: PriceOutcome) -> bool:
    """A price may not replace one that the venue itself dates later, or that arrived later.

    Nor one of the row that contradicts it and is nearer to liquidation.
    """
    at, now = position.price_received_at, outcome.received_at
    if is_later(at, than=now) or holds_row(
        position=position, price=quote.mark_price.number, now=now
    ):
        return False
    was = believed(position.price_venue_time, at)
    told = believed(quote.venue_time, outcome.received_at)
    return told > was if was and told else at != outcome.received_at


def _events(before: Before, position: Position, now: datetime) -> list[Event]:
    return [
        Event(
            team_id=position.team_id,
            position=position,
            life=position.life,
            kind=change.kind,
            at=position.price_received_at or now,
            committed_at=now,
            detail=change.detail,
        )
        for change in breach_changes(before=before, after=position)
        if position.life is not None
    ]
