"""Kill a worker at every step beside a poll: keys looked at, a feed stored, a ban written down."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from riskhub import clock
from tests.factories import look_at_keys, make_team
from tests.system import book, told
from tests.system.databases import Databases
from tests.system.forks import ForkServer, Job
from tests.venues.probe import API_KEY, SECRET
from tests.venues.replay import Fault, Replay
from venues import services
from venues.models import Feed, HostBan, KeyCheck, Quote

# Minutes on a busy machine: with the other slow proofs.
pytestmark = [pytest.mark.django_db, pytest.mark.slow]
STEPS = {
    "keys: written",
    "keys: stored",
    "feeds: read",
    "feeds: noted",
    "feeds: stored",
    "bans: met",
    "bans: written",
    "bans: stored",
}
# The lease of a look at a key and that of a feed are over when the next worker begins.
DUE_S, LEASE_OVER_S = 60, 260


@dataclass
class Beside:
    """An installation with a position, a key that is due, a feed that is due, and a ban to come."""

    databases: Databases
    forks: ForkServer
    folder: Path
    prepared: str
    before: dict[str, Any]
    began_at: datetime
    points: list[str]

    def forget_bans(self) -> None:
        """Let Redis forget what another case's worker has met."""
        redis.Redis.from_url(f"unix://{self.folder / 'redis.sock'}").flushall()

    def job(self, database: str, *, killpoint: str, shift_s: float) -> Job:
        # On PostgreSQL a database is a name and no path.
        log = str(self.folder / f"{Path(database).name}-{killpoint}{shift_s}.log")
        return Job("steps.beside", database, log, killpoint, {"shift_s": shift_s})


@pytest.fixture(scope="module")
def beside(
    folder: Path, databases: Databases, venues: Replay, forks: ForkServer
) -> Iterator[Beside]:
    at_ms = book.BEFORE_MS
    row = book.binance_long(amount=0.5, mark=64_000.0)
    prices = book.binance_prices(mark=64_000.0, at_ms=at_ms)
    market = book.binance_market(mark=64_000.0, at_ms=at_ms)
    calls = (*book.binance(row), *prices, *market, *book.binance_key())
    urls = {name: venues.compose("binance", f"beside-{name}", *calls) for name in ("one", "banned")}
    prepared = databases.copy(databases.empty, "beside")
    with databases.use(prepared):
        add_accounts(urls)
    first = Job("steps.work", prepared, str(folder / "beside-first"), args={"shift_s": 0})
    assert forks.run([first]) == [0], first.said
    with databases.use(prepared):
        KeyCheck.objects.update(next_at=clock.now())
        before = told.books()
    until = clock.to_milliseconds(clock.now() + timedelta(hours=1))
    text = f'{{"code": -1003, "msg": "Way too many requests; IP banned until {until}."}}'
    fault = Fault(endpoint=book.RISK, status=418, text=text)
    venues.spoil("binance", "beside-banned", fault)
    made = Beside(databases, forks, folder, prepared, before, clock.now(), [])
    whole = databases.copy(prepared, "beside-whole")
    job = made.job(whole, killpoint="0", shift_s=DUE_S)
    assert forks.run([job]) == [0], job.said
    made.points = job.result
    yield made
    venues.spoil("binance", "beside-banned", Fault(times=0))


def add_accounts(urls: dict[str, str]) -> None:
    team = make_team()
    for label, url in urls.items():
        services.create_account(
            team=team,
            venue="binance",
            label=label,
            environment=url,
            credentials={"apiKey": f"{API_KEY}-{label}", "secret": SECRET},
            now=clock.now(),
        )
    look_at_keys()


def problems(beside: Beside) -> list[str]:
    """Return what is lost or doubled after the next worker has done its work."""
    looked = KeyCheck.objects.filter(error="", checked_at__gt=beside.began_at)
    # What was read stays read, even where the ban is then met by the next reading.
    read = Feed.objects.filter(kind="funding", received_at__gt=beside.began_at)
    found = {
        "keys not looked at": 2 - looked.count(),
        "feeds not read": 2 - read.count(),
        "rates not stored": 2 - Quote.objects.filter(funding_rate=0.0001).count(),
        "bans not written": 1 - HostBan.objects.count(),
    }
    lost = [name for name, number in found.items() if number]
    books = told.books()
    events = [books[label]["events"] for label in books]
    doubled = [] if events == [beside.before[label]["events"] for label in books] else ["events"]
    return lost + doubled + told.faults()


def test_what_is_done_beside_polls_has_points_to_die_at(beside: Beside) -> None:
    assert set(beside.points) >= STEPS


def test_a_worker_killed_beside_a_poll_loses_nothing_and_doubles_nothing(beside: Beside) -> None:
    numbers = [n for n, name in enumerate(beside.points, start=1) if name in STEPS]
    wrong: dict[str, list[str]] = {}
    for number in numbers:
        database = beside.databases.copy(beside.prepared, f"beside{number}")
        beside.forget_bans()
        killed = beside.job(database, killpoint=str(number), shift_s=DUE_S)
        codes = beside.forks.run([killed])
        next_one = beside.job(database, killpoint="", shift_s=LEASE_OVER_S)
        codes += beside.forks.run([next_one])
        assert codes == [-signal.SIGKILL, 0], next_one.said[-2000:]
        with beside.databases.use(database):
            found = problems(beside)
        if found:
            wrong[f"{number} {beside.points[number - 1]}"] = found
        beside.databases.remove(database)

    assert len(numbers) >= len(STEPS)
    assert wrong == {}
