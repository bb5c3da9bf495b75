"""The one module that imports ccxt, inside functions: strict answers, read-only, errors as ours.

Everything here lives on the loop of venues/loop.py. An `Endpoint` is what all accounts at one
venue and base URL share (markets, clock, pauses); an instance of ccxt is made per account and
kept, because making one costs milliseconds and loading its markets a second.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import re
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context
from functools import cache
from typing import Any

from positions.engine.types import ContractKind
from riskhub import clock, logs
from venues import ccxt_errors, ccxt_facts
from venues.base import AccountRequest, MarketSpec, RawAnswer, VenueAdapter, VenueClient
from venues.ccxt_errors import Overloaded
from venues.errors import (
    BadAccount,
    ClockSkewed,
    UnreadableAnswer,
    VenueError,
    VenueRefused,
)
from venues.guard import ReadGuard
from venues.listing import MarketIndex
from venues.strict import POLL, Offset, Pause, PollLog, Strict, Wiring
from venues.transport import Dropped, Transport

log = logs.get(__name__)

REQUEST_TIMEOUT_S = 10.0
_MARKETS_TIMEOUT_S = 30.0
_MARKETS_LIFE_S = 3600.0
# A symbol that is not listed may be new: look again, but not at each poll.
_MARKETS_YOUNG_S = 300.0
_MARKETS_RETRY_S = 5.0
_INSTANCES = 512
# Full jitter, up to so many seconds before the second and the third try.
_RETRY_DELAYS_S = (0.3, 0.8)
# A venue that failed so often in a row is down: trying harder would not help it.
_BREAKER = 6
_DRIFT_WORTH_A_WARNING_MS = 1000

_Send = Callable[[], Awaitable[Any]]


def warm() -> None:
    """Import ccxt (seconds, 100 MB) in the calling thread, so that the loop does not stand."""
    import ccxt.async_support  # noqa: F401


@cache
def _strict_class(ccxt_id: str) -> type:
    import ccxt.async_support

    venue = getattr(ccxt.async_support, ccxt_id)
    return type(f"Strict_{ccxt_id}", (Strict, venue), {})


def rebase(urls: Any, base: str) -> Any:
    """Return endpoint addresses, nested or not, with scheme and host replaced by `base`."""
    if isinstance(urls, str):
        return re.sub(r"^(https?|wss?)://[^/]+", lambda _: base, urls)
    if isinstance(urls, Mapping):
        return {name: rebase(value, base) for name, value in urls.items()}
    return urls


def make_exchange(adapter: VenueAdapter, environment: str, config: Mapping[str, Any]) -> Any:
    """Return an instance of the adapter's ccxt class; it sends nothing before it has `wiring`."""
    exchange = _strict_class(adapter.ccxt_id)(
        {
            "options": ccxt_facts.options(adapter.ccxt_id, adapter.ccxt_options),
            "has": ccxt_facts.has(adapter.ccxt_id),
            "enableRateLimit": True,
            "asyncio_loop": asyncio.get_running_loop(),
            **config,
        }
    )
    if environment:
        exchange.urls["api"] = rebase(exchange.urls["api"], environment)
    return exchange


def _drop_missing_helpers(master: Any) -> None:
    """Unname what the currency call would have left behind: ccxt fails to share what is absent."""
    named = master.options.get("marketHelperProps", [])
    master.options["marketHelperProps"] = [name for name in named if name in master.options]


