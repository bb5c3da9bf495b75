"""Reads what a venue says about its markets, feed by feed: rules, funding, candles, order books.

One task thread asks, the event loop reads, no ORM in coroutines. A market that cannot be read
costs the others nothing; what was not seen is said by its symbol.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from riskhub import clock, logs
from venues import client, loop, registry
from venues.base import VenueAdapter
from venues.errors import BadAccount, Banned, RateLimited, TimedOut, UnreadableAnswer, VenueError
from venues.feeds import FeedOutcome, FeedRequest
from venues.jobs import Job, explain, load_jobs, make_price_job
from venues.models import Account, FeedKind
from venues.reading import settle_hosts
from venues.services import unchecked_keys
from venues.unified_markets import is_sound_candle, is_sound_depth

log = logs.get(__name__)

# Total time of one feed; each is longer than its slowest healthy answer and shorter than a cycle.
DEADLINES_S = {
    FeedKind.RULES: 60.0,
    FeedKind.FUNDING: 15.0,
    FeedKind.CANDLES: 60.0,
    FeedKind.DEPTH: 10.0,
}
_SLACK_S = 5.0
# Markets asked about at the same time; the venue's rate budget spaces the requests themselves.
_AT_ONCE = 4
# These hold for every market: asking for the next one would be one call too many.
_STOP = (Banned, RateLimited)
_NEEDS_KEY = "This venue tells its maintenance tables to a key only, and no account here has one."

_Client = client.CcxtClient | client.LocalClient
_Read = Callable[[VenueAdapter, _Client, FeedRequest, FeedOutcome], Awaitable[FeedOutcome]]


def read_feed(
    *, request: FeedRequest, now: datetime, deadline_s: float | None = None
) -> FeedOutcome:
    """Read one feed and return what was seen, whatever happens.

    deadline_s  total time; by default that of the feed's kind
    """
    deadline_s = deadline_s or DEADLINES_S[request.kind]
    job = _make_job(request, now=now)
    if isinstance(job, VenueError):
        return _failure(request, job)
    if job.adapter.ccxt_id:
        client.warm()
    work = loop.submit(_read(job, request=request, deadline_s=deadline_s))
    try:
        outcome = work.result(deadline_s + _SLACK_S)
        settle_hosts()
        return outcome
    except TimeoutError:
        return _failure(request, TimedOut("It was not read in time; RiskHub tries again."))
    finally:
        work.cancel()


def _make_job(request: FeedRequest, *, now: datetime) -> Job | VenueError:
    """Return what to ask with: the key of an account where one is needed, else nobody's."""
    try:
        is_private = registry.get(request.venue).is_tier_private
    except BadAccount as error:
        return error
    if is_private and request.kind is FeedKind.RULES:
        jobs, _ = load_jobs(account_ids=_with_key(request), now=now)
        if jobs:
            return jobs[0]
    return make_price_job(request.venue, request.environment, now=now)


def _with_key(request: FeedRequest) -> list[int]:
    rows = Account.objects.filter(venue=request.venue, environment=request.environment)
    usable = rows.filter(is_enabled=True, blocked_reason="").exclude(pk__in=unchecked_keys())
    usable = usable.order_by("auth_failures", "pk")
    return list(usable.values_list("pk", flat=True)[:1])


async def _read(job: Job, *, request: FeedRequest, deadline_s: float) -> FeedOutcome:
    label = job.adapter.label
    try:
        async with asyncio.timeout(deadline_s):
            asked = await client.connect(adapter=job.adapter, request=job.request)
            if request.kind is FeedKind.RULES and isinstance(asked, client.CcxtClient):
                await asked.refresh_markets()
                # Another client: this one still holds the list that was there before.
                asked = await client.connect(adapter=job.adapter, request=job.request)
            found = await _READS[request.kind](job.adapter, asked, request, _empty(request))
    except TimeoutError:
        sentence = f"{label} did not answer in time; RiskHub tries again."
        return _failure(request, TimedOut(sentence))
    except Exception as error:  # noqa: BLE001 - a feed must not end its task
        return _failure(request, explain(error, job.adapter))
    return replace(found, received_at=clock.now())


