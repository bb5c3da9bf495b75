"""Live events over a real web server and a real broker: what commits reaches the right browsers."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from riskhub import live
from riskhub.live import Browser, LiveEvent
from tests.web.site import Site, running_site

_labels = (f"account-{number}" for number in itertools.count(1))


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running_site() as running:
        yield running


@pytest.fixture
def label(site: Site) -> str:
    """An account of a team of its own, holding one position."""
    name = next(_labels)
    site.act("poll", label=name, marks={"SOL": "101"})
    return name


@dataclass
class Event:
    name: str
    data: Any
    id: str


class Stream:
    """One browser's connection; reading waits at most 20 s."""

    def __init__(self, site: Site, label: str, *, query: str = "", last_id: str = "") -> None:
        self.connection = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=20)
        headers = {"Cookie": f"sessionid={site.act('session', label=label)}"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        self.connection.request("GET", f"/events{query}", headers=headers)
        self.response = self.connection.getresponse()
        # The first ping says that the server listens for this browser.
        self.first = self.next()

    def next(self) -> Event:
        """Return the next event."""
        found: dict[str, str] = {}
        for raw in self.response:
            line = raw.decode().rstrip("\n")
            if not line and "event" in found:
                break
            name, _, value = line.partition(": ")
            found[name] = value
        return Event(found["event"], json.loads(found["data"]), found.get("id", ""))

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def test_a_stream_begins_at_once_with_the_servers_time(site, label):
    with Stream(site, label) as stream:
        headers = stream.response.headers

    assert stream.first.name == "ping"
    assert "now" in stream.first.data
    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Accel-Buffering"] == "no"


def test_a_committed_price_reaches_the_browser(site, label):
    with Stream(site, label) as stream:
        site.act("price", label=label, SOL="95")
        event = stream.next()

    (change,) = event.data
    assert event.name == "figures"
    assert event.id
    assert change["cells"]["mark_price"] == {"text": "95.000", "source": "reported", "value": 95.0}
    assert change["cells"]["liquidation_distance"]["text"] == "4.8 %"
    assert change["severity"] == "critical"


def test_what_does_not_commit_is_told_to_nobody(site, label):
    with Stream(site, label) as stream:
        site.act("price_undone", label=label, SOL="95")
        site.act("price", label=label, SOL="102")
        event = stream.next()

    assert event.data[0]["cells"]["mark_price"]["text"] == "102.00"


def test_a_position_that_comes_or_goes_is_news_of_membership(site, label):
    with Stream(site, label) as stream:
        site.act("poll", label=label, marks={"SOL": "101", "ETH": "99"})
        opened = [stream.next() for _ in range(2)]
        site.act("poll", label=label, marks={"ETH": "99"}, ended="SOL")
        ended = [stream.next() for _ in range(2)]

    assert [event.name for event in opened] == ["figures", "membership"]
    assert [event.name for event in ended] == ["figures", "membership"]
    assert "liquidated" in {change["state"] for change in ended[0].data}


def test_what_grows_stale_is_told(site, label):
    with Stream(site, label) as stream:
        site.act("grow_stale", label=label)
        event = stream.next()

    assert event.data[0]["state"] == "stale"


def test_a_browser_that_comes_back_gets_what_it_missed_once_and_in_order(site, label):
    with Stream(site, label) as stream:
        site.act("publish", label=label, event="membership", data=0)
        had = stream.next()
    for number in (1, 2, 3):
        site.act("publish", label=label, event="membership", data=number)

    with Stream(site, label, last_id=had.id) as stream:
        site.act("publish", label=label, event="membership", data=4)
        missed = [stream.next() for _ in range(4)]

    assert [event.data for event in missed] == [1, 2, 3, 4]
    assert [event.name for event in missed] == ["membership"] * 4


def test_nothing_is_missed_between_the_page_and_its_stream(site, label):
    page = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=20)
    page.request("GET", "/", headers={"Cookie": f"sessionid={site.act('session', label=label)}"})
    body = page.getresponse().read().decode()
    address = body.split('data-live-url="')[1].split('"')[0]
    site.act("price", label=label, SOL="103")

    with Stream(site, label, query=f"?{urlsplit(address).query}") as stream:
        event = stream.next()

    assert event.data[0]["cells"]["mark_price"]["text"] == "103.00"


