"""Accounts to readings: one task thread asks, one event loop reads, no ORM in coroutines.

The account is the atom: each has one total deadline that cancels its coroutine, and a slow or
broken one delays nobody. Nothing an adapter or a venue does ends the batch.
"""

from __future__ import annotations

import asyncio
import queue
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError

from riskhub import clock, killpoints, logs
from venues import bans, client, clocks, loop
from venues.base import (
    AccountOutcome,
    Held,
    PositionEnd,
    PriceOutcome,
    ScopeFailure,
    ScopeReading,
)
from venues.errors import (
    BadAccount,
    Banned,
    ClockSkewed,
    KeyRejected,
    RateLimited,
    TimedOut,
    VenueError,
)
from venues.jobs import (
    Job,
    Seen,
    explain,
    load_jobs,
    make_outcome,
    make_price_job,
    make_unread,
    name_scopes,
)

log = logs.get(__name__)

_GROUP_SIZE = 50
_GROUP_S = 0.25
# Nothing came for so long: what is there need not wait for the slow.
_IDLE_S = 0.015
_PRICE_DEADLINE_S = 5.0
_SLACK_S = 5.0
# These hold for all parts of an account: asking for the next one would be one call too many.
# BadCredentials is none of them, unless the venue leaves no doubt (KeyRejected). Binance says
# -2015 of a wrong key and of a good one that is not allowed for this product, and other venues
# answer 401 to both; ending there would hide every position of the parts that the key opens. The
# price of a key that is wrong for all is small: an adapter gives a part up at its first refused
# request, so it costs one call a part, and after two such polls the account stops
# (positions/scheduling.py). What addresses are banned for, going on after "too many requests",
# does end the account.
_WHOLE_ACCOUNT = (BadAccount, Banned, ClockSkewed, KeyRejected, RateLimited)

_Client = client.CcxtClient | client.LocalClient


def read_accounts(
    *,
    account_ids: Sequence[int],
    now: datetime,
    held: Mapping[int, Sequence[Held]] | None = None,
    deadline_s: float | None = None,
    concurrency: int | None = None,
) -> Iterator[list[AccountOutcome]]:
    """Read accounts at the same time and yield outcomes in groups, as they come.

    A group holds up to 50 outcomes, or what came within 250 ms without a pause, in order of
    account id. Every account that exists has exactly one outcome, whatever happens.

    held            account id -> what earlier polls showed, so that what is missing is asked about
    deadline_s      total time of one account; by default RISKHUB_POLL_DEADLINE_S
    concurrency     accounts read at once; by default RISKHUB_POLL_CONCURRENCY
    """
    jobs, outcomes = load_jobs(account_ids=account_ids, now=now, held=held or {})
    killpoints.reach("reading: accounts loaded")
    if outcomes:
        yield outcomes
    for group in read_jobs(jobs=jobs, deadline_s=deadline_s, concurrency=concurrency):
        settle_hosts()
        yield group


