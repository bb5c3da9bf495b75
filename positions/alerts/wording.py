"""Sentences about incidents, for pages, mail and webhooks alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from positions.alerts.incidents import TOLD
from positions.alerts.models import AlertRule, Incident, Reason
from positions.alerts.rules import RuleKind
from positions.alerts.watches import unseen_scopes
from positions.models import EventKind
from positions.risk import registry as measures
from riskhub import formatting
from venues import bans, hygiene
from venues.base import REGISTRY
from venues.clocks import current_drifts
from venues.hygiene import Finding, FindingSeverity
from venues.models import Account, HostBan

BEYOND = "beyond any limit"
_HEADLINE_LENGTH = 300
_MOST_NAMES = 3
_HOUR_S = 3600.0


def _hours_text(hours: float | None) -> str:
    if hours is None:
        return formatting.DASH
    length = formatting.duration(abs(hours) * _HOUR_S)
    return length if hours > 0 else f"over for {length}"


_BY_UNIT: Mapping[str, Callable[[float | None], str]] = {
    "fraction": formatting.percent,
    # As everywhere: 1 is liquidation, and a share of it is read faster than a fraction.
    "ratio": formatting.percent,
    "USD": formatting.money,
    "seconds": formatting.duration,
    "price": formatting.price,
    "x": formatting.leverage,
    "daily sigmas": formatting.sigmas,
    "hours": _hours_text,
}
_EVENTS: Mapping[str, str] = {
    EventKind.LIQUIDATED: "was liquidated",
    EventKind.DELEVERAGED: "was auto-deleveraged",
    EventKind.GONE: "is gone and the venue does not say why",
    EventKind.BREACHED: "is beyond its liquidation price and still reported open",
    EventKind.MARGIN_ADDED: "had margin added",
    EventKind.MARGIN_REMOVED: "had margin removed",
    EventKind.RULES_CHANGED: "stands under other margin rules",
}


def value_text(value: float | None, unit: str) -> str:
    """Return a measure for people: 3.1 %, $4,200; infinite is "beyond any limit"."""
    if value is not None and math.isinf(value):
        return BEYOND
    return _BY_UNIT.get(unit, formatting.quantity)(value)


def place_text(account: Account) -> str:
    """Return an account for people: "Binance main"."""
    adapter = REGISTRY.get(account.venue)
    return f"{adapter.label if adapter else account.venue} {account.label}"


def subject_text(incident: Incident) -> str:
    """Return what an incident is about: "BTC/USDT:USDT long on Binance main"."""
    position, account = incident.position, incident.account
    place = place_text(account) if account else ""
    if account and incident.rule and incident.rule.kind == RuleKind.VENUE:
        adapter = REGISTRY.get(account.venue)
        host = urlsplit(account.environment).netloc
        at = f" ({host})" if host else ""
        return f"All accounts at {adapter.label if adapter else account.venue}{at}"
    if position is None:
        return place
    return f"{position.market.symbol} {position.side} on {place}"


def headline(incident: Incident, *, seen_at: datetime | None, now: datetime) -> str:
    """Return what is wrong, where and how far, without saying what is new about it.

    seen_at  accounts: when the part seen longest ago was seen; None for positions
    """
    rule = incident.rule
    about = subject_text(incident)
    if rule is not None and rule.kind == RuleKind.THRESHOLD:
        text = f"{about}, {_measure_text(incident, rule)}"
    elif rule is None or (incident.resolved_at and incident.resolution != TOLD):
        text = f"{about}, {incident.resolution}"
    else:
        text = f"{about} {_condition_text(incident, rule, seen_at, now)}"
    return text[:_HEADLINE_LENGTH]


def message_headline(incident: Incident, reason: str) -> str:
    """Return the headline of a message: what is new, then what is wrong."""
    severity = incident.severity
    opening = {
        Reason.FIRST: severity.capitalize(),
        Reason.WORSE: f"Now {severity}",
        Reason.REPEAT: f"Still {severity}",
        Reason.RESOLVED: "Over",
    }[Reason(reason)]
    simulated = "Simulated. " if incident.is_simulated else ""
    return f"{simulated}{opening}: {incident.headline}"


def _measure_text(incident: Incident, rule: AlertRule) -> str:
    measure = measures.get(rule.measure)
    name = measure.label.lower()
    reached = BEYOND if incident.value is None else value_text(incident.value, measure.unit)
    if incident.resolved_at:
        return f"{name} {reached}, {incident.resolution}"
    level = rule.ladder[incident.rank - 1].level
    limit = value_text(level, measure.unit)
    if incident.unknown_since:
        since = formatting.time_of_day(incident.unknown_since)
        return f"{name} not known since {since}, last {reached} (limit {limit})"
    return f"{name} {reached} (limit {limit})"


def _condition_text(
    incident: Incident, rule: AlertRule, seen_at: datetime | None, now: datetime
) -> str:
    if rule.kind == RuleKind.EVENT:
        kind = str(incident.why.get("event", {}).get("kind", ""))
        return _EVENTS.get(kind, f"was {kind.replace('_', ' ')}")
    account = incident.account
    if account is None:
        return "is not watched any more"
    if rule.kind == RuleKind.KEY:
        return f"is not polled any more: {account.blocked_reason}"
    if rule.kind in _OF_ACCOUNTS:
        return _OF_ACCOUNTS[RuleKind(rule.kind)](account)
    if rule.kind == RuleKind.VENUE:
        return _venue_text(account, incident.value, now)
    passed = formatting.duration(now - seen_at) if seen_at else formatting.DASH
    parts = _listed(unseen_scopes(account=account, now=now))
    return f"has not been seen completely for {passed}{f' ({parts})' if parts else ''}"


def findings_of(account: Account) -> list[Finding]:
    """Return what is wrong with an account's key, the gravest first."""
    check = getattr(account, "key_check", None)
    return [
        each
        for each in hygiene.read(check.findings if check else [])
        if each.severity != FindingSeverity.TOLD
    ]


