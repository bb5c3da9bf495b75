"""What a rule may say: its kinds, its ladder of levels, its scope; and whether it makes sense."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import TextChoices

from positions.engine.types import Severity
from positions.models import EventKind
from positions.risk import registry as measures

SEVERITIES = (Severity.WARNING, Severity.CRITICAL)
POSITION_SCOPE = ("venue", "account", "asset", "side")
ACCOUNT_SCOPE = ("venue", "account")


class RuleKind(TextChoices):
    """What a rule watches.

    threshold  a registered measure of each position against a ladder of levels
    staleness  the age of an account's coverage, in multiples of what its budget allows
    key        polling of an account that stopped because the venue refuses its key
    hygiene    what is wrong with an account's key (venues.hygiene.measure): 1 for each warning,
               100 for what must be changed at once
    refusals   rows of an account's latest answers that could not be read
    venue      what befalls all accounts at a venue (positions.alerts.places): 1 its clock is more
               than a second from ours, 2 it answers none of them, 3 it has banned our address
    event      something that happened to a position
    """

    THRESHOLD = "threshold"
    STALENESS = "staleness"
    KEY = "key"
    HYGIENE = "hygiene"
    REFUSALS = "refusals"
    VENUE = "venue"
    EVENT = "event"

    @property
    def is_about_accounts(self) -> bool:
        """Tell whether the rule looks at accounts and not at positions."""
        return self not in {RuleKind.THRESHOLD, RuleKind.EVENT}


@dataclass(frozen=True, slots=True)
class Level:
    """One step of a ladder.

    level   reached when the value is beyond it on the dangerous side; None for events
    rearm   left when the value is back at or past it; on the safe side of `level`, or equal
    """

    level: float | None
    rearm: float | None
    severity: Severity


def read_ladder(levels: Sequence[Mapping[str, Any]]) -> tuple[Level, ...]:
    """Return a rule's `levels` as value objects, the least dangerous first."""
    return tuple(
        Level(each.get("level"), each.get("rearm"), Severity(each["severity"])) for each in levels
    )


def is_worse_high(*, kind: str, measure: str) -> bool:
    """Tell whether larger values are the dangerous ones. Raises KeyError for no such measure."""
    return kind != RuleKind.THRESHOLD or measures.get(measure).is_worse_high


def find_problem(
    *,
    kind: str,
    measure: str,
    events: Any,
    scope: Any,
    levels: Any,
    for_s: float,
    clear_for_s: float,
    repeat_s: float,
) -> str:
    """Return a sentence that says why a rule makes no sense; "" when it does."""
    if kind not in RuleKind.values:
        return f"There is no kind of rule {kind!r}; one of: {', '.join(RuleKind.values)}."
    durations = (for_s, clear_for_s, repeat_s)
    if not (all(_is_number(each) for each in durations) and min(durations) >= 0):
        return "Durations are numbers of seconds from 0."
    return (
        _watched_problem(RuleKind(kind), measure, events)
        or _scope_problem(RuleKind(kind), scope)
        or _ladder_problem(RuleKind(kind), measure, levels)
    )


def _watched_problem(kind: RuleKind, measure: str, events: Any) -> str:
    if kind is RuleKind.THRESHOLD and measure not in measures.names():
        return f"There is no measure {measure!r}; one of: {', '.join(measures.names())}."
    if kind is RuleKind.EVENT and not (
        isinstance(events, list) and events and set(events) <= set(EventKind.values)
    ):
        return f"An event rule names one or more of: {', '.join(EventKind.values)}."
    return ""


def _scope_problem(kind: RuleKind, scope: Any) -> str:
    allowed = ACCOUNT_SCOPE if kind.is_about_accounts else POSITION_SCOPE
    if not (
        isinstance(scope, dict)
        and set(scope) <= set(allowed)
        and all(isinstance(values, list) for values in scope.values())
    ):
        return f"A scope holds lists under some of: {', '.join(allowed)}."
    return ""


def _ladder_problem(kind: RuleKind, measure: str, levels: Any) -> str:
    if not (isinstance(levels, list) and levels and all(_is_step(step) for step in levels)):
        return "A ladder has at least one level, each with a severity: warning or critical."
    ladder = read_ladder(levels)
    ranks = [step.severity.rank for step in ladder]
    if ranks != sorted(ranks, reverse=True):
        return "The severity grows along the ladder."
    if kind in {RuleKind.EVENT, RuleKind.KEY}:
        return "" if len(ladder) == 1 else "This kind of rule has one level."
    return _order_problem(ladder, sign=1 if is_worse_high(kind=kind, measure=measure) else -1)


def _order_problem(ladder: Sequence[Level], *, sign: int) -> str:
    for step in ladder:
        if not (_is_number(step.level) and _is_number(step.rearm)):
            return "Each level and each re-arm level is a number."
    dangers = [sign * float(step.level or 0) for step in ladder]
    if dangers != sorted(set(dangers)):
        return "Each level is more dangerous than the one before it."
    if any(sign * float(s.rearm or 0) > d for s, d in zip(ladder, dangers, strict=True)):
        return "A re-arm level lies on the safe side of its level."
    return ""


def _is_step(step: Any) -> bool:
    return isinstance(step, dict) and step.get("severity") in SEVERITIES


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
