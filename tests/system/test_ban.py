"""Two workers and a venue that bans their address: neither asks again before the ban ends."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from riskhub import clock
from tests.factories import make_team
from tests.system import book
from tests.system.databases import Databases
from tests.system.forks import ForkServer, Job
from tests.venues.probe import API_KEY, SECRET
from tests.venues.replay import Fault, Replay
from venues import services
from venues.models import Account, HostBan, KeyCheck

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.fixture
def database(databases: Databases) -> str:
    return databases.copy(databases.empty, "banned")


def add_accounts(databases: Databases, database: str, url: str, *, count: int) -> list[int]:
    with databases.use(database):
        team = make_team()
        for number in range(count):
            services.create_account(
                team=team,
                venue="binance",
                label=f"account {number}",
                environment=url,
                credentials={"apiKey": API_KEY, "secret": SECRET},
                now=clock.now(),
            )
        KeyCheck.objects.update(checked_at=clock.now())
        return list(Account.objects.order_by("pk").values_list("pk", flat=True))


def test_a_ban_met_by_one_worker_stops_the_other_and_outlives_redis(
    forks: ForkServer, databases: Databases, database: str, venues: Replay, folder: Path
) -> None:
    row = book.binance_long(amount=0.5, mark=64_000.0)
    url = venues.compose("binance", "ban", *book.binance(row))
    ids = add_accounts(databases, database, url, count=4)
    until = clock.to_milliseconds(clock.now()) + 600_000
    text = f'{{"code": -1003, "msg": "Way too many requests; IP banned until {until}."}}'
    venues.spoil("binance", "ban", Fault(endpoint=book.RISK, status=418, text=text))

    def job(name: str, own: list[int], seconds: float) -> Job:
        args = {"ids": own, "seconds": seconds, "rests_s": 0.1}
        log = str(folder / f"{name}.log")
        return Job(step="banned.poll_often", database=database, log=log, args=args)

    together = [job("one", ids[:2], 3.0), job("other", ids[2:], 3.0)]
    codes = forks.run(together)
    asked = [each for each in venues.asked(scenario="ban") if each.path == book.RISK]
    redis.Redis.from_url(f"unix://{folder / 'redis.sock'}").flushall()
    later = job("later", ids, 1.0)
    codes += forks.run([later])

    assert codes == [0, 0, 0]
    # Each worker may have had one round of its accounts on the way when the ban was met.
    assert 1 <= len(asked) <= 4
    assert [each.path for each in venues.asked(scenario="ban")].count(book.RISK) == len(asked)
    assert all(kinds == ["banned"] for each in (*together, later) for kinds in each.result[1:])
    with databases.use(database):
        assert HostBan.objects.count() == 1
    databases.remove(database)
