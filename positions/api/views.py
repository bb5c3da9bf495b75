"""The REST API, first form: it reads and changes nothing."""

from __future__ import annotations

from functools import partial
from typing import Any, NoReturn

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from positions.alerts.models import IncidentState
from positions.api import parameters, resources, schema
from positions.api.base import OLDEST, ApiView, DetailView, ListView
from positions.api.paging import Ordering
from positions.api.parameters import Filter, flag, instant
from positions.engine.types import ENDED_STATES, MarginMode, PositionState, Severity, Side
from positions.external import (
    position_document,
    position_queryset,
    reading_document,
)
from positions.models import Event, EventKind, Position, Reading
from riskhub.teams.models import Team


@schema.describe_list("list_positions", schema.POSITION)
class PositionList(ListView):
    """Positions of the team's enabled accounts, nearest liquidation first."""

    rows = staticmethod(partial(position_queryset, is_ended_included=True))
    show = staticmethod(position_document)
    filters = (
        Filter("venue", "account__venue", "Slug of the venue."),
        Filter("account", "account__label", "Label of the account."),
        Filter("asset", "market__asset", "Canonical base asset."),
        Filter("side", "side", "Direction.", tuple(Side)),
        Filter("severity", "severity", "How urgent.", tuple(Severity)),
        Filter(
            "state",
            "state",
            "State; without it, what has ended is left out; `all` takes every state.",
            (*PositionState, "all"),
        ),
        Filter(
            "margin_mode",
            "margin_mode",
            "Margin mode; `null` where the venue does not say.",
            (*MarginMode, "null"),
            read=lambda text: "" if text == "null" else text,
        ),
        flag("is_simulated", "account__is_simulated", "Made-up positions, or real ones."),
    )
    orderings = (
        Ordering("liquidation_distance", "liquidation_distance"),
        Ordering("-liquidation_distance", "liquidation_distance", is_descending=True),
        OLDEST,
    )

    def narrow(self, rows: QuerySet[Any], request: Request) -> QuerySet[Any]:
        """Leave out what has ended, unless the query speaks of states."""
        states = request.query_params.getlist("state")
        if not states:
            rows = rows.exclude(state__in=ENDED_STATES)
        filters = [item for item in self.filters if item.name != "state" or "all" not in states]
        return parameters.narrow(rows, filters=filters, query=request.query_params)


def _position(*, team: Team, position_id: int) -> int:
    found = Position.objects.filter(team=team, pk=position_id).values_list("pk", flat=True).first()
    if found is None:
        raise Http404
    return found


def _readings(*, team: Team, position_id: int) -> QuerySet[Reading]:
    position = _position(team=team, position_id=position_id)
    return Reading.objects.filter(position=position).select_related("provenance")


def _events(*, team: Team, position_id: int) -> QuerySet[Event]:
    position = _position(team=team, position_id=position_id)
    return Event.objects.filter(team=team, position=position)


@schema.describe_list("list_position_history", schema.READING, is_under_id=True)
class PositionHistory(ListView):
    """What the polls saw of one position, newest first."""

    rows = staticmethod(_readings)
    show = staticmethod(reading_document)
    filters = (
        instant("since", "received_at__gte", "Received at this instant or later."),
        instant("until", "received_at__lt", "Received before this instant."),
    )
    orderings = (Ordering("-received_at", "received_at", is_descending=True),)


@schema.describe_list("list_position_events", schema.EVENT, is_under_id=True)
class PositionEvents(ListView):
    """What happened to one position, newest first."""

    rows = staticmethod(_events)
    show = staticmethod(resources.event_document)
    filters = (
        Filter("kind", "kind", "What changed.", tuple(EventKind.values)),
        instant("since", "at__gte", "At this instant or later."),
        instant("until", "at__lt", "Before this instant."),
    )
    orderings = (Ordering("-at", "at", is_descending=True),)


@schema.describe_list("list_accounts", schema.ACCOUNT)
class AccountList(ListView):
    """Accounts of the team with what was last seen of each part, the oldest first."""

    rows = staticmethod(resources.account_queryset)
    show = staticmethod(resources.account_document)
    filters = (
        Filter("venue", "venue", "Slug of the venue."),
        flag("is_simulated", "is_simulated", "Made-up accounts, or real ones."),
        flag("is_enabled", "is_enabled", "Whether it is polled."),
    )


@schema.describe_detail("get_account", schema.ACCOUNT)
class AccountDetail(DetailView):
    """One account with its coverage."""

    rows = staticmethod(resources.account_queryset)
    show = staticmethod(resources.account_document)


_TOLD_STATES = tuple(state for state in IncidentState.values if state != IncidentState.PENDING)


@schema.describe_list("list_incidents", schema.INCIDENT)
class IncidentList(ListView):
    """Incidents of the team, newest first; without those nobody was told of yet."""

    rows = staticmethod(resources.incident_queryset)
    show = staticmethod(resources.incident_document)
    filters = (
        Filter("state", "state", "State.", _TOLD_STATES),
        Filter("severity", "severity", "How urgent.", tuple(Severity)),
        Filter("venue", "account__venue", "Slug of the venue."),
        Filter("account", "account__label", "Label of the account."),
        instant("since", "opened_at__gte", "First seen at this instant or later."),
        instant("until", "opened_at__lt", "First seen before this instant."),
    )
    orderings = (Ordering("-opened_at", "opened_at", is_descending=True),)


@schema.describe_detail("get_incident", schema.INCIDENT)
class IncidentDetail(DetailView):
    """One incident."""

    rows = staticmethod(resources.incident_queryset)
    show = staticmethod(resources.incident_document)


@schema.describe_registry("list_measures", schema.MEASURE)
class MeasureList(ApiView):
    """The registered risk measures with unit and meaning."""

    def get(self, request: Request) -> Response:
        """Return all of them."""
        parameters.refuse_unknown(request.query_params, known=())
        return Response({"results": resources.measure_documents()})


@extend_schema(exclude=True)
class SchemaView(ApiView):
    """The OpenAPI description: public, it says nothing about anybody's book."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()

    def get(self, *_: object) -> Response:
        """Return the OpenAPI document."""
        return Response(schema.document())


@extend_schema(exclude=True)
class Nothing(ApiView):
    """Any other address: the API's own 404, the same as for a row that is not there."""

    def get(self, *_: object, **__: object) -> NoReturn:
        """Raise Http404."""
        raise Http404