def test_a_page_of_a_team_without_any_event_yet_misses_nothing(site):
    name = next(_labels)
    site.act("team", label=name)
    site.act("publish", label=name, event="membership", data="first")

    with Stream(site, name, query=f"?since={live.BEGINNING}") as stream:
        event = stream.next()

    assert event.data == "first"


@pytest.mark.parametrize("last_id", ["1-0", "nonsense", "9" * 40])
def test_what_the_stream_no_longer_holds_is_a_gap(site, label, last_id):
    with Stream(site, label, last_id=last_id) as stream:
        event = stream.next()

    assert (event.name, event.id) == ("gap", "")


def test_after_a_cut_there_is_a_gap_and_then_what_is_new(site, label):
    with Stream(site, label) as stream:
        site.act("publish", label=label, event="membership", data="old")
        had = stream.next()
    site.act("cut_stream", label=label)

    with Stream(site, label, last_id=had.id) as stream:
        gap = stream.next()
        site.act("publish", label=label, event="membership", data="new")
        event = stream.next()

    assert gap.name == "gap"
    assert event.data == "new"


def test_more_than_is_worth_sending_again_is_a_gap(site, label):
    with Stream(site, label) as stream:
        site.act("publish", label=label, event="membership", data="had")
        had = stream.next()
    for number in range(live.MOST_MISSED + 1):
        site.act("publish", label=label, event="membership", data=number)

    with Stream(site, label, last_id=had.id) as stream:
        assert stream.next().name == "gap"


def test_events_of_another_team_never_arrive(site, label):
    other = next(_labels)
    site.act("poll", label=other, marks={"BTC": "101"})
    with Stream(site, label) as mine, Stream(site, other) as theirs:
        site.act("price", label=other, BTC="97")
        site.act("publish", label=other, event="membership", data="theirs")
        site.act("publish", label=label, event="membership", data="mine")

        heard = mine.next()
        told = [theirs.next(), theirs.next()]

    assert (heard.name, heard.data) == ("membership", "mine")
    assert [event.name for event in told] == ["figures", "membership"]


def test_every_browser_of_a_team_hears_the_same(site, label):
    with Stream(site, label) as one, Stream(site, label) as two:
        site.act("publish", label=label, event="membership", data="both")

        assert one.next() == two.next()


def test_a_stranger_gets_no_stream(site):
    connection = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=20)
    connection.request("GET", "/events")
    response = connection.getresponse()

    assert response.status == 302
    assert response.headers["Location"].startswith("/login/")


def test_silence_is_broken_by_pings(monkeypatch):
    monkeypatch.setattr(live, "PING_S", 0.01)

    async def hear() -> LiveEvent:
        return await anext(live._heard(Browser(asyncio.Queue(1))))

    assert asyncio.run(hear()).name == "ping"


def test_a_browser_that_falls_behind_is_told_of_a_gap_and_holds_no_memory():
    browser = Browser(asyncio.Queue(3))

    for number in range(1, 6):
        browser.offer(LiveEvent(f"{number}-0", "membership", str(number)))

    events = [browser.queue.get_nowait() for _ in range(browser.queue.qsize())]
    assert [(event.name, event.id) for event in events] == [("gap", "4-0"), ("membership", "5-0")]


def test_browsers_listen_to_every_event_there_is_and_to_no_other():
    script = (settings.BASE_DIR / "static/js/live.js").read_text()

    heard = set(re.findall(r'source\.addEventListener\("(\w+)"', script)) - {"open", "error"}

    assert heard == set(live.EVENTS)


def test_nothing_is_published_that_is_no_event():
    source = (settings.BASE_DIR / "positions/broadcast.py").read_text()

    published = set(re.findall(r'event="(\w+)"', source))

    assert published == set(live.EVENTS) - {"gap", "ping"}


def test_ids_are_ordered_as_numbers():
    ids = ["", "9-1", "10-0", "10-2", "10-11"]

    events = [LiveEvent(each, "membership", "") for each in reversed(ids)]

    assert [event.id for event in sorted(events, key=lambda event: event.order)] == ids
