"""What a message says: the figures behind an incident, and the versioned document of a message.

docs/webhooks.md describes the document; a field is never removed or changed within a version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import prefetch_related_objects

from positions.alerts.models import Channel, Incident, Reason
from positions.alerts.rules import RuleKind
from positions.alerts.watches import oldest_sight
from positions.alerts.wording import (
    findings_of,
    headline,
    message_headline,
    place_text,
    value_text,
)
from positions.engine.types import Source
from positions.external import position_document
from positions.models import Position
from positions.risk import registry as measures
from riskhub import formatting
from venues import hygiene
from venues.models import Account

VERSION = 1
TYPES: Mapping[str, str] = {
    Reason.FIRST: "incident.fired",
    Reason.WORSE: "incident.worsened",
    Reason.REPEAT: "incident.repeated",
    Reason.RESOLVED: "incident.resolved",
    Reason.TEST: "channel.test",
}
# What a person wants to see beside the measure, in this order.
_FIGURES: tuple[tuple[str, str, Callable[[float | None], str] | None], ...] = (
    ("mark_price", "Mark price", formatting.price),
    ("liquidation_price", "Liquidation price", formatting.price),
    ("liquidation_distance", "Distance", formatting.percent),
    ("margin_ratio", "Margin ratio", formatting.percent),
    ("collateral", "Collateral", None),
    ("unrealized_pnl", "Unrealised PnL", None),
    ("maintenance_margin", "Maintenance margin", None),
    ("entry_price", "Entry price", formatting.price),
)


def explain(*, incidents: Iterable[Incident], now: datetime) -> None:
    """Write headline and why into moved incidents: the figures as they are now, with sources.

    Provenance and coverage are fetched for all of them at once.
    """
    incidents = list(incidents)
    positions = {each.position_id: each.position for each in incidents if each.position}
    accounts = {
        each.account_id: each.account for each in incidents if each.account and not each.position
    }
    prefetch_related_objects(list(positions.values()), "provenance")
    prefetch_related_objects(list(accounts.values()), "coverage", "key_check")
    for incident in incidents:
        _explain(incident, now)


def _explain(incident: Incident, now: datetime) -> None:
    position, account = incident.position, incident.account
    facts: dict[str, Any] = {}
    seen_at = None
    if position is not None:
        facts = _position_facts(position)
    elif account is not None:
        facts = _account_facts(account)
        scopes = [entry.seen_at for entry in account.coverage.all()]
        seen_at = oldest_sight(account=account, scopes=scopes).seen_at
    event = {"event": incident.why["event"]} if "event" in incident.why else {}
    incident.why = {"at": formatting.iso(now), **_rule_facts(incident), **facts, **event}
    incident.headline = headline(incident, seen_at=seen_at, now=now)


def _rule_facts(incident: Incident) -> dict[str, Any]:
    rule = incident.rule
    if rule is None:
        return {}
    unit = measures.get(rule.measure).unit if rule.kind == RuleKind.THRESHOLD else ""
    step = rule.ladder[min(incident.rank, len(rule.ladder)) - 1]
    return {
        "rule": {
            "id": str(rule.pk),
            "name": rule.name,
            "kind": str(rule.kind),
            "measure": rule.measure or None,
            "unit": unit or None,
            "level": formatting.decimal_string(step.level),
            "rearm": formatting.decimal_string(step.rearm),
        },
        "value": formatting.decimal_string(incident.value),
        "value_text": value_text(incident.value, unit),
    }


def _position_facts(position: Position) -> dict[str, Any]:
    return {
        "as_of": formatting.iso(position.received_at),
        "price_as_of": formatting.iso(position.price_received_at),
        "figures": [_figure(position, name, label, show) for name, label, show in _FIGURES],
    }


def _figure(
    position: Position, name: str, label: str, show: Callable[[float | None], str] | None
) -> dict[str, Any]:
    value = getattr(position, name)
    sources, reasons = position.provenance.sources, position.provenance.reasons
    text = show(value) if show else formatting.money(value, position.market.settle)
    source = Source.UNKNOWN if value is None else sources.get(name, Source.DERIVED)
    return {
        "name": name,
        "label": label,
        "value": formatting.decimal_string(value),
        "text": text,
        "source": str(source),
        "reason": reasons.get(name) if value is None else None,
    }


def _account_facts(account: Account) -> dict[str, Any]:
    return {
        "scopes": [
            {
                "scope": entry.scope,
                "seen_at": formatting.iso(entry.seen_at),
                "error": entry.error,
                "refused": entry.refused,
            }
            for entry in sorted(account.coverage.all(), key=lambda entry: entry.scope)
        ],
        "blocked_reason": account.blocked_reason,
        "findings": hygiene.write(findings_of(account)),
    }


def build(*, incident: Incident, reason: str, uid: str, now: datetime) -> dict[str, Any]:
    """Return the document of a message about an explained incident."""
    account = incident.account
    return {
        "type": TYPES[reason],
        "version": VERSION,
        "timestamp": formatting.iso(now),
        "data": {
            "id": uid,
            "reason": str(reason),
            "headline": message_headline(incident, reason),
            "url": incident_url(incident),
            "is_simulated": incident.is_simulated,
            "incident": _incident_document(incident),
            "account": account and _account_document(account),
            "position": incident.position and position_document(incident.position),
            "why": incident.why,
        },
    }


def build_test(*, channel: Channel, uid: str, now: datetime) -> dict[str, Any]:
    """Return the document of a channel's test message."""
    return {
        "type": TYPES[Reason.TEST],
        "version": VERSION,
        "timestamp": formatting.iso(now),
        "data": {
            "id": uid,
            "reason": str(Reason.TEST),
            "headline": f"Test of the channel {channel.label}: messages arrive here",
            "url": f"{settings.PUBLIC_URL}/",
        },
    }


def incident_url(incident: Incident) -> str:
    """Return the page of an incident, as people reach it from outside."""
    return f"{settings.PUBLIC_URL}/alerts/{incident.pk}/"


def _incident_document(incident: Incident) -> dict[str, Any]:
    return {
        "id": str(incident.pk),
        "state": str(incident.state),
        "severity": str(incident.severity),
        "opened_at": formatting.iso(incident.opened_at),
        "fired_at": formatting.iso(incident.fired_at),
        "resolved_at": formatting.iso(incident.resolved_at),
        "resolution": incident.resolution or None,
        "unknown_since": formatting.iso(incident.unknown_since),
    }


def _account_document(account: Account) -> dict[str, Any]:
    return {
        "id": str(account.pk),
        "venue": account.venue,
        "label": account.label,
        "name": place_text(account),
        "is_simulated": account.is_simulated,
    }
