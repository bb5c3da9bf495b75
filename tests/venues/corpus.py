"""Read venue answers: our own (tests/data/venues/README.md) and recordings beside the project."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.paths import DATA, SHARED

OWN = DATA / "venues"
RECORDED = SHARED / "wire" if SHARED else None


@dataclass(frozen=True)
class Call:
    """One request that is known, and the answer to it."""

    method: str
    endpoint: str
    body_text: str
    status: int = 200
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    is_catch_all: bool = False

    def matches(self, method: str, path: str, query: Mapping[str, Any], body: Any) -> bool:
        """Tell whether this is the answer to a request."""
        if self.is_catch_all:
            return True
        sent = body if isinstance(body, Mapping) else {}
        is_here = self.method == method and fits(self.endpoint, path)
        return is_here and _subset(self.query, query) and _subset(self.body, sent)


def fits(endpoint: str, path: str) -> bool:
    """Tell whether a path is an endpoint, in which {name} stands for one segment."""
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(endpoint))
    return re.fullmatch(pattern, path) is not None


def _subset(wanted: Mapping[str, Any], got: Mapping[str, Any]) -> bool:
    return all(
        got.get(name) in (None, "") if value is None else str(got.get(name)) == str(value)
        for name, value in wanted.items()
    )


@cache
def scenario(folder: Path, venue: str, name: str) -> tuple[tuple[Call, ...], tuple[Call, ...]]:
    """Return the calls of a scenario and those that every scenario answers."""
    own = _calls(folder / venue / f"{name}.json")
    if not own:
        raise LookupError(f"there is no scenario {venue}/{name} in {folder}")
    markets = _calls(folder / venue / "markets.json")
    if name.startswith("errors"):
        own = (_catching_all(own[0]),)
    elif folder == RECORDED:
        # After the markets: a recorded mark price answers the same request as they do.
        markets += _others(folder / venue)
    return own, markets


def market_calls(venue: str) -> tuple[Call, ...]:
    """Return the calls that loading a venue's own composed markets makes."""
    return _calls(OWN / venue / "markets.json")


def answering(
    endpoint: str, answer: Any = None, *, text: str | None = None, method: str = "GET", **more: Any
) -> Call:
    """Return a call for `Replay.compose`: what an endpoint answers, as JSON or as characters."""
    body = json.dumps(answer) if text is None else text
    return Call(method=method, endpoint=endpoint, body_text=body, **more)


def scenarios(folder: Path | None, venue: str, prefix: str) -> list[str]:
    """Return the names of a venue's scenarios that begin with `prefix`."""
    if folder is None:
        return []
    return sorted(path.stem for path in (folder / venue).glob(f"{prefix}*.json"))


def _others(folder: Path) -> tuple[Call, ...]:
    """Return the recorded tiers, marks, books and funding of a venue."""
    told = ("markets", "positions_", "errors")
    paths = (path for path in sorted(folder.glob("*.json")) if not path.stem.startswith(told))
    return tuple(call for path in paths for call in _calls(path))


def _calls(path: Path) -> tuple[Call, ...]:
    if not path.is_file():
        return ()
    document = json.loads(path.read_text())
    if isinstance(document, dict):
        extra = document.get("extra_calls", [])
        document = document.get("calls", [document, *extra])
    return tuple(_call(entry) for entry in document if "endpoint" in entry)


def _call(entry: dict[str, Any]) -> Call:
    request = entry.get("request") or {}
    return Call(
        method=entry["method"],
        endpoint=entry["endpoint"],
        query=entry.get("query") or request.get("query") or {},
        body=entry.get("body") or request.get("body") or {},
        status=entry.get("status") or 200,
        headers=entry.get("headers") or {},
        body_text=_body_text(entry),
    )


def _body_text(entry: dict[str, Any]) -> str:
    if "text" in entry:
        return str(entry["text"])
    recorded = entry.get("httpResponse")
    if isinstance(recorded, str):
        return recorded
    return json.dumps(entry.get("answer", recorded))


def _catching_all(call: Call) -> Call:
    return Call(
        method=call.method,
        endpoint=call.endpoint,
        body_text=call.body_text,
        status=call.status,
        headers=call.headers,
        is_catch_all=True,
    )
