"""The page that says what was seen and what was not."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from positions import selectors, services
from positions.coverage import sights_of
from positions.models import Position
from positions.pages import coverage as pages
from positions.pages.coverage import Wanted
from positions.services import NotGoneError
from positions.views.base import is_writer, render_page, team_of, user_of, writer_team_of
from riskhub import clock

_PER_PAGE = 100


@require_safe
def coverage(request: HttpRequest) -> HttpResponse:
    """Every part of every account, what is gone without a word, feeds and bans."""
    team, now = team_of(request), clock.now()
    accounts = selectors.coverage_of(team=team, now=now)
    request.coverage = accounts  # type: ignore[attr-defined]
    sights, wanted = sights_of(team=team, now=now, accounts=accounts), Wanted.of(request.GET)
    parts = sorted((part for part in sights.parts if wanted.fits(part)), key=pages.urgency)
    page = Paginator(parts, _PER_PAGE).get_page(request.GET.get("page", "").replace("\0", ""))
    context = {
        "now": now,
        "sentence": pages.coverage_sentence(sights),
        "filters": pages.filter_fields(sights.parts, wanted=wanted),
        "page": page,
        "parts": [pages.part_row(part) for part in page],
        "has_parts": bool(sights.parts),
        "gone": [pages.gone_row(position) for position in sights.gone],
        "feeds": [pages.feed_row(sight) for sight in sights.feeds],
        "is_writer": is_writer(request),
    }
    return render_page(
        request, page="venues/coverage.html", part="venues/_coverage.html", context=context
    )


@require_POST
def explain(request: HttpRequest, position_id: int) -> HttpResponse:
    """A person says that they closed what had vanished."""
    team, user = writer_team_of(request), user_of(request)
    try:
        services.explain_gone(team=team, position_id=position_id, user=user, now=clock.now())
    except Position.DoesNotExist:
        raise Http404 from None
    except NotGoneError:
        messages.info(request, "Nothing was changed: the position is not missing.")
    else:
        messages.success(request, "Noted: you closed it. Its life has ended.")
    return redirect("coverage")
