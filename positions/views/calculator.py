"""The calculator's page: for everybody, without a login; it reads nobody's book."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from positions.api.throttles import is_within_limit
from positions.pages.calculator import calculator_context
from positions.pages.calculator_form import read_query
from positions.views.base import is_partial, render_page
from riskhub.teams.middleware import membership_of

# A slider that is drawn asks a dozen times a second.
_MOST_PER_MINUTE = 1_800


@login_not_required
@require_safe
def calculator(request: HttpRequest) -> HttpResponse:
    """What the inputs in the address say by one venue's rule; nonsense is named beside them."""
    caller = f"calculator:{request.META.get('REMOTE_ADDR', '')}"
    if not is_within_limit(caller=caller, most=_MOST_PER_MINUTE):
        text = "Too many questions from this address; try again in a minute."
        return HttpResponse(text, status=429, content_type="text/plain", headers=_RETRY)
    is_part = is_partial(request)
    if not is_part:
        _find_team(request)
    return render_page(
        request,
        page="calculator/calculator.html",
        part="calculator/_answer.html",
        context=calculator_context(read_query(request.GET), is_part=is_part),
    )


_RETRY = {"Retry-After": "60"}


def _find_team(request: HttpRequest) -> None:
    """Give a person who is logged in their frame; without a database they see a stranger's."""
    try:
        membership = membership_of(request)
    except DatabaseError:
        request.user = AnonymousUser()
        return
    request.membership = membership  # type: ignore[attr-defined]
    request.team = membership.team if membership else None  # type: ignore[attr-defined]
