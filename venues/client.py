"""The one module that imports ccxt, inside functions: strict answers, read-only, errors as ours.

Everything here lives on the loop of venues/loop.py. An instance of ccxt is made per account and
kept, because making one costs milliseconds; the markets, a second's work, belong to the endpoint
that all accounts of a venue share (venues/endpoint.py).
"""

from __future__ import annotations

import asyncio
import copy
import gc
import hashlib
import json
import random
import re
import secrets
import sys
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from positions.engine.types import ContractKind
from riskhub import clock
from venues import ccxt_facts
from venues.base import AccountRequest, MarketSpec, RawAnswer, VenueAdapter, VenueClient
from venues.ccxt_errors import Overloaded
from venues.endpoint import Endpoint, Send, settle
from venues.errors import (
    ClockSkewed,
    UnreadableAnswer,
    VenueRefused,
)
from venues.rates import Leases
from venues.strict import POLL, PollLog, Strict
from venues.transport import Dropped, Transport

_Told = TypeVar("_Told")

REQUEST_TIMEOUT_S = 10.0
_INSTANCES = 512
_OBJECTS_BEFORE_COLLECTION = 250_000
# Full jitter, up to so many seconds before each further try. When three requests in ten fail,
# four tries leave one poll in 120 unread, for 1.4 requests a poll.
_RETRY_DELAYS_S = (0.3, 0.8, 1.5)


def warm() -> None:
    """Import ccxt (seconds, 100 MB) in the calling thread, so that the loop does not stand."""
    if "ccxt.async_support" in sys.modules:
        return
    import ccxt.async_support  # noqa: F401

    # What was imported stays: the collector need not look at 100 MB of it again and again.
    gc.collect()
    gc.freeze()
    # A poll of 500 accounts makes some 200,000 figures and drops them whole: by default it would
    # be searched for cycles 300 times on the way.
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTION, 20, 20)


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
            # It knows one account alone; what governs is the budget of them all (venues/rates.py).
            "enableRateLimit": False,
            "asyncio_loop": asyncio.get_running_loop(),
            **config,
        }
    )
    if environment:
        exchange.urls["api"] = rebase(exchange.urls["api"], environment)
    return exchange


