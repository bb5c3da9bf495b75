"""The rules and the channel that a team begins with."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from positions.alerts.models import AlertRule, Channel
from positions.alerts.rules import RuleKind
from positions.alerts.services import CHANNEL_REMOVED
from positions.engine.types import Severity
from positions.models import EventKind
from riskhub.teams.models import AuditEntry, Membership, Role, Team

DEFAULT_CHANNEL = "Owner's mail"
_NOBODYS_ADDRESS = "owner@localhost"


def _level(severity: Severity, level: float | None = None, rearm: float | None = None) -> Any:
    return {"level": level, "rearm": rearm, "severity": severity.value}


DELISTING = "Delisting"
RULES_CHANGED = "Rules changed"
VENUE_NOT_READ = "Venue not read"
DEFAULT_RULES: tuple[dict[str, Any], ...] = (
    {
        "name": "Margin ratio",
        "kind": RuleKind.THRESHOLD,
        "measure": "margin_ratio",
        "levels": [
            _level(Severity.WARNING, 0.7, 0.6),
            _level(Severity.CRITICAL, 0.85, 0.8),
        ],
    },
    {
        "name": "Distance to liquidation",
        "kind": RuleKind.THRESHOLD,
        "measure": "liquidation_distance",
        "levels": [
            _level(Severity.WARNING, 0.10, 0.12),
            _level(Severity.CRITICAL, 0.05, 0.06),
        ],
    },
    {
        "name": "Account not seen",
        "kind": RuleKind.STALENESS,
        "levels": [_level(Severity.WARNING, 1.0, 1.0)],
        # After a restart every account is old until its first poll.
        "for_s": 30.0,
    },
    {
        "name": "Key refused",
        "kind": RuleKind.KEY,
        "levels": [_level(Severity.CRITICAL)],
        # A person has just given a new key and waits for the word that it works.
        "clear_for_s": 0.0,
        "repeat_s": 86_400.0,
    },
    {
        "name": "Key findings",
        "kind": RuleKind.HYGIENE,
        # Each further warning is news of its own; what must be changed at once is beyond all.
        "levels": [
            *(_level(Severity.WARNING, count, count) for count in (0.0, 1.0, 2.0, 3.0, 4.0)),
            _level(Severity.CRITICAL, 99.0, 99.0),
        ],
        # Known once a day: what is better is better, and telling it daily would tire people.
        "clear_for_s": 0.0,
        "repeat_s": 0.0,
    },
    {
        "name": "Rows refused",
        "kind": RuleKind.REFUSALS,
        "levels": [_level(Severity.WARNING, 0.0, 0.0)],
        # One odd answer is no news; a row that stays unreadable may be a position.
        "for_s": 60.0,
        "repeat_s": 86_400.0,
    },
    {
        "name": VENUE_NOT_READ,
        "kind": RuleKind.VENUE,
        "levels": [
            _level(Severity.WARNING, 0.5, 0.5),
            _level(Severity.WARNING, 1.5, 1.5),
            _level(Severity.CRITICAL, 2.5, 2.5),
        ],
        "repeat_s": 86_400.0,
    },
    {
        "name": "Liquidated or deleveraged",
        "kind": RuleKind.EVENT,
        "events": [EventKind.LIQUIDATED.value, EventKind.DELEVERAGED.value],
        "levels": [_level(Severity.CRITICAL)],
        "repeat_s": 0.0,
    },
    {
        "name": "Gone, unexplained",
        "kind": RuleKind.EVENT,
        "events": [EventKind.GONE.value],
        "levels": [_level(Severity.WARNING)],
        "repeat_s": 0.0,
    },
    {
        "name": DELISTING,
        "kind": RuleKind.THRESHOLD,
        "measure": "hours_to_delisting",
        "levels": [
            _level(Severity.WARNING, 168.0, 169.0),
            _level(Severity.CRITICAL, 24.0, 25.0),
        ],
        "repeat_s": 86_400.0,
    },
    {
        "name": RULES_CHANGED,
        "kind": RuleKind.EVENT,
        "events": [EventKind.RULES_CHANGED.value],
        "levels": [_level(Severity.WARNING)],
        "repeat_s": 0.0,
    },
)

# What teams of an earlier release do not have yet, by what tells one rule from another.
_LATER = tuple(
    rule
    for rule in DEFAULT_RULES
    if rule["kind"] in {RuleKind.HYGIENE, RuleKind.REFUSALS, RuleKind.VENUE}
    or rule["name"] in {DELISTING, RULES_CHANGED}
)


def ensure_defaults(*, team: Team, now: datetime) -> None:
    """Give a team the default rules that it never had, and one without channels a mail channel.

    The mail goes to the team's owner; without an address it goes to owner@localhost, which the
    default mail backend writes into a file. What a person changed or removed stays so.
    """
    AlertRule.objects.bulk_create(
        [AlertRule(team=team, created_at=now, **columns) for columns in _missing_rules(team)],
        ignore_conflicts=True,
    )
    if not Channel.objects.filter(team=team).exists() and not _was_channel_removed(team):
        Channel.objects.bulk_create(
            [
                Channel(
                    team=team,
                    kind="email",
                    label=DEFAULT_CHANNEL,
                    config={"to": _owner_address(team)},
                    created_at=now,
                )
            ],
            ignore_conflicts=True,
        )


def _missing_rules(team: Team) -> list[dict[str, Any]]:
    """Return all rules for a team without any, and else those that a release brought.

    Rules are switched off and not removed, so that a team without such a rule has never had it.
    """
    rules = AlertRule.objects.filter(team=team)
    known = {_sort(kind, measure, events) for kind, measure, events in rules.values_list(*_SORT)}
    if not known:
        return list(DEFAULT_RULES)
    return [rule for rule in _LATER if _sort(*(rule.get(name) for name in _SORT)) not in known]


_SORT = ("kind", "measure", "events")


def _sort(kind: Any, measure: Any, events: Any) -> tuple[str, str, tuple[str, ...]]:
    return str(kind), measure or "", tuple(events or ())


def _was_channel_removed(team: Team) -> bool:
    return AuditEntry.objects.filter(team=team, action=CHANNEL_REMOVED).exists()


def _owner_address(team: Team) -> str:
    owners = Membership.objects.filter(team=team, role=Role.OWNER).order_by("pk")
    addresses = owners.exclude(user__email="").values_list("user__email", flat=True)
    return addresses.first() or _NOBODYS_ADDRESS
