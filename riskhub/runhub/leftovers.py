"""One runner for a data folder, and an end to what an earlier, killed one left running.

`runhub.lock` is held for as long as the runner lives; the system lets go of it however that ends.
`runhub.json` names the run and its children. A process counts as ours by its id together with the
instant it was started, a number alone may belong to somebody else by now; or by the run's random
id in its environment, where the system shows that (Linux).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

RUN_ID_NAME = "RISKHUB_RUN_ID"
_PROC = Path("/proc")


class AlreadyRunningError(Exception):
    """Another runner holds this data folder; the message says where it serves."""


class Run:
    """This runner's hold on a data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run_id = secrets.token_hex(16)
        self._record: dict[str, Any] = {}
        self._descriptor = os.open(folder / "runhub.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise AlreadyRunningError(_who_runs(folder)) from None

    def note(self, *, url: str, children: Mapping[str, int]) -> None:
        """Write down what runs: names and process ids."""
        self._record = {
            "run_id": self.run_id,
            "pid": os.getpid(),
            "url": url,
            "children": [[name, pid, start_mark(pid)] for name, pid in children.items()],
        }
        partial = self.folder / "runhub.json.partial"
        partial.write_text(json.dumps(self._record))
        os.replace(partial, self.folder / "runhub.json")

    def close(self) -> None:
        """Let go of the folder, with nothing left running."""
        (self.folder / "runhub.json").unlink(missing_ok=True)
        os.close(self._descriptor)


def clear_leftovers(folder: Path, *, grace_s: float = 3.0) -> list[int]:
    """End what an earlier run left, and return the process ids; call it while holding the Run."""
    record = _read_record(folder)
    found = _ours(record)
    _signal_all(found, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while _ours(record) and time.monotonic() < deadline:
        time.sleep(0.05)
    _signal_all(_ours(record), signal.SIGKILL)
    return found


def _who_runs(folder: Path) -> str:
    record = _read_record(folder)
    where = f", at {record['url']}" if record.get("url") else ""
    number = f" (process {record['pid']})" if record.get("pid") else ""
    return (
        f"RiskHub already runs on {folder}{number}{where}. "
        "Use that one or stop it first, or set RISKHUB_DATA_DIR to another folder."
    )


def _read_record(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / "runhub.json").read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _ours(record: Mapping[str, Any]) -> list[int]:
    """Return the recorded children that still live, and what else carries the run's id.

    Both are needed: the broker overwrites its environment with its title.
    """
    if not record.get("run_id"):
        return []
    rows = record.get("children", [])
    recorded = {pid for _, pid, started in rows if started and start_mark(pid) == started}
    return sorted(recorded | marked_processes(str(record["run_id"])))


def marked_processes(run_id: str) -> set[int]:
    """Return every live process whose environment carries the run's id, grandchildren too."""
    mark = f"{RUN_ID_NAME}={run_id}".encode()
    found = set()
    for folder in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.add(int(folder.name))
    return found


def start_mark(pid: int) -> str:
    """Return the instant the process was started, as the system words it; "" if it is gone."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        pass
    try:
        command = ["ps", "-o", "lstart=", "-p", str(pid)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def _signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
