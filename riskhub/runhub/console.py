"""What a person reads while RiskHub runs: few lines, each with its source."""

from __future__ import annotations

import contextlib
import sys
from typing import TextIO

from riskhub import clock

_LINES, _WINDOW_S = 5, 10.0


class Console:
    """Prints; a terminal that has gone away stops nothing."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._shown: dict[str, list[float]] = {}
        self._held: dict[str, int] = {}

    def say(self, text: str = "") -> None:
        """Print a sentence of the supervisor's own."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text + "\n")
            self._stream.flush()

    def relay(self, name: str, text: str) -> None:
        """Print a child's line, at most a few in ten seconds each: the log has them all."""
        now = clock.monotonic_s()
        recent = [at for at in self._shown.get(name, []) if now - at < _WINDOW_S]
        if len(recent) >= _LINES:
            self._held[name] = self._held.get(name, 0) + 1
            return
        held = self._held.pop(name, 0)
        if held:
            self.say(f"{name:>14} | ... {held} more in logs/{name}.log")
        self.say(f"{name:>14} | {text}")
        self._shown[name] = [*recent, now]
