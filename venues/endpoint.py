"""What all accounts at one venue and base URL share: markets, clock, and the way out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context
from typing import Any

from positions.engine.types import ContractKind
from riskhub import clock, logs
from venues import bans, ccxt_errors, ccxt_facts, clocks
from venues.base import MarketSpec, VenueAdapter
from venues.breaker import Breaker
from venues.errors import BadAccount, Banned, UnreadableAnswer, VenueError, VenueRefused
from venues.guard import ReadGuard
from venues.listing import MarketIndex, ReadListing
from venues.passage import Passage
from venues.rates import Leases, Rate, budget_of, shared_name
from venues.strict import Offset, PollLog, Wiring
from venues.transport import Transport

log = logs.get(__name__)

_MARKETS_TIMEOUT_S = 30.0
_MARKETS_LIFE_S = 3600.0
# A symbol that is not listed may be new: look again, but not at each poll.
_MARKETS_YOUNG_S = 300.0
_MARKETS_RETRY_S = 5.0

Send = Callable[[], Awaitable[Any]]
# Makes an instance of a venue's ccxt class: adapter, base URL, further configuration.
Make = Callable[[VenueAdapter, str, Mapping[str, Any]], Any]


class Endpoint:
    """One venue at one base URL: its markets, its clock, and whether it wants to be left alone.

    template    a keyless instance that is never used, only copied: making one takes milliseconds
    """

    def __init__(
        self,
        *,
        adapter: VenueAdapter,
        environment: str,
        transport: Transport,
        leases: Leases,
        make: Make,
    ) -> None:
        self.adapter = adapter
        self.environment = environment
        self.offset = Offset()
        self.template = make(adapter, environment, {})
        self._transport = transport
        self._leases = leases
        self._make = make
        self._passage = Passage(
            host=(adapter.slug, environment),
            breaker=Breaker(label=adapter.label),
            rate=Rate(
                name=shared_name(adapter.slug, environment),
                budget=budget_of(adapter, ccxt_rate_limit_ms=self.template.rateLimit),
                leases=leases,
                on_ban=self._learn_ban,
            ),
        )
        self._telling: asyncio.Task[None] | None = None
        self._master: Any = None
        self._index: MarketIndex | None = None
        # What the index found: each poll asks for the same contracts.
        self._found: dict[tuple[str, ContractKind | None], MarketSpec] = {}
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

    async def refresh(self) -> None:
        """Load the listed contracts anew unless they are young. Raises VenueError."""
        is_young = clock.monotonic_s() - self._tried_at_s < _MARKETS_YOUNG_S
        if self._loading is None and not (is_young and self._error is None):
            self._load_soon()
        if self._loading is not None:
            await asyncio.shield(self._loading)
        if self._error is not None:
            raise _again(self._error)

    def find(self, name: str, *, kind: ContractKind | None) -> MarketSpec:
        """Return a listed contract; one that is not listed makes the list be looked at again."""
        found = self._found.get((name, kind))
        if found is not None:
            return found
        spec = self._index.find(name, kind=kind) if self._index else MarketSpec(name, name)
        if spec.is_known:
            self._found[name, kind] = spec
            return spec
        young = clock.monotonic_s() - self._tried_at_s < _MARKETS_YOUNG_S
        if not young and self._loading is None:
            self._load_soon()
        return spec

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return the unified symbols of the listed contracts."""
        return self._index.symbols if self._index else ()

    async def sync_clock(self, *, since_s: float) -> bool:
        """Ask the venue's time unless somebody did after `since_s`; tell whether it is known."""
        async with self._clock_lock:
            if self.offset.asked_at_s >= since_s:
                return True
            return await self._ask_time()

    @property
    def is_rate_scarce(self) -> bool:
        """Tell whether somebody waits for the venue's rate budget."""
        return self._passage.is_rate_scarce

    @property
    def may_retry(self) -> bool:
        """Tell whether the venue still answers often enough to be asked again at once."""
        return self._passage.breaker.is_closed

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
            passage=self._passage,
            on_ban=self._begin_ban,
            secrets=tuple(hidden),
        )

    def _begin_ban(self, error: Banned) -> None:
        """Stop everything that is sent there, in all workers."""
        host = (self.adapter.slug, self.environment)
        if bans.begin(host=host, error=error, now=clock.now()) and error.retry_after_s:
            telling = self._leases.ban(shared_name(*host), seconds=error.retry_after_s)
            self._telling = asyncio.get_running_loop().create_task(telling)

    def _learn_ban(self, seconds: float) -> None:
        """Another worker has met a ban."""
        host = (self.adapter.slug, self.environment)
        error = ccxt_errors.banned(label=self.adapter.label, retry_after_s=seconds)
        bans.begin(host=host, error=error, now=clock.now())

    @property
    def _read_listing(self) -> ReadListing | None:
        is_own = type(self.adapter).read_listing is not VenueAdapter.read_listing
        return self.adapter.read_listing if is_own else None

    @property
    def _patience_s(self) -> float:
        return _MARKETS_RETRY_S if self._error is not None else _MARKETS_LIFE_S

    def _load_soon(self) -> None:
        self._tried_at_s = clock.monotonic_s()
        # An empty context: the load belongs to no account's log.
        self._loading = asyncio.get_running_loop().create_task(self._load(), context=Context())

    async def _load(self) -> None:
        master = self._make(self.adapter, self.environment, {})
        master.wiring = self.wiring(timeout_s=_MARKETS_TIMEOUT_S, keyless=True)
        try:
            await settle(master.load_markets, label=self.adapter.label)
        except VenueError as error:
            self._error = error
            log.warning("markets_not_loaded", venue=self.adapter.slug, error=logs.describe(error))
        else:
            _drop_missing_helpers(master)
            ccxt_facts.correct_markets(self.adapter.ccxt_id, master.markets.values())
            self._error, self._master = None, master
            self._found.clear()
            self._index = MarketIndex(
                master.markets.values(),
                precision_mode=master.precisionMode,
                read_listing=self._read_listing,
            )
        finally:
            self._loading = None

    async def _ask_time(self) -> bool:
        if self._master is None or not self._master.has.get("fetchTime"):
            return False
        before = clock.to_milliseconds(clock.now())
        try:
            theirs = await settle(self._master.fetch_time, label=self.adapter.label)
        except VenueError:
            return False
        if not isinstance(theirs, int):
            return False
        ours = (before + clock.to_milliseconds(clock.now())) // 2
        self.offset.milliseconds = theirs - ours
        self.offset.asked_at_s = clock.monotonic_s()
        clocks.note(venue=self.adapter.slug, milliseconds=theirs - ours)
        if abs(theirs - ours) > clocks.WORTH_A_NOTICE_MS:
            log.warning("clock_drift", venue=self.adapter.slug, milliseconds=theirs - ours)
        return True


async def settle(send: Send, *, label: str, sent: PollLog | None = None) -> Any:
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


def _drop_missing_helpers(master: Any) -> None:
    """Unname what the currency call would have left behind: ccxt fails to share what is absent."""
    named = master.options.get("marketHelperProps", [])
    master.options["marketHelperProps"] = [name for name in named if name in master.options]


def _again(error: VenueError | None) -> VenueError:
    """Return the error of a load anew: one exception raised twice grows two tracebacks."""
    if error is None:
        return VenueRefused("The list of markets is not there.")
    return type(error)(str(error), retry_after_s=error.retry_after_s)
