"""How far this machine's clock is from the venues': met while reading, told to the operator.

Kept in Redis for a day: a notice, of which nothing depends. What is signed uses the venue's time
(venues/strict.py), so a skewed clock costs one request and no reading.
"""

from __future__ import annotations

import queue
from dataclasses import dataclass
from functools import cache
from typing import Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

# Beyond so much a venue may refuse what we sign, and times of ours and theirs do not compare.
WORTH_A_NOTICE_MS = 1000

_KEY = "riskhub:clocks"
_LIFE_S = 86_400
_TIMEOUT_S = 0.5


@dataclass(frozen=True, slots=True)
class Drift:
    """By how many milliseconds a venue's clock is ahead of ours; negative: ours is ahead."""

    venue: str
    milliseconds: int


_unsaved: queue.SimpleQueue[Drift] = queue.SimpleQueue()


def note(*, venue: str, milliseconds: int) -> None:
    """Take down what a venue's clock showed; `settle` tells it on."""
    _unsaved.put(Drift(venue=venue, milliseconds=milliseconds))


def settle() -> None:
    """Tell what was noted, in a thread that may wait; without Redis it is only in the log."""
    while not _unsaved.empty():
        drift = _unsaved.get()
        try:
            if abs(drift.milliseconds) > WORTH_A_NOTICE_MS:
                _redis().hset(_KEY, drift.venue, drift.milliseconds)
                _redis().expire(_KEY, _LIFE_S)
            else:
                _redis().hdel(_KEY, drift.venue)
        except redis.RedisError:
            continue


def current_drifts() -> list[Drift]:
    """Return the venues whose clock is more than a second from ours, the worst first."""
    try:
        rows: dict[Any, Any] = _redis().hgetall(_KEY)
        found = [Drift(key.decode(), int(value)) for key, value in rows.items()]
    except (redis.RedisError, ValueError):
        return []
    return sorted(found, key=lambda drift: -abs(drift.milliseconds))


@cache
def _connect(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


def _redis() -> redis.Redis:
    return _connect(settings.REDIS_URL)
