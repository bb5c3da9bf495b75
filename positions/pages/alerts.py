"""Alerts in plain values: incidents, rules, channels, deliveries."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.urls import reverse

from positions.alerts.base import CHANNELS
from positions.alerts.models import (
    AlertRule,
    Channel,
    Delivery,
    DeliveryState,
    Incident,
    IncidentState,
)
from positions.alerts.rules import Level, RuleKind
from positions.alerts.thresholds import measure_positions
from positions.alerts.wording import subject_text, value_text
from positions.engine.types import PositionState, Severity, Source
from positions.live_cells import TAGGED
from positions.models import Position
from positions.pages.headline import Sentence
from positions.risk import registry as measures
from riskhub import formatting

_DELIVERY_TONES = {
    DeliveryState.SENT: "calm",
    DeliveryState.DEAD: "critical",
    DeliveryState.PENDING: "",
    DeliveryState.LEASED: "",
    DeliveryState.SUPERSEDED: "",
}
# Longest text of `why` that is shown; it comes from venues and people.
_LONGEST = 300


def alerts_sentence(*, firing: int, acknowledged: int, worst: str) -> Sentence:
    """Return the first sentence of the alerts page: what somebody still has to look at.

    worst  severity of what is firing
    """
    rest = f", {formatting.count(acknowledged)} acknowledged" if acknowledged else ""
    if not firing:
        return Sentence(before=f"Nothing is firing{rest}", severity="" if rest else "calm")
    noun = "alert is" if firing == 1 else "alerts are"
    return Sentence(before=f"{formatting.count(firing)} {noun} open{rest}", severity=worst)


def worst_firing(incidents: Sequence[Incident]) -> str:
    """Return the severity of the most urgent firing one; "" for none. They come in that order."""
    firing = (each.severity for each in incidents if each.state == IncidentState.FIRING)
    return next(firing, "")


def current_values(incidents: Sequence[Incident], *, now: datetime) -> dict[int, str]:
    """Return what the measure of each threshold incident is now, as text, by the incident's id."""
    watched: dict[str, dict[int, Position]] = {}
    for each in incidents:
        name = each.rule.measure if each.rule and each.rule.kind == RuleKind.THRESHOLD else ""
        if each.position is not None and name in measures.names():
            watched.setdefault(name, {})[each.pk] = each.position
    texts: dict[int, str] = {}
    for name, held in watched.items():
        values = measure_positions(names=[name], positions=list(held.values()), now=now)[name]
        for (pk, position), value in zip(held.items(), values.tolist(), strict=True):
            is_known = position.state != PositionState.GONE and not math.isnan(value)
            texts[pk] = value_text(value if is_known else None, measures.get(name).unit)
    return texts


def incident_row(incident: Incident) -> dict[str, Any]:
    """Return an incident as a row of a list."""
    return {
        "id": incident.pk,
        "url": reverse("incident", args=[incident.pk]),
        "severity": incident.severity,
        "headline": incident.headline or subject_text(incident) or incident.subject,
        "rule": incident.rule.name if incident.rule else "a rule that was removed",
        "opened_at": incident.opened_at,
        "resolved_at": incident.resolved_at,
        "resolution": incident.resolution,
        "state": incident.state,
        "is_firing": incident.state == IncidentState.FIRING,
        "is_simulated": incident.is_simulated,
        "acknowledged_by": incident.acknowledged_by and incident.acknowledged_by.get_username(),
        "about_url": _about_url(incident),
        "about": subject_text(incident),
        "about_action": "Open the position" if incident.position_id else "Open the accounts",
    }


def _about_url(incident: Incident) -> str:
    if incident.position_id:
        return reverse("position", args=[incident.position_id])
    return reverse("accounts") if incident.account_id else ""


