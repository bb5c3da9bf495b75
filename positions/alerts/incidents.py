"""The life of incidents: what is seen now against what was open, into changes to write.

Nothing here touches the database. A pending incident is told to nobody; what ends while pending
leaves no trace. Unknown moves nothing, but is marked. What gets worse is believed at once; what
gets better, once it has held for the rule's `clear_for_s`: a value that swings is one incident.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from positions.alerts.models import AlertRule, Incident, IncidentState, Reason
from positions.alerts.rules import RuleKind
from positions.alerts.thresholds import next_ranks
from positions.alerts.watches import Subject, Watch, is_watched, position_subject
from positions.models import Event, EventKind, Position

EXPIRED = "a day has passed"
NEW_LIFE = "a new life of the position began"
RULE_OFF = "the rule was switched off"
OUT_OF_SCOPE = "left the scope of the rule"
ACCOUNT_OFF = "the account was switched off"
VENUE_TOLD = "told of the venue as a whole"
# Things a person did on purpose and need not be told.
_QUIET = frozenset({RULE_OFF, OUT_OF_SCOPE, ACCOUNT_OFF, EXPIRED, VENUE_TOLD})
_RECOVERED = {
    RuleKind.THRESHOLD: "recovered",
    RuleKind.STALENESS: "seen again",
    RuleKind.KEY: "polled again",
    RuleKind.HYGIENE: "nothing is wrong with the key any more",
    RuleKind.REFUSALS: "every row is read again",
    RuleKind.VENUE: "read again",
}
# What an event left open leaves the list of what is open after this long.
EVENT_LIFE = timedelta(days=1)
# Events that last as long as the position stays in the state of the same name.
_LASTING = frozenset({EventKind.GONE, EventKind.BREACHED})
# The end of a life is a fact and no condition: it is told once, and nothing of it stays open.
_ENDS = frozenset(
    {EventKind.CLOSED, EventKind.LIQUIDATED, EventKind.DELEVERAGED, EventKind.SETTLED}
)
TOLD = "told once, as it had happened"


@dataclass(slots=True)
class Changes:
    """What one evaluation changes, and what is to be told about it."""

    now: datetime
    opened: list[Incident] = field(default_factory=list)
    changed: list[Incident] = field(default_factory=list)
    eased: list[Incident] = field(default_factory=list)
    dropped: list[Incident] = field(default_factory=list)
    told: list[tuple[Incident, Reason]] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is to be written."""
        return not (self.opened or self.changed or self.eased or self.dropped)

    @property
    def moved(self) -> list[Incident]:
        """Incidents to be written with fresh figures; not those that only ease."""
        return self.opened + self.changed

    def tell(self, incident: Incident, reason: Reason) -> None:
        """Have a message written about the incident."""
        incident.last_message_at = self.now
        self.told.append((incident, reason))


def follow(
    *, rule: AlertRule, watch: Watch, incidents: Iterable[Incident], changes: Changes
) -> None:
    """Move the incidents of one rule that is not about events.

    incidents  the open ones of this rule on the watched positions or accounts
    """
    places = {subject.key: place for place, subject in enumerate(watch.subjects)}
    held: dict[int, Incident] = {}
    for incident in incidents:
        place = places.get(incident.subject)
        if place is None or not watch.is_watched[place]:
            _leave(incident, rule, changes)
        else:
            held[place] = incident
    ranks = np.zeros(len(watch.subjects), np.int64)
    for place, incident in held.items():
        ranks[place] = incident.rank
    reached = next_ranks(
        values=watch.values, ranks=ranks, ladder=rule.ladder, is_worse_high=watch.is_worse_high
    )
    for place in np.flatnonzero(watch.is_watched & ((ranks > 0) | (reached > 0))).tolist():
        subject, value = watch.subjects[place], float(watch.values[place])
        incident = held.get(place) or _open(rule, subject, changes)
        _move(incident, rule, int(reached[place]), value, changes)


def _open(rule: AlertRule, subject: Subject, changes: Changes) -> Incident:
    incident = Incident(
        team_id=rule.team_id,
        rule=rule,
        subject=subject.key,
        position=subject.position,
        account=subject.account,
        rank=0,
        opened_at=changes.now,
    )
    changes.opened.append(incident)
    return incident


def _move(incident: Incident, rule: AlertRule, rank: int, value: float, changes: Changes) -> None:
    before = _shape(incident, changes)
    is_unknown, was_rank = math.isnan(value), incident.rank
    incident.unknown_since = (incident.unknown_since or changes.now) if is_unknown else None
    rank = _believe(incident, rule, rank, changes)
    if rank == 0:
        incident.value = value
        resolve(incident, _RECOVERED[RuleKind(rule.kind)], changes)
        return
    incident.rank = rank
    incident.severity = rule.ladder[rank - 1].severity
    if incident.eased_since is None:
        _notify(incident, rule, is_worse=rank > was_rank, changes=changes)
    if before == _shape(incident, changes):
        return
    if not is_unknown and incident.eased_since is None:
        # Beyond any limit is not a number to store: the state says it.
        incident.value = value if math.isfinite(value) else None
    if incident.pk:
        changes.changed.append(incident)


def _believe(incident: Incident, rule: AlertRule, rank: int, changes: Changes) -> int:
    """Return the level to act on: a milder one only once it has held for `clear_for_s`.

    Until then the incident keeps its own, and `eased_since` is set. Unknown, which is the level as
    it was, ends the wait: what nobody saw has not held.
    """
    was = incident.eased_since, incident.eased_rank
    believed, since, most = rank, *was
    if incident.state != IncidentState.PENDING and rule.clear_for_s > 0 and rank < incident.rank:
        believed = incident.rank
        since, most = (since, max(rank, most)) if since else (changes.now, rank)
        if changes.now - since >= timedelta(seconds=rule.clear_for_s):
            believed, since, most = most, changes.now, rank
    if rank >= believed:
        since, most = None, 0
    incident.eased_since, incident.eased_rank = since, most
    if incident.pk and was != (since, most):
        changes.eased.append(incident)
    return believed