class Endpoint:
    """One venue at one base URL: its markets, its clock, and whether it wants to be left alone."""

    def __init__(self, adapter: VenueAdapter, environment: str, transport: Transport) -> None:
        self.adapter = adapter
        self.environment = environment
        self.pause = Pause()
        self.offset = Offset()
        self._transport = transport
        self._failures = 0
        self._master: Any = None
        self._index: MarketIndex | None = None
        self._loading: asyncio.Task[None] | None = None
        self._tried_at_s = float("-inf")
        self._error: VenueError | None = None
        self._clock_lock = asyncio.Lock()

    @property
    def master(self) -> Any:
        """Return the keyless instance whose markets the others share."""
        return self._master

    async def markets(self) -> MarketIndex:
        """Return the listed contracts, loaded once an hour for all accounts. Raises VenueError.

        An older list goes on serving while a newer one is on its way.
        """
        age_s = clock.monotonic_s() - self._tried_at_s
        if self._loading is None and age_s > self._patience_s:
            self._load_soon()
        if self._index is None and self._loading is not None:
            # Shielded: an account at its deadline must not end the load of all the others.
            await asyncio.shield(self._loading)
        if self._index is None:
            raise _again(self._error)
        return self._index

    def find(self, name: str, *, kind: ContractKind | None) -> MarketSpec:
        """Return a listed contract; one that is not listed makes the list be looked at again."""
        spec = self._index.find(name, kind=kind) if self._index else MarketSpec(name, name)
        young = clock.monotonic_s() - self._tried_at_s < _MARKETS_YOUNG_S
        if not spec.is_known and not young and self._loading is None:
            self._load_soon()
        return spec

    async def sync_clock(self, *, since_s: float) -> bool:
        """Ask the venue's time unless somebody did after `since_s`; tell whether it is known."""
        async with self._clock_lock:
            if self.offset.asked_at_s >= since_s:
                return True
            return await self._ask_time()

    def note(self, *, is_failure: bool) -> None:
        """Count failures in a row, for the breaker."""
        self._failures = self._failures + 1 if is_failure else 0

    @property
    def may_retry(self) -> bool:
        """Tell whether the venue still answers often enough to be asked again at once."""
        return self._failures < _BREAKER

    def wiring(self, *, timeout_s: float, hidden: Sequence[str] = (), keyless: bool) -> Wiring:
        """Return what an instance at this endpoint sends with."""
        return Wiring(
            ccxt_id=self.adapter.ccxt_id,
            label=self.adapter.label,
            guard=ReadGuard(
                reads=self.adapter.reads, environment=self.environment, is_keyless=keyless
            ),
            transport=self._transport,
            timeout_s=timeout_s,
            offset=self.offset,
            endpoint_pause=self.pause,
            secrets=tuple(hidden),
        )

    @property
    def _patience_s(self) -> float:
        return _MARKETS_RETRY_S if self._error is not None else _MARKETS_LIFE_S

    def _load_soon(self) -> None:
        self._tried_at_s = clock.monotonic_s()
        # An empty context: the load belongs to no account's log.
        self._loading = asyncio.get_running_loop().create_task(self._load(), context=Context())

    async def _load(self) -> None:
        # A handful of requests an hour: no need to space them.
        master = make_exchange(self.adapter, self.environment, {"enableRateLimit": False})
        master.wiring = self.wiring(timeout_s=_MARKETS_TIMEOUT_S, keyless=True)
        try:
            await _settled(master.load_markets, label=self.adapter.label)
        except VenueError as error:
            self._error = error
            log.warning("markets_not_loaded", venue=self.adapter.slug, error=logs.describe(error))
        else:
            _drop_missing_helpers(master)
            self._error, self._master = None, master
            self._index = MarketIndex(master.markets.values(), precision_mode=master.precisionMode)
        finally:
            self._loading = None

    async def _ask_time(self) -> bool:
        if self._master is None or not self._master.has.get("fetchTime"):
            return False
        before = clock.to_milliseconds(clock.now())
        try:
            theirs = await _settled(self._master.fetch_time, label=self.adapter.label)
        except VenueError:
            return False
        if not isinstance(theirs, int):
            return False
        ours = (before + clock.to_milliseconds(clock.now())) // 2
        self.offset.milliseconds = theirs - ours
        self.offset.asked_at_s = clock.monotonic_s()
        if abs(theirs - ours) > _DRIFT_WORTH_A_WARNING_MS:
            log.warning("clock_drift", venue=self.adapter.slug, milliseconds=theirs - ours)
        return True


