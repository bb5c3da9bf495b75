"""Events to browsers: a capped Redis stream per team, read once per web process.

`publish` is called after a commit. In a web process one `Hub` follows the streams of the teams
whose browsers are connected and hands each event to every browser's bounded queue. A page names
the last event before it was rendered, a browser that comes back the last one it had; what the
stream holds after that is sent, and a gap is said to be one, so that the page refetches. What the
header says (what was not seen, open alerts, banners) is no event: pages ask for it by themselves,
since most of it changes because time passes and nothing happens.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import redis
import redis.asyncio
from django.conf import settings

from riskhub import clock, logs

log = logs.get(__name__)

# All that a browser is ever told; the shapes are in static/js/live.js. The first two are published,
# `gap` and `ping` are said by the web process.
EVENTS = ("figures", "membership", "gap", "ping")
# Published too, and told to no browser: each stream asks anew whether its reader is still a member.
MEMBERS = "members"
_ASK_AGAIN = frozenset({MEMBERS, "gap", "ping"})
# About ten minutes of price refreshes.
STREAM_LENGTH = 300
# Beyond so many missed events asking for the page anew is cheaper.
MOST_MISSED = 100
# A browser this many events behind gets a gap and refetches; nobody's memory grows.
QUEUE_LENGTH = 100
PING_S = 15.0
_BLOCK_MS = 5000
# The place before the first event of a stream.
BEGINNING = "0-0"

_client: redis.Redis | None = None


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One event as browsers get it; `id` is the stream's."""

    id: str
    name: str
    data: str

    @property
    def order(self) -> tuple[int, int]:
        """What ids are ordered by; an event without one comes before all."""
        milliseconds, _, number = self.id.partition("-")
        return (int(milliseconds or 0), int(number or 0))

    def encode(self) -> bytes:
        """Return the event in the text/event-stream format."""
        identity = f"id: {self.id}\n" if self.id else ""
        return f"{identity}event: {self.name}\ndata: {self.data}\n\n".encode()


def stream_key(team_id: int) -> str:
    """Return the key of a team's stream."""
    return f"riskhub:live:{team_id}"


def _redis() -> redis.Redis:
    global _client  # noqa: PLW0603
    if _client is None:
        _client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2)
    return _client


def newest_id(*, team_id: int) -> str:
    """Return the id of a team's newest event, BEGINNING if there is none, "" without Redis.

    A page that is rendered now names it when it connects, so that nothing in between is missed.
    """
    try:
        return _newest(_redis().xrevrange(stream_key(team_id), count=1))
    except redis.RedisError:
        return ""


def _newest(entries: Any) -> str:
    return entries[0][0].decode() if entries else BEGINNING


def publish(*, team_id: int, event: str, data: Any) -> None:
    """Tell a team's browsers; without Redis nothing is told and nothing fails.

    event  one of EVENTS, or MEMBERS
    """
    fields: dict[Any, Any] = {"event": event, "data": orjson.dumps(data)}
    try:
        _redis().xadd(stream_key(team_id), fields, maxlen=STREAM_LENGTH, approximate=True)
    except redis.RedisError as error:
        log.warning("live_publish_failed", team_id=team_id, error=logs.describe(error))


GAP = LiveEvent("", "gap", "null")
_ID = re.compile(r"[0-9]{1,19}-[0-9]{1,19}", re.ASCII)
# The end of a stream that has not been asked for yet.
_UNKNOWN = "?"


@dataclass(slots=True, eq=False)
class Browser:
    """One connected browser and its bounded queue."""

    queue: asyncio.Queue[LiveEvent]

    def offer(self, event: LiveEvent) -> None:
        """Hand over an event; a full queue is emptied and the browser told to refetch."""
        if self.queue.full():
            while not self.queue.empty():
                self.queue.get_nowait()
            event = replace(GAP, id=event.id)
        self.queue.put_nowait(event)


