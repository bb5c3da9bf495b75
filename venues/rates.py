"""One rate budget per venue, environment and egress address, shared by all accounts and workers.

A budget counts weight: most requests weigh 1, some venues count some of them more. A worker leases
weight in slices from Redis, which counts it all. Without Redis it counts alone and takes a fixed
share of the budget (RISKHUB_RATE_SHARE). Waiting costs nothing but time of the account that waits:
first come, first served.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import redis
from django.conf import settings

from riskhub import clock, logs
from venues.base import VenueAdapter
from venues.market_data import RateBudget
from venues.wire import Sent

log = logs.get(__name__)

# Of what ccxt would send, for adapters that declare no budget; other programs share the address.
_SHARE_OF_CCXT = 0.5
_CCXT_WINDOW_S = 10.0
# A window slides in so many steps.
_STEPS = 20
# What is leased but not needed is lost; at most this share of the budget.
_IDLE_SHARE = 0.1
_LONGEST_LEASE_S = 0.25
# So many that wait are told to Redis in one lease.
_MOST_SIZES = 1_000
_REDIS_TIMEOUT_S = 0.5
_REDIS_RETRY_S = 5.0

# Counts what was leased per step of the window, by the server's own clock; a step counts until
# the last request of a lease made in it has left the window. A request begins while anything is
# left, so that a heavy one is not overtaken for ever; the limit leaves room for that.
# KEYS: counts, ban. ARGV: limit, window, life of a lease (ms), least slice, then what each request
# that waits weighs. Answers {granted, wait ms}, {-1, ban ms}.
_LEASE = """
local banned = redis.call('PTTL', KEYS[2])
if banned > 0 then return {-1, banned} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local limit, window, life, slice = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]),
  tonumber(ARGV[4])
local step = math.max(1, math.floor(window / 20))
local used, oldest = 0, nil
local steps = redis.call('HGETALL', KEYS[1])
for i = 1, #steps, 2 do
  local began = tonumber(steps[i]) * step
  if began + step + life + window <= now then
    redis.call('HDEL', KEYS[1], steps[i])
  else
    used = used + tonumber(steps[i + 1])
    if oldest == nil or began < oldest then oldest = began end
  end
end
local free, granted = limit - used, 0
for i = 5, #ARGV do
  if granted >= free then break end
  granted = granted + tonumber(ARGV[i])
end
granted = math.max(granted, math.min(slice, free))
if granted < 1 then return {0, oldest and (oldest + step + life + window - now) or window} end
redis.call('HINCRBY', KEYS[1], math.floor(now / step), granted)
redis.call('PEXPIRE', KEYS[1], 2 * window + 1000)
return {granted, 0}
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """What was granted: weight to send, or seconds to wait; `banned_s` while banned."""

    granted: int = 0
    wait_s: float = 0.0
    banned_s: float = 0.0


@dataclass(slots=True)
class Meter:
    """The weight that was sent while it ran."""

    weight: int = 0


_METER: ContextVar[Meter | None] = ContextVar("rate_meter", default=None)


@contextmanager
def metering() -> Iterator[Meter]:
    """Count what is sent by all that is begun within the block, on whatever thread it runs."""
    meter = Meter()
    token = _METER.set(meter)
    try:
        yield meter
    finally:
        _METER.reset(token)


def budget_of(adapter: VenueAdapter, *, ccxt_rate_limit_ms: float) -> RateBudget:
    """Return the adapter's budget, or one from ccxt's pause between requests if it has none."""
    if adapter.rate is not VenueAdapter.rate:
        return adapter.rate
    requests = _SHARE_OF_CCXT * 1e3 * _CCXT_WINDOW_S / max(ccxt_rate_limit_ms, 1.0)
    return RateBudget(requests=max(1, int(requests)), window_s=_CCXT_WINDOW_S)


