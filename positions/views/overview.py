"""The first page, what is downloaded from it, and the events that keep pages up to date."""

from __future__ import annotations

from functools import partial

from asgiref.sync import sync_to_async
from django.contrib import messages
from django.db import DatabaseError, close_old_connections, connection
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    StreamingHttpResponse,
)
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_safe

from positions import exports
from positions import overview as overviews
from positions.api.errors import BadParameterError
from positions.pages import filters
from positions.pages import overview as pages
from positions.views.base import NO_TEAM, is_partial, render_page, team_of
from riskhub import clock, live
from riskhub.teams.middleware import is_member, membership_of
from riskhub.teams.models import Membership


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Who dies first, what it adds up to, and every position by distance."""
    now, team = clock.now(), team_of(request)
    asked = pages.read_query(request.GET, team=team)
    found = overviews.build_overview(team=team, filters=asked.filters, sort=asked.sort, now=now)
    if not is_partial(request):
        # Shown by this very page; a part of it has no place for them.
        for sentence in asked.left_out:
            messages.warning(request, sentence)
    request.coverage = found.summary.coverage  # type: ignore[attr-defined]
    response = render_page(
        request,
        page="positions/overview.html",
        part="positions/_overview_answer.html",
        context=pages.overview_context(found, asked=asked, now=now),
    )
    if is_partial(request) and "" in request.GET.values():
        # The form names every filter; the address keeps those that narrow anything.
        response["HX-Push-Url"] = f"{request.path}?{asked.query}" if asked.query else request.path
    return response


@require_safe
def summary(request: HttpRequest) -> HttpResponse:
    """What stands above the table, asked again by itself: it moves with every price."""
    now, team = clock.now(), team_of(request)
    asked = pages.read_query(request.GET, team=team)
    found = overviews.build_summary(team=team, filters=asked.filters, now=now)
    request.coverage = found.coverage  # type: ignore[attr-defined]
    context = pages.summary_context(found, asked=asked, now=now)
    return render(request, "positions/_summary_answer.html", context)


@require_safe
def export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """The positions that the address asks for, as a file; 400 where it asks for what is not."""
    try:
        rows = filters.chosen_positions(team=team_of(request), query=request.GET)
    except BadParameterError as error:
        return exports.refuse(kind=kind, field=error.field, message=str(error.detail))
    return exports.download(request, positions=rows, kind=kind)


@require_safe
def styleguide(request: HttpRequest) -> HttpResponse:
    """Every component in every state, with invented figures."""
    return render(request, "styleguide.html")


def _membership(request: HttpRequest) -> Membership | None:
    try:
        return membership_of(request)
    finally:
        _let_go()


def may_go_on(*, pk: int) -> bool:
    """Tell whether a stream's reader is still a member; a database that is away ends no stream."""
    try:
        return is_member(pk=pk)
    except DatabaseError:
        return True
    finally:
        _let_go()


def _let_go() -> None:
    """Give the connection back: a stream lasts for hours, and the pool holds few."""
    if not connection.in_atomic_block:
        close_old_connections()


@require_GET
async def events(request: HttpRequest) -> StreamingHttpResponse:
    """The live stream of the team's changes (server-sent events)."""
    membership = await sync_to_async(_membership)(request)
    if membership is None:
        raise Http404(NO_TEAM)
    # A browser that comes back knows better than the page it once loaded.
    had = request.headers.get("Last-Event-ID") or request.GET.get("since", "")
    response = StreamingHttpResponse(
        live.stream(
            team_id=membership.team_id,
            last_event_id=had,
            is_allowed=sync_to_async(partial(may_go_on, pk=membership.pk)),
        ),
        content_type="text/event-stream",
    )
    # Proxies must neither hold back nor compress what is meant for this very second.
    response["X-Accel-Buffering"] = "no"
    response["Cache-Control"] = "no-store"
    return response
