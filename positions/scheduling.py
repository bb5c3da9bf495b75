"""Who is polled next: due accounts are claimed by a conditional UPDATE, so two beats do no harm.

A claim's `cycle` is its instant in milliseconds with ten random bits below, so it only grows and
two claimers never share one. A claim that is not settled within its lease is taken over.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from zlib import crc32

from django.conf import settings
from django.db.models import F, Min, Q, QuerySet
from django.db.models.functions import Least

from positions import pacing
from positions.models import Position
from positions.storable import storable_text
from riskhub import clock
from venues.base import AccountOutcome
from venues.errors import Banned, RateLimited, VenueError
from venues.models import Account
from venues.services import unchecked_keys

_RANDOM_BITS = 10
# A worker that was killed gives its accounts back after its deadline and this slack.
_LEASE_SLACK_S = 10.0
_MAX_BACKOFF_S = 300.0
_AUTH_FAILURES_ALLOWED = 2
# What is further in the future than this was written by a clock that has since gone back.
_MOST_AHEAD = timedelta(minutes=1)
# Accounts that were claimed together come back over this part of their pause.
_SPREAD = 0.1
_LONGEST_SPREAD_S = 2.0


def new_cycle(*, now: datetime) -> int:
    """Return a cycle number greater than any of an earlier millisecond."""
    return (clock.to_milliseconds(now) << _RANDOM_BITS) | random.getrandbits(_RANDOM_BITS)


def _lease_cutoff(now: datetime) -> int:
    lease = timedelta(seconds=settings.POLL_DEADLINE_S + _LEASE_SLACK_S)
    return clock.to_milliseconds(now - lease) << _RANDOM_BITS


def claim_due(*, now: datetime, limit: int = 1000) -> tuple[int, list[tuple[str, int]]]:
    """Claim accounts whose poll is due; returns the cycle and (venue, account id) pairs.

    An account whose last claim is neither settled nor past its lease is left alone: a poll slower
    than its interval skips turns, it never piles up. What the clock wrote before it was set back
    holds nobody up. Of a venue no more are claimed than its rate budget lets be asked in time.
    """
    ahead = now + _MOST_AHEAD
    is_free = (
        Q(cycle=F("ingested_cycle"))
        | Q(cycle__lt=_lease_cutoff(now))
        | Q(cycle__gt=clock.to_milliseconds(ahead) << _RANDOM_BITS)
    )
    is_due = Q(next_poll_at__lte=now) | Q(next_poll_at=None) | Q(last_seen_at__gt=ahead)
    due = _polled().filter(is_free, is_due)
    in_flight = _polled().exclude(is_free)
    rooms = pacing.rooms(due=due, in_flight=in_flight)
    if not rooms:
        return _claim(due, _ids(due, limit), now)
    ids = _ids(due.exclude(_at_any(rooms)), limit)
    for place, room in rooms.items():
        ids += _ids(due.filter(_at(place)), min(room, limit)) if room > 0 else []
    return _claim(due, ids[:limit], now)


def _at(place: pacing.Place) -> Q:
    return Q(venue=place[0], environment=place[1])


def _at_any(places: Iterable[pacing.Place]) -> Q:
    return reduce(or_, (_at(place) for place in places))


def _ids(accounts: QuerySet[Account], limit: int) -> list[int]:
    return list(accounts.order_by("next_poll_at", "pk").values_list("pk", flat=True)[:limit])


def lag_s(*, now: datetime) -> float:
    """Return how long the account that is most overdue has waited for its poll, in seconds.

    0 when polling keeps up. It grows while polls take longer than their interval, or nobody polls.
    """
    oldest = _polled().aggregate(oldest=Min("next_poll_at"))["oldest"]
    return max(0.0, (now - oldest).total_seconds()) if oldest else 0.0


def _polled() -> QuerySet[Account]:
    # A key that nobody has looked at yet may have to be refused: nothing is read with it.
    return pacing.polled().exclude(pk__in=unchecked_keys())


def claim(*, accounts: Collection[int], now: datetime) -> tuple[int, list[tuple[str, int]]]:
    """Claim these accounts now, due or not, as a person at a command asks for.

    One whose key was not looked at yet is left out (positions/key_checks.py).
    """
    asked = Account.objects.filter(pk__in=accounts).exclude(pk__in=unchecked_keys())
    return _claim(asked, _ids(asked, len(accounts)), now)


def _claim(
    due: QuerySet[Account], ids: Sequence[int], now: datetime
) -> tuple[int, list[tuple[str, int]]]:
    cycle = new_cycle(now=now)
    if not ids:
        return cycle, []
    # The condition is asked again by the UPDATE itself: a second beat gets what is left.
    # `next_poll_at` is settled with the answer; until then the lease decides.
    # An answer stored under a clock that was ahead may not make this one look late.
    due.filter(pk__in=ids).update(cycle=cycle, ingested_cycle=Least(F("ingested_cycle"), cycle - 1))
    claimed = Account.objects.filter(pk__in=ids, cycle=cycle).order_by("venue", "pk")
    return cycle, list(claimed.values_list("venue", "pk"))


def settle_accounts(
    *,
    accounts: Mapping[int, Account],
    outcomes: Sequence[AccountOutcome],
    positions: Iterable[Position],
    cycle: int,
    now: datetime,
) -> None:
    """Write down that the claimed polls are stored, and when each account is due again."""
    endangered = {
        position.account_id
        for position in positions
        if position.state not in pacing.NOT_HELD and position.severity in pacing.ENDANGERED
    }
    pacer = pacing.Pacer(list(accounts.values()))
    for outcome in outcomes:
        account = accounts[outcome.account_id]
        account.ingested_cycle = cycle
        was_s, is_endangered = account.poll_budget_s, account.pk in endangered
        account.poll_budget_s = pacer.budget_s(account, outcome, is_endangered=is_endangered)
        _settle(account, outcome, was_s, now)
    Account.objects.bulk_update(
        list(accounts.values()),
        [
            "ingested_cycle",
            "last_seen_at",
            "failures",
            "auth_failures",
            "blocked_reason",
            "poll_budget_s",
            "next_poll_at",
        ],
    )


def _settle(account: Account, outcome: AccountOutcome, was_s: float, now: datetime) -> None:
    errors = [failure.error for failure in outcome.failures]
    if outcome.scopes:
        account.last_seen_at = outcome.received_at
    account.failures = account.failures + 1 if errors else 0
    _count_auth_failures(account, [] if outcome.scopes else errors)
    pause_s = _pause_s(account, errors, is_part_read=bool(outcome.scopes))
    spread_s = _spread_s(account, pause_s, errors)
    if not errors:
        budget_s, share = account.poll_budget_s, _share(account)
        leap_s = pacing.first_pause_s(was_s=was_s, budget_s=budget_s, share=share)
        spread_s = spread_s if leap_s is None else leap_s
    account.next_poll_at = now + timedelta(seconds=spread_s)


def _share(account: Account) -> float:
    """Return a number from 0 to 1 that differs from account to account and poll to poll."""
    return (crc32(b"%d %d" % (account.pk, account.cycle)) % 1000) / 1000


def _count_auth_failures(account: Account, errors: Sequence[VenueError]) -> None:
    """A key that is refused twice, for everything, is not tried again until somebody changes it."""
    refused = [error for error in errors if error.is_auth]
    account.auth_failures = account.auth_failures + 1 if refused else 0
    if account.auth_failures >= _AUTH_FAILURES_ALLOWED:
        account.blocked_reason = storable_text(str(refused[0]))[:300]


def _pause_s(account: Account, errors: Sequence[VenueError], *, is_part_read: bool) -> float:
    wishes = [error.retry_after_s for error in errors if error.retry_after_s]
    if wishes:
        # It was not read: as soon as the venue allows, but not in a flurry.
        return max([*wishes, min(account.poll_budget_s, settings.POLL_FAST_BUDGET_S)])
    is_limited = any(isinstance(error, Banned | RateLimited) for error in errors)
    if not errors or (is_part_read and not is_limited):
        # One part that stays closed must not make the positions in the others go stale.
        return account.poll_budget_s
    backoff = account.poll_budget_s * 2.0 ** min(account.failures - 1, 6)
    return min(backoff, max(_MAX_BACKOFF_S, account.poll_budget_s))


def _spread_s(account: Account, pause_s: float, errors: Sequence[VenueError]) -> float:
    """Return the pause with jitter, so that accounts that were added together drift apart.

    Never longer than a budget; never shorter than what a venue asks for.
    """
    is_wish = any(error.retry_after_s for error in errors)
    share = _share(account)
    if is_wish:
        return pause_s + share * min(_LONGEST_SPREAD_S, _SPREAD * pause_s)
    return pause_s * (1 - _SPREAD * share)
