"""The page of one position."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST, require_safe

from positions import selectors, services
from positions.market_selectors import table_behind
from positions.models import Position
from positions.pages.charts import DEFAULT_RANGE, RANGES
from positions.pages.position import position_context
from positions.services import NotGoneError
from positions.views.base import is_writer, render_page, team_of, user_of, writer_team_of
from riskhub import clock


@require_safe
def position(request: HttpRequest, position_id: int) -> HttpResponse:
    """How far it is from liquidation, how that moved, whose number it is, and every figure."""
    now = clock.now()
    row = get_object_or_404(selectors.positions_of(team=team_of(request)), pk=position_id)
    asked = request.GET.get("range", "")
    range_name = asked if asked in RANGES else DEFAULT_RANGE
    context = position_context(
        row,
        readings=selectors.readings_of(position=row, since=now - RANGES[range_name]),
        events=selectors.events_of(position=row),
        lives=selectors.lives_of(position=row),
        range_name=range_name,
        now=now,
        table=table_behind(position=row),
    )
    return render_page(
        request,
        page="positions/position.html",
        part="positions/_position.html",
        context={**context, "is_writer": is_writer(request)},
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
    return redirect("position", position_id=position_id)
