"""A venue on loopback: it answers from files, misbehaves when told to, and notes what it is asked.

One server a session, in a thread of its own; each test has a prefix of its own, so that nothing a
client keeps of one test (markets, clock, pauses) reaches another.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from tests.venues import corpus
from tests.venues.corpus import Call


@dataclass(frozen=True)
class Asked:
    """One request as the venue got it."""

    venue: str
    scenario: str
    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)


@dataclass
class Fault:
    """What goes wrong with matching requests, for `times` of them (None: for ever).

    endpoint      a path, {name} for one segment; None for all but the market calls
    text          these characters in place of the answer; "{echo}" in them becomes the value of
                  the request's header that `echo` names
    cut_after     so many bytes of the answer, then the connection ends
    drip_s        one byte of the answer each `drip_s`
    """

    endpoint: str | None = None
    status: int | None = None
    text: str | bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    is_hanging: bool = False
    drip_s: float = 0.0
    cut_after: int | None = None
    echo: str = ""
    times: int | None = None


class Server:
    """The aiohttp server; `Replay` is what a test sees of it."""

    def __init__(self) -> None:
        self.base = ""
        self.asked: dict[str, list[Asked]] = {}
        self.missed: dict[str, list[Asked]] = {}
        self.faults: dict[tuple[str, str, str], list[Fault]] = {}
        self.composed: dict[tuple[str, str, str], tuple[Call, ...]] = {}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        run, source, venue, name = (
            request.match_info[part] for part in ("run", "source", "venue", "scenario")
        )
        asked, key = await _asked(request, venue, name), (run, venue, name)
        self.asked.setdefault(run, []).append(asked)
        call, is_market = self._call(source, key, asked)
        fault = self._fault(key, asked, is_market=is_market)
        if call is None and (fault is None or fault.text is None):
            self.missed.setdefault(run, []).append(asked)
            return web.json_response({"error": "no such call here"}, status=404)
        call = call or Call(method="", endpoint="", body_text="")
        return _response(call) if fault is None else await _spoil(request, call, fault)

    def _call(
        self, source: str, key: tuple[str, str, str], asked: Asked
    ) -> tuple[Call | None, bool]:
        if source == "composed":
            own, markets = self.composed[key], corpus.market_calls(asked.venue)
        else:
            own, markets = corpus.scenario(_folder(source), asked.venue, asked.scenario)
        is_error = bool(own) and own[0].is_catch_all
        what = (asked.method, asked.path, asked.query, asked.body)
        listed = markets + own if is_error else own + markets
        call = next((call for call in listed if call.matches(*what)), None)
        return call, call in markets

    def _fault(self, key: tuple[str, str, str], asked: Asked, *, is_market: bool) -> Fault | None:
        for fault in self.faults.get(key, []):
            named = fault.endpoint is not None and corpus.fits(fault.endpoint, asked.path)
            if (named or (fault.endpoint is None and not is_market)) and fault.times != 0:
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None


class Replay:
    """The venues of one test."""

    def __init__(self, server: Server, run: str) -> None:
        self._server = server
        self._run = run

    def url(self, venue: str, scenario: str) -> str:
        """Return the base URL that answers from tests/data/venues/<venue>/<scenario>.json."""
        return self._url("own", venue, scenario)

    def recorded_url(self, venue: str, scenario: str) -> str:
        """Return the base URL of a real recording; needs the folder beside the project."""
        return self._url("real", venue, scenario)

    def compose(self, venue: str, name: str, *calls: Call) -> str:
        """Return the base URL of a scenario made of `calls` and the venue's own markets."""
        self._server.composed[(self._run, venue, name)] = calls
        return f"{self._server.base}/{self._run}/composed/{venue}/{name}"

    def spoil(self, venue: str, scenario: str, fault: Fault) -> None:
        """Let requests of a scenario go wrong from now on; what was told before is forgotten."""
        self._server.faults[(self._run, venue, scenario)] = [replace(fault)]

    def asked(self, venue: str = "", scenario: str = "") -> list[Asked]:
        """Return what was asked, of one venue and scenario if they are named."""
        return [
            asked
            for asked in self._server.asked.get(self._run, [])
            if venue in ("", asked.venue) and scenario in ("", asked.scenario)
        ]

    @property
    def missed(self) -> list[Asked]:
        """Requests to which there was no answer; the fixture fails the test on any."""
        return self._server.missed.setdefault(self._run, [])

    def _url(self, source: str, venue: str, name: str) -> str:
        corpus.scenario(_folder(source), venue, name)
        return f"{self._server.base}/{self._run}/{source}/{venue}/{name}"


_runs = itertools.count(1)


def new_replay(server: Server) -> Replay:
    """Return a replay that shares nothing with earlier ones."""
    return Replay(server, run=f"run{next(_runs)}")


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server on a free port of loopback until the block ends."""
    server, loop = Server(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="replay", daemon=True)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(_start(server), loop).result(10)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(_stop(runner), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


async def _start(server: Server) -> web.AppRunner:
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{run}/{source}/{venue}/{scenario}/{rest:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    server.base = f"http://127.0.0.1:{port}"
    return runner


async def _stop(runner: web.AppRunner) -> None:
    """Stop, and end what still hangs."""
    await runner.cleanup()
    hanging = asyncio.all_tasks() - {asyncio.current_task()}
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


async def _asked(request: web.Request, venue: str, name: str) -> Asked:
    text = await request.text()
    body: Any = dict(parse_qsl(text))
    if text.startswith(("{", "[")):
        body = json.loads(text)
    return Asked(
        venue=venue,
        scenario=name,
        method=request.method,
        path="/" + request.match_info["rest"],
        query=dict(request.query),
        body=body,
        headers=dict(request.headers),
    )


def _response(call: Call) -> web.Response:
    return web.Response(
        text=call.body_text,
        status=call.status,
        headers={**_session(call), **call.headers},
        content_type="application/json",
    )


def _session(call: Call) -> dict[str, str]:
    """Return the headers of a login, which no recording keeps (GRVT's)."""
    if not call.endpoint.endswith("/login"):
        return {}
    return {"Set-Cookie": "gravity=canary; Path=/", "X-Grvt-Account-Id": "ACC"}


async def _spoil(request: web.Request, call: Call, fault: Fault) -> web.StreamResponse:
    text = call.body_text if fault.text is None else fault.text
    body = text if isinstance(text, bytes) else text.encode()
    body = body.replace(b"{echo}", request.headers.get(fault.echo, "").encode())
    await asyncio.sleep(3600 if fault.is_hanging else fault.delay_s)
    if fault.cut_after is not None:
        return await _cut(request, body, after=fault.cut_after)
    if fault.drip_s:
        return await _drip(request, body, pause_s=fault.drip_s)
    return web.Response(body=body, status=fault.status or call.status, headers=dict(fault.headers))


async def _cut(request: web.Request, body: bytes, *, after: int) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(body[:after])
    if request.transport is not None:
        request.transport.close()
    return response


async def _drip(request: web.Request, body: bytes, *, pause_s: float) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(len(body))})
    await response.prepare(request)
    with suppress(ConnectionError):
        for byte in body:
            await response.write(bytes([byte]))
            await asyncio.sleep(pause_s)
    return response


def _folder(source: str) -> Path:
    folder = corpus.OWN if source == "own" else corpus.RECORDED
    if folder is None:
        raise LookupError("there is no folder of recordings beside the project")
    return folder
