"""The only place that reads the time."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(tz=UTC)


def monotonic_s() -> float:
    """Return seconds on a clock that never goes back; good for durations alone."""
    return time.monotonic()


def from_milliseconds(value: int) -> datetime:
    """Return the instant `value` milliseconds after the Unix epoch."""
    return datetime.fromtimestamp(value / 1000, tz=UTC)


def to_milliseconds(instant: datetime) -> int:
    """Return whole milliseconds from the Unix epoch to `instant`."""
    return round(instant.timestamp() * 1000)