class CcxtClient:
    """A VenueClient over one account's instance; made for one poll, it keeps what was answered."""

    def __init__(self, *, exchange: Any, endpoint: Endpoint, request: AccountRequest) -> None:
        self._exchange = exchange
        self._endpoint = endpoint
        self._request = request
        self._answers: list[RawAnswer] = []

    @property
    def request(self) -> AccountRequest:
        """The account being read."""
        return self._request

    @property
    def answers(self) -> tuple[RawAnswer, ...]:
        """Every answer so far, without secrets."""
        return tuple(self._answers)

    async def call(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """Call an implicit method and return its decoded answer. Raises VenueError."""
        send = getattr(self._exchange, method)
        return (await self._persist(lambda: send(dict(params or {}))))[0]

    async def fetch(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a unified method. Raises VenueError.

        An empty result is refused unless the venue's answer holds a list that could be empty,
        and so is any result on the way to which ccxt passed over a failed request.
        """
        send = getattr(self._exchange, method)
        result, log = await self._persist(lambda: send(*args, **kwargs))
        if result == [] and not log.has_list:
            raise UnreadableAnswer(f"{self._label} sent an answer without a list of rows.")
        return result

    def market(self, venue_symbol: str, *, kind: ContractKind | None = None) -> MarketSpec:
        """Return the listed market of a venue's id or a unified symbol."""
        return self._endpoint.find(venue_symbol, kind=kind)

    def symbols(self) -> Sequence[str]:
        """Return the unified symbols of all listed contracts."""
        return self._endpoint.symbols

    async def recall(
        self,
        name: str,
        *,
        about: Collection[str],
        max_age_s: float,
        ask: Callable[[], Awaitable[_Told]],
    ) -> _Told:
        """Return what `ask` told this account's instance lately; see VenueClient.recall."""
        key = (name, frozenset(about))
        locks: dict[Any, asyncio.Lock] = self._exchange.__dict__.setdefault("recalling", {})
        # Two parts of an account that want to know the same ask once.
        async with locks.setdefault(name, asyncio.Lock()):
            return await self._recall(key, max_age_s=max_age_s, ask=ask)

    async def _recall(
        self,
        key: tuple[str, frozenset[str]],
        *,
        max_age_s: float,
        ask: Callable[[], Awaitable[_Told]],
    ) -> _Told:
        kept: dict[Any, tuple[float, Any]] = self._exchange.__dict__.setdefault("recalled", {})
        now_s = clock.monotonic_s()
        if key in kept and now_s - kept[key][0] <= max_age_s:
            told: _Told = kept[key][1]
            return told
        # Another set of symbols replaces the last one: what is kept stays small.
        for stale in [each for each in kept if each[0] == key[0]]:
            del kept[stale]
        told = await ask()
        kept[key] = (now_s, told)
        return told

    @property
    def is_rate_scarce(self) -> bool:
        """Tell whether accounts of this venue wait for their turn to ask."""
        return self._endpoint.is_rate_scarce

    async def refresh_markets(self) -> None:
        """Load the venue's list of contracts anew unless it is young. Raises VenueError."""
        await self._endpoint.refresh()

    @property
    def _label(self) -> str:
        return self._endpoint.adapter.label

    async def _persist(self, send: Send) -> tuple[Any, PollLog]:
        """Send; a broken connection or a server fault is tried again, with full jitter."""
        for delay_s in _RETRY_DELAYS_S:
            try:
                return await self._timed(send)
            except (Dropped, Overloaded):
                if not self._endpoint.may_retry:
                    raise
            await asyncio.sleep(random.uniform(0, delay_s))  # noqa: S311 - jitter, no secret
        return await self._timed(send)

    async def _timed(self, send: Send) -> tuple[Any, PollLog]:
        """Send; when the venue refuses our time, ask for its own and send once more."""
        sent_at_s = clock.monotonic_s()
        try:
            return await self._once(send)
        except ClockSkewed as error:
            refused = error
        if not await self._endpoint.sync_clock(since_s=sent_at_s):
            raise refused
        return await self._once(send)

    async def _once(self, send: Send) -> tuple[Any, PollLog]:
        # A log of its own: parts of an account may be read at the same time.
        log = PollLog(answers=self._answers)
        token = POLL.set(log)
        try:
            result = await settle(send, label=self._label, sent=log)
        finally:
            POLL.reset(token)
        if log.trouble:
            raise log.trouble[0]
        return result, log


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

    async def recall(
        self,
        name: str,
        *,
        about: Collection[str],
        max_age_s: float,
        ask: Callable[[], Awaitable[_Told]],
    ) -> _Told:
        """Ask: what is local costs nothing."""
        return await ask()

    def market(self, venue_symbol: str, *, kind: ContractKind | None = None) -> MarketSpec:
        """Return a market that nobody lists: local venues bring their own."""
        return MarketSpec(symbol=venue_symbol, venue_symbol=venue_symbol)

    def symbols(self) -> Sequence[str]:
        """Return nothing: nobody lists contracts here."""
        return ()


class Pool:
    """The endpoints and instances of one event loop."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._transport = Transport()
        self._leases = Leases()
        self._endpoints: dict[tuple[str, str], Endpoint] = {}
        # (venue, environment, account) -> (digest of its secrets, instance), oldest use first.
        self._instances: OrderedDict[tuple[str, str, int], tuple[bytes, Any]] = OrderedDict()
        self._digest_key = secrets.token_bytes(32)

    def endpoint(self, adapter: VenueAdapter, environment: str) -> Endpoint:
        """Return the endpoint of a venue at a base URL, made when first asked for."""
        key = (adapter.slug, environment)
        if key not in self._endpoints:
            self._endpoints[key] = Endpoint(
                adapter=adapter,
                environment=environment,
                transport=self._transport,
                leases=self._leases,
                make=make_exchange,
            )
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
        await self._leases.close()

    def _digest(self, request: AccountRequest) -> bytes:
        told = json.dumps([request.wallet, sorted(request.credentials.items())])
        return hashlib.blake2b(told.encode(), key=self._digest_key).digest()


def _account_instance(endpoint: Endpoint, request: AccountRequest, *, timeout_s: float) -> Any:
    adapter = endpoint.adapter
    # Only the fields that the adapter names: a credential called "urls" must not set any.
    known = {name: request.credentials[name] for name in adapter.credentials
             if request.credentials.get(name)}  # fmt: skip
    wallet = {"walletAddress": request.wallet} if request.wallet else {}
    exchange = copy.copy(endpoint.template)
    # What an instance learns of its account is written there.
    exchange.options = copy.deepcopy(endpoint.template.options)
    for name, value in {**known, **wallet}.items():
        setattr(exchange, name, value)
    exchange.wiring = endpoint.wiring(
        timeout_s=timeout_s, hidden=tuple(known.values()), keyless=_is_nobodys(request, known)
    )
    return exchange


def _is_nobodys(request: AccountRequest, known: Mapping[str, str]) -> bool:
    """Tell whether it asks for what a venue says to everybody, and has nothing to write with."""
    return not request.account_id and not known and not request.wallet


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


_: type[VenueClient] = CcxtClient