def _findings_text(account: Account) -> str:
    found = findings_of(account)
    if not found:
        return "has a key with nothing wrong"
    more = len(found) - 1
    rest = f" And {formatting.count(more)} more about this key." if more else ""
    return f"has a key to look at. {found[0].sentence}{rest}"


def _refusals_text(account: Account) -> str:
    parts = [entry for entry in account.coverage.all() if entry.refused]
    total = sum(entry.refused for entry in parts)
    where = _listed(sorted(entry.scope for entry in parts))
    rows = "row that cannot" if total == 1 else "rows that cannot"
    return f"has {formatting.count(total)} {rows} be read{f' ({where})' if where else ''}"


_OF_ACCOUNTS: Mapping[RuleKind, Callable[[Account], str]] = {
    RuleKind.HYGIENE: _findings_text,
    RuleKind.REFUSALS: _refusals_text,
}


def _venue_text(account: Account, value: float | None, now: datetime) -> str:
    """Return what befalls a venue; the ladder's order is that of positions.alerts.places."""
    ban = next((row for row in bans.current_bans(now=now) if _is_at(row, account)), None)
    if ban is not None:
        until = formatting.timestamp(ban.until)
        return f"are not read before {until}: the venue has banned this machine's address"
    drift = next((each for each in current_drifts() if each.venue == account.venue), None)
    if drift is not None and (value or 0.0) <= 1.0:
        seconds = abs(drift.milliseconds) / 1000
        return f"are signed for a clock that is {seconds:.1f} s from the venue's; set it (NTP)"
    told = next((entry.error for entry in account.coverage.all() if entry.error), "")
    return f"are not seen any more{f'. {told}' if told else ''}"


def _is_at(ban: HostBan, account: Account) -> bool:
    return (ban.venue, ban.environment) == (account.venue, account.environment)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    more = len(names) - _MOST_NAMES
    return f"{shown} and {more} more" if more > 0 else shown
