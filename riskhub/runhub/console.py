"""What a person reads while RiskHub runs: few lines, each with its source."""

from __future__ import annotations

import contextlib
import re
import sys
from typing import TextIO

QUIET_S = 60.0
_MOST_KINDS = 500
# Ids and numbers tell apart lines that say the same.
_PARTICULARS = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{16,}|\d+")


class Console:
    """Prints; a terminal that has gone away stops nothing."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._shown: dict[tuple[str, str], float] = {}
        self._held: dict[tuple[str, str], int] = {}

    def say(self, text: str = "") -> None:
        """Print a sentence of the supervisor's own."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text + "\n")
            self._stream.flush()

    def relay(self, name: str, text: str, *, now_s: float) -> None:
        """Print a child's line; one that says the same again, at most once a minute."""
        kind = (name, _PARTICULARS.sub("#", text))
        if now_s - self._shown.get(kind, -QUIET_S) < QUIET_S:
            self._held[kind] = self._held.get(kind, 0) + 1
            return
        if len(self._shown) > _MOST_KINDS:
            self._shown.clear()
            self._held.clear()
        held = self._held.pop(kind, 0)
        more = f" (and {held} more like it in logs/{name}.log)" if held else ""
        self.say(f"{name:>14} | {text}{more}")
        self._shown[kind] = now_s
