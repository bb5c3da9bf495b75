"""Celery tasks: ids in, one call. Unknown arguments come from newer publishers and are ignored."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import structlog
from celery import shared_task
from django.conf import settings

from positions import housekeeping, ingest, pricing, scheduling, selectors, staleness
from positions.alerts import outbox, pipeline
from riskhub import clock, heartbeat, killpoints, logs
from venues import reading

log = logs.get(__name__)

# Accounts in one message: small enough that several workers share a storm.
_BATCH = 100


@shared_task
def dispatch_due(**_: object) -> int:
    """Claim the accounts whose poll is due and ring for them in batches by venue."""
    now = clock.now()
    heartbeat.beat(cycle="polls", now=now)
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
    feeds = scheduling.claim_price_feeds(now=now)
    # Otherwise the refresh beats: one that is claimed and never comes back must grow late.
    if not feeds and not scheduling.is_any_price_needed():
        heartbeat.beat(cycle="prices", now=now)
    for venue, environment, symbols in feeds:
        refresh_prices.apply_async(
            kwargs={"venue": venue, "environment": environment, "symbols": symbols},
            expires=10,
        )
    return len(feeds)


@shared_task
def refresh_prices(*, venue: str, environment: str, symbols: list[str], **_: object) -> int:
    """Read one feed's prices and move what they concern."""
    moved = 0
    feeds = [(venue, environment, symbols)]
    for outcome in reading.read_prices(feeds=feeds, now=clock.now()):
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