def incident_context(
    incident: Incident, *, deliveries: Iterable[Delivery], now: datetime
) -> dict[str, Any]:
    """Return the template context of an incident's page."""
    row = incident_row(incident)
    return {
        "now": now,
        "row": row,
        "crumbs": [{"name": "Alerts", "url": reverse("alerts")}, {"name": row["rule"]}],
        "sentence": Sentence(
            before=row["headline"],
            severity=incident.severity if incident.is_open else "calm",
            sub=_state_words(incident),
        ),
        "figures": _figures(incident.why),
        "facts": _why_facts(incident.why),
        "scopes": _dicts(incident.why.get("scopes")),
        "moments": _moments(incident),
        "deliveries": [delivery_row(each) for each in deliveries],
    }


def _state_words(incident: Incident) -> str:
    if incident.resolved_at:
        why = f": {incident.resolution}" if incident.resolution else ""
        return f"Over since {formatting.timestamp(incident.resolved_at)}{why}."
    if incident.acknowledged_at:
        who = incident.acknowledged_by.get_username() if incident.acknowledged_by else "somebody"
        return f"Acknowledged by {who}; it is told again only if it gets worse."
    return f"Firing since {formatting.timestamp(incident.fired_at or incident.opened_at)}."


def _moments(incident: Incident) -> list[dict[str, Any]]:
    moments = (
        ("First seen", incident.opened_at),
        ("Fired", incident.fired_at),
        ("Told last", incident.last_message_at),
        ("Acknowledged", incident.acknowledged_at),
        ("Not known since", incident.unknown_since),
        ("Over", incident.resolved_at),
    )
    return [{"label": name, "value": formatting.timestamp(at)} for name, at in moments if at]