class CcxtClient:
    """A VenueClient over one account's instance; made for one poll, it keeps what was answered."""

    def __init__(self, *, exchange: Any, endpoint: Endpoint, request: AccountRequest) -> None:
        self._exchange = exchange
        self._endpoint = endpoint
        self._request = request
        self._log = PollLog()

    @property
    def request(self) -> AccountRequest:
        """The account being read."""
        return self._request

    @property
    def answers(self) -> tuple[RawAnswer, ...]:
        """Every answer so far, without secrets."""
        return tuple(self._log.answers)

    async def call(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """Call an implicit method and return its decoded answer. Raises VenueError."""
        send = getattr(self._exchange, method)
        return await self._persist(lambda: send(dict(params or {})))

    async def fetch(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a unified method. Raises VenueError.

        An empty result is refused unless the venue's answer holds a list that could be empty,
        and so is any result on the way to which ccxt passed over a failed request.
        """
        send = getattr(self._exchange, method)
        result = await self._persist(lambda: send(*args, **kwargs))
        if result == [] and not self._log.has_list:
            raise UnreadableAnswer(f"{self._label} sent an answer without a list of rows.")
        return result

    def market(self, venue_symbol: str, *, kind: ContractKind | None = None) -> MarketSpec:
        """Return the listed market of a venue's id or a unified symbol."""
        return self._endpoint.find(venue_symbol, kind=kind)

    @property
    def _label(self) -> str:
        return self._endpoint.adapter.label

    async def _persist(self, send: _Send) -> Any:
        """Send; a broken connection or a server fault is tried twice more, with full jitter."""
        for delay_s in _RETRY_DELAYS_S:
            try:
                return await self._timed(send)
            except (Dropped, Overloaded):
                if not self._endpoint.may_retry:
                    raise
            await asyncio.sleep(random.uniform(0, delay_s))  # noqa: S311 - jitter, no secret
        return await self._timed(send)

    async def _timed(self, send: _Send) -> Any:
        """Send; when the venue refuses our time, ask for its own and send once more."""
        sent_at_s = clock.monotonic_s()
        try:
            return await self._once(send)
        except ClockSkewed as error:
            refused = error
        if not await self._endpoint.sync_clock(since_s=sent_at_s):
            raise refused
        return await self._once(send)

    async def _once(self, send: _Send) -> Any:
        self._log.trouble.clear()
        self._log.has_list = False
        token = POLL.set(self._log)
        try:
            result = await _settled(send, label=self._label, sent=self._log)
        except VenueError as error:
            self._endpoint.note(is_failure=isinstance(error, Dropped | Overloaded))
            raise
        finally:
            POLL.reset(token)
        self._endpoint.note(is_failure=False)
        if self._log.trouble:
            raise self._log.trouble[0]
        return result


class LocalClient:
    """The client of a venue that lives in our own database: all it has is in the request."""

    answers: tuple[RawAnswer, ...] = ()

    def __init__(self, request: AccountRequest) -> None:
        self._request = request

    @property
    def request(self) -> AccountRequest:
        """The account being read, with what VenueAdapter.prepare found."""
        return self._request

    async def call(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """Refuse: there is nobody to call."""
        raise VenueRefused(f"A local venue is not called over a network ({method}).")

    async def fetch(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Refuse: there is nobody to call."""
        raise VenueRefused(f"A local venue is not called over a network ({method}).")

    def market(self, venue_symbol: str, *, kind: ContractKind | None = None) -> MarketSpec:
        """Return a market that nobody lists: local venues bring their own."""
        return MarketSpec(symbol=venue_symbol, venue_symbol=venue_symbol)


class Pool:
    """The endpoints and instances of one event loop."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._transport = Transport()
        self._endpoints: dict[tuple[str, str], Endpoint] = {}
        # (venue, environment, account) -> (digest of its secrets, instance), oldest use first.
        self._instances: OrderedDict[tuple[str, str, int], tuple[bytes, Any]] = OrderedDict()
        self._digest_key = secrets.token_bytes(32)

    def endpoint(self, adapter: VenueAdapter, environment: str) -> Endpoint:
        """Return the endpoint of a venue at a base URL, made when first asked for."""
        key = (adapter.slug, environment)
        if key not in self._endpoints:
            self._endpoints[key] = Endpoint(adapter, environment, self._transport)
        return self._endpoints[key]

    def instance(self, endpoint: Endpoint, request: AccountRequest, *, timeout_s: float) -> Any:
        """Return an account's instance; changed secrets make a new one and drop the old."""
        key = (request.venue, request.environment, request.account_id)
        digest = self._digest(request)
        kept, exchange = self._instances.pop(key, (b"", None))
        if exchange is None or not secrets.compare_digest(kept, digest):
            exchange = _account_instance(endpoint, request, timeout_s=timeout_s)
        if exchange.markets is not endpoint.master.markets:
            exchange.set_markets_from_exchange(endpoint.master)
        self._instances[key] = (digest, exchange)
        while len(self._instances) > _INSTANCES:
            self._instances.popitem(last=False)
        return exchange

    async def close(self) -> None:
        """Close the session and forget every secret."""
        self._instances.clear()
        self._endpoints.clear()
        await self._transport.close()

    def _digest(self, request: AccountRequest) -> bytes:
        told = json.dumps([request.wallet, sorted(request.credentials.items())])
        return hashlib.blake2b(told.encode(), key=self._digest_key).digest()


def _account_instance(endpoint: Endpoint, request: AccountRequest, *, timeout_s: float) -> Any:
    adapter = endpoint.adapter
    # Only the fields that the adapter names: a credential called "urls" must not set any.
    known = {name: request.credentials[name] for name in adapter.credentials
             if request.credentials.get(name)}  # fmt: skip
    wallet = {"walletAddress": request.wallet} if request.wallet else {}
    exchange = make_exchange(adapter, endpoint.environment, {**known, **wallet})
    exchange.wiring = endpoint.wiring(
        timeout_s=timeout_s, hidden=tuple(known.values()), keyless=False
    )
    return exchange


_pool: Pool | None = None


def _current_pool() -> Pool:
    """Return the pool of the running loop; a forked child or a new loop gets a new one."""
    global _pool  # noqa: PLW0603 - one pool a process is the point
    if _pool is None or _pool.loop is not asyncio.get_running_loop():
        _pool = Pool()
    return _pool


async def connect(
    *, adapter: VenueAdapter, request: AccountRequest, timeout_s: float = REQUEST_TIMEOUT_S
) -> CcxtClient | LocalClient:
    """Return the client of an account, its venue's markets loaded.

    timeout_s     total time of each single request, kept by the account's instance
    Raises VenueError.
    """
    if not adapter.ccxt_id:
        return LocalClient(request)
    pool = _current_pool()
    endpoint = pool.endpoint(adapter, request.environment)
    await endpoint.markets()
    exchange = pool.instance(endpoint, request, timeout_s=timeout_s)
    return CcxtClient(exchange=exchange, endpoint=endpoint, request=request)


async def close() -> None:
    """Close what the running loop holds."""
    if _pool is not None and _pool.loop is asyncio.get_running_loop():
        await _pool.close()


async def _settled(send: _Send, *, label: str, sent: PollLog | None = None) -> Any:
    """Await a call of ccxt; whatever it raises becomes a VenueError without the signed URL."""
    before = sent.sent if sent else 0
    try:
        return await send()
    except VenueError:
        raise
    except Exception as error:  # noqa: BLE001 - ccxt raises anything on an odd answer
        was_sent = sent is None or sent.sent > before
        failure = _foreign(error, label=label, was_sent=was_sent)
    raise failure


def _foreign(error: Exception, *, label: str, was_sent: bool) -> VenueError:
    if ccxt_errors.is_ccxt(error):
        return ccxt_errors.local_error(error, label=label)
    log.warning("ccxt_failed", error=logs.describe(error), exc_info=error)
    if isinstance(error, ValueError | LookupError | AssertionError) and not was_sent:
        return BadAccount(f"{label}: no request can be signed with this key or secret.")
    return UnreadableAnswer(
        f"{label} sent something that this version cannot read ({type(error).__name__})."
    )


def _again(error: VenueError | None) -> VenueError:
    """Return the error of a load anew: one exception raised twice grows two tracebacks."""
    if error is None:
        return VenueRefused("The list of markets is not there.")
    return type(error)(str(error), retry_after_s=error.retry_after_s)


_: type[VenueClient] = CcxtClient
