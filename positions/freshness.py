"""When a figure is stale: every one ages against its own budget."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

# A poll may miss one turn and take its whole deadline before anybody should worry.
_MISSED_TURNS = 2
_SLACK_S = 10.0


def stale_after_s(budget_s: float) -> float:
    """Return the age in seconds beyond which figures polled every `budget_s` are stale."""
    return _MISSED_TURNS * budget_s + _SLACK_S


def late_after_s(budget_s: float) -> float:
    """Return the age in seconds beyond which a turn has been missed, which is not stale yet."""
    return budget_s + _SLACK_S


def is_stale(*, seen_at: datetime | None, budget_s: float, now: datetime) -> bool:
    """Tell whether what was last seen at `seen_at` (None: never) is stale at `now`."""
    return seen_at is None or now - seen_at > timedelta(seconds=stale_after_s(budget_s))


def price_stale_after_s() -> float:
    """Return the age in seconds beyond which a trigger price is stale."""
    return stale_after_s(settings.PRICE_BUDGET_S)
