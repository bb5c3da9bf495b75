"""Reads about alerts."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Case, IntegerField, QuerySet, Value, When

from positions.alerts.models import (
    AlertRule,
    Channel,
    Delivery,
    DeliveryState,
    Incident,
    IncidentState,
)
from positions.engine.types import Severity
from riskhub.teams.models import Team


def incidents(*, team: Team, states: Iterable[str] = ()) -> QuerySet[Incident]:
    """Return a team's incidents, newest first, with rule, account, position and market.

    states  only these; none given: all but pending ones, which nobody was told of
    """
    rows = (
        Incident.objects.filter(team=team)
        .select_related("rule", "account", "position__market", "acknowledged_by")
        .defer("account__credentials", "position__raw")
        .order_by("-opened_at", "-pk")
    )
    wanted = list(states)
    if wanted:
        return rows.filter(state__in=wanted)
    return rows.exclude(state=IncidentState.PENDING)


def open_incidents(*, team: Team) -> QuerySet[Incident]:
    """Return what is firing or acknowledged, critical first, then the newest."""
    urgency = Case(
        When(severity=Severity.CRITICAL, then=Value(0)),
        default=Value(1),
        output_field=IntegerField(),
    )
    rows = incidents(team=team, states=(IncidentState.FIRING, IncidentState.ACKNOWLEDGED))
    return rows.order_by(urgency, "-opened_at", "-pk")


def firing_incidents(*, team: Team) -> QuerySet[Incident]:
    """Return what is open and nobody has acknowledged: what a person still has to look at."""
    return open_incidents(team=team).filter(state=IncidentState.FIRING)


def rules(*, team: Team) -> QuerySet[AlertRule]:
    """Return a team's rules by name."""
    return AlertRule.objects.filter(team=team).order_by("name")


def channels(*, team: Team) -> QuerySet[Channel]:
    """Return a team's channels by label, without their secrets."""
    return Channel.objects.filter(team=team).defer("secrets").order_by("label")


def deliveries(*, team: Team, states: Iterable[str] = ()) -> QuerySet[Delivery]:
    """Return a team's deliveries, newest first, with message, incident and channel."""
    rows = (
        Delivery.objects.filter(team=team)
        .select_related("message__incident", "channel")
        .defer("channel__secrets")
        .order_by("-pk")
    )
    wanted = list(states)
    return rows.filter(state__in=wanted) if wanted else rows


def dead_letters(*, team: Team) -> QuerySet[Delivery]:
    """Return the deliveries that were given up."""
    return deliveries(team=team, states=(DeliveryState.DEAD,))