def _shape(incident: Incident, changes: Changes) -> tuple[object, ...]:
    return (
        incident.rank,
        incident.severity,
        incident.state,
        incident.unknown_since,
        len(changes.told),
    )


def _notify(incident: Incident, rule: AlertRule, *, is_worse: bool, changes: Changes) -> None:
    if incident.state == IncidentState.PENDING:
        if changes.now - incident.opened_at >= timedelta(seconds=rule.for_s):
            fire(incident, changes)
    elif is_worse:
        # A worse incident is news, even to whoever acknowledged the milder one.
        incident.state = IncidentState.FIRING
        incident.acknowledged_at = incident.acknowledged_by = None
        changes.tell(incident, Reason.WORSE)
    elif _is_repeat_due(incident, rule, changes.now):
        changes.tell(incident, Reason.REPEAT)


def _is_repeat_due(incident: Incident, rule: AlertRule, now: datetime) -> bool:
    last = incident.last_message_at or incident.opened_at
    is_waiting = incident.state == IncidentState.FIRING and rule.repeat_s > 0
    return is_waiting and now - last >= timedelta(seconds=rule.repeat_s)


def fire(incident: Incident, changes: Changes) -> None:
    """Make an incident fire for the first time."""
    incident.state = IncidentState.FIRING
    incident.fired_at = changes.now
    changes.tell(incident, Reason.FIRST)


def resolve(incident: Incident, resolution: str, changes: Changes) -> None:
    """End an incident; one that was told of is told of again, unless a person ended it."""
    if incident.state == IncidentState.PENDING:
        changes.dropped.append(incident)
        return
    _close(incident, resolution, changes)
    changes.changed.append(incident)
    if resolution not in _QUIET:
        changes.tell(incident, Reason.RESOLVED)


def _close(incident: Incident, resolution: str, changes: Changes) -> None:
    incident.state = IncidentState.RESOLVED
    incident.resolved_at = changes.now
    incident.resolution = resolution
    incident.eased_since = None


def _leave(incident: Incident, rule: AlertRule, changes: Changes) -> None:
    resolve(incident, _why_left(incident, rule), changes)


def _why_left(incident: Incident, rule: AlertRule) -> str:
    position, account = incident.position, incident.account
    if account is not None and not account.is_enabled:
        return ACCOUNT_OFF
    if position is not None:
        if position.is_ended:
            return f"the position was {position.state}"
        if position_subject(position).key != incident.subject:
            return NEW_LIFE
    elif account is not None and is_watched(rule, Subject(incident.subject, account)):
        return VENUE_TOLD if rule.is_enabled else RULE_OFF
    return OUT_OF_SCOPE if rule.is_enabled else RULE_OFF


def follow_events(
    *,
    rules: Sequence[AlertRule],
    events: Iterable[Event],
    positions: Mapping[int, Position],
    incidents: Sequence[Incident],
    changes: Changes,
) -> None:
    """Open an incident for each event that a rule names, and end those that are over.

    positions  by id; incidents  the open ones of event rules on these positions

    "gone" lasts while the position is gone; the end of a life is told and stands as ended.
    """
    for incident in incidents:
        _end_if_over(incident, changes)
    is_open = {(each.rule_id, each.subject) for each in incidents if each.is_open}
    for event in events:
        position = positions.get(event.position_id) or event.position
        subject = position_subject(position)
        key = f"position:{position.pk}/life:{event.life_id}/{event.kind}"
        for rule in rules:
            is_wanted = event.kind in rule.events and is_watched(rule, subject)
            if is_wanted and (rule.pk, key) not in is_open:
                is_open.add((rule.pk, key))
                _open_event(rule, Subject(key, position.account, position), event, changes)


def _open_event(rule: AlertRule, subject: Subject, event: Event, changes: Changes) -> None:
    incident = _open(rule, subject, changes)
    incident.rank = 1
    incident.severity = rule.ladder[0].severity
    incident.why = {
        "event": {"kind": event.kind, "at": event.at.isoformat(), "detail": event.detail}
    }
    fire(incident, changes)
    if event.kind in _ENDS:
        _close(incident, TOLD, changes)


def _end_if_over(incident: Incident, changes: Changes) -> None:
    kind = incident.why.get("event", {}).get("kind")
    position, rule = incident.position, incident.rule
    if kind not in _LASTING or position is None or rule is None:
        return
    is_over = position.state != kind
    rank = _believe(incident, rule, 0 if is_over else incident.rank, changes)
    if is_over and (rank == 0 or position.is_ended):
        resolve(incident, f"the position is {position.state}", changes)


def retire(incidents: Iterable[Incident], changes: Changes) -> None:
    """End the incidents of rules that are switched off or deleted."""
    for incident in incidents:
        resolve(incident, RULE_OFF, changes)


def switch_off(incidents: Iterable[Incident], changes: Changes) -> None:
    """End the incidents of an account that a person has disabled."""
    for incident in incidents:
        resolve(incident, ACCOUNT_OFF, changes)


def expire(incidents: Iterable[Incident], changes: Changes) -> None:
    """End event incidents that have been open for EVENT_LIFE."""
    for incident in incidents:
        if changes.now - incident.opened_at >= EVENT_LIFE:
            resolve(incident, EXPIRED, changes)
