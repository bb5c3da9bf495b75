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
from tests.system.forks import ForkServer, Job
from tests.system.proof import DUE_S, HOOK_SECRET, LEASE_OVER_S, SENDER_OVER_S, Case, Proof
from tests.venues.replay import Replay

pytestmark = pytest.mark.django_db
_LEAST_POINTS = 20
_AT_ONCE = 4


@pytest.fixture(scope="module")
def proof(folder: Path, databases: Databases, venues: Replay, forks: ForkServer) -> Iterator[Proof]:
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


@pytest.mark.slow
@pytest.mark.parametrize("turn", range(5))
def test_a_worker_killed_at_every_point_of_a_poll_loses_nothing(
    proof: Proof, capsys: pytest.CaptureFixture[str], turn: int
) -> None:
    cases = crash_each(proof, list(range(1, len(proof.points) + 1)))

    say(capsys, f"killed at {len(cases)} points, {proof.redelivered} redelivered so far")
    assert [(case.name, case.problems) for case in cases if case.problems] == []
    assert_signed(proof)


@pytest.mark.slow
def test_of_two_workers_with_the_same_tasks_one_is_killed_and_nothing_is_lost(
    proof: Proof, capsys: pytest.CaptureFixture[str]
) -> None:
    # The tasks are claimed beforehand: the first two points belong to the dispatch.
    cases = [proof.case(point) for point in range(3, len(proof.points) + 1)]

    killed = sum(crash_one_of_two(proof, case) for case in cases)

    say(capsys, f"one of two workers was killed {killed} times in {len(cases)} runs")
    assert killed >= _LEAST_POINTS
    assert [(case.name, case.problems) for case in cases if case.problems] == []


def crash_each(proof: Proof, points: list[int]) -> list[Case]:
    """Kill a worker at each of the points, let another one go on, and judge both."""
    cases = [proof.case(point) for point in points]
    for start in range(0, len(cases), _AT_ONCE):
        some = cases[start : start + _AT_ONCE]
        killed = [case.job("steps.work", killpoint=str(case.point), shift_s=DUE_S) for case in some]
        proof.run(killed, expected=-signal.SIGKILL)
        for case, job in zip(some, killed, strict=True):
            proof.judge_crash(case, said=job.said)
        proof.run([recovery(case) for case in some])
        for case in some:
            proof.judge_recovery(case)
            proof.databases.remove(case.database)
    return cases


def crash_one_of_two(proof: Proof, case: Case) -> bool:
    """Let two workers do the same tasks, kill one of them, and judge; tell whether it died."""
    tasks = {"batches": proof.claim(case), "shift_s": DUE_S}
    # The other worker's answer may come first: then there are fewer points to die at.
    dying = case.job("steps.work_on", killpoint=str(case.point - 2), **tasks)
    codes = proof.forks.run([dying, case.job("steps.work_on", **tasks)])
    assert codes[0] in (0, -signal.SIGKILL)
    assert codes[1] == 0
    proof.run([recovery(case)])
    # Which of the two sends, and dies in the middle of it, is a matter of luck.
    case.may_repeat = True
    proof.judge_recovery(case)
    proof.databases.remove(case.database)
    return codes[0] == -signal.SIGKILL


def recovery(case: Case) -> Job:
    """Return the work of the next worker, when the leases of the dead one are over."""
    return case.job("steps.work", shift_s=LEASE_OVER_S, again_s=SENDER_OVER_S)


def assert_signed(proof: Proof) -> None:
    """Every message that reached the receiver carries a signature that holds."""
    assert proof.hook.requests
    for headers, body in proof.hook.requests:
        Webhook(HOOK_SECRET).verify(body, headers)


def say(capsys: pytest.CaptureFixture[str], line: str) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{line}\n")
