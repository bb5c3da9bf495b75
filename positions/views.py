"""Pages: a view translates, makes one call, translates back."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET, require_POST, require_safe

from positions import overview as overviews
from positions import pages, selectors
from riskhub import clock, live
from riskhub.teams.middleware import membership_of


def _team(request: HttpRequest) -> Any:
    team = request.team  # type: ignore[attr-defined]
    if team is None:
        raise Http404("You are in no team yet; ask an owner to add you.")
    return team


def _is_partial(request: HttpRequest) -> bool:
    headers = request.headers
    return "HX-Request" in headers and "HX-History-Restore-Request" not in headers


@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Who dies first, what it adds up to, and every position by distance."""
    now = clock.now()
    filters = pages.read_filters(request.GET)
    found = overviews.build_overview(team=_team(request), filters=filters, now=now)
    name = "positions/_overview.html" if _is_partial(request) else "positions/overview.html"
    response = render(request, name, pages.overview_context(found, now=now))
    patch_vary_headers(response, ["HX-Request"])
    return response


@require_GET
async def events(request: HttpRequest) -> StreamingHttpResponse:
    """The live stream of the team's changes (server-sent events)."""
    membership = await sync_to_async(membership_of)(request)
    if membership is None:
        raise Http404("You are in no team yet.")
    response = StreamingHttpResponse(
        live.stream(
            team_id=membership.team_id, last_event_id=request.headers.get("Last-Event-ID", "")
        ),
        content_type="text/event-stream",
    )
    # Proxies must neither hold back nor compress what is meant for this very second.
    response["X-Accel-Buffering"] = "no"
    response["Cache-Control"] = "no-store"
    return response
