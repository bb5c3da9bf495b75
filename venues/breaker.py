"""The circuit breaker: a venue that is down is asked by one request at a time, ever more rarely."""

from __future__ import annotations

from riskhub import clock
from venues.errors import Unavailable

# So many failures in a row and not one answer. Of requests that fail at random three times in
# ten, one in 170,000 begins such a row; a venue that is down shows it within a second.
_OPEN_AFTER = 10
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0


class Breaker:
    """Closed: all pass. Open: none until a pause ends. Half open: one probe, whose end decides.

    Each probe that fails doubles the pause, from 1 to 30 s; any answer closes the breaker.
    """

    def __init__(self, *, label: str) -> None:
        self._label = label
        self._failures = 0
        self._pause_s = 0.0
        self._until_s = 0.0
        self._is_probing = False

    @property
    def is_closed(self) -> bool:
        """Tell whether requests pass as usual."""
        return not self._pause_s

    def check(self) -> None:
        """Raise Unavailable while nothing would pass; begins no probe."""
        if not self._pause_s:
            return
        left_s = self._until_s - clock.monotonic_s()
        if self._is_probing or left_s > 0:
            sentence = f"{self._label} does not answer; RiskHub waits before it asks again."
            raise Unavailable(sentence, retry_after_s=max(left_s, _FIRST_PAUSE_S))

    def enter(self) -> bool:
        """Let a request pass and tell whether it is the probe. Raises Unavailable."""
        self.check()
        self._is_probing = bool(self._pause_s)
        return self._is_probing

    def leave(self, *, is_probe: bool, is_failure: bool) -> None:
        """Note how a request ended; what was sent before the breaker opened changes no pause."""
        if not is_failure:
            self._failures, self._pause_s, self._is_probing = 0, 0.0, False
            return
        self._failures += 1
        if is_probe:
            self._is_probing = False
            self._open(min(2 * self._pause_s, _LONGEST_PAUSE_S))
        elif self.is_closed and self._failures >= _OPEN_AFTER:
            self._open(_FIRST_PAUSE_S)

    def forgo(self, *, is_probe: bool) -> None:
        """Note that a request was cancelled: it says nothing, and another may be the probe."""
        if is_probe:
            self._is_probing = False
            self._open(self._pause_s)

    def _open(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._until_s = clock.monotonic_s() + pause_s
