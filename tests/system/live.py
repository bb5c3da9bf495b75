"""A whole system without its web server: broker, one worker for both queues, two schedulers."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from positions.alerts.channels.webhook import make_secret
from riskhub import clock
from riskhub.crypto import Secrets
from riskhub.runhub import plan
from riskhub.teams.models import Team
from tests.alerts.receivers import Hook
from tests.factories import make_channel, make_rule, make_team
from tests.system import book
from tests.system.databases import Databases
from tests.system.parts import (
    end,
    environment,
    eventually,
    facts_of,
    kept_running,
    running_broker,
    worker_spec,
)
from tests.venues.probe import API_KEY, SECRET
from tests.venues.replay import Replay
from venues import services
from venues.models import Account

BUDGET_S = 1.0
QUICK = {
    "RISKHUB_POLL_BUDGET_S": str(BUDGET_S),
    "RISKHUB_POLL_FAST_BUDGET_S": str(BUDGET_S),
    "RISKHUB_PRICE_BUDGET_S": "0.5",
    # Everything that any library has to say is searched for secrets.
    "RISKHUB_LOG_LEVEL": "DEBUG",
}


@dataclass
class Live:
    """The running system, as a test sees it: its tables, its venue, its receiver, its broker."""

    folder: Path
    databases: Databases
    database: str
    venues: Replay
    hook: Hook
    secret: str = field(default_factory=make_secret)
    team_id: int = 0
    broker: Any = None

    def orm(self) -> AbstractContextManager[None]:
        """Let the ORM of this thread work in the system's database."""
        return self.databases.use(self.database)

    def redis(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.folder / "redis.sock"))

    def tell(self, label: str, *, amount: float, mark: float) -> str:
        """Let the venue say this of an account from now on; return its base URL."""
        at_ms = clock.to_milliseconds(clock.now())
        row = book.binance_long(amount=amount, mark=mark, at_ms=at_ms)
        prices = book.binance_prices(mark=mark, at_ms=at_ms)
        market = book.binance_market(mark=mark, at_ms=at_ms)
        calls = (*book.binance(row), *prices, *market, *book.binance_key())
        return self.venues.compose("binance", label, *calls)

    def add_account(self, label: str, *, mark: float = 64_000) -> Account:
        """Add an account with one long position, as a person does."""
        environment = self.tell(label, amount=0.5, mark=mark)
        with self.orm():
            return services.create_account(
                team=Team.objects.get(pk=self.team_id),
                venue="binance",
                label=label,
                environment=environment,
                credentials={"apiKey": API_KEY, "secret": SECRET},
                now=clock.now(),
            )

    def sees(self, condition: Any, *, within_s: float = 40.0) -> bool:
        """Tell whether the condition comes to hold in the system's database."""

        def asked() -> Any:
            with self.orm():
                return condition()

        return eventually(asked, within_s=within_s)

    def lose_broker(self) -> None:
        """Kill the broker, lose all that it kept, and start another one."""
        end(self.broker.process, number=signal.SIGKILL)
        shutil.rmtree(self.folder / "broker")
        self.broker = Broker(self.folder)


class Broker:
    """A broker that can be lost and started again."""

    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        self.process: subprocess.Popen[bytes] = self._stack.enter_context(running_broker(folder))

    def close(self) -> None:
        self._stack.close()


@contextmanager
def running_system(
    *, folder: Path, databases: Databases, venues: Replay, hook: Hook
) -> Iterator[Live]:
    """Run the system on an empty database until the block ends."""
    live = Live(folder, databases, databases.copy(databases.empty, "live"), venues, hook)
    with live.orm():
        _make_team(live)
    env = environment(folder, database_url=databases.url(live.database), **QUICK)
    other = folder / "other"
    (other / "beat").mkdir(parents=True)
    specs = [
        worker_spec(folder, env=env),
        plan.beat(facts=facts_of(folder), env=env),
        plan.beat(facts=facts_of(other), env=env),
    ]
    live.broker = Broker(folder)
    try:
        with ExitStack() as stack:
            for number, spec in enumerate(specs):
                log = folder / "logs" / f"{number}-{spec.name}.log"
                stack.enter_context(kept_running(spec, log=log))
            assert eventually(lambda: all(spec.ready_file.exists() for spec in specs))
            yield live
    finally:
        live.broker.close()


def _make_team(live: Live) -> None:
    team = make_team()
    make_rule(team, name="distance")
    config = {"url": live.hook.url}
    make_channel(team, config=config, secrets=Secrets.of({"secret": live.secret}))
    live.team_id = team.pk
