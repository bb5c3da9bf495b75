"""Start a fake hub, hear what it says, and be sure that it is gone afterwards."""

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Hub:
    """A running supervisor, heard line by line."""

    def __init__(self, command: list[str], *, env: dict[str, str] | None = None) -> None:
        self.env = env
        self.heard: list[str] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def hear(self, part: str) -> str:
        """Return the first line from now on that contains `part`."""
        while True:
            try:
                line = self._lines.get(timeout=60)
            except queue.Empty:
                line = None
            assert line is not None, f"{part!r} was never said: {self.heard}"
            self.heard.append(line)
            if part in line:
                return line

    def end(self, number: signal.Signals) -> int:
        """Signal the hub and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=40)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(timeout=40)

    def _listen(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)


class FakeHub(Hub):
    """A running fake_hub.py."""

    def __init__(self, folder: Path, *children: str) -> None:
        self.folder = folder
        super().__init__([sys.executable, "-m", "tests.setup.fake_hub", str(folder), *children])

    def order(self) -> list[str]:
        """Return what the children wrote: "name up PID" and "name down"."""
        return (self.folder / "order").read_text().splitlines()

    def pid_of(self, name: str) -> int:
        """Return the child's newest process id."""
        return int([line for line in self.order() if line.startswith(f"{name} up")][-1].split()[2])


def is_alive(pid: int) -> bool:
    """Tell whether the process exists and is not merely waiting to be reaped."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return False
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True
    return state != "Z"


def eventually(condition: Callable[[], bool]) -> bool:
    """Return True as soon as the condition holds, False if it does not within 10 s."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False
