"""What each list of the API reads and shows, positions apart (positions/external.py)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.db.models import Prefetch, QuerySet

from positions.alerts.models import Incident, IncidentState
from positions.models import Event
from positions.risk import registry as measures
from positions.risk.base import MEASURES, Measure
from riskhub.formatting import decimal_string, iso
from riskhub.teams.models import Team
from venues import hygiene
from venues.models import Account, CoverageEntry


def account_queryset(*, team: Team) -> QuerySet[Account]:
    """Return a team's accounts with their coverage; credentials are not even fetched."""
    coverage = Prefetch("coverage", CoverageEntry.objects.order_by("scope"))
    rows = Account.objects.filter(team=team).select_related("key_check")
    return rows.defer("credentials", "options").prefetch_related(coverage)


def account_document(account: Account) -> dict[str, Any]:
    """Return an account with the coverage of each of its parts; nothing secret is in it."""
    return {
        "id": str(account.pk),
        "venue": account.venue,
        "label": account.label,
        "wallet": account.wallet or None,
        "base_url": without_user(account.environment) or None,
        "is_simulated": account.is_simulated,
        "is_enabled": account.is_enabled,
        "blocked_reason": account.blocked_reason or None,
        "failures": account.failures,
        "poll_budget_s": decimal_string(account.poll_budget_s),
        "next_poll_at": iso(account.next_poll_at),
        "last_seen_at": iso(account.last_seen_at),
        "created_at": iso(account.created_at),
        "key": _key_document(account),
        "coverage": [coverage_document(entry) for entry in account.coverage.all()],
    }


def _key_document(account: Account) -> dict[str, Any] | None:
    """Return what was found of an account's key; None where none is looked at."""
    check = getattr(account, "key_check", None)
    if check is None:
        return None
    return {
        "checked_at": iso(check.checked_at),
        "error": check.error or None,
        "facts": {str(name): str(text) for name, text in check.facts.items()},
        "findings": hygiene.write(hygiene.read(check.findings)),
    }


def coverage_document(entry: CoverageEntry) -> dict[str, Any]:
    """Return what was last seen of one part of an account, and how the last attempt went."""
    return {
        "scope": entry.scope,
        "seen_at": iso(entry.seen_at),
        "rows": entry.rows,
        "refused": entry.refused,
        "refusals": exact(entry.refusals),
        "tried_at": iso(entry.tried_at),
        "error_kind": entry.error_kind or None,
        "error": entry.error or None,
    }


def incident_queryset(*, team: Team) -> QuerySet[Incident]:
    """Return a team's incidents with all that `incident_document` reads, in one query.

    Without pending ones: what has not held for its rule's duration is told to nobody.
    """
    return (
        Incident.objects.filter(team=team)
        .exclude(state=IncidentState.PENDING)
        .select_related("rule", "account", "acknowledged_by")
        .defer("account__credentials", "account__options")
    )


def incident_document(incident: Incident) -> dict[str, Any]:
    """Return an incident; `why` holds the figures at the time, as the message showed them."""
    by = incident.acknowledged_by
    return {
        "id": str(incident.pk),
        "rule": incident.rule.name if incident.rule else None,
        "subject": incident.subject,
        "position": _text(incident.position_id),
        "venue": incident.account.venue if incident.account else None,
        "account": incident.account.label if incident.account else None,
        "is_simulated": incident.is_simulated,
        "severity": str(incident.severity),
        "rank": incident.rank,
        "state": str(incident.state),
        "headline": incident.headline,
        "value": decimal_string(incident.value),
        "opened_at": iso(incident.opened_at),
        "fired_at": iso(incident.fired_at),
        "acknowledged_at": iso(incident.acknowledged_at),
        "acknowledged_by": by.get_username() if by else None,
        "unknown_since": iso(incident.unknown_since),
        "resolved_at": iso(incident.resolved_at),
        "resolution": incident.resolution or None,
        "why": exact(incident.why),
    }


def event_document(event: Event) -> dict[str, Any]:
    """Return one change of a position; numbers in `detail` are decimal strings too."""
    return {
        "id": str(event.pk),
        "position": str(event.position_id),
        "life": str(event.life_id),
        "kind": str(event.kind),
        "at": iso(event.at),
        "committed_at": iso(event.committed_at),
        "detail": exact(event.detail),
    }


def measure_documents() -> list[dict[str, Any]]:
    """Return the registered risk measures, by name."""
    return [_measure(MEASURES[name]) for name in measures.names()]


def _measure(measure: type[Measure]) -> dict[str, Any]:
    return {
        "name": measure.name,
        "label": measure.label,
        "unit": measure.unit,
        "is_worse_high": measure.is_worse_high,
        "columns": list(measure.columns),
        "help": measure.help,
    }


def _text(pk: int | None) -> str | None:
    return None if pk is None else str(pk)


def exact(value: Any) -> Any:
    """Return stored JSON with every fraction as a decimal string, as all figures are here."""
    if isinstance(value, float):
        return decimal_string(value)
    if isinstance(value, dict):
        return {str(key): exact(item) for key, item in value.items()}
    return [exact(item) for item in value] if isinstance(value, list) else value


def without_user(url: str) -> str:
    # A proxy's address may carry a password.
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