def life_s(budget: RateBudget) -> float:
    """Return for how long leased weight may be sent."""
    return min(_LONGEST_LEASE_S, budget.window_s / _STEPS)


def slice_of(budget: RateBudget) -> int:
    """Return what a lease is for when less is waited for."""
    return max(1, int(_IDLE_SHARE * budget.requests * life_s(budget) / budget.window_s))


def shared_name(venue: str, environment: str) -> str:
    """Return what the keys of a venue and environment end in; a base URL may hold a secret."""
    digest = hashlib.blake2b(environment.encode(), digest_size=8).hexdigest()
    return f"{venue}:{digest}:{settings.EGRESS}"


def limit_of(budget: RateBudget, *, share: float = 1.0) -> int:
    """Return the leased weight at which no further request begins.

    The last one that began below it stays within the budget whatever it weighs.
    """
    return max(1, math.floor(share * budget.requests) - budget.heaviest + 1)


def grant(*, free: int, slice_: int, sizes: Sequence[int]) -> int:
    """Return the weight to grant when `free` is left: requests begin while anything is."""
    granted = 0
    for size in sizes:
        if granted >= free:
            break
        granted += size
    return max(granted, min(slice_, free))


class Window:
    """Counts alone: what weight left within the last `window_s`."""

    def __init__(self, budget: RateBudget) -> None:
        self._budget = budget
        self._step_s = budget.window_s / _STEPS
        self._counts: deque[tuple[int, int]] = deque()

    def lease(self, slice_: int, *, sizes: Sequence[int] = (), share: float) -> Lease:
        """Grant what is left of the share, or say how long to wait.

        slice_  granted at least, if it is left
        sizes   what each request that waits weighs, the first first
        """
        now_s = clock.monotonic_s()
        held_s = self._step_s + life_s(self._budget) + self._budget.window_s
        while self._counts and self._counts[0][0] * self._step_s + held_s <= now_s:
            self._counts.popleft()
        free = limit_of(self._budget, share=share) - sum(count for _, count in self._counts)
        granted = grant(free=free, slice_=slice_, sizes=sizes)
        if granted < 1:
            return Lease(wait_s=self._counts[0][0] * self._step_s + held_s - now_s)
        self.spend(granted)
        return Lease(granted=granted)

    def spend(self, count: int) -> None:
        """Count weight that was granted elsewhere."""
        step = int(clock.monotonic_s() / self._step_s)
        if self._counts and self._counts[-1][0] == step:
            count += self._counts.pop()[1]
        self._counts.append((step, count))


class Leases:
    """Where leases come from: Redis, or this process alone while it does not answer."""

    def __init__(self) -> None:
        self._redis: Any = None
        self._script: Any = None
        self._windows: dict[str, Window] = {}
        self._silent_until_s = float("-inf")

    async def lease(self, name: str, budget: RateBudget, sizes: Sequence[int]) -> Lease:
        """Return a lease of the budget of this name for requests of these weights."""
        window = self._windows.get(name) or self._windows.setdefault(name, Window(budget))
        lease = await self._ask(name, budget, sizes)
        if lease is None:
            return window.lease(slice_of(budget), sizes=sizes, share=settings.RATE_SHARE)
        if lease.granted:
            window.spend(lease.granted)
        return lease

    async def ban(self, name: str, *, seconds: float) -> None:
        """Tell the other workers of a ban; the database tells them too, a moment later."""
        try:
            self._connect()
            await self._redis.set(_ban_key(name), 1, px=max(1, int(1e3 * seconds)))
        except (redis.RedisError, OSError) as error:
            log.info("ban_not_shared", error=logs.describe(error))

    async def close(self) -> None:
        """Close the connections."""
        if self._redis is not None:
            await self._redis.aclose()
            self._redis = None

    async def _ask(self, name: str, budget: RateBudget, sizes: Sequence[int]) -> Lease | None:
        if clock.monotonic_s() < self._silent_until_s:
            return None
        window, life = int(1e3 * budget.window_s), int(1e3 * life_s(budget))
        try:
            self._connect()
            granted, wait_ms = await self._script(
                keys=[f"riskhub:rate:{name}", _ban_key(name)],
                args=[limit_of(budget), window, life, slice_of(budget), *sizes],
            )
        except (redis.RedisError, OSError) as error:
            self._silent_until_s = clock.monotonic_s() + _REDIS_RETRY_S
            log.info("rate_not_shared", error=logs.describe(error))
            return None
        if granted < 0:
            return Lease(banned_s=wait_ms / 1e3)
        return Lease(granted=granted, wait_s=wait_ms / 1e3)

    def _connect(self) -> None:
        if self._redis is not None:
            return
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        # One try: who waits has a deadline, and there is a way without Redis.
        self._redis = Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=_REDIS_TIMEOUT_S,
            socket_connect_timeout=_REDIS_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        self._script = self._redis.register_script(_LEASE)


