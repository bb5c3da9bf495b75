"""Kill a worker at every step of a poll: nothing is half written, nothing is lost or doubled.

Real adapters over real HTTP, a database file (or PostgreSQL), a broker, a webhook receiver; the
worker is a forked process that dies by SIGKILL, and another one comes after its lease.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from tests.alerts.receivers import serve_hook
from tests.system.databases import Databases
from tests.system.forks import ForkServer
from tests.system.proof import DUE_S, HOOK_SECRET, LEASE_OVER_S, SENDER_OVER_S, Case, Proof
from tests.venues.replay import Replay

pytestmark = pytest.mark.django_db
_LEAST_POINTS = 20
_AT_ONCE = 4


@pytest.fixture(scope="module")
def proof(
    folder: Path, databases: Databases, venues: Replay, forks: ForkServer
) -> Iterator[Proof]:
    with serve_hook() as hook:
        proof = Proof(folder=folder, databases=databases, venues=venues, forks=forks, hook=hook)
        proof.prepare()
        yield proof


def test_an_undisturbed_worker_tells_each_change_once(proof: Proof) -> None:
    one, two, three = (proof.after[label] for label in ("one", "two", "three"))

    assert one == two
    assert [(row[0], row[2]) for row in one["positions"]] == [
        ("BTC/USD:BTC", "open"),
        ("BTC/USDT:USDT", "open"),
        ("ETH/USDT:USDT", "gone"),
    ]
    assert [(row[0], row[2]) for row in three["positions"]] == [
        ("BTC/USDC:USDC", "gone"),
        ("ETH/USDC:USDC", "open"),
        ("HYPE/USDC:USDC", "open"),
    ]
    for told, size, gone in (
        (one, "BTC/USDT:USDT", "ETH/USDT:USDT"),
        (three, "ETH/USDC:USDC", "BTC/USDC:USDC"),
    ):
        assert (size, "increased") in told["events"]
        assert (gone, "gone") in told["events"]
        assert told["messages"] == [("distance", size, "first"), ("gone", gone, "first")]
        assert [(row[0], row[2], row[3]) for row in told["incidents"]] == [
            ("distance", "critical", "firing"),
            ("gone", "warning", "firing"),
        ]


def test_a_worker_killed_at_any_step_loses_nothing_and_doubles_nothing(
    proof: Proof, capsys: pytest.CaptureFixture[str]
) -> None:
    first = {name: point for point, name in reversed(list(enumerate(proof.points, start=1)))}
    points = sorted(first.values())

    cases = crash_each(proof, points)

    say(capsys, f"killed at {len(cases)} points of a poll, {proof.redelivered} redelivered")
    assert len(cases) >= _LEAST_POINTS
    assert [(case.name, case.problems) for case in cases if case.problems] == []
    assert_signed(proof)


def crash_each(proof: Proof, points: list[int]) -> list[Case]:
    """Kill a worker at each of the points, let another one go on, and judge both."""
    cases = [proof.case(point) for point in points]
    for start in range(0, len(cases), _AT_ONCE):
        some = cases[start : start + _AT_ONCE]
        killed = [case.job("work", killpoint=str(case.point), shift_s=DUE_S) for case in some]
        proof.run(killed, expected=-signal.SIGKILL)
        for case, job in zip(some, killed, strict=True):
            proof.judge_crash(case, said=job.said)
        proof.run(
            [case.job("work", shift_s=LEASE_OVER_S, again_s=SENDER_OVER_S) for case in some]
        )
        for case in some:
            proof.judge_recovery(case)
            proof.databases.remove(case.database)
    return cases


def assert_signed(proof: Proof) -> None:
    """Every message that reached the receiver carries a signature that holds."""
    assert proof.hook.requests
    for headers, body in proof.hook.requests:
        Webhook(HOOK_SECRET).verify(body, headers)


def say(capsys: pytest.CaptureFixture[str], line: str) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{line}\n")
