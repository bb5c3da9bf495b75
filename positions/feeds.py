"""Which feed of which venue is read next, and when it is due again: claimed like polls.

A feed exists for each venue and environment with an open position, one of each kind that the venue
serves. Each kind has its own cycle, error and age.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zlib import crc32

from django.conf import settings
from django.db.models import Q, QuerySet

from positions import pacing
from positions.engine.types import PositionState
from positions.marks import MOST_AHEAD, is_later
from positions.models import Position
from positions.scheduling import new_cycle
from positions.storable import storable_text
from riskhub import killpoints, logs
from venues import feeds, registry
from venues.models import Feed, FeedKind, HostBan, Market

# A full hour's candle is there some seconds later.
_AFTER_HOUR = timedelta(seconds=20)
# Venues do not all get theirs in the same second.
_SPREAD_S = 20
# A claim whose task was lost is made again after this; a reading takes less (DEADLINES_S).
_LEASE_S = 120.0
_BUDGETS = {
    FeedKind.PRICES: "PRICE_BUDGET_S",
    FeedKind.FUNDING: "FUNDING_BUDGET_S",
    FeedKind.RULES: "RULES_BUDGET_S",
    FeedKind.DEPTH: "DEPTH_BUDGET_S",
}
_RETRIES_S = {FeedKind.RULES: 300.0, FeedKind.CANDLES: 120.0}
# A venue that wishes for more has banned the address, and that has a table of its own.
_LONGEST_PAUSE = timedelta(minutes=15)
_NOT_HELD = [state for state in PositionState if state.is_ended] + [PositionState.GONE]

# Venue and environment.
Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class FeedClaim:
    """A feed that is to be read now, with the unified symbols it is about."""

    kind: FeedKind
    venue: str
    environment: str
    symbols: tuple[str, ...]


def budget_s(*, kind: FeedKind) -> float:
    """Return the seconds between two readings of a feed."""
    if kind is FeedKind.CANDLES:
        return 3600.0
    return float(getattr(settings, _BUDGETS[kind]))


def lease_s(*, kind: FeedKind) -> float:
    """Return the seconds for which a claim holds; its task is worthless afterwards."""
    return min(budget_s(kind=kind), _LEASE_S)


def claim_feeds(*, kind: FeedKind, now: datetime) -> list[FeedClaim]:
    """Claim the feeds of a kind that are due; two beats at once claim each of them once."""
    symbols = _symbols(kind)
    _ensure_feeds(kind, symbols)
    banned = set(HostBan.objects.filter(until__gt=now).values_list("venue", "environment"))
    return [
        FeedClaim(kind, *place, tuple(sorted(symbols[place])))
        for place in sorted(symbols)
        if place not in banned and _claim(kind, place, now)
    ]


def is_any_price_needed() -> bool:
    """Tell whether anybody holds a position whose trigger price is refreshed between polls."""
    return _held().filter(market__is_known=True).exists()


def hold_feed(*, kind: FeedKind, place: Place) -> Feed:
    """Lock the row of a feed, made if it is not there; call it inside a transaction."""
    venue, environment = place
    feed, _ = Feed.objects.select_for_update().get_or_create(
        venue=venue, environment=environment, kind=kind
    )
    return feed


def note_feed(*, outcome: feeds.FeedOutcome, now: datetime) -> bool:
    """Hold the feed and note what came of it; False when a later answer was stored already."""
    feed = hold_feed(kind=outcome.kind, place=(outcome.venue, outcome.environment))
    if is_later(feed.received_at, than=outcome.received_at):
        return False
    feed.error = storable_text(logs.scrub(outcome.sentence))[:300]
    if outcome.error is None:
        feed.received_at = outcome.received_at
    # None: a market has come up since this reading began, so it is due again at once.
    if feed.next_at is not None:
        feed.next_at = _next_turn(outcome, now)
    feed.save(update_fields=["error", "received_at", "next_at"])
    killpoints.reach("feeds: noted")
    return True


def pace_prices(*, place: Place, weight: int, began_at: datetime) -> float:
    """Plan the next price reading no sooner than the venue's rate budget carries this one.

    weight  what the reading weighed
    Returns the seconds between the two.
    """
    kind = FeedKind.PRICES
    carried_s = pacing.price_interval_s(venue=place[0], weight=weight)
    interval_s = min(max(budget_s(kind=kind), carried_s), MOST_AHEAD.total_seconds())
    if interval_s > budget_s(kind=kind):
        rows = Feed.objects.filter(venue=place[0], environment=place[1], kind=kind)
        rows.update(next_at=began_at + timedelta(seconds=interval_s))
    return interval_s


def note_trouble(*, kind: FeedKind, place: Place, text: str) -> None:
    """Add to a feed what was refused of its answer; call it after `note_feed`."""
    feed = hold_feed(kind=kind, place=place)
    feed.error = storable_text(logs.scrub(f"{feed.error} {text}".strip()))[:300]
    feed.save(update_fields=["error"])


def _next_turn(outcome: feeds.FeedOutcome, now: datetime) -> datetime:
    kind = outcome.kind
    if outcome.error is None and not outcome.troubles:
        return _after_hour(outcome, now) if kind is FeedKind.CANDLES else _later(now, kind)
    pause_s = max(_RETRIES_S.get(kind, budget_s(kind=kind)), outcome.wait_s or 0.0)
    return min(now + timedelta(seconds=pause_s), _farthest(kind, now))


def _later(now: datetime, kind: FeedKind) -> datetime:
    return now + timedelta(seconds=budget_s(kind=kind))


def _farthest(kind: FeedKind, now: datetime) -> datetime:
    """Return the latest turn that may be; a later one was written by a clock that was ahead."""
    if kind is FeedKind.PRICES:
        return now + MOST_AHEAD
    return now + max(_LONGEST_PAUSE, 2 * timedelta(seconds=budget_s(kind=kind)))


def _after_hour(outcome: feeds.FeedOutcome, now: datetime) -> datetime:
    hour = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    spread_s = crc32(f"{outcome.venue} {outcome.environment}".encode()) % _SPREAD_S
    return hour + _AFTER_HOUR + timedelta(seconds=spread_s)


def _symbols(kind: FeedKind) -> dict[Place, set[str]]:
    """Return what each feed of a kind is about: the markets held, for rules all that are known."""
    rows = _held() if kind is FeedKind.RULES else _held().filter(market__is_known=True)
    columns = ("market__venue", "market__environment", "market__symbol")
    found: dict[Place, set[str]] = {}
    for venue, environment, symbol in rows.values_list(*columns).distinct():
        if _is_served(venue, kind):
            found.setdefault((venue, environment), set()).add(symbol)
    return _with_all_known(found) if kind is FeedKind.RULES else found


def _held() -> QuerySet[Position]:
    rows = Position.objects.filter(account__is_enabled=True)
    return rows.exclude(state__in=_NOT_HELD).order_by()


def _is_served(venue: str, kind: FeedKind) -> bool:
    adapter = registry.find(venue)
    return adapter is not None and feeds.serves(adapter=adapter, kind=kind)


def _with_all_known(found: Mapping[Place, set[str]]) -> dict[Place, set[str]]:
    rows = Market.objects.filter(venue__in={venue for venue, _ in found})
    kept = {place: set(symbols) for place, symbols in found.items()}
    for venue, environment, symbol in rows.values_list("venue", "environment", "symbol"):
        if (venue, environment) in kept:
            kept[venue, environment].add(symbol)
    return kept


def _ensure_feeds(kind: FeedKind, places: Collection[Place]) -> None:
    known = set(Feed.objects.filter(kind=kind).values_list("venue", "environment"))
    Feed.objects.bulk_create(
        [
            Feed(venue=venue, environment=environment, kind=kind)
            for venue, environment in sorted(places)
            if (venue, environment) not in known
        ],
        ignore_conflicts=True,
    )


def _claim(kind: FeedKind, place: Place, now: datetime) -> bool:
    due = Q(next_at__lte=now) | Q(next_at=None) | Q(next_at__gt=_farthest(kind, now))
    rows = Feed.objects.filter(venue=place[0], environment=place[1], kind=kind)
    lease = timedelta(seconds=lease_s(kind=kind))
    return bool(rows.filter(due).update(next_at=now + lease, cycle=new_cycle(now=now)))
