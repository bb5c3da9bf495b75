"""Reading accounts over HTTP: 50 and 500 of them, warm and cold, beside the least it can cost.

A venue of its own process answers after 100 ms. Ours reads every row with validation, through
`reading.read_jobs` and a real adapter; the floor (tests/bench/polling_floor.py) signs, sends and
decodes. Both take turns in one run. The venue's rate budget is lifted: what is measured is the
processor, and no venue answers 500 requests at once from one address.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.bench.polling_venue import POSITIONS, SILENT
from tests.paths import PROJECT

DELAY_S = 0.1
ROUNDS = 9
_DEADLINE_S = 20.0
_COLD = (
    "import django; django.setup(); from tests.bench import polling; polling.be_cold({0!r}, {1})"
)


@contextmanager
def serving(*, delay_s: float = DELAY_S) -> Iterator[str]:
    """Run the venue in a process of its own; yields its base URL."""
    command = [sys.executable, "-m", "tests.bench.polling_venue", str(delay_s)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=PROJECT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.stdin.close()


def read(base: str, count: int, *, silent: int = 0) -> list[float]:
    """Read accounts as a worker does; return the seconds after which each was there, ascending.

    silent      so many accounts besides that are never answered
    """
    from venues import reading

    jobs = [_job(base, number) for number in range(1, count + 1)]
    jobs += [_job(base, -number, key=f"{SILENT}-{number:04}") for number in range(1, silent + 1)]
    begun, took = time.perf_counter(), []
    groups = reading.read_jobs(jobs=jobs, deadline_s=_DEADLINE_S, concurrency=count + silent)
    for group in groups:
        seen = [each for each in group if each.scopes]
        assert all(len(each.scopes[0].positions) == POSITIONS for each in seen)
        took += [time.perf_counter() - begun] * len(seen)
        if len(took) == count:
            break
    groups.close()  # type: ignore[attr-defined]
    assert len(took) == count, f"{count - len(took)} of {count} accounts were not read"
    return took


def be_cold(base: str, count: int) -> None:
    """Be the first poll of a new worker and print what it took, as JSON."""
    from venues import client

    # Loading ccxt is the start of the worker, not of a poll.
    client.warm()
    took = read(base, count)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": max(took), "peak_mb": peak_mb}))  # noqa: T201


def print_report() -> None:
    """Print every measure of reading accounts, with its target."""
    with serving() as base:
        for count, most in ((50, 1.3), (500, 2.0)):
            ours, floor = _in_turns(base, count)
            name = f"poll: {count} accounts, {POSITIONS} positions each, 100 ms away"
            print(f"{name:52} {1e3 * ours:7.1f} ms {1e3 * floor:7.1f} ms "  # noqa: T201
                  f"{ours / floor:10.3f}x (target {most}x)")  # fmt: skip
        _print_cold(base)
        _print_silent(base)


def _in_turns(base: str, count: int) -> tuple[float, float]:
    """Return the median seconds of ours and of the floor."""
    from tests.bench.polling_floor import Floor

    floor = Floor(base=base, accounts=count)
    ours, its = [], []
    for turn in range(ROUNDS + 2):
        taken = max(read(base, count))
        begun = time.perf_counter()
        assert floor.run() == count * POSITIONS
        # The first two turns warm both up.
        if turn > 1:
            ours.append(taken)
            its.append(time.perf_counter() - begun)
    floor.close()
    return statistics.median(ours), statistics.median(its)


def _print_cold(base: str) -> None:
    command = [sys.executable, "-c", _COLD.format(base, 500)]
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False
    )
    told = json.loads(done.stdout) if done.returncode == 0 else None
    text = "FAILED: " + done.stderr.strip()[-200:]
    if told is not None:
        text = f"{told['seconds']:.2f} s, 0 failures, {told['peak_mb']:.0f} MB at most"
    print(f"{'poll: 500 accounts, cold':52} {text} (target 0 and < 300 MB)")  # noqa: T201


def _print_silent(base: str) -> None:
    clean = statistics.median(_last(base, silent=0))
    beside = statistics.median(_last(base, silent=1))
    name = "poll: 49 accounts beside one that never answers"
    print(f"{name:52} {1e3 * beside:7.1f} ms {1e3 * clean:7.1f} ms "  # noqa: T201
          f"{beside / clean:10.3f}x (target 1.2x)")  # fmt: skip


def _last(base: str, *, silent: int) -> Sequence[float]:
    return [max(read(base, 49, silent=silent)) for _ in range(ROUNDS)]


def _job(base: str, number: int, *, key: str = "") -> object:
    from venues.base import AccountRequest
    from venues.jobs import Job

    credentials = {"apiKey": key or f"key-{number:04}-0123456789", "secret": f"secret-{number:04}"}
    request = AccountRequest(
        account_id=number,
        venue="bybit",
        environment=base,
        label="bench",
        credentials=credentials,
        options={"scopes": "linear:USDT"},
    )
    return Job(_adapter(), request)


def _adapter() -> object:
    from venues.adapters.bybit import Bybit
    from venues.base import REGISTRY
    from venues.market_data import RateBudget

    if "unhurried" not in REGISTRY:
        rate = RateBudget(requests=10**9, window_s=1.0)
        type("Unhurried", (Bybit,), {"slug": "unhurried", "rate": rate})
    return REGISTRY["unhurried"]()