def _figures(why: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The figures as they were; a row of another shape is left out."""
    return [
        {
            "label": str(each.get("label", ""))[:_LONGEST],
            "is_tagged": each.get("name") in TAGGED,
            "text": str(each.get("text") or ""),
            "source": str(each.get("source") or Source.UNKNOWN),
            "reason": str(each.get("reason") or "")[:_LONGEST],
        }
        for each in _dicts(why.get("figures"))
    ]


def _why_facts(why: Mapping[str, Any]) -> list[dict[str, str]]:
    """What the rule said at that time."""
    rule = next(iter(_dicts([why.get("rule")])), {})
    unit = str(rule.get("unit") or "")
    facts = [
        ("Rule", rule.get("name")),
        ("Reached", why.get("value_text") if rule.get("unit") else None),
        ("Level", _level_text(rule.get("level"), unit)),
        ("Ends at", _level_text(rule.get("rearm"), unit)),
        ("Why it is not read", why.get("blocked_reason")),
    ]
    return [{"label": name, "value": str(value)[:_LONGEST]} for name, value in facts if value]


def _level_text(text: Any, unit: str) -> str:
    try:
        return value_text(float(text), unit) if unit and text is not None else ""
    except (TypeError, ValueError):
        return ""


def _dicts(rows: Any) -> list[dict[str, Any]]:
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def rule_row(rule: AlertRule) -> dict[str, Any]:
    """Return a rule in words."""
    return {
        "id": rule.pk,
        "name": rule.name,
        "is_enabled": rule.is_enabled,
        "words": _rule_words(rule),
        "steps": _steps(rule),
        "scope": _scope_words(rule.scope),
        "for": formatting.duration(rule.for_s) if rule.for_s else "",
        "clear": formatting.duration(rule.clear_for_s) if rule.clear_for_s else "",
        "repeat": formatting.duration(rule.repeat_s) if rule.repeat_s else "",
    }


def _rule_words(rule: AlertRule) -> str:
    if rule.kind == RuleKind.THRESHOLD:
        return _measure_label(rule.measure)
    if rule.kind == RuleKind.EVENT:
        return ", ".join(str(event).replace("_", " ") for event in rule.events)
    return {
        RuleKind.STALENESS: "an account that was not seen completely in its time",
        RuleKind.KEY: "a key that the venue refuses",
        RuleKind.HYGIENE: "what is wrong with a key: withdrawal, trading, no address lock, expiry",
        RuleKind.REFUSALS: "rows of an answer that could not be read",
        RuleKind.VENUE: "what befalls all accounts at a venue: silence, a ban, a clock that is off",
    }.get(RuleKind(rule.kind), str(rule.kind))


def _measure_label(name: str) -> str:
    return measures.get(name).label.lower() if name in measures.names() else name


def _steps(rule: AlertRule) -> list[dict[str, str]]:
    """Return the levels in words, those that read the same once."""
    steps = [_step_words(rule, step) for step in rule.ladder]
    return [step for place, step in enumerate(steps) if step not in steps[:place]]


def _step_words(rule: AlertRule, step: Level) -> dict[str, str]:
    return {"severity": step.severity, "text": _limit_words(rule, step)}


def _limit_words(rule: AlertRule, step: Level) -> str:
    if step.level is None:
        return ""
    if rule.kind != RuleKind.THRESHOLD:
        return _account_limit_words(rule, step)
    if rule.measure not in measures.names():
        return formatting.quantity(step.level)
    measure = measures.get(rule.measure)
    side = "above" if measure.is_worse_high else "below"
    text = f"{side} {value_text(step.level, measure.unit)}"
    if step.rearm is None or step.rearm == step.level:
        return text
    return f"{text}, until {value_text(step.rearm, measure.unit)}"


def _account_limit_words(rule: AlertRule, step: Level) -> str:
    is_critical = step.severity == Severity.CRITICAL
    return {
        RuleKind.HYGIENE: "must be changed at once" if is_critical else "each finding",
        RuleKind.REFUSALS: f"above {formatting.quantity(step.level)}",
        RuleKind.STALENESS: f"{formatting.quantity(step.level)}× the time allowed",
    }.get(RuleKind(rule.kind), "")


def _scope_words(scope: Mapping[str, Any]) -> str:
    parts = [
        f"{name}: {', '.join(str(value) for value in values)}"
        for name, values in scope.items()
        if values
    ]
    return "; ".join(parts) or "everything"


def channel_row(channel: Channel, *, last: Delivery | None) -> dict[str, Any]:
    """Return a channel and how its last delivery went."""
    kind = CHANNELS.get(channel.kind)
    hidden = set(kind.secret_fields) if kind else set(channel.config)
    shown = {name: value for name, value in channel.config.items() if name not in hidden}
    return {
        "id": channel.pk,
        "label": channel.label,
        "kind": kind.label if kind else channel.kind,
        "goes_to": ", ".join(str(value) for value in shown.values()),
        "is_enabled": channel.is_enabled,
        "disabled_reason": channel.disabled_reason,
        "last": delivery_row(last) if last else None,
    }


def channel_tabs(chosen: str) -> list[dict[str, Any]]:
    """Return the kinds of channels to choose among, by name."""
    url = reverse("add-channel")
    return [
        {"name": kind.label, "url": f"{url}?kind={name}", "is_current": name == chosen}
        for name, kind in sorted(CHANNELS.items(), key=lambda pair: pair[1].label)
    ]


def secret_rows(kind: str, made: Mapping[str, str]) -> list[dict[str, str]]:
    """Return secrets that were made for a channel of this kind, with their names on the form."""
    words = CHANNELS[kind].words
    return [{"label": words.get(name, (name, ""))[0], "text": text} for name, text in made.items()]


def delivery_row(delivery: Delivery) -> dict[str, Any]:
    """Return one message on its way through one channel."""
    incident = delivery.message.incident
    return {
        "id": delivery.pk,
        "channel": delivery.channel.label,
        "reason": delivery.message.reason,
        "headline": incident.headline if incident else "Test of the channel",
        "incident_url": reverse("incident", args=[incident.pk]) if incident else "",
        "state": delivery.state,
        "tone": _DELIVERY_TONES.get(DeliveryState(delivery.state), ""),
        "attempts": delivery.attempts,
        "error": delivery.last_error,
        "at": delivery.sent_at or delivery.message.created_at,
        "next_at": delivery.next_attempt_at if delivery.state == DeliveryState.PENDING else None,
        "is_dead": delivery.state == DeliveryState.DEAD,
    }
