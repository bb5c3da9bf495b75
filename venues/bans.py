"""Bans of this machine's address: nothing is sent to the venue before one ends, by nobody.

A ban is met on the event loop, holds at once in this process, and is written to the database by
the thread that reads (`settle`); every batch begins with what the database says, so a flushed
Redis or a new worker cannot end one.
"""

from __future__ import annotations

import queue
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from riskhub import clock, killpoints, logs
from venues.errors import Banned
from venues.models import HostBan

log = logs.get(__name__)

# Venue and environment.
Host = tuple[str, str]

_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Ban:
    """Until when a host has banned us, and the sentence that says so."""

    host: Host
    begun_at: datetime
    until: datetime
    reason: str

    def error(self, *, now: datetime) -> Banned:
        """Return the error of an account that was therefore not read."""
        return Banned(self.reason, retry_after_s=max((self.until - now).total_seconds(), 0.001))


_known: dict[Host, Ban] = {}
_unsaved: queue.SimpleQueue[Ban] = queue.SimpleQueue()


def begin(*, host: Host, error: Banned, now: datetime) -> bool:
    """Stop all requests to a host of this process; tell whether that is news.

    `settle` writes it down later, in a thread that may.
    """
    killpoints.reach("bans: met")
    until = now + timedelta(seconds=error.retry_after_s or 0.0)
    known = _known.get(host)
    # Fifty requests on their way come back with the same ban, a moment apart.
    if known is not None and until <= known.until + timedelta(seconds=1):
        return False
    begun_at = known.begun_at if known is not None and known.until > now else now
    _known[host] = Ban(host=host, begun_at=begun_at, until=until, reason=str(error))
    _unsaved.put(_known[host])
    log.error("host_banned", venue=host[0], until=until.isoformat())
    return True


def check(host: Host) -> None:
    """Raise Banned while a ban of this host lasts, as far as this process knows."""
    known = _known.get(host)
    if known is not None:
        now = clock.now()
        if now < known.until:
            raise known.error(now=now)


def settle() -> None:
    """Write the bans that were met to the database, in the calling thread."""
    while True:
        try:
            ban = _unsaved.get_nowait()
        except queue.Empty:
            return
        try:
            _store(ban)
        except Exception:
            # Another call tries again; until then this process and Redis know.
            _unsaved.put(ban)
            raise


def in_force(*, now: datetime) -> dict[Host, Ban]:
    """Return the bans that last, as the database has them; this process then knows them too."""
    before = dict(_known)
    settle()
    rows = {(row.venue, row.environment): _ban(row) for row in current_bans(now=now)}
    for host in before.keys() | rows.keys():
        # What the loop has met in the meantime is newer than the rows.
        if _known.get(host) is before.get(host):
            _replace(host, rows.get(host))
    return rows


def forget() -> None:
    """Forget all that this process knows, as one that starts anew."""
    _known.clear()
    while not _unsaved.empty():
        _unsaved.get_nowait()


def current_bans(*, now: datetime) -> list[HostBan]:
    """Return the rows of bans that last, the one that ends first at the front."""
    return list(HostBan.objects.filter(until__gt=now).order_by("until"))


def _replace(host: Host, ban: Ban | None) -> None:
    if ban is None:
        _known.pop(host, None)
    else:
        _known[host] = ban


def _ban(row: HostBan) -> Ban:
    host = (row.venue, row.environment)
    return Ban(host=host, begun_at=row.begun_at, until=row.until, reason=row.reason)


def _store(ban: Ban) -> None:
    """Write a ban, or prolong the one that lasts; a shorter one never replaces a longer."""
    reason = ban.reason[:_LONGEST_REASON]
    fields = {"begun_at": ban.begun_at, "until": ban.until, "reason": reason}
    venue, environment = ban.host
    with transaction.atomic():
        row, is_new = HostBan.objects.select_for_update().get_or_create(
            venue=venue, environment=environment, defaults=fields
        )
        if not is_new and ban.until > row.until:
            begun_at = row.begun_at if row.until > ban.begun_at else ban.begun_at
            row.begun_at, row.until, row.reason = begun_at, ban.until, reason
            row.save()
        killpoints.reach("bans: written")
    killpoints.reach("bans: stored")
