"""What all accounts at one venue and base URL share: markets, clock, and the wish for a pause."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import Context
from typing import Any

from positions.engine.types import ContractKind
from riskhub import clock, logs
from venues import ccxt_errors
from venues.base import MarketSpec, VenueAdapter
from venues.errors import BadAccount, UnreadableAnswer, VenueError, VenueRefused
from venues.guard import ReadGuard
from venues.listing import MarketIndex
from venues.strict import Offset, Pause, PollLog, Wiring
from venues.transport import Transport

log = logs.get(__name__)

_MARKETS_TIMEOUT_S = 30.0
_MARKETS_LIFE_S = 3600.0
# A symbol that is not listed may be new: look again, but not at each poll.
_MARKETS_YOUNG_S = 300.0
_MARKETS_RETRY_S = 5.0
# A venue that failed so often in a row is down: trying harder would not help it.
_BREAKER = 6
_DRIFT_WORTH_A_WARNING_MS = 1000

Send = Callable[[], Awaitable[Any]]
# Makes an instance of a venue's ccxt class: adapter, base URL, further configuration.
Make = Callable[[VenueAdapter, str, Mapping[str, Any]], Any]


class Endpoint:
    """One venue at one base URL: its markets, its clock, and whether it wants to be left alone."""

    def __init__(
        self, *, adapter: VenueAdapter, environment: str, transport: Transport, make: Make
    ) -> None:
        self.adapter = adapter
        self.environment = environment
        self.pause = Pause()
        self.offset = Offset()
        self._transport = transport
        self._make = make
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
        master = self._make(self.adapter, self.environment, {"enableRateLimit": False})
        master.wiring = self.wiring(timeout_s=_MARKETS_TIMEOUT_S, keyless=True)
        try:
            await settle(master.load_markets, label=self.adapter.label)
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
            theirs = await settle(self._master.fetch_time, label=self.adapter.label)
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
