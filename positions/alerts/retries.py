"""When a failed delivery is tried again: the schedule of the Standard Webhooks specification."""

from __future__ import annotations

import hashlib

# Seconds from each attempt to the next: ten attempts over about three days.
SCHEDULE_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
_JITTER = 0.1


def next_delay_s(*, attempts: int, delivery_id: int, retry_after_s: float | None) -> float | None:
    """Return seconds until the next attempt; None when the schedule has run out.

    attempts       how many there have been, at least 1
    retry_after_s  the receiver's own wish, kept when it is longer than the schedule's

    The jitter of up to a tenth follows from id and attempt, so that the same row gives the same
    time, and rows that failed together come back apart.
    """
    if attempts > len(SCHEDULE_S):
        return None
    delay = SCHEDULE_S[attempts - 1] * (1 + _JITTER * _spread(delivery_id, attempts))
    return max(delay, retry_after_s or 0.0)


def _spread(delivery_id: int, attempts: int) -> float:
    digest = hashlib.sha256(f"{delivery_id}:{attempts}".encode()).digest()
    return int.from_bytes(digest[:4]) / 2**31 - 1