async def _read_rules(
    adapter: VenueAdapter, asked: _Client, request: FeedRequest, empty: FeedOutcome
) -> FeedOutcome:
    """Read listings and tables; a table that cannot be read leaves the listing in place."""
    is_listed = bool(adapter.ccxt_id)
    found = replace(
        empty, specs=[asked.market(symbol) for symbol in request.symbols] if is_listed else ()
    )
    if adapter.is_tier_private and not asked.request.account_id:
        return replace(found, troubles={"": _NEEDS_KEY})
    try:
        tiers = await adapter.read_tiers(client=asked, symbols=request.symbols)
    except Exception as error:  # noqa: BLE001 - the listing is read
        return replace(found, troubles={"": str(explain(error, adapter))})
    return replace(found, tiers=tuple(tiers))


async def _read_funding(
    adapter: VenueAdapter, asked: _Client, request: FeedRequest, empty: FeedOutcome
) -> FeedOutcome:
    return replace(
        empty, funding=tuple(await adapter.read_funding(client=asked, symbols=request.symbols))
    )


async def _read_candles(
    adapter: VenueAdapter, asked: _Client, request: FeedRequest, empty: FeedOutcome
) -> FeedOutcome:
    async def read(symbol: str) -> Any:
        count = request.hours.get(symbol, 1)
        candles = await adapter.read_candles(client=asked, symbol=symbol, count=count)
        if not all(is_sound_candle(candle) for candle in candles):
            raise UnreadableAnswer(f"{adapter.label} sent an hour of impossible prices.")
        return symbol, tuple(candles)

    read_ones, errors = await _each(adapter, request.symbols, read)
    return _with_errors(replace(empty, candles=dict(read_ones)), errors)


async def _read_depths(
    adapter: VenueAdapter, asked: _Client, request: FeedRequest, empty: FeedOutcome
) -> FeedOutcome:
    async def read(symbol: str) -> Any:
        depth = await adapter.read_depth(client=asked, symbol=symbol, levels=request.levels)
        if depth is not None and not is_sound_depth(depth):
            raise UnreadableAnswer(f"{adapter.label} sent an order book that is none.")
        return depth

    read_ones, errors = await _each(adapter, request.symbols, read)
    return _with_errors(replace(empty, depths=[each for each in read_ones if each]), errors)


def _with_errors(outcome: FeedOutcome, errors: Mapping[str, VenueError]) -> FeedOutcome:
    wishes = [error.retry_after_s for error in errors.values() if error.retry_after_s]
    return replace(
        outcome,
        troubles={symbol: str(error) for symbol, error in errors.items()},
        wait_s=max(wishes, default=None),
    )


async def _each(
    adapter: VenueAdapter, symbols: Sequence[str], read: Callable[[str], Awaitable[Any]]
) -> tuple[list[Any], dict[str, VenueError]]:
    """Read market by market; raises the error of the first where none could be read.

    After "too many requests" nothing more is sent.
    """
    slots = asyncio.Semaphore(_AT_ONCE)
    errors: dict[str, VenueError] = {}

    async def one(symbol: str) -> Any:
        async with slots:
            stop = next((each for each in errors.values() if isinstance(each, _STOP)), None)
            if stop is not None:
                errors[symbol] = stop
                return None
            try:
                return await read(symbol)
            except Exception as error:  # noqa: BLE001 - one market must not cost the others
                errors[symbol] = explain(error, adapter)
        return None

    found = await asyncio.gather(*(one(symbol) for symbol in symbols))
    if errors and len(errors) == len(symbols):
        raise next(iter(errors.values()))
    kept = [each for symbol, each in zip(symbols, found, strict=True) if symbol not in errors]
    return kept, errors


_READS: dict[FeedKind, _Read] = {
    FeedKind.RULES: _read_rules,
    FeedKind.FUNDING: _read_funding,
    FeedKind.CANDLES: _read_candles,
    FeedKind.DEPTH: _read_depths,
}


def _empty(request: FeedRequest) -> FeedOutcome:
    return FeedOutcome(request.kind, request.venue, request.environment, clock.now())


def _failure(request: FeedRequest, error: VenueError) -> FeedOutcome:
    log.info("feed_not_read", kind=request.kind, venue=request.venue, error=logs.describe(error))
    return replace(_empty(request), error=error, wait_s=error.retry_after_s)
