"""What befalls all accounts at a venue at once: a ban, silence, a clock that is off.

It is one incident of the venue, so that an outage is one message and not one for each account.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

import numpy as np

from positions.alerts.models import AlertRule
from positions.alerts.rules import RuleKind
from positions.alerts.watches import Sight, Subject, Watch, is_watched, staleness_of
from venues import bans, clocks
from venues.errors import (
    Banned,
    RateLimited,
    TimedOut,
    Unavailable,
    Unreachable,
    UnreadableAnswer,
    VenueError,
)

# The measure of rules of the kind "venue": the gravest of what befalls it.
SKEWED, SILENT, BANNED = 1.0, 2.0, 3.0
# Failures that are no account's own.
_NOT_OURS: tuple[type[VenueError], ...] = (
    Banned,
    RateLimited,
    TimedOut,
    Unavailable,
    Unreachable,
    UnreadableAnswer,
)
SILENCES = frozenset(each.kind for each in _NOT_OURS)

# Venue and environment.
Place = tuple[str, str]


def place_of(sight: Sight) -> Place:
    """Return the venue and environment of an account."""
    return sight.account.venue, sight.account.environment


def befallen(*, sights: Collection[Sight], now: datetime) -> dict[Place, float]:
    """Return what befalls the venues of these accounts; a venue that is well is left out."""
    found: dict[Place, float] = {}
    by_place = _by_place(sights)
    drifts = {drift.venue for drift in clocks.current_drifts()} if by_place else set()
    banned = {(row.venue, row.environment) for row in bans.current_bans(now=now)}
    for place, here in by_place.items():
        if place in banned:
            found[place] = BANNED
        elif _is_silent(here, now):
            found[place] = SILENT
        elif place[0] in drifts:
            found[place] = SKEWED
    return found


def watch_places(
    *,
    rules: Iterable[AlertRule],
    sights: Collection[Sight],
    befalls: Mapping[Place, float],
) -> list[tuple[AlertRule, Watch]]:
    """Return the view of each rule about venues; a venue stands under its first account's name."""
    by_place = _by_place(sights)
    subjects = [
        Subject(f"venue:{venue}/{environment}"[:120], here[0].account)
        for (venue, environment), here in by_place.items()
    ]
    values = np.array([befalls.get(place, 0.0) for place in by_place], np.float64)
    return [
        (rule, Watch(subjects, values, _in_scope(rule, subjects), is_worse_high=True))
        for rule in rules
        if rule.kind == RuleKind.VENUE
    ]


def told_as_one(
    *, rules: Sequence[AlertRule], sights: Collection[Sight], befalls: Mapping[Place, float]
) -> set[int]:
    """Return the ids of accounts that are not seen because of their venue, which a rule tells."""
    wide = [rule for rule in rules if rule.kind == RuleKind.VENUE]
    return {
        sight.account.pk
        for sight in sights
        if befalls.get(place_of(sight), 0.0) >= SILENT
        and any(is_watched(rule, Subject("", sight.account)) for rule in wide)
    }


def _by_place(sights: Collection[Sight]) -> dict[Place, list[Sight]]:
    """Return the accounts that are polled by venue; each list in the order of their ids."""
    found: dict[Place, list[Sight]] = defaultdict(list)
    for sight in sights:
        if sight.account.is_enabled and not sight.account.blocked_reason:
            found[place_of(sight)].append(sight)
    return found


def _is_silent(here: Sequence[Sight], now: datetime) -> bool:
    """Tell whether no account at a venue is seen, and not for a reason of its own."""
    is_all = len(here) > 1 and all(sight.is_venue_silent for sight in here)
    return is_all and any(staleness_of(sight, now=now) > 1.0 for sight in here)


def _in_scope(rule: AlertRule, subjects: Sequence[Subject]) -> np.ndarray:
    return np.array([is_watched(rule, subject) for subject in subjects], np.bool_)
