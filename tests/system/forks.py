"""A process that loads Django and ccxt once and forks a worker for each step it is told.

    python -m tests.system.forks

It reads one line of JSON a round, a list of jobs; it forks a child for each, waits for all, and
writes the list of their exit codes (negative: the signal). A child writes what its step returns
into the job's `out`, and everything it says into the job's `log`.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.paths import PROJECT

_LONGEST_S = 60


@dataclass
class Job:
    """One step for one child.

    step        a function of this package by module and name, such as "steps.work"
    database    full name of the database that the child works in
    killpoint   "" for none; "0" counts the points, "n" dies at the n-th
    """

    step: str
    database: str
    log: str
    killpoint: str = ""
    args: dict[str, Any] = field(default_factory=dict)

    @property
    def out(self) -> Path:
        return Path(f"{self.log}.out")

    @property
    def said(self) -> str:
        return Path(self.log).read_text()

    @property
    def result(self) -> Any:
        return json.loads(self.out.read_text())


class ForkServer:
    """The process, as the tests see it."""

    def __init__(self, *, env: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.system.forks"],
            cwd=PROJECT,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, jobs: Sequence[Job]) -> list[int]:
        """Run the jobs at the same time and return their exit codes, in the order given."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([asdict(job) for job in jobs]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the fork server has died"
        return list(json.loads(answer))

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=_LONGEST_S)


def serve() -> None:
    """Load what a worker loads, then fork a child for each job until standard input ends."""
    import django

    django.setup()
    from tests.system import steps

    steps.warm()
    gc.freeze()
    for line in sys.stdin:
        children = [_fork(Job(**job)) for job in json.loads(line)]
        ends = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
        sys.stdout.write(json.dumps(ends) + "\n")
        sys.stdout.flush()


def _fork(job: Job) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            _do(job)
            code = 0
        except BaseException:  # noqa: BLE001 - a child must never come back to the loop
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    return pid


def _do(job: Job) -> None:
    from django.conf import settings
    from django.db import connections

    signal.alarm(_LONGEST_S)
    log = os.open(job.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    connections["default"].settings_dict["NAME"] = job.database
    # Each database is an installation of its own: what another one asks costs it nothing.
    settings.EGRESS = job.database
    if job.killpoint:
        os.environ["KILLPOINT"] = job.killpoint
    module, _, name = job.step.partition(".")
    step = getattr(import_module(f"tests.system.{module}"), name)
    job.out.write_text(json.dumps(step(**job.args)))


if __name__ == "__main__":
    serve()
