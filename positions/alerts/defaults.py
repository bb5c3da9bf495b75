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
)


def ensure_defaults(*, team: Team, now: datetime) -> None:
    """Give a team without rules the default rules, and one without channels a mail channel.

    The mail goes to the team's owner; without an address it goes to owner@localhost, which the
    default mail backend writes into a file. What a person changed or removed stays so.
    """
    if not AlertRule.objects.filter(team=team).exists():
        AlertRule.objects.bulk_create(
            [AlertRule(team=team, created_at=now, **columns) for columns in DEFAULT_RULES],
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


def _was_channel_removed(team: Team) -> bool:
    return AuditEntry.objects.filter(team=team, action=CHANNEL_REMOVED).exists()


def _owner_address(team: Team) -> str:
    owners = Membership.objects.filter(team=team, role=Role.OWNER).order_by("pk")
    addresses = owners.exclude(user__email="").values_list("user__email", flat=True)
    return addresses.first() or _NOBODYS_ADDRESS
