"""One child's log: the child appends, the supervisor follows and keeps it within a size.

Children write to the file themselves: a console that is paused, or a supervisor that is busy,
stops nobody.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path

CAP_BYTES = 5_000_000
# A warning is for whoever reads the log: it asks nothing of the person at the terminal.
_LOUD = ("error", "critical")
# What somebody else sent is no fault here, however loudly Django says it; a host name that is not
# served is the operator's to allow.
_OF_REQUESTS, _FOR_OPERATOR = "django.security.", "django.security.DisallowedHost"


class LogFile:
    """The file `<name>.log` and, when that is full, its predecessor `<name>.log.1`."""

    def __init__(self, path: Path, *, cap_bytes: int = CAP_BYTES) -> None:
        self.path = path
        self.cap_bytes = cap_bytes
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        self._read_to = path.stat().st_size
        self._rest = b""

    def open(self) -> int:
        """Return a descriptor for the child; appending, so that the file can be cut under it."""
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def new_lines(self) -> list[str]:
        """Return the complete lines that came since the last call."""
        with self.path.open("rb") as file:
            if os.fstat(file.fileno()).st_size < self._read_to:
                self._read_to, self._rest = 0, b""
            file.seek(self._read_to)
            content = file.read(1_000_000)
        self._read_to += len(content)
        *lines, self._rest = (self._rest + content).split(b"\n")
        return [line.decode(errors="replace") for line in lines]

    def keep_small(self) -> None:
        """Move a full file's content to `.1`; lines written meanwhile may be lost, the child none.

        Called after `new_lines`, so nothing unread is cut.
        """
        if self.path.stat().st_size <= self.cap_bytes:
            return
        with contextlib.suppress(OSError):  # on a full disk, making room matters more
            shutil.copyfile(self.path, f"{self.path}.1")
        os.truncate(self.path, 0)
        self._read_to, self._rest = 0, b""

    def last_lines(self, count: int) -> list[str]:
        """Return the last lines, for a person to see why the child died."""
        with self.path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - 20_000))
            text = file.read().decode(errors="replace")
        return [line for line in text.splitlines() if line.strip()][-count:]


def loud_part(line: str) -> str | None:
    """Return what the console should say of a log line, on one line; None below an error."""
    if not line.startswith("{"):
        level, _, text = line.partition(":")
        return f"{level.lower()}: {text.strip()}" if level.lower() in _LOUD else None
    try:
        event = json.loads(line)
    except ValueError:
        return None
    level, logger = str(event.get("level", "")).lower(), str(event.get("logger", ""))
    if logger.startswith(_OF_REQUESTS) and logger != _FOR_OPERATOR:
        return None
    first = (str(event.get("event", line)).strip().splitlines() or [""])[0]
    return f"{level}: {first}" if level in _LOUD else None
