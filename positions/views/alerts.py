"""Pages of alerts: what fires, what was told, by which rules and through which channels."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import messages
from django.db.models import Max, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from positions.alerts import selectors, services
from positions.alerts.models import Channel, Delivery, DeliveryState, Incident, IncidentState
from positions.pages import alerts as pages
from positions.views.base import is_writer, render_page, team_of, user_of, writer_team_of
from riskhub import clock
from riskhub.teams.models import Team

_MOST_OPEN, _MOST_RECENT, _MOST_DEAD = 200, 30, 50


@require_safe
def alerts(request: HttpRequest) -> HttpResponse:
    """What is open and why, what ended lately, the rules, the channels, the dead letters."""
    team, now = team_of(request), clock.now()
    open_rows = selectors.open_incidents(team=team)
    shown = list(open_rows[:_MOST_OPEN])
    count = len(shown) if len(shown) < _MOST_OPEN else open_rows.count()
    firing = selectors.firing_incidents(team=team).count()
    values = pages.current_values(shown, now=now)
    recent = selectors.incidents(team=team, states=[IncidentState.RESOLVED])[:_MOST_RECENT]
    context = {
        "now": now,
        "sentence": pages.alerts_sentence(
            firing=firing, acknowledged=count - firing, worst=pages.worst_firing(shown)
        ),
        "open": [{**pages.incident_row(each), "value": values.get(each.pk)} for each in shown],
        "more_open": count - len(shown),
        "recent": [pages.incident_row(each) for each in recent],
        "rules": [pages.rule_row(each) for each in selectors.rules(team=team)],
        "channels": _channels(team),
        "dead": [
            pages.delivery_row(each) for each in selectors.dead_letters(team=team)[:_MOST_DEAD]
        ],
        "is_writer": is_writer(request),
    }
    return render_page(
        request, page="alerts/alerts.html", part="alerts/_open.html", context=context
    )


def _channels(team: Team) -> list[dict[str, object]]:
    rows: Sequence[Channel] = list(selectors.channels(team=team))
    last = {each.channel_id: each for each in _last_deliveries(team)}
    return [pages.channel_row(channel, last=last.get(channel.pk)) for channel in rows]


def _last_deliveries(team: Team) -> QuerySet[Delivery]:
    tried = selectors.deliveries(team=team).exclude(state=DeliveryState.SUPERSEDED)
    newest = tried.order_by().values("channel").annotate(newest=Max("pk")).values("newest")
    return selectors.deliveries(team=team).filter(pk__in=newest)


@require_safe
def incident(request: HttpRequest, incident_id: int) -> HttpResponse:
    """Why it fired, with the figures of that moment, and who was told."""
    team = team_of(request)
    states = list(IncidentState)
    row = get_object_or_404(selectors.incidents(team=team, states=states), pk=incident_id)
    deliveries = selectors.deliveries(team=team).filter(message__incident=row)
    context = pages.incident_context(row, deliveries=deliveries, now=clock.now())
    return render(request, "alerts/incident.html", {**context, "is_writer": is_writer(request)})


@require_POST
def acknowledge(request: HttpRequest, incident_id: int) -> HttpResponse:
    """A person has seen it."""
    team, user = writer_team_of(request), user_of(request)
    try:
        services.acknowledge(team=team, incident_id=incident_id, user=user, now=clock.now())
    except Incident.DoesNotExist:
        raise Http404 from None
    messages.success(request, "Acknowledged. It is told again only if it gets worse.")
    if request.POST.get("back") == "incident":
        return redirect("incident", incident_id=incident_id)
    return redirect("alerts")


@require_POST
def switch_rule(request: HttpRequest, rule_id: int) -> HttpResponse:
    """Enable or disable a rule."""
    team, user = writer_team_of(request), user_of(request)
    rule = get_object_or_404(selectors.rules(team=team), pk=rule_id)
    rule.is_enabled = request.POST.get("is_enabled") == "1"
    services.save_rule(rule=rule, now=clock.now(), user=user)
    state = "watches again" if rule.is_enabled else "is switched off: nothing it finds is told"
    messages.success(request, f"The rule “{rule.name}” {state}.")
    return redirect("alerts")


@require_POST
def resend(request: HttpRequest, delivery_id: int) -> HttpResponse:
    """Give a dead letter its whole schedule again."""
    team, user = writer_team_of(request), user_of(request)
    try:
        services.resend(team=team, delivery_id=delivery_id, user=user, now=clock.now())
    except Delivery.DoesNotExist:
        raise Http404 from None
    messages.success(request, "It is being sent again, under the same message id.")
    return redirect("alerts")