@dataclass(slots=True)
class Hub:
    """The one reader of this process; starts with the first browser, stops after the last."""

    browsers: dict[int, set[Browser]] = field(default_factory=lambda: defaultdict(set))
    positions: dict[int, str] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None
    has_new_team: asyncio.Event = field(default_factory=asyncio.Event)

    def join(self, *, team_id: int) -> Browser:
        """Register a browser; `leave` it whatever happens."""
        browser = Browser(asyncio.Queue(QUEUE_LENGTH))
        self.browsers[team_id].add(browser)
        self.positions.setdefault(team_id, _UNKNOWN)
        return browser

    async def begin(self, *, team_id: int) -> None:
        """Follow the team's stream: every event after this call reaches its browsers' queues."""
        if self.positions[team_id] == _UNKNOWN:
            async with connected() as client:
                with contextlib.suppress(redis.RedisError):
                    await self._resolve_ends(client)
            self.has_new_team.set()
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self._follow())

    def leave(self, *, team_id: int, browser: Browser) -> None:
        """Forget a browser."""
        self.browsers[team_id].discard(browser)
        if not self.browsers[team_id]:
            self.browsers.pop(team_id)
            self.positions.pop(team_id, None)

    async def _follow(self) -> None:
        was_deaf = False
        async with connected() as client:
            while self.browsers:
                try:
                    if was_deaf:
                        await client.ping()
                        self._tell_gap()
                        was_deaf = False
                    await self._read_once(client)
                except redis.RedisError:
                    # Browsers stay connected and see the age of their figures grow.
                    was_deaf = True
                    await asyncio.sleep(1.0)

    def _tell_gap(self) -> None:
        """What happened while Redis did not answer was told to nobody."""
        for browsers in self.browsers.values():
            for browser in tuple(browsers):
                browser.offer(GAP)

    async def _read_once(self, client: redis.asyncio.Redis) -> None:
        """Wait for events of the teams known now; a new team cuts the wait short."""
        self.has_new_team.clear()
        await self._resolve_ends(client)
        keys: dict[Any, Any] = {
            stream_key(team_id): last for team_id, last in self.positions.items()
        }
        if not keys:
            return
        read = asyncio.ensure_future(client.xread(keys, count=200, block=_BLOCK_MS))
        joined = asyncio.ensure_future(self.has_new_team.wait())
        await asyncio.wait({read, joined}, return_when=asyncio.FIRST_COMPLETED)
        joined.cancel()
        if not read.done():
            read.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await read
            return
        answer: Any = await read
        for key, entries in answer or ():
            self._hand_out(int(key.rsplit(b":", 1)[1]), entries)

    async def _resolve_ends(self, client: redis.asyncio.Redis) -> None:
        # "$" would be read anew by each XREAD and lose what came between two of them.
        for team_id, last in list(self.positions.items()):
            if last == _UNKNOWN:
                end = _newest(await client.xrevrange(stream_key(team_id), count=1))
                if self.positions.get(team_id) == _UNKNOWN:
                    self.positions[team_id] = end

    def _hand_out(self, team_id: int, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        for entry_id, fields in entries:
            event = _event(entry_id, fields)
            if team_id in self.positions:
                self.positions[team_id] = event.id
            for browser in tuple(self.browsers.get(team_id, ())):
                browser.offer(event)


def _event(entry_id: bytes, fields: dict[bytes, bytes]) -> LiveEvent:
    return LiveEvent(entry_id.decode(), fields[b"event"].decode(), fields[b"data"].decode())


hub = Hub()


@contextlib.asynccontextmanager
async def connected() -> AsyncIterator[redis.asyncio.Redis]:
    """Lend a client of this event loop and close it."""
    client = redis.asyncio.Redis.from_url(settings.REDIS_URL)
    async with contextlib.aclosing(client):
        yield client


async def stream(
    *, team_id: int, last_event_id: str, is_allowed: Callable[[], Awaitable[bool]]
) -> AsyncIterator[bytes]:
    """Yield a browser's events, with a ping when nothing happens, for as long as it may have them.

    last_event_id  what the browser has had; "" begins with the present
    is_allowed     asked at each ping and gap, and at once when the team's members change
    """
    browser = hub.join(team_id=team_id)
    try:
        await hub.begin(team_id=team_id)
        yield b"retry: 2000\n\n"
        yield _ping().encode()
        had = (0, 0)
        for missed in await _missed(team_id, last_event_id):
            had = max(had, missed.order)
            if missed.name != MEMBERS:
                yield missed.encode()
        async for event in _heard(browser):
            if event.name in _ASK_AGAIN and not await is_allowed():
                return
            # The stream and the queue overlap: nothing is told twice.
            if event.name != MEMBERS and (not event.id or event.order > had):
                yield event.encode()
    finally:
        hub.leave(team_id=team_id, browser=browser)


async def _heard(browser: Browser) -> AsyncIterator[LiveEvent]:
    """Yield what reaches a browser's queue, and a ping when nothing does."""
    while True:
        try:
            async with asyncio.timeout(PING_S):
                event = await browser.queue.get()
        except TimeoutError:
            event = _ping()
        yield event


def _ping() -> LiveEvent:
    return LiveEvent("", "ping", orjson.dumps({"now": clock.now()}).decode())


async def _missed(team_id: int, last_event_id: str) -> list[LiveEvent]:
    """Return what the stream holds after `last_event_id`, or a gap where it no longer reaches."""
    if not last_event_id:
        return []
    if not _ID.fullmatch(last_event_id):
        return [GAP]
    async with connected() as client:
        try:
            entries: Any = await client.xrange(
                stream_key(team_id), min=last_event_id, count=MOST_MISSED + 2
            )
        except redis.RedisError:
            return [GAP]
    events = [_event(entry_id, fields) for entry_id, fields in entries]
    if last_event_id != BEGINNING:
        if not events or events[0].id != last_event_id:
            return [GAP]
        events = events[1:]
    return events if len(events) <= MOST_MISSED else [GAP]
