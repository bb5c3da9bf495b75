"""Look at keys: before the first read with one, and daily after; what was found is stored.

A key that may move money away is refused before anything is read with it, and not kept. The same
found out later is an urgent alert, and the account goes on being read. A look that could not be
made holds nobody up: its finding is that the permissions are not known.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet

from positions.storable import storable_text
from riskhub import clock, killpoints, logs
from riskhub.crypto import Secrets
from riskhub.teams import audit
from venues import hygiene, key_reads, registry
from venues.base import VenueAdapter
from venues.errors import VenueError
from venues.hygiene import Finding, FindingSeverity, Holder
from venues.key_reads import KeyOutcome
from venues.models import Account, HostBan, KeyCheck

log = logs.get(__name__)

# Why there is no finding of an account that was read before keys were looked at.
NOT_YET = "It has not been looked at yet."
# A worker that was killed gives its keys back after this.
LEASE = timedelta(seconds=120)
# Less than a day even with the jitter, so that what was added yesterday is known today.
_HOURS = (18.0, 22.0)
_SOON_MINUTES = (5.0, 10.0)
_LATER_MINUTES = (60.0, 120.0)
# After so long without an answer, what was found is no longer known.
_KEPT = timedelta(days=2)
# What is further in the future than this was written by a clock that has since gone back.
_MOST_AHEAD = timedelta(days=2)
_LONGEST = 300
_MOST_FACTS = 40


def claim_due(*, now: datetime, limit: int = 100) -> tuple[datetime, list[int]]:
    """Claim accounts whose key is to be looked at, new keys first.

    Returns the end of the lease, by which the answer is known to be the claim's own, and the ids.
    """
    _ensure_checks(now=now)
    is_due = Q(next_at__lte=now) | Q(next_at__gt=now + _MOST_AHEAD)
    rows = KeyCheck.objects.filter(is_due, account__is_enabled=True, account__blocked_reason="")
    bans = HostBan.objects.filter(until__gt=now).values_list("venue", "environment")
    for venue, environment in bans:
        rows = rows.exclude(account__venue=venue, account__environment=environment)
    first = F("checked_at").asc(nulls_first=True)
    ids = list(rows.order_by(first, "next_at").values_list("pk", flat=True)[:limit])
    return _lease(KeyCheck.objects.filter(is_due, pk__in=ids), ids, now=now)


def claim(*, account_ids: Collection[int], now: datetime) -> tuple[datetime, list[int]]:
    """Claim the keys of these accounts now, due or not; a refused one is not looked at again."""
    _ensure_checks(now=now)
    refused = set(refused_keys(account_ids=account_ids))
    ids = sorted(set(account_ids) - refused)
    return _lease(KeyCheck.objects.filter(pk__in=ids), ids, now=now)


def _lease(
    rows: QuerySet[KeyCheck], ids: Sequence[int], *, now: datetime
) -> tuple[datetime, list[int]]:
    lease = now + LEASE
    if not ids:
        return lease, []
    # The condition is asked again by the UPDATE itself: a second beat gets what is left.
    rows.update(next_at=lease)
    claimed = KeyCheck.objects.filter(pk__in=ids, next_at=lease)
    return lease, list(claimed.order_by("pk").values_list("pk", flat=True))


def _ensure_checks(*, now: datetime) -> None:
    """Plan a look at accounts that are older than looking; they are read meanwhile."""
    missing = Account.objects.filter(key_check=None, is_simulated=False, is_enabled=True)
    ids = list(missing.values_list("pk", flat=True)[:1000])
    KeyCheck.objects.bulk_create(
        [KeyCheck(account_id=pk, error=NOT_YET, next_at=now) for pk in ids],
        ignore_conflicts=True,
    )


def refused_keys(*, account_ids: Collection[int]) -> list[int]:
    """Return which of these accounts are not read because of what their key may do."""
    rows = KeyCheck.objects.filter(pk__in=account_ids).values_list("pk", "findings")
    return [pk for pk, findings in rows if hygiene.is_refused(hygiene.read(findings))]


def check_now(*, account_ids: Sequence[int], lease: datetime) -> list[int]:
    """Ask about claimed keys and store what is told, as it comes; returns what was stored."""
    outcomes = key_reads.read_keys(account_ids=account_ids, now=clock.now())
    return [
        outcome.account_id
        for outcome in outcomes
        if store_outcome(outcome=outcome, lease=lease, now=clock.now())
    ]


def store_outcome(*, outcome: KeyOutcome, lease: datetime, now: datetime) -> bool:
    """Store what one look found; False when the key was replaced or taken over meanwhile."""
    with transaction.atomic():
        account = Account.objects.select_for_update().filter(pk=outcome.account_id).first()
        checks = KeyCheck.objects.select_for_update().select_related("account__team")
        check = checks.filter(pk=outcome.account_id, next_at=lease).first()
        adapter = registry.find(account.venue) if account else None
        if account is None or check is None or adapter is None:
            return False
        if outcome.error is not None:
            _store_failure(account, check, outcome.error, adapter=adapter, now=now)
        else:
            _store_facts(account, check, outcome, adapter=adapter, now=now)
        killpoints.reach("keys: written")
    killpoints.reach("keys: stored")
    return True


def holder_of(account: Account, *, adapter: VenueAdapter) -> Holder:
    """Return whose key it is, as the linter wants it."""
    return Holder(
        label=adapter.label,
        credentials=adapter.credentials if account.credentials else (),
        wallet=account.wallet,
        environment=account.environment,
    )


def _store_facts(
    account: Account,
    check: KeyCheck,
    outcome: KeyOutcome,
    *,
    adapter: VenueAdapter,
    now: datetime,
) -> None:
    holder = holder_of(account, adapter=adapter)
    findings = hygiene.judge(facts=outcome.facts, holder=holder, now=now)
    told = outcome.facts.told if outcome.facts else ()
    check.facts = {_text(name): _text(text) for name, text in told[:_MOST_FACTS]}
    is_first, check.error = _is_first(account, check), ""
    check.checked_at, check.next_at = now, now + timedelta(hours=random.uniform(*_HOURS))  # noqa: S311
    if not hygiene.is_refused(findings):
        _save(check, findings)
    elif is_first:
        _refuse(account, check, findings, now=now)
    else:
        log.warning("key_became_dangerous", account_id=account.pk)
        _save(check, hygiene.soften(findings))


def _is_first(account: Account, check: KeyCheck) -> bool:
    """Tell whether nothing was read with this key yet."""
    return check.checked_at is None and (not check.error or account.last_seen_at is None)


def _refuse(
    account: Account, check: KeyCheck, findings: Sequence[Finding], *, now: datetime
) -> None:
    """Stop the account before its first read and forget its key: one that can take is not kept."""
    account.credentials = Secrets()
    account.blocked_reason = storable_text(hygiene.refusal(findings))[:_LONGEST]
    account.save(update_fields=["credentials", "blocked_reason"])
    check.next_at = None
    _save(check, findings)
    audit.record(
        team=check.account.team,
        action="account.key_refused",
        subject=str(account),
        now=now,
        actor="riskhub",
        detail={"findings": [each.code for each in findings]},
    )


def _store_failure(
    account: Account,
    check: KeyCheck,
    error: VenueError,
    *,
    adapter: VenueAdapter,
    now: datetime,
) -> None:
    kept = hygiene.read(check.findings)
    if check.checked_at is None or now - check.checked_at > _KEPT:
        unknown = hygiene.judge(facts=None, holder=holder_of(account, adapter=adapter), now=now)
        grave = (each for each in kept if each.severity == FindingSeverity.CRITICAL)
        kept = (*grave, *unknown)
    check.error = _text(str(error)) or error.kind
    check.next_at = now + _pause(error)
    _save(check, kept)


def _pause(error: VenueError) -> timedelta:
    span = _SOON_MINUTES if error.is_transient else _LATER_MINUTES
    pause = timedelta(minutes=random.uniform(*span))  # noqa: S311 - jitter, no secret
    return max(pause, timedelta(seconds=error.retry_after_s or 0.0))


def _save(check: KeyCheck, findings: Sequence[Finding]) -> None:
    check.findings = hygiene.write(findings)
    check.save(update_fields=["facts", "findings", "checked_at", "next_at", "error"])


def _text(told: str) -> str:
    return storable_text(logs.scrub(told))[:_LONGEST]
