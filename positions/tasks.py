"""Celery tasks: ids in, one call. Unknown arguments come from newer publishers and are ignored."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from typing import Any

import structlog
from celery import shared_task
from django.conf import settings

from positions import (
    announcements,
    feeds,
    housekeeping,
    ingest,
    key_checks,
    market_data,
    pricing,
    scheduling,
    selectors,
    staleness,
)
from positions.alerts import outbox, pipeline
from riskhub import clock, heartbeat, killpoints, logs
from venues import bans, market_reads, rates, reading
from venues.models import FeedKind

log = logs.get(__name__)

# Accounts in one message: small enough that several workers share a storm.
_BATCH = 100
_KEY_BATCH = 20


@shared_task
def dispatch_due(**_: object) -> int:
    """Claim the accounts whose poll is due and ring for them in batches by venue."""
    now = clock.now()
    heartbeat.beat(cycle="polls", now=now)
    lag_s = scheduling.lag_s(now=now)
    if lag_s > settings.POLL_BUDGET_S:
        log.warning("polls_lag", seconds=round(lag_s, 1))
    cycle, claimed = scheduling.claim_due(now=now)
    killpoints.reach("dispatch: claimed")
    for _venue, pairs in groupby(claimed, key=lambda pair: pair[0]):
        ids = [account_id for _, account_id in pairs]
        for start in range(0, len(ids), _BATCH):
            poll_batch.apply_async(
                kwargs={"account_ids": ids[start : start + _BATCH], "cycle": cycle},
                expires=settings.POLL_DEADLINE_S,
            )
    killpoints.reach("dispatch: enqueued")
    return len(claimed)


@shared_task
def poll_batch(*, account_ids: list[int], cycle: int, **_: object) -> int:
    """Read the accounts and store what was seen, group by group as answers come."""
    stored = 0
    killpoints.reach("poll: begun")
    with structlog.contextvars.bound_contextvars(cycle=cycle):
        held = selectors.held_by(account_ids=account_ids, now=clock.now())
        for group in reading.read_accounts(account_ids=account_ids, now=clock.now(), held=held):
            killpoints.reach("poll: group read")
            stored += len(ingest.ingest_outcomes(outcomes=group, cycle=cycle, now=clock.now()))
    killpoints.reach("poll: stored")
    return stored


@shared_task
def dispatch_due_prices(**_: object) -> int:
    """Claim the price feeds that are due and ring for each."""
    now = clock.now()
    claims = feeds.claim_feeds(kind=FeedKind.PRICES, now=now)
    # Otherwise the refresh beats: one that is claimed and never comes back must grow late.
    if not claims and not feeds.is_any_price_needed():
        heartbeat.beat(cycle="prices", now=now)
    for each in claims:
        facts = {"venue": each.venue, "environment": each.environment}
        refresh_prices.apply_async(
            kwargs={**facts, "symbols": list(each.symbols)},
            expires=10,
        )
    return len(claims)


@shared_task
def refresh_prices(*, venue: str, environment: str, symbols: list[str], **_: object) -> int:
    """Read one feed's prices and move what they concern."""
    moved = 0
    began_at = clock.now()
    bans.in_force(now=began_at)
    with rates.metering() as meter:
        asked = [(venue, environment, symbols)]
        outcomes = reading.read_prices(feeds=asked, now=began_at)
    feeds.pace_prices(place=(venue, environment), weight=meter.weight, began_at=began_at)
    for outcome in outcomes:
        moved += pricing.ingest_prices(outcome=outcome, now=clock.now())
    heartbeat.beat(cycle="prices", now=clock.now())
    return moved


@shared_task
def advance_reference(**_: object) -> None:
    """Let the local venue's simulated time go on."""
    from venues.reference import steps

    now = clock.now()
    steps.advance(now=now)
    heartbeat.beat(cycle="reference", now=now)


@shared_task
def deliver(*, delivery_ids: list[int], **_: object) -> int:
    """Send these deliveries; the database says which of them are still to be sent."""
    return outbox.deliver(delivery_ids=delivery_ids, now=clock.now())


@shared_task
def sweep_outbox(**_: object) -> int:
    """Send what is due and take over what a dead worker left."""
    now = clock.now()
    heartbeat.beat(cycle="outbox", now=now)
    return outbox.sweep(now=now, limit=200)


@shared_task
def evaluate_staleness(**_: object) -> None:
    """Mark stale positions and alert about accounts that are not seen."""
    now = clock.now()
    heartbeat.beat(cycle="staleness", now=now)
    staleness.mark_stale(now=now)
    pipeline.evaluate_staleness(now=now)


@shared_task
def keep_house(**_: object) -> dict[str, Any]:
    """Delete what has outlived its use."""
    now = clock.now()
    heartbeat.beat(cycle="housekeeping", now=now)
    counts = housekeeping.keep_house(now=now)
    log.info("house_kept", **counts)
    return counts


@shared_task
def dispatch_due_key_checks(**_: object) -> int:
    """Claim the keys that are to be looked at and ring for them in small batches."""
    now = clock.now()
    heartbeat.beat(cycle="keys", now=now)
    lease, ids = key_checks.claim_due(now=now)
    for start in range(0, len(ids), _KEY_BATCH):
        check_keys.apply_async(
            kwargs={"account_ids": ids[start : start + _KEY_BATCH], "lease": lease.isoformat()},
            expires=key_checks.LEASE.total_seconds(),
        )
    return len(ids)


@shared_task
def check_keys(*, account_ids: list[int], lease: str, **_: object) -> int:
    """Ask the venues what these keys may do, and store what was found."""
    until = datetime.fromisoformat(lease)
    return len(key_checks.check_now(account_ids=account_ids, lease=until))


@shared_task
def dispatch_due_feeds(**_: object) -> int:
    """Claim what is due of rules, funding, candles and order books, and ring for each."""
    now = clock.now()
    claims = [
        claim
        for kind in (FeedKind.RULES, FeedKind.FUNDING, FeedKind.CANDLES, FeedKind.DEPTH)
        for claim in feeds.claim_feeds(kind=kind, now=now)
    ]
    for claim in claims:
        facts = {"kind": str(claim.kind), "venue": claim.venue, "environment": claim.environment}
        refresh_feed.apply_async(
            kwargs={**facts, "symbols": list(claim.symbols)},
            expires=feeds.lease_s(kind=claim.kind),
        )
    return len(claims)


@shared_task
def refresh_feed(
    *, kind: str, venue: str, environment: str, symbols: list[str], **_: object
) -> None:
    """Read one feed of a venue's markets and store what it says."""
    now = clock.now()
    bans.in_force(now=now)
    request = market_data.make_request(
        kind=FeedKind(kind), venue=venue, environment=environment, symbols=symbols, now=now
    )
    outcome = market_reads.read_feed(request=request, now=now)
    killpoints.reach("feeds: read")
    market_data.ingest_feed(outcome=outcome, now=clock.now())
    killpoints.reach("feeds: stored")


@shared_task
def apply_announced(**_: object) -> int:
    """Let announced changes of margin rules come into force whose time has come."""
    return announcements.apply_due(now=clock.now())
