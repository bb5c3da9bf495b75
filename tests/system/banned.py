"""What a worker does about a ban: read accounts again and again, in a forked child."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta

from riskhub import clock
from venues import reading


def poll_often(*, ids: Sequence[int], seconds: float, rests_s: float) -> list[list[str]]:
    """Read the accounts until the time is over; return the kinds of failures, round by round."""
    until = clock.now() + timedelta(seconds=seconds)
    rounds = []
    while clock.now() < until:
        groups = reading.read_accounts(account_ids=ids, now=clock.now())
        failures = [failure for group in groups for each in group for failure in each.failures]
        rounds.append(sorted({failure.error.kind for failure in failures}))
        time.sleep(rests_s)
    return rounds
