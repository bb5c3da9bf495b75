"""The first page, what is downloaded from it, and the events that keep pages up to date."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_safe

from positions import exports, external
from positions import overview as overviews
from positions.pages import overview as pages
from positions.views.base import NO_TEAM, is_partial, render_page, team_of
from riskhub import clock, live
from riskhub.teams.middleware import membership_of


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Who dies first, what it adds up to, and every position by distance."""
    now, asked = clock.now(), pages.read_query(request.GET)
    found = overviews.build_overview(
        team=team_of(request), filters=asked.filters, sort=asked.sort, now=now
    )
    request.coverage = found.summary.coverage  # type: ignore[attr-defined]
    response = render_page(
        request,
        page="positions/overview.html",
        part="positions/_overview.html",
        context=pages.overview_context(found, asked=asked, now=now),
    )
    if is_partial(request) and "" in request.GET.values():
        # The form names every filter; the address keeps those that narrow anything.
        response["HX-Push-Url"] = f"{request.path}?{asked.query}" if asked.query else request.path
    return response


@require_safe
def summary(request: HttpRequest) -> HttpResponse:
    """What stands above the table, asked again by itself: it moves with every price."""
    now, asked = clock.now(), pages.read_query(request.GET)
    found = overviews.build_summary(team=team_of(request), filters=asked.filters, now=now)
    context = pages.summary_context(found, asked=asked, now=now)
    return render(request, "positions/_summary.html", context)


@require_safe
def export(request: HttpRequest, kind: str) -> StreamingHttpResponse:
    """The positions that the filters leave, as a file."""
    rows = external.position_queryset(team=team_of(request))
    filters = pages.read_query(request.GET).filters
    return exports.download(request, positions=filters.apply(rows), kind=kind)


@require_safe
def styleguide(request: HttpRequest) -> HttpResponse:
    """Every component in every state, with invented figures."""
    return render(request, "styleguide.html")


@require_GET
async def events(request: HttpRequest) -> StreamingHttpResponse:
    """The live stream of the team's changes (server-sent events)."""
    membership = await sync_to_async(membership_of)(request)
    if membership is None:
        raise Http404(NO_TEAM)
    # A browser that comes back knows better than the page it once loaded.
    had = request.headers.get("Last-Event-ID") or request.GET.get("since", "")
    response = StreamingHttpResponse(
        live.stream(team_id=membership.team_id, last_event_id=had),
        content_type="text/event-stream",
    )
    # Proxies must neither hold back nor compress what is meant for this very second.
    response["X-Accel-Buffering"] = "no"
    response["Cache-Control"] = "no-store"
    return response
