"""What forked workers do: the bodies of the real tasks, in the order in which a system runs them.

Loaded by the fork server once, before any child is made; nothing here connects at import.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby

from django.db.models import F

from positions import feeds, key_checks, tasks
from positions.alerts import registry as channels
from riskhub import celery, clock, killpoints
from venues import client, reading
from venues import registry as venues
from venues.models import Account, FeedKind

_real_now = clock.now


def warm() -> None:
    """Import what each child would otherwise import for itself."""
    from kombu.transport import redis  # noqa: F401

    client.warm()
    venues.load()
    channels.load()
    celery.app.finalize(auto=True)
    # Properties that import when they are first asked for.
    assert celery.app.amqp
    assert celery.app.events
    assert tasks.poll_batch.backend


def travel(*, seconds: float) -> None:
    """Let this process live so many seconds in the future."""
    clock.now = lambda: _real_now() + timedelta(seconds=seconds)


def work(*, shift_s: float, again_s: float | None = None) -> list[str]:
    """Claim what is due, read and store it, deliver; return the kill points reached.

    again_s     look once more for messages at this time, when the lease of a dead sender is over
    """
    travel(seconds=shift_s)
    tasks.dispatch_due()
    poll_claimed()
    tasks.sweep_outbox()
    if again_s is not None:
        travel(seconds=again_s)
        tasks.sweep_outbox()
    return list(killpoints.reached())


def poll_claimed() -> None:
    """Do the poll tasks that a dispatch has just asked for, one after the other."""
    claimed = Account.objects.exclude(cycle=F("ingested_cycle")).order_by("venue", "pk")
    rows = list(claimed.values_list("venue", "cycle", "pk"))
    for (_venue, cycle), group in groupby(rows, key=lambda row: row[:2]):
        tasks.poll_batch(account_ids=[pk for _, _, pk in group], cycle=cycle)


def beside(*, shift_s: float) -> list[str]:
    """Do what a system does beside polls: look at keys, read a feed, meet a ban and write it down.

    An account whose label is "banned" is at a venue that bans whoever asks.
    """
    travel(seconds=shift_s)
    accounts = Account.objects.order_by("pk")
    lease, ids = key_checks.claim_due(now=clock.now())
    tasks.check_keys(account_ids=ids, lease=lease.isoformat())
    for claim in feeds.claim_feeds(kind=FeedKind.FUNDING, now=clock.now()):
        tasks.refresh_feed(
            kind=claim.kind,
            venue=claim.venue,
            environment=claim.environment,
            symbols=list(claim.symbols),
        )
    banned = accounts.get(label="banned")
    list(reading.read_accounts(account_ids=[banned.pk], now=clock.now()))
    return list(killpoints.reached())


def work_on(*, batches: list[tuple[list[int], int]], shift_s: float) -> list[str]:
    """Do these poll tasks, whoever else does them too, and deliver."""
    travel(seconds=shift_s)
    for account_ids, cycle in batches:
        tasks.poll_batch(account_ids=account_ids, cycle=cycle)
    tasks.sweep_outbox()
    return list(killpoints.reached())
