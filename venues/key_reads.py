"""Ask venues what keys may do: one task thread asks, coroutines read, no ORM in coroutines."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from riskhub import clock, logs
from venues import client, loop
from venues.base import AccountOutcome, VenueAdapter
from venues.errors import TimedOut, VenueError
from venues.jobs import Job, explain, load_jobs
from venues.key_facts import KeyFacts
from venues.reading import settle_hosts

log = logs.get(__name__)

_SLACK_S = 5.0


@dataclass(frozen=True, slots=True)
class KeyOutcome:
    """What one look at an account's key saw.

    facts  None where the venue does not tell, or where `error` says why it was not seen
    """

    account_id: int
    received_at: datetime
    facts: KeyFacts | None = None
    error: VenueError | None = None


def read_keys(
    *, account_ids: Sequence[int], now: datetime, deadline_s: float | None = None
) -> Iterator[KeyOutcome]:
    """Ask about the keys of accounts at the same time and yield what is told as it comes.

    Each account that exists has one outcome, whatever happens. No position is asked for: that is
    what makes it safe to ask about a key that may be refused.

    deadline_s  total time of one account; by default RISKHUB_POLL_DEADLINE_S
    """
    deadline_s = deadline_s or settings.POLL_DEADLINE_S
    jobs, failed = load_jobs(account_ids=account_ids, now=now, is_unchecked_included=True)
    yield from [_unasked(each) for each in failed]
    if not jobs:
        return
    if any(job.adapter.ccxt_id and tells_of_keys(job.adapter) for job in jobs):
        client.warm()
    inbox: queue.SimpleQueue[KeyOutcome] = queue.SimpleQueue()
    work = loop.submit(_read_all(jobs, deadline_s=deadline_s, put=inbox.put))
    waves = -(-len(jobs) // settings.POLL_CONCURRENCY)
    try:
        for outcome in _as_they_come(jobs, inbox, limit_s=waves * deadline_s + _SLACK_S):
            settle_hosts()
            yield outcome
    finally:
        work.cancel()


def tells_of_keys(adapter: VenueAdapter) -> bool:
    """Tell whether a venue can be asked what a key may do."""
    return type(adapter).read_key is not VenueAdapter.read_key


def _as_they_come(
    jobs: Sequence[Job], inbox: queue.SimpleQueue[KeyOutcome], *, limit_s: float
) -> Iterator[KeyOutcome]:
    """Yield what comes; what has not come within `limit_s` has timed out."""
    waiting = {job.request.account_id: job for job in jobs}
    ends_at_s = clock.monotonic_s() + limit_s
    while waiting:
        try:
            outcome = inbox.get(timeout=max(0.0, ends_at_s - clock.monotonic_s()))
        except queue.Empty:
            break
        waiting.pop(outcome.account_id)
        yield outcome
    error = TimedOut("The key was not looked at in time; RiskHub tries again.")
    yield from [_failure(job, error) for job in waiting.values()]


async def _read_all(
    jobs: Sequence[Job], *, deadline_s: float, put: Callable[[KeyOutcome], None]
) -> None:
    slots = asyncio.Semaphore(settings.POLL_CONCURRENCY)

    async def read(job: Job) -> None:
        async with slots:
            put(await _read_key(job, deadline_s=deadline_s))

    await asyncio.gather(*(read(job) for job in jobs))


async def _read_key(job: Job, *, deadline_s: float) -> KeyOutcome:
    if not tells_of_keys(job.adapter):
        return KeyOutcome(job.request.account_id, clock.now())
    try:
        async with asyncio.timeout(deadline_s):
            asked = await client.connect(adapter=job.adapter, request=job.request)
            facts = await job.adapter.read_key(client=asked)
        if facts is not None and not isinstance(facts, KeyFacts):
            raise TypeError(f"read_key returned {type(facts).__name__}, not KeyFacts")
    except TimeoutError:
        sentence = f"{job.adapter.label} did not answer in time; RiskHub tries again."
        return _failure(job, TimedOut(sentence))
    except Exception as error:  # noqa: BLE001 - one key must not end the others
        failure = explain(error, job.adapter)
        log.info("key_not_read", account_id=job.request.account_id, error=logs.describe(failure))
        return _failure(job, failure)
    return KeyOutcome(job.request.account_id, clock.now(), facts=facts)


def _failure(job: Job, error: VenueError) -> KeyOutcome:
    return KeyOutcome(job.request.account_id, clock.now(), error=error)


def _unasked(outcome: AccountOutcome) -> KeyOutcome:
    """Return why nobody could be asked: a key that does not open, a venue that is not there."""
    return KeyOutcome(outcome.account_id, outcome.received_at, error=outcome.failures[0].error)
