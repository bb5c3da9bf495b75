"""Garbage under HTTP 200, from the wire to the tables: what was seen stays, and coverage says why.

Every real adapter, over HTTP, through reading and ingest (tests/venues/test_garbage.py has more
bodies and stops at the reading).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from positions import ingest, scheduling, staleness
from positions.models import Event, Position
from riskhub import clock
from tests.factories import look_at_keys, make_team
from tests.venues import corpus
from tests.venues.reading_checks import account_of
from tests.venues.replay import Fault, Replay
from venues import reading, registry, services
from venues.models import Account, CoverageEntry

pytestmark = pytest.mark.django_db
VENUES = ("binance", "bybit", "okx", "hyperliquid", "bitget")
HELD = "positions_long"


@dataclass
class Held:
    """An account whose positions have been read once, and what it said then."""

    account: Account
    expected: dict[str, Any]
    rows: list[tuple[Any, ...]]
    events: list[str]
    seen_at: datetime


def hold(venues: Replay, venue: str) -> Held:
    """Read an account with a position; from now on its venue can be spoiled."""
    expected = json.loads((corpus.OWN / venue / f"{HELD}.json").read_text())["expected"]
    venues.spoil(venue, HELD, Fault(times=0))
    options = {"scopes": list(expected["scopes"])[:1], **expected.get("options", {})}
    account = services.create_account(
        team=make_team(),
        venue=venue,
        label=venue,
        environment=venues.url(venue, HELD),
        now=clock.now(),
        **account_of(registry.get(venue), options),
    )
    look_at_keys()
    poll(account)
    rows, events = standing(account)
    assert rows
    return Held(account, expected, rows, events, coverage(account).seen_at)


def poll(account: Account) -> None:
    for group in reading.read_accounts(account_ids=[account.pk], now=clock.now()):
        cycle = scheduling.new_cycle(now=clock.now() + timedelta(seconds=1))
        assert ingest.ingest_outcomes(outcomes=group, cycle=cycle, now=clock.now())


def standing(account: Account) -> tuple[list[tuple[Any, ...]], list[str]]:
    columns = ("market__symbol", "state", "contracts", "entry_price", "mark_price", "received_at")
    rows = Position.objects.filter(account=account).order_by("pk").values_list(*columns)
    events = Event.objects.filter(position__account=account).values_list("kind", flat=True)
    return list(rows), sorted(events)


def coverage(account: Account) -> CoverageEntry:
    return CoverageEntry.objects.get(account=account)


GARBAGE = {
    "page": "<!DOCTYPE html><html><title>Attention required</title></html>",
    "empty": "",
    "null": "null",
    "cut": '{"code": "0", "data": [{"symbol": "BTCUSDT", "positionAmt": "0.5',
}


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_leaves_what_was_seen_and_says_why(venues: Replay, venue: str, body: str) -> None:
    held = hold(venues, venue)
    venues.spoil(venue, HELD, Fault(text=body))

    poll(held.account)

    entry = coverage(held.account)
    assert standing(held.account) == (held.rows, held.events)
    assert (entry.error_kind, entry.seen_at) == ("unreadable", held.seen_at)
    assert registry.get(venue).label in entry.error
    assert entry.tried_at > held.seen_at


@pytest.mark.parametrize("venue", VENUES)
def test_a_number_that_is_none_leaves_its_row_as_it_was(venues: Replay, venue: str) -> None:
    held = hold(venues, venue)
    venues.spoil(venue, HELD, Fault(text=answer_without_entry(venue, held.expected)))

    poll(held.account)

    entry = coverage(held.account)
    assert standing(held.account) == (held.rows, held.events)
    assert (entry.error_kind, entry.rows) == ("", 0)
    assert entry.refused
    assert "NaN" in entry.refusals[0]["reason"]


@pytest.mark.parametrize("venue", VENUES)
def test_an_answer_that_is_really_empty_is_believed(venues: Replay, venue: str) -> None:
    held = hold(venues, venue)
    venues.spoil(venue, HELD, Fault(text=empty_answer(venue)))

    poll(held.account)

    rows, events = standing(held.account)
    assert {row[1] for row in rows} == {"gone"}
    assert events == sorted([*held.events, *["gone"] * len(rows)])
    assert coverage(held.account).error_kind == ""


def test_what_garbage_left_in_place_grows_stale(venues: Replay) -> None:
    held = hold(venues, "okx")
    venues.spoil("okx", HELD, Fault(text=""))
    poll(held.account)

    staleness.mark_stale(now=clock.now() + timedelta(minutes=10))

    rows, events = standing(held.account)
    assert {row[1] for row in rows} == {"stale"}
    assert events == held.events


def empty_answer(venue: str) -> str:
    """Return what the venue says of an account without positions."""
    own, _ = corpus.scenario(corpus.OWN, venue, "positions_empty")
    return own[0].body_text


def answer_without_entry(venue: str, expected: dict[str, Any]) -> str:
    """Return the answer that was held, with NaN, which is no JSON, for the entry price."""
    own, _ = corpus.scenario(corpus.OWN, venue, HELD)
    (position,) = next(iter(expected["scopes"].values()))["positions"]
    entry = re.compile(rf'(?<=: )"?{re.escape(position["figures"]["entry_price"][1])}"?(?=[,}}])')
    text = next(call.body_text for call in own if entry.search(call.body_text))
    return entry.sub("NaN", text)
