"""Store what a venue says to everybody: funding, candles and order books of markets held."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Window
from django.db.models.functions import RowNumber

from positions import feeds, pools
from positions.broadcast import publish
from positions.columns import apply_funding, derive, intern_provenance, rank_bankrupt, redraft
from positions.ingest import evaluate, write_positions
from positions.market_changes import FUNDING_INTERVAL, VENUE, put_in_force
from positions.market_rules import columns_change, ingest_rules
from positions.markets import tier_tables
from positions.moving import keep_stale, lock_open
from positions.valuation import value_at
from venues.feeds import FeedOutcome, FeedRequest
from venues.market_data import CandleReading, FundingReading
from venues.models import Candle, Depth, FeedKind, Market, Quote

# A week and an hour: what a forecast of the week ahead looks back on.
HOURS = 169
# So many hours of a market are kept.
MOST_HOURS = 400
_HOUR = timedelta(hours=1)


def make_request(
    *, kind: FeedKind, venue: str, environment: str, symbols: Sequence[str], now: datetime
) -> FeedRequest:
    """Return what is to be asked: of candles, the hours of each market that are missing."""
    rows = Market.objects.filter(venue=venue, environment=environment, symbol__in=symbols)
    hours = _missing_hours(rows, now) if kind is FeedKind.CANDLES else {}
    levels = settings.DEPTH_LEVELS
    return FeedRequest(kind, venue, environment, tuple(symbols), hours=hours, levels=levels)


def _missing_hours(rows: Iterable[Market], now: datetime) -> dict[str, int]:
    symbols = {row.pk: row.symbol for row in rows}
    latest = Candle.objects.filter(market_id__in=symbols).values("market_id")
    known = dict(latest.annotate(at=Max("opened_at")).values_list("market_id", "at"))
    return {symbol: _hours_since(known.get(pk), now) for pk, symbol in symbols.items()}


def _hours_since(latest: datetime | None, now: datetime) -> int:
    """Return the hours to ask for: the youngest that is known may still have been growing."""
    if latest is None or latest > now:
        return HOURS
    return min(HOURS, (now - latest) // _HOUR + 1)


def ingest_feed(*, outcome: FeedOutcome, now: datetime) -> int:
    """Store one reading of any feed but prices; returns how many rows it wrote or moved."""
    if outcome.kind is FeedKind.RULES:
        return ingest_rules(outcome=outcome, now=now)
    with transaction.atomic():
        if not feeds.note_feed(outcome=outcome, now=now) or outcome.error is not None:
            return 0
        rows = Market.objects.filter(venue=outcome.venue, environment=outcome.environment)
        found = {row.symbol: row for row in rows.select_related("latest_quote")}
        written: int = _STORES[outcome.kind](outcome, found, now)
    return written


def _store_candles(outcome: FeedOutcome, markets: dict[str, Market], now: datetime) -> int:
    rows = [
        _candle(markets[symbol], candle)
        for symbol, candles in sorted(outcome.candles.items())
        if symbol in markets
        for candle in candles
        if candle.opened_at <= now
    ]
    Candle.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["market", "opened_at"],
        update_fields=["open", "high", "low", "close", "volume"],
    )
    _prune({row.market_id for row in rows})
    return len(rows)


def _candle(market: Market, candle: CandleReading) -> Candle:
    return Candle(
        market=market,
        opened_at=candle.opened_at,
        open=candle.open,
        high=candle.high,
        low=candle.low,
        close=candle.close,
        volume=candle.volume,
    )


def _prune(market_ids: Iterable[int]) -> None:
    place = Window(RowNumber(), partition_by=F("market_id"), order_by=F("opened_at").desc())
    rows = Candle.objects.filter(market_id__in=market_ids).annotate(place=place)
    old = list(rows.filter(place__gt=MOST_HOURS).values_list("pk", flat=True))
    Candle.objects.filter(pk__in=old).delete()


def _store_depths(outcome: FeedOutcome, markets: dict[str, Market], _: datetime) -> int:
    rows = [
        Depth(
            market=markets[depth.symbol],
            bids=[list(level) for level in depth.bids],
            asks=[list(level) for level in depth.asks],
            venue_time=depth.venue_time,
            received_at=outcome.received_at,
        )
        for depth in outcome.depths
        if depth.symbol in markets
    ]
    Depth.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["market"],
        update_fields=["bids", "asks", "venue_time", "received_at"],
    )
    return len(rows)


def _store_funding(outcome: FeedOutcome, markets: dict[str, Market], now: datetime) -> int:
    told = {
        markets[reading.symbol].pk: (markets[reading.symbol], reading)
        for reading in outcome.funding
        if reading.symbol in markets and reading.rate.is_known
    }
    # Quotes before positions: the order in which a price refresh takes them.
    Quote.objects.bulk_create(
        [_quote(market, reading, outcome, now) for market, reading in told.values()],
        update_conflicts=True,
        unique_fields=["market"],
        update_fields=["funding_rate", "next_funding_at", "funding_received_at"],
    )
    moved = _move_funding({pk: reading for pk, (_, reading) in told.items()}, now)
    _store_intervals(outcome, markets, now)
    return moved


def _quote(market: Market, reading: FundingReading, outcome: FeedOutcome, now: datetime) -> Quote:
    # Only its funding is written where there is a quote: its prices have a time of their own.
    return Quote(
        market=market,
        funding_rate=reading.rate.number,
        next_funding_at=reading.next_at,
        funding_received_at=outcome.received_at,
        received_at=outcome.received_at,
        committed_at=now,
    )


def _store_intervals(outcome: FeedOutcome, markets: dict[str, Market], now: datetime) -> None:
    changes = [
        change
        for reading in outcome.funding
        if reading.symbol in markets and reading.interval_h
        for change in columns_change(
            market=markets[reading.symbol],
            kind=FUNDING_INTERVAL,
            columns={"funding_interval_h": reading.interval_h},
        )
    ]
    put_in_force(changes=changes, source=VENUE, effective_at=outcome.received_at, now=now)


def _move_funding(readings: dict[int, FundingReading], now: datetime) -> int:
    """Write newer funding into the open positions, and derive what hangs on it."""
    positions = lock_open(market_ids=readings)
    if not positions:
        return 0
    drafts = [redraft(position=row) for row in positions]
    for draft in drafts:
        reading = readings[draft.position.market_id]
        apply_funding(draft=draft, rate=reading.rate.number, next_funding_at=reading.next_at)
    derive(drafts=drafts, tiers=tier_tables(market_ids=readings), valuation=value_at(now=now))
    pools.rank_moved(positions)
    keep_stale(drafts=drafts, now=now)
    rank_bankrupt(drafts=drafts)
    intern_provenance(drafts=drafts)
    for row in positions:
        row.committed_at = now
    write_positions(positions=positions)
    evaluate(positions=positions, events=[], now=now)
    publish(positions=positions, events=[])
    return len(positions)


_STORES: dict[FeedKind, Any] = {
    FeedKind.CANDLES: _store_candles,
    FeedKind.DEPTH: _store_depths,
    FeedKind.FUNDING: _store_funding,
}
