"""What a read begins with and what it ends in: accounts to jobs, and what was seen to outcomes.

The ORM is used here alone, in the thread that calls; coroutines get value objects.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import cast

from riskhub import clock, crypto, logs
from venues import bans, registry
from venues.base import (
    AccountOutcome,
    AccountRequest,
    Held,
    MarketSpec,
    PositionEnd,
    RawAnswer,
    ScopeFailure,
    ScopeReading,
    VenueAdapter,
)
from venues.client import CcxtClient, LocalClient
from venues.errors import (
    BadAccount,
    BadCredentials,
    PermissionRefused,
    UnreadableAnswer,
    VenueError,
)
from venues.models import Account
from venues.services import unchecked_keys

log = logs.get(__name__)

# What an account is told when not even its parts are known.
_WHOLE = "account"


@dataclass(frozen=True, slots=True)
class Job:
    """One account to read: its adapter and what the adapter needs."""

    adapter: VenueAdapter
    request: AccountRequest


@dataclass(slots=True)
class Seen:
    """What a read has seen so far; it outlives the coroutine that a deadline cancels."""

    scopes: list[ScopeReading] = field(default_factory=list)
    failures: list[ScopeFailure] = field(default_factory=list)
    ends: list[PositionEnd] = field(default_factory=list)
    client: CcxtClient | LocalClient | None = None

    @property
    def answers(self) -> tuple[RawAnswer, ...]:
        """Every answer so far."""
        return self.client.answers if self.client else ()

    @property
    def markets(self) -> tuple[MarketSpec, ...]:
        """Each market of the positions seen, once."""
        rows = [position.market for scope in self.scopes for position in scope.positions]
        found = {id(market): market for market in rows}
        # A market is hashed by all of its fields: only where two have one name.
        if len({market.symbol for market in found.values()}) < len(found):
            return tuple(dict.fromkeys(found.values()))
        return tuple(found.values())

    def fail_rest(self, scopes: Sequence[str], error: VenueError) -> None:
        """Fail every part that has neither a reading nor a failure yet."""
        done = {reading.scope for reading in self.scopes}
        done |= {failure.scope for failure in self.failures}
        self.failures += [ScopeFailure(name, error) for name in scopes if name not in done]

    def put_in_order(self, scopes: Sequence[str]) -> None:
        """Sort what was read at the same time as the parts of the account are named."""
        places = {name: place for place, name in enumerate(scopes)}
        self.scopes.sort(key=lambda reading: places.get(reading.scope, len(places)))
        self.failures.sort(key=lambda failure: places.get(failure.scope, len(places)))

    def trust_key(self, adapter: VenueAdapter) -> None:
        """Correct what was said of a key that opened another part: it is no wrong key.

        Its owner need not enter it again, but let it read this part or leave the part out.
        """
        if self.scopes and adapter.credentials:
            self.failures = [_of_a_good_key(failure, adapter) for failure in self.failures]


def _of_a_good_key(failure: ScopeFailure, adapter: VenueAdapter) -> ScopeFailure:
    if not isinstance(failure.error, BadCredentials):
        return failure
    sentence = (
        f"{adapter.label} lets the key read other parts of this account but not this one; allow "
        'it, or name the parts to read in the option "scopes".'
    )
    return ScopeFailure(failure.scope, PermissionRefused(sentence))


def load_jobs(
    *,
    account_ids: Sequence[int],
    now: datetime,
    held: Mapping[int, Sequence[Held]] = MappingProxyType({}),
    is_unchecked_included: bool = False,
) -> tuple[list[Job], list[AccountOutcome]]:
    """Load accounts in the calling thread: what to read, and what cannot even be asked.

    Secrets are opened here, so that a key that does not open is the failure of one account.
    An account whose key nobody has looked at yet is left out: it may have to be refused. Nobody is
    asked at a venue that has banned this machine's address.
    """
    jobs, failed = [], []
    banned = bans.in_force(now=now)
    rows = Account.objects.filter(pk__in=set(account_ids)).order_by("pk")
    if not is_unchecked_included:
        rows = rows.exclude(pk__in=unchecked_keys())
    for account in rows:
        ban = banned.get((account.venue, account.environment))
        if ban is not None:
            failed.append(_failed(account, ban.error(now=now)))
            continue
        try:
            jobs.append(_job(account, held=held.get(account.pk, ())))
        except BadAccount as error:
            failed.append(_failed(account, error))
    prepared, unprepared = _prepared(jobs, now=now)
    return prepared, [*failed, *unprepared]


def _job(account: Account, *, held: Sequence[Held]) -> Job:
    adapter = registry.get(account.venue)
    request = dataclasses.replace(_request(account, _opened(account)), held=tuple(held))
    return Job(adapter=adapter, request=request)


def _opened(account: Account) -> dict[str, str]:
    try:
        secrets = cast(crypto.Secrets, account.credentials or crypto.Secrets()).open()
    except crypto.UndecryptableError as error:
        raise BadAccount(str(error)) from None
    for value in secrets.values():
        logs.remember_secret(value)
    return secrets


def _request(account: Account, credentials: Mapping[str, str]) -> AccountRequest:
    return AccountRequest(
        account_id=account.pk,
        venue=account.venue,
        environment=account.environment,
        label=account.label,
        wallet=account.wallet,
        credentials=credentials,
        options=account.options,
    )


def _failed(account: Account, error: VenueError) -> AccountOutcome:
    """Return the outcome of an account that nobody was asked about."""
    scopes: Sequence[str] = (_WHOLE,)
    try:
        adapter = registry.get(account.venue)
    except BadAccount:
        pass
    else:
        scopes = name_scopes(adapter, _request(account, {}))
    return make_outcome(account.pk, Seen(failures=[ScopeFailure(name, error) for name in scopes]))


def _prepared(jobs: Sequence[Job], *, now: datetime) -> tuple[list[Job], list[AccountOutcome]]:
    """Let each local adapter load what it needs; a failure is that of its accounts alone."""
    ready, failed = [], []
    by_slug: dict[str, list[Job]] = {}
    for job in jobs:
        by_slug.setdefault(job.adapter.slug, []).append(job)
    for group in by_slug.values():
        try:
            ready += _with_prepared(group, now=now)
        except Exception as error:  # noqa: BLE001 - one venue must not end the batch
            failed += [make_unread(job, explain(error, job.adapter)) for job in group]
    return ready, failed


def _with_prepared(group: Sequence[Job], *, now: datetime) -> list[Job]:
    found = group[0].adapter.prepare(requests=[job.request for job in group], now=now)
    return [
        Job(job.adapter, dataclasses.replace(job.request, prepared=found[job.request.account_id]))
        if job.request.account_id in found
        else job
        for job in group
    ]


def make_price_job(venue: str, environment: str, *, now: datetime) -> Job | VenueError:
    """Return what to ask for prices, without credentials, or why nobody can be asked."""
    try:
        adapter = registry.get(venue)
        request = AccountRequest(account_id=0, venue=venue, environment=environment, label="prices")
        return _with_prepared([Job(adapter, request)], now=now)[0]
    except BadAccount as error:
        return error
    except Exception as error:  # noqa: BLE001 - one feed must not end the others
        return explain(error, adapter)


def name_scopes(adapter: VenueAdapter, request: AccountRequest) -> Sequence[str]:
    """Return the parts of an account, or one name for the whole where they are not known."""
    try:
        return tuple(adapter.scopes(request)) or (_WHOLE,)
    except Exception as error:  # noqa: BLE001 - read_scope will say what is wrong
        log.info("scopes_unknown", error=logs.describe(error))
        return (_WHOLE,)


def explain(error: Exception, adapter: VenueAdapter) -> VenueError:
    """Return a failure for the owner; what no adapter foresaw is logged with its traceback."""
    if isinstance(error, VenueError):
        return error
    log.error("reading_failed", venue=adapter.slug, exc_info=error)
    return UnreadableAnswer(
        f"{adapter.label} sent something that this version cannot read ({type(error).__name__})."
    )


def make_unread(job: Job, error: VenueError) -> AccountOutcome:
    """Return the outcome of an account of which nothing was read."""
    seen = Seen()
    seen.fail_rest(name_scopes(job.adapter, job.request), error)
    return make_outcome(job.request.account_id, seen)


def make_outcome(
    account_id: int, seen: Seen, *, poll_id: str = "", started_at: datetime | None = None
) -> AccountOutcome:
    """Return what was seen so far as an outcome received now."""
    now = clock.now()
    return AccountOutcome(
        account_id=account_id,
        poll_id=poll_id or uuid.uuid4().hex,
        started_at=started_at or now,
        received_at=now,
        scopes=tuple(seen.scopes),
        failures=tuple(seen.failures),
        ends=tuple(seen.ends),
        answers=seen.answers,
        markets=seen.markets,
    )