def read_jobs(
    *, jobs: Sequence[Job], deadline_s: float | None = None, concurrency: int | None = None
) -> Iterator[list[AccountOutcome]]:
    """Read what was loaded, without any ORM; see read_accounts."""
    if not jobs:
        return
    deadline_s = deadline_s or settings.POLL_DEADLINE_S
    concurrency = concurrency or settings.POLL_CONCURRENCY
    if any(job.adapter.ccxt_id for job in jobs):
        client.warm()
    inbox: queue.SimpleQueue[AccountOutcome] = queue.SimpleQueue()
    work = loop.submit(
        _read_all(jobs=jobs, deadline_s=deadline_s, concurrency=concurrency, put=inbox.put)
    )
    waves = -(-len(jobs) // concurrency)
    try:
        yield from _groups(jobs, inbox, limit_s=waves * deadline_s + _SLACK_S)
    finally:
        work.cancel()


def read_prices(
    *,
    feeds: Sequence[tuple[str, str, Sequence[str]]],
    now: datetime,
    deadline_s: float = _PRICE_DEADLINE_S,
) -> list[PriceOutcome]:
    """Refresh the prices of feeds (venue, environment, unified symbols), without credentials.

    All feeds share one deadline; each has an outcome, in the order given.
    """
    jobs = [make_price_job(venue, environment, now=now) for venue, environment, _ in feeds]
    if any(isinstance(job, Job) and job.adapter.ccxt_id for job in jobs):
        client.warm()
    coroutines = [
        _read_feed(job, feed=feed, deadline_s=deadline_s)
        for job, feed in zip(jobs, feeds, strict=True)
    ]
    work: Future[list[PriceOutcome]] = loop.submit(_gather(coroutines))
    try:
        outcomes = work.result(deadline_s + _SLACK_S)
        settle_hosts()
        return outcomes
    except TimeoutError:
        error = TimedOut("The prices were not read in time; RiskHub tries again.")
        return [_price_failure(feed, error) for feed in feeds]
    finally:
        work.cancel()


def settle_hosts() -> None:
    """Write down what bans were met: at once, for other workers begin with what is written."""
    clocks.settle()
    try:
        bans.settle()
    except DatabaseError as error:
        log.warning("ban_not_stored", error=logs.describe(error))


async def _read_all(
    *,
    jobs: Sequence[Job],
    deadline_s: float,
    concurrency: int,
    put: Callable[[AccountOutcome], None],
) -> None:
    slots = asyncio.Semaphore(concurrency)

    async def read(job: Job) -> None:
        async with slots:
            put(await _read_account(job, deadline_s=deadline_s))

    await _gather([read(job) for job in jobs])


async def _read_account(job: Job, *, deadline_s: float) -> AccountOutcome:
    poll_id = uuid.uuid4().hex
    started_at = clock.now()
    seen = Seen()
    request = job.request
    with structlog.contextvars.bound_contextvars(poll_id=poll_id, account_id=request.account_id):
        scopes = list(name_scopes(job.adapter, request))
        try:
            async with asyncio.timeout(deadline_s):
                await _read_scopes(job, seen=seen, scopes=scopes)
        except TimeoutError:
            seen.fail_rest(scopes, _late(job, seen))
        except Exception as error:  # noqa: BLE001 - the account is the atom
            seen.fail_rest(scopes, explain(error, job.adapter))
        seen.put_in_order(scopes)
        for failure in seen.failures:
            log.info("scope_not_read", scope=failure.scope, error=logs.describe(failure.error))
    killpoints.reach("reading: account read")
    return make_outcome(request.account_id, seen, poll_id=poll_id, started_at=started_at)


async def _read_scopes(job: Job, *, seen: Seen, scopes: list[str]) -> None:
    asked = await client.connect(adapter=job.adapter, request=job.request)
    seen.client = asked
    killpoints.reach("reading: connected")
    # In place: what a deadline cuts off fails under the names that were found.
    scopes[:] = await _discovered(job, asked, scopes)
    # The first alone: what it meets may hold for all. The others take the time of one.
    await _read_part(job, asked, seen=seen, scope=scopes[0])
    failure = next((each.error for each in seen.failures), None)
    if isinstance(failure, _WHOLE_ACCOUNT):
        seen.fail_rest(scopes, failure)
        return
    if len(scopes) > 1:
        await _gather([_read_part(job, asked, seen=seen, scope=scope) for scope in scopes[1:]])
    seen.trust_key(job.adapter)


async def _read_part(job: Job, asked: _Client, *, seen: Seen, scope: str) -> None:
    try:
        read = await job.adapter.read_scope(client=asked, scope=scope)
        if not isinstance(read, ScopeReading):
            raise TypeError(f"read_scope returned {type(read).__name__}, not a ScopeReading")
        seen.scopes.append(read)
        killpoints.reach("reading: scope read")
    except Exception as error:  # noqa: BLE001 - the other parts may still be read
        seen.failures.append(ScopeFailure(scope, explain(error, job.adapter)))
    else:
        seen.ends += await _ends(job, asked, read)


def _late(job: Job, seen: Seen) -> VenueError:
    """Return why an account was not read in time."""
    label = job.adapter.label
    if isinstance(seen.client, client.CcxtClient) and seen.client.is_rate_scarce:
        sentence = (
            f"{label} was not asked in time: all that may be asked of it from one address goes to "
            "other accounts; RiskHub tries again."
        )
        return TimedOut(sentence)
    return TimedOut(f"{label} did not answer in time; RiskHub tries again.")


async def _discovered(job: Job, asked: _Client, known: Sequence[str]) -> Sequence[str]:
    """Return the parts that the venue knows of; those known without it where it does not say."""
    try:
        return tuple(await job.adapter.discover_scopes(client=asked)) or known
    except Exception as error:  # noqa: BLE001 - read_scope will say what is wrong
        log.info("scopes_not_asked", error=logs.describe(error))
        return known


async def _ends(job: Job, asked: _Client, read: ScopeReading) -> Sequence[PositionEnd]:
    """Return the ends of lives; not knowing them costs no position."""
    held_here = [held for held in job.request.held if held.scope == read.scope]
    shown = {position.identity for position in read.positions} if held_here else set()
    missing = [
        held for held in held_here if (held.symbol, held.slot, held.margin_mode) not in shown
    ]
    # A local venue costs nothing; elsewhere a poll that misses nothing asks nothing more.
    if job.adapter.ccxt_id and not missing:
        return ()
    try:
        return await job.adapter.read_ends(client=asked, scope=read.scope, missing=missing)
    except Exception as error:  # noqa: BLE001 - positions are read, only their past is not
        log.info(
            "ends_not_read", scope=read.scope, error=logs.describe(explain(error, job.adapter))
        )
        return ()


def _groups(
    jobs: Sequence[Job], inbox: queue.SimpleQueue[AccountOutcome], *, limit_s: float
) -> Iterator[list[AccountOutcome]]:
    """Yield what comes, in groups; what has not come within `limit_s` has timed out."""
    waiting = {job.request.account_id: job for job in jobs}
    ends_at_s = clock.monotonic_s() + limit_s
    while waiting:
        group = _group(inbox, ends_at_s=ends_at_s, size=min(len(waiting), _GROUP_SIZE))
        if not group:
            error = TimedOut("The account was not read in time; RiskHub tries again.")
            group = [make_unread(job, error) for job in waiting.values()]
        for outcome in group:
            waiting.pop(outcome.account_id, None)
        yield sorted(group, key=lambda outcome: outcome.account_id)


def _group(
    inbox: queue.SimpleQueue[AccountOutcome], *, ends_at_s: float, size: int
) -> list[AccountOutcome]:
    """Return the next outcome and those that follow it closely; [] at the end of time."""
    group: list[AccountOutcome] = []
    until_s = ends_at_s
    while len(group) < size:
        try:
            left_s = until_s - clock.monotonic_s()
            group.append(inbox.get(timeout=max(0.0, min(left_s, _IDLE_S) if group else left_s)))
        except queue.Empty:
            break
        if len(group) == 1:
            until_s = min(ends_at_s, clock.monotonic_s() + _GROUP_S)
    return group


async def _read_feed(
    job: Job | VenueError, *, feed: tuple[str, str, Sequence[str]], deadline_s: float
) -> PriceOutcome:
    if isinstance(job, VenueError):
        return _price_failure(feed, job)
    venue, environment, symbols = feed
    try:
        async with asyncio.timeout(deadline_s):
            asked = await client.connect(adapter=job.adapter, request=job.request)
            reading = await job.adapter.read_prices(client=asked, symbols=symbols)
    except TimeoutError:
        sentence = f"{job.adapter.label} sent no prices in time; RiskHub tries again."
        return _price_failure(feed, TimedOut(sentence))
    except Exception as error:  # noqa: BLE001 - one feed must not end the others
        return _price_failure(feed, explain(error, job.adapter))
    return PriceOutcome(
        venue=venue, environment=environment, received_at=clock.now(), reading=reading
    )


def _price_failure(feed: tuple[str, str, Sequence[str]], error: VenueError) -> PriceOutcome:
    return PriceOutcome(venue=feed[0], environment=feed[1], received_at=clock.now(), error=error)


async def _gather(coroutines: Sequence[Awaitable[Any]]) -> list[Any]:
    return await asyncio.gather(*coroutines)