def _ban_key(name: str) -> str:
    # A ban holds for the venue and environment, whatever the budget's address is called.
    return f"riskhub:ban:{name.rpartition(':')[0]}"


class Rate:
    """The budget of one endpoint in this process: weight that it holds, and who waits for some.

    on_ban      told how many seconds a ban lasts that another worker met
    """

    def __init__(
        self,
        *,
        name: str,
        budget: RateBudget,
        leases: Leases,
        on_ban: Callable[[float], None],
    ) -> None:
        self._name = name
        self._budget = budget
        self._leases = leases
        self._on_ban = on_ban
        self._held = 0
        self._held_until_s = 0.0
        # With the weight of each one's request.
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()
        self._pump: asyncio.Task[None] | None = None

    @property
    def is_scarce(self) -> bool:
        """Tell whether somebody waits for the budget."""
        return bool(self._waiting)

    def weigh(self, sent: Sent) -> int:
        """Return what a request weighs."""
        if not self._budget.weights:
            return 1
        query = urlsplit(sent.url).query
        return self._budget.weigh(
            method=sent.method, path=sent.path, query=query, body=sent.body or ""
        )

    async def take(self, weight: int = 1) -> None:
        """Wait until a request of this weight may be sent, and count it."""
        is_held = self._held >= weight and clock.monotonic_s() < self._held_until_s
        if is_held and not self._waiting:
            self._held -= weight
        else:
            await self._wait(weight)
        meter = _METER.get()
        if meter is not None:
            meter.weight += weight

    async def _wait(self, weight: int) -> None:
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append((waiting, weight))
        if self._pump is None or self._pump.done():
            self._pump = asyncio.get_running_loop().create_task(self._serve())
        await waiting

    async def _serve(self) -> None:
        """Lease and hand out until nobody waits."""
        while self._drop_gone():
            sizes = [weight for _, weight in islice(self._waiting, _MOST_SIZES)]
            begun_s = clock.monotonic_s()
            lease = await self._leases.lease(self._name, self._budget, sizes)
            self._held = lease.granted
            self._held_until_s = begun_s + life_s(self._budget)
            if lease.banned_s:
                self._on_ban(lease.banned_s)
                self._release_all()
            elif lease.granted:
                self._hand_out()
            else:
                await asyncio.sleep(max(lease.wait_s, 0.001))

    def _drop_gone(self) -> bool:
        """Forget those whose deadline has passed; tell whether anybody waits."""
        while self._waiting and self._waiting[0][0].done():
            self._waiting.popleft()
        return bool(self._waiting)

    def _hand_out(self) -> None:
        while self._drop_gone() and self._waiting[0][1] <= self._held:
            waiting, weight = self._waiting.popleft()
            self._held -= weight
            waiting.set_result(None)

    def _release_all(self) -> None:
        """Let all go on: what they meet next is the ban."""
        while self._drop_gone():
            self._waiting.popleft()[0].set_result(None)
