"""One process of the system: how it is started, watched and ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from riskhub import clock
from riskhub.runhub.logfile import LogFile

_LEASH = Path(__file__).with_name("leash.py")


@dataclass(frozen=True)
class ChildSpec:
    """What to run.

    name            short, names the log file
    title           in sentences: "the poll worker"
    command         absolute program first
    meanwhile       what does not happen while it is down, for the banner
    environment     its whole environment
    pass_fds        descriptors it inherits
    is_last         ended only after all the others have gone
    death_signal    what it gets when the supervisor itself is killed
    ready_file      made by the child when it has started; None: it is asked in another way
    """

    name: str
    title: str
    command: tuple[str, ...]
    meanwhile: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    pass_fds: tuple[int, ...] = ()
    is_last: bool = False
    death_signal: signal.Signals = signal.SIGKILL
    ready_file: Path | None = None


class Child:
    """A process and its log; started again by the supervisor as often as it dies."""

    def __init__(self, spec: ChildSpec, *, log: LogFile) -> None:
        self.spec = spec
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None
        self.started_s = 0.0
        self.deaths = 0
        self.restart_s: float | None = None

    def start(self) -> None:
        """Start it as the leader of a session of its own: Ctrl-C reaches the supervisor alone."""
        if self.spec.ready_file:
            self.spec.ready_file.unlink(missing_ok=True)
        output = self.log.open()
        try:
            self.process = subprocess.Popen(
                leashed(self.spec.command, death_signal=self.spec.death_signal),
                env=dict(self.spec.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=self.spec.pass_fds,
                start_new_session=True,
            )
        finally:
            os.close(output)
        self.started_s = clock.monotonic_s()
        self.restart_s = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs or waits to be reaped."""
        return self.process.pid if self.process else None

    def is_ready(self) -> bool:
        """Tell whether it has said that it started."""
        return self.spec.ready_file is None or self.spec.ready_file.exists()

    def has_exited(self) -> bool:
        """Tell whether it is dead, without reaping it: its id stays its own until `reap`."""
        if self.process is None:
            return True
        if not hasattr(os, "waitid"):
            return self.process.poll() is not None
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.process.pid, flags) is not None

    def reap(self) -> int:
        """Return its exit code (negative: the signal), and end what it may have left behind."""
        if self.process is None:
            return 0
        self.kill()
        code = self.process.wait()
        self.process = None
        return code

    def terminate(self) -> None:
        """Ask it to end."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it and all that it started."""
        if self.process:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)


def leashed(command: Sequence[str], *, death_signal: signal.Signals) -> list[str]:
    """Return the command line that dies with this process (riskhub/runhub/leash.py)."""
    leash = [sys.executable, "-I", "-S", str(_LEASH), str(os.getpid()), str(int(death_signal))]
    return [*leash, *command]


def exit_words(code: int) -> str:
    """Return an exit code in words: "exit code 1", "signal SIGKILL"."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
