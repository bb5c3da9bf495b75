"""The kill proof: one prepared installation, copied for each crash, and what must come of it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from positions import scheduling
from positions.alerts.channels.webhook import make_secret
from positions.alerts.models import Delivery, Message
from riskhub import clock
from riskhub.crypto import Secrets
from tests.alerts.receivers import Hook
from tests.factories import look_at_keys, make_channel, make_rule, make_team
from tests.system import book, told
from tests.system.databases import Databases
from tests.system.forks import ForkServer, Job
from tests.system.told import Book
from tests.venues.probe import API_KEY, SECRET, WALLET
from tests.venues.replay import Replay
from venues import services

# Every account is due again when the killed worker begins; its lease is over when the next one
# does (20 s and 10 s of slack), and a dead sender's lease after another half minute.
DUE_S, LEASE_OVER_S, SENDER_OVER_S = 40, 75, 140
_RESENT_AFTER = ("outbox: after the send", "outbox: before the mark")
_numbers = itertools.count(1)


@dataclass
class Case:
    """One crash: the point it comes at, and its own copy of the database.

    may_repeat    whether one message may reach the receiver twice, with its id
    """

    point: int
    name: str
    database: str
    log: str
    may_repeat: bool = False
    problems: list[str] = field(default_factory=list)

    def job(self, step: str, *, killpoint: str = "", **args: Any) -> Job:
        return Job(step, self.database, f"{self.log}-{step}{killpoint}.log", killpoint, args)


@dataclass
class Proof:
    """The prepared installation and what an undisturbed worker makes of it.

    points   names of the kill points, in the order in which that worker reached them
    """

    folder: Path
    databases: Databases
    venues: Replay
    forks: ForkServer
    hook: Hook
    prepared: str = ""
    before: dict[str, Book] = field(default_factory=dict)
    after: dict[str, Book] = field(default_factory=dict)
    points: list[str] = field(default_factory=list)
    redelivered: int = 0

    def prepare(self) -> None:
        """Read both books once: what stands before a crash, and what must stand after it."""
        self._answer(book.binance_before(), book.hyperliquid_before())
        self.prepared = self.databases.copy(self.databases.empty, "prepared")
        with self.databases.use(self.prepared):
            self._make_installation()
        first = Case(0, "", self.prepared, str(self.folder / "first"))
        self.run([first.job("steps.work", shift_s=0)])
        with self.databases.use(self.prepared):
            self.before = told.books()
        self._answer(book.binance_after(), book.hyperliquid_after())
        whole = self.case(0)
        job = whole.job("steps.work", killpoint="0", shift_s=DUE_S)
        self.run([job])
        self.points = job.result
        with self.databases.use(whole.database):
            self.after = told.books()

    def case(self, point: int) -> Case:
        """Return a case with a fresh copy of the prepared database."""
        name = self.points[point - 1] if point else ""
        label = f"case{next(_numbers)}"
        database = self.databases.copy(self.prepared, label)
        return Case(point, name, database, str(self.folder / label), name in _RESENT_AFTER)

    def run(self, jobs: list[Job], *, expected: int = 0) -> None:
        """Run jobs at the same time; each must end with the expected exit code."""
        codes = self.forks.run(jobs)
        wrong = [job.said for job, code in zip(jobs, codes, strict=True) if code != expected]
        assert wrong == [], codes

    def claim(self, case: Case) -> list[tuple[list[int], int]]:
        """Claim what is due in a case's database; return the poll tasks: account ids, cycle."""
        now = clock.now() + timedelta(seconds=DUE_S)
        with self.databases.use(case.database):
            cycle, claimed = scheduling.claim_due(now=now)
        venues = groupby(claimed, key=lambda pair: pair[0])
        return [([pk for _, pk in pairs], cycle) for _, pairs in venues]

    def judge_crash(self, case: Case, *, said: str) -> None:
        """Note what is wrong after the kill: half a set, or a database that is not sound."""
        if f"killed at point {case.point}: " not in said:
            case.problems.append(f"died elsewhere: {said[-300:]}")
        with self.databases.use(case.database):
            case.problems += told.faults()
            for label, account_book in told.books().items():
                if account_book not in (self.before[label], self.after[label]):
                    case.problems.append(f"{label} is half written: {account_book}")

    def judge_recovery(self, case: Case) -> None:
        """Note what is wrong after the next worker: anything lost, doubled or not delivered."""
        with self.databases.use(case.database):
            case.problems += told.faults()
            if told.books() != self.after:
                case.problems.append(f"not what an undisturbed worker leaves: {told.books()}")
            case.problems += [
                f"delivery {pk} is {state}"
                for pk, state in Delivery.objects.exclude(state="sent").values_list("pk", "state")
            ]
            uids = list(Message.objects.values_list("uid", flat=True))
        times = [self.hook.ids.count(uid) for uid in uids]
        self.redelivered += sum(times) - len(times)
        if not all(times) or sum(times) > len(times) + case.may_repeat:
            case.problems.append(f"received {times} times")

    def _answer(self, binance: tuple[Any, ...], hyperliquid: tuple[Any, ...]) -> None:
        self.urls = {
            "binance": self.venues.compose("binance", "book", *binance),
            "hyperliquid": self.venues.compose("hyperliquid", "book", *hyperliquid),
        }

    def _make_installation(self) -> None:
        team, now = make_team(), clock.now()
        make_rule(team, name="distance")
        gone = [{"level": None, "rearm": None, "severity": "warning"}]
        make_rule(team, name="gone", kind="event", measure="", events=["gone"], levels=gone)
        secrets = Secrets.of({"secret": HOOK_SECRET})
        make_channel(team, config={"url": self.hook.url}, secrets=secrets)
        for label in ("one", "two"):
            services.create_account(
                team=team,
                venue="binance",
                label=label,
                environment=self.urls["binance"],
                credentials={"apiKey": f"{API_KEY}-{label}", "secret": SECRET},
                now=now,
            )
        services.create_account(
            team=team,
            venue="hyperliquid",
            label="three",
            environment=self.urls["hyperliquid"],
            wallet=WALLET,
            now=now,
        )
        look_at_keys()


HOOK_SECRET = make_secret()
