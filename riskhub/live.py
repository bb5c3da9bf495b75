"""Events to browsers: a capped Redis stream per team, read once per web process.

`publish` is called after a commit. In a web process one `Hub` follows the streams of the teams
whose browsers are connected and hands each event to every browser's bounded queue. A browser that
comes back names the last event it had; what the stream still holds is sent again, and a gap is
said to be one, so that the page refetches.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import redis
import redis.asyncio
from django.conf import settings

from riskhub import clock, logs

log = logs.get(__name__)

# About ten minutes of a busy team.
STREAM_LENGTH = 1000
# A browser this many events behind gets a gap and refetches; nobody's memory grows.
QUEUE_LENGTH = 100
PING_S = 15.0
_BLOCK_MS = 5000

_client: redis.Redis | None = None


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One event as browsers get it; `id` is the stream's."""

    id: str
    name: str
    data: str

    def encode(self) -> bytes:
        """Return the event in the text/event-stream format."""
        identity = f"id: {self.id}\n" if self.id else ""
        return f"{identity}event: {self.name}\ndata: {self.data}\n\n".encode()


def stream_key(team_id: int) -> str:
    """Return the key of a team's stream."""
    return f"riskhub:live:{team_id}"


def publish(*, team_id: int, event: str, data: Any) -> None:
    """Tell a team's browsers; without Redis nothing is told and nothing fails."""
    global _client  # noqa: PLW0603
    if _client is None:
        _client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2)
    fields: dict[Any, Any] = {"event": event, "data": orjson.dumps(data)}
    try:
        _client.xadd(stream_key(team_id), fields, maxlen=STREAM_LENGTH, approximate=True)
    except redis.RedisError as error:
        log.warning("live_publish_failed", team_id=team_id, error=logs.describe(error))


@dataclass(slots=True, eq=False)
class Browser:
    """One connected browser and its bounded queue."""

    queue: asyncio.Queue[LiveEvent]

    def offer(self, event: LiveEvent) -> None:
        """Hand over an event; a full queue is emptied and the browser told to refetch."""
        if self.queue.full():
            while not self.queue.empty():
                self.queue.get_nowait()
            event = LiveEvent(event.id, "gap", "null")
        self.queue.put_nowait(event)


@dataclass(slots=True)
class Hub:
    """The one reader of this process; starts with the first browser, stops after the last."""

    browsers: dict[int, set[Browser]] = field(default_factory=lambda: defaultdict(set))
    positions: dict[int, str] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None
    has_new_team: asyncio.Event = field(default_factory=asyncio.Event)

    def join(self, *, team_id: int) -> Browser:
        """Register a browser; events from now on reach its queue."""
        browser = Browser(asyncio.Queue(QUEUE_LENGTH))
        if not self.browsers[team_id]:
            self.positions[team_id] = "$"
            self.has_new_team.set()
        self.browsers[team_id].add(browser)
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self._follow())
        return browser

    def leave(self, *, team_id: int, browser: Browser) -> None:
        """Forget a browser."""
        self.browsers[team_id].discard(browser)
        if not self.browsers[team_id]:
            self.browsers.pop(team_id)
            self.positions.pop(team_id, None)

    async def _follow(self) -> None:
        client = redis.asyncio.Redis.from_url(settings.REDIS_URL)
        async with contextlib.aclosing(client):
            while self.browsers:
                try:
                    await self._read_once(client)
                except redis.RedisError:
                    # Browsers stay connected and see the age of their figures grow.
                    await asyncio.sleep(1.0)

    async def _read_once(self, client: redis.asyncio.Redis) -> None:
        """Wait for events of the teams known now; a new team cuts the wait short."""
        self.has_new_team.clear()
        await self._resolve_ends(client)
        keys: dict[Any, Any] = {
            stream_key(team_id): last for team_id, last in self.positions.items()
        }
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
            if last == "$":
                newest: Any = await client.xrevrange(stream_key(team_id), count=1)
                self.positions[team_id] = newest[0][0].decode() if newest else "0-0"

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


async def stream(*, team_id: int, last_event_id: str) -> AsyncIterator[bytes]:
    """Yield a browser's events for ever, with a ping when nothing happens."""
    browser = hub.join(team_id=team_id)
    try:
        yield b"retry: 2000\n\n"
        yield _ping()
        for missed in await _missed(team_id, last_event_id):
            yield missed.encode()
        while True:
            try:
                async with asyncio.timeout(PING_S):
                    event = await browser.queue.get()
                yield event.encode()
            except TimeoutError:
                yield _ping()
    finally:
        hub.leave(team_id=team_id, browser=browser)


def _ping() -> bytes:
    now = orjson.dumps({"now": clock.now()}).decode()
    return LiveEvent("", "ping", now).encode()


async def _missed(team_id: int, last_event_id: str) -> list[LiveEvent]:
    """Return what the stream holds after `last_event_id`, or a gap where it no longer reaches."""
    if not last_event_id:
        return []
    client = redis.asyncio.Redis.from_url(settings.REDIS_URL)
    async with contextlib.aclosing(client):
        try:
            entries: Any = await client.xrange(stream_key(team_id), min=last_event_id)
        except redis.RedisError:
            entries = []
    if not entries or entries[0][0].decode() != last_event_id:
        return [LiveEvent("", "gap", "null")]
    return [_event(entry_id, fields) for entry_id, fields in entries[1:]]
