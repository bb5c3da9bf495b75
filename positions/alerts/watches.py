"""What each rule looks at: subjects, and the value of each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from positions import freshness
from positions.alerts.models import AlertRule
from positions.alerts.rules import RuleKind, is_worse_high
from positions.alerts.thresholds import measure_positions
from positions.engine.types import PositionState
from positions.models import Position
from positions.risk.base import Floats
from venues import hygiene
from venues.models import Account

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Subject:
    """What an incident may be about: a life of a position, or an account."""

    key: str
    account: Account
    position: Position | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Watch:
    """One rule's view of n subjects.

    values      the measure, shape (n,); NaN where it is not known
    is_watched  shape (n,); False outside the rule's scope, or where there is nothing to watch
    """

    subjects: Sequence[Subject]
    values: Floats
    is_watched: Bools
    is_worse_high: bool


def position_subject(position: Position) -> Subject:
    """Return the present life of a position as a subject: another life is another subject."""
    key = f"position:{position.pk}/life:{position.life_id}"
    return Subject(key, position.account, position)


def watch_positions(
    *, rules: Iterable[AlertRule], positions: Sequence[Position], now: datetime
) -> list[tuple[AlertRule, Watch]]:
    """Return the view of each threshold rule; every measure is computed once.

    An ended position is not watched, nor is one of a disabled account. Of one that is gone without
    a word nothing is known.
    """
    rules = [rule for rule in rules if rule.kind == RuleKind.THRESHOLD]
    subjects = [position_subject(position) for position in positions]
    columns = measure_positions(
        names={rule.measure for rule in rules}, positions=positions, now=now
    )
    is_live = _bools(
        position.account.is_enabled and not position.is_ended for position in positions
    )
    is_gone = _bools(position.state == PositionState.GONE for position in positions)
    return [
        (
            rule,
            Watch(
                subjects,
                np.where(is_gone, np.nan, columns[rule.measure]),
                is_live & _in_scope(rule, subjects),
                is_worse_high(kind=rule.kind, measure=rule.measure),
            ),
        )
        for rule in rules
    ]


def watch_accounts(
    *,
    rules: Iterable[AlertRule],
    accounts: Sequence[Sight],
    now: datetime,
    told_as_one: Collection[int] = (),
) -> list[tuple[AlertRule, Watch]]:
    """Return the view of each rule about accounts: staleness, key, hygiene, refusals.

    told_as_one  ids of accounts whose venue as a whole is not seen: that is one incident of it
    """
    subjects = [Subject(f"account:{sight.account.pk}", sight.account) for sight in accounts]
    is_polled = _bools(sight.account.is_enabled for sight in accounts)
    is_alone = _bools(sight.account.pk not in told_as_one for sight in accounts)
    blocked = (1.0 if sight.account.blocked_reason else 0.0 for sight in accounts)
    values = {
        RuleKind.STALENESS: _floats(staleness_of(sight, now=now) for sight in accounts),
        RuleKind.KEY: _floats(blocked),
        RuleKind.HYGIENE: _floats(_hygiene(sight.account) for sight in accounts),
        RuleKind.REFUSALS: _floats(float(sight.refused) for sight in accounts),
    }
    return [
        (
            rule,
            Watch(
                subjects,
                values[RuleKind(rule.kind)],
                is_polled
                & _in_scope(rule, subjects)
                & (is_alone if rule.kind == RuleKind.STALENESS else is_polled),
                is_worse_high=True,
            ),
        )
        for rule in rules
        if rule.kind in values
    ]


@dataclass(frozen=True, slots=True)
class Sight:
    """What was last seen of an account.

    seen_at          when the part of it that was seen longest ago was seen
    refused          rows of all parts that could not be read
    is_venue_silent  no part could be read at the latest attempt, for a reason of the venue
    """

    account: Account
    seen_at: datetime
    refused: int = 0
    is_venue_silent: bool = False


def oldest_sight(*, account: Account, scopes: Iterable[datetime | None], refused: int = 0) -> Sight:
    """Return how blind an account is.

    scopes   when each part was last seen; None: never, which counts from the account's creation
    refused  rows of all parts that could not be read
    """
    seen = list(scopes) or [account.last_seen_at]
    return Sight(account, min(at or account.created_at for at in seen), refused)


def unseen_scopes(*, account: Account, now: datetime) -> list[str]:
    """Return the parts of an account that are past their allowance, by name."""
    allowed_s = freshness.stale_after_s(account.poll_budget_s)
    return sorted(
        entry.scope
        for entry in account.coverage.all()
        if (now - (entry.seen_at or account.created_at)).total_seconds() > allowed_s
    )


def is_watched(rule: AlertRule, subject: Subject) -> bool:
    """Tell whether a subject lies in a rule's scope and its account is read at all."""
    return subject.account.is_enabled and _is_covered(rule, subject)


def _is_covered(rule: AlertRule, subject: Subject) -> bool:
    facts = _facts(subject)
    return all(not wanted or facts[name] in wanted for name, wanted in rule.scope.items())


def _facts(subject: Subject) -> Mapping[str, str | int]:
    account, position = subject.account, subject.position
    facts: dict[str, str | int] = {"venue": account.venue, "account": account.pk}
    if position is not None:
        facts |= {"asset": position.market.asset, "side": position.side}
    return facts


def _in_scope(rule: AlertRule, subjects: Sequence[Subject]) -> Bools:
    if not any(rule.scope.values()):
        return np.ones(len(subjects), np.bool_)
    return _bools(_is_covered(rule, subject) for subject in subjects)


def staleness_of(sight: Sight, *, now: datetime) -> float:
    """Return the age of what was last seen in units of what its budget allows; NaN: blocked."""
    account = sight.account
    # Nobody polls an account whose key is refused: that is one incident, not two.
    if account.blocked_reason:
        return float("nan")
    allowed_s = freshness.stale_after_s(account.poll_budget_s)
    return (now - sight.seen_at).total_seconds() / allowed_s


def _hygiene(account: Account) -> float:
    """What is wrong with a key; not known before it was looked at.

    A refused key has stopped its account: that is one incident, not two.
    """
    check = getattr(account, "key_check", None)
    if account.blocked_reason or check is None or not (check.checked_at or check.findings):
        return float("nan")
    return hygiene.measure(hygiene.read(check.findings))


def _bools(values: Iterable[bool]) -> Bools:
    return np.array(list(values), np.bool_)


def _floats(values: Iterable[float]) -> Floats:
    return np.array(list(values), np.float64)
