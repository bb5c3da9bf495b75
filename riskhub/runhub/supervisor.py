"""Start children in order, restart those that die later, end all of them in order.

One thread: it waits on a descriptor that every signal writes to, so a death or Ctrl-C is acted on
at once. Processes are started from that thread alone, because a child's leash (leash.py) is tied
to the thread that started it.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from riskhub import clock, notices
from riskhub.notices import Notice
from riskhub.runhub.child import Child, ChildSpec, exit_words, leashed
from riskhub.runhub.console import Console
from riskhub.runhub.leftovers import Run
from riskhub.runhub.logfile import LogFile, loud_part


class StartError(Exception):
    """The start failed; the message says what and shows the last lines of its log."""


class StopRequestedError(Exception):
    """Ctrl-C, or the system, asked for the end."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for what, in seconds.

    grace       for a child to end by itself before it is killed
    backoff     before the first restart; doubled with each death in a row, up to `longest`
    steady      uptime after which deaths are forgotten
    remembered  uptime after which the banner about a restart goes
    """

    grace: float = 10.0
    backoff: float = 1.0
    longest: float = 60.0
    steady: float = 60.0
    remembered: float = 600.0
    tick: float = 0.25


class Supervisor:
    """Children by name, in the order in which they were started."""

    def __init__(
        self, *, folder: Path, run: Run, console: Console, patience: Patience, is_verbose: bool
    ) -> None:
        self.folder = folder
        self.console = console
        self.patience = patience
        self.url = ""
        self.children: dict[str, Child] = {}
        self._run = run
        self._is_verbose = is_verbose
        self._stops = 0
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._notices: dict[str, Notice] = {}

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Turn Ctrl-C, SIGTERM and a closed terminal into a stop, for as long as this is open.

        Under nohup a closed terminal goes on being ignored.
        """
        asked = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            asked.append(signal.SIGHUP)
        old = {number: signal.signal(number, self._ask_to_stop) for number in asked}
        old[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        old_wake = signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(old_wake)
            for number, handler in old.items():
                signal.signal(number, handler)

    def start(self, spec: ChildSpec) -> None:
        """Start one child and go on."""
        child = Child(spec, log=self._log(spec.name))
        self.children[spec.name] = child
        child.start()
        self._note()

    def wait_until(self, is_ready: Callable[[], bool], *, within_s: float, what: str) -> None:
        """Wait; raises StartError on a death or when time runs out, StopRequestedError if asked."""
        deadline = clock.monotonic_s() + within_s
        while not is_ready():
            self._pause(0.05)
            self._raise_if_any_died()
            if clock.monotonic_s() > deadline:
                raise StartError(f"{what} within {within_s:g} s. Logs: {self.folder / 'logs'}")

    def run_step(self, command: Sequence[str], *, name: str, env: dict[str, str]) -> Iterator[str]:
        """Run a short-lived process and yield its lines; raises StartError if it fails."""
        log = self._log(name)
        errors = log.open()
        step = subprocess.Popen(
            leashed(command, death_signal=signal.SIGTERM),
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        os.close(errors)
        try:
            yield from self._lines_of(step)
        finally:
            if step.poll() is None:
                step.kill()
            code = step.wait()
        if code:
            raise StartError(_with_log(f"The step '{name}' ended with {exit_words(code)}.", log))

    def watch(self) -> None:
        """Follow the logs and restart what dies, until asked to stop."""
        with contextlib.suppress(StopRequestedError):
            while True:
                self._pause(self.patience.tick)
                for child in self.children.values():
                    self._tend(child)

    def stop(self) -> None:
        """End the children, the last ones only when the others have gone; a second Ctrl-C kills."""
        for is_last in (False, True):
            self._end([c for c in self.children.values() if c.spec.is_last == is_last])
        self._notices.clear()
        self._write_notices()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _ask_to_stop(self, *_: object) -> None:
        self._stops += 1

    def _log(self, name: str) -> LogFile:
        return LogFile(self.folder / "logs" / f"{name}.log")

    def _note(self) -> None:
        pids = {name: child.pid for name, child in self.children.items() if child.pid}
        with contextlib.suppress(OSError):  # a full disk must not end the supervision
            self._run.note(url=self.url, children=pids)

    def _wait(self, seconds: float) -> None:
        """Sleep, or less if a signal comes."""
        select.select([self._wake_read], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)

    def _pause(self, seconds: float) -> None:
        if not self._stops:
            self._wait(seconds)
        self._follow()
        if self._stops:
            raise StopRequestedError

    def _lines_of(self, step: subprocess.Popen[bytes]) -> Iterator[str]:
        assert step.stdout is not None  # noqa: S101 - asked for above
        rest = b""
        while content := self._read_from(step.stdout.fileno()):
            *lines, rest = (rest + content).split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)
        step.stdout.close()
        if rest:
            yield rest.decode(errors="replace")

    def _read_from(self, descriptor: int) -> bytes:
        while True:
            ready, _, _ = select.select([descriptor, self._wake_read], [], [])
            self._pause(0)
            self._raise_if_any_died()
            if descriptor in ready:
                return os.read(descriptor, 65536)

    def _raise_if_any_died(self) -> None:
        for child in self.children.values():
            if child.has_exited():
                what = exit_words(child.reap())
                sentence = f"{child.spec.title.capitalize()} stopped during the start ({what})."
                raise StartError(_with_log(sentence, child.log))

    def _follow(self) -> None:
        for name, child in self.children.items():
            with contextlib.suppress(OSError):  # somebody may have removed the file
                self._relay(name, child.log.new_lines())
                child.log.keep_small()

    def _relay(self, name: str, lines: Sequence[str]) -> None:
        for line in lines:
            if self._is_verbose:
                self.console.say(f"{name:>14} | {line}")
            elif text := loud_part(line):
                self.console.relay(name, text, now_s=clock.monotonic_s())

    def _tend(self, child: Child) -> None:
        now = clock.monotonic_s()
        if child.process is None:
            if child.restart_s is not None and now >= child.restart_s:
                self._restart(child)
        elif child.has_exited():
            self._mourn(child, now)
        elif child.deaths and now - child.started_s > self.patience.steady:
            child.deaths = 0
        elif child.spec.name in self._notices and now - child.started_s > self.patience.remembered:
            self._set_notice(child, None)

    def _mourn(self, child: Child, now: float) -> None:
        words = exit_words(child.reap())
        wait = self._postpone(child, now)
        text = f"{child.spec.title.capitalize()} stopped ({words}) and is being restarted."
        self._set_notice(child, Notice("", "error", f"{text} {child.spec.meanwhile}", clock.now()))
        self.console.say(f"{text} Next try in {wait:g} s; its log: {child.log.path}")
        self._note()

    def _postpone(self, child: Child, now: float) -> float:
        """Set the time of the next try, later with each death in a row; return the wait."""
        wait = min(self.patience.longest, self.patience.backoff * 2.0 ** min(child.deaths, 20))
        child.deaths += 1
        child.restart_s = now + wait
        return wait

    def _restart(self, child: Child) -> None:
        try:
            child.start()
        except OSError as error:
            wait = self._postpone(child, clock.monotonic_s())
            self.console.say(f"{child.spec.title.capitalize()} cannot start: {error} ({wait:g} s)")
            return
        self._note()
        text = f"{child.spec.title.capitalize()} had stopped and was restarted."
        self._set_notice(child, Notice("", "warning", text, clock.now()))
        self.console.say(text)

    def _set_notice(self, child: Child, notice: Notice | None) -> None:
        key = child.spec.name
        self._notices.pop(key, None)
        if notice:
            self._notices[key] = Notice(key, notice.level, notice.text.strip(), notice.at)
        self._write_notices()

    def _write_notices(self) -> None:
        with contextlib.suppress(OSError):
            notices.write(folder=self.folder, notices=self._notices.values())

    def _end(self, children: Sequence[Child]) -> None:
        deadline = clock.monotonic_s() + self.patience.grace
        for child in reversed(children):
            child.terminate()
        while any(not child.has_exited() for child in children):
            if clock.monotonic_s() > deadline or self._stops > 1:
                break
            self._wait(0.05)
        for child in children:
            child.reap()


def _with_log(sentence: str, log: LogFile) -> str:
    lines = "".join(f"\n    {line}" for line in log.last_lines(12))
    return f"{sentence} The end of its log ({log.path}):{lines or ' it is empty.'}"
