"""Pages for what went wrong; they ask the database nothing."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import requires_csrf_token

from positions.views.base import NO_TEAM, ONLY_LOOK, ONLY_OWNERS

_KNOWN = {
    NO_TEAM: ("You are in no team yet", "An owner of a team can add you."),
    ONLY_OWNERS: ("Your role does not allow this", f"Nothing was changed. {ONLY_OWNERS}"),
    ONLY_LOOK: (
        "Your role does not allow this",
        "Nothing was changed. An owner of your team can change roles.",
    ),
}


@requires_csrf_token
def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """There is no such page, or it is another team's; the two look the same."""
    return _render(request, "404.html", {}, status=404)


@requires_csrf_token
def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The person may not do this, and why."""
    title, text = _KNOWN.get(str(exception), _KNOWN[ONLY_LOOK])
    return _render(request, "403.html", {"title": title, "text": text}, status=403)


@requires_csrf_token
def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form was too old or came from elsewhere."""
    title = "This form is no longer valid"
    text = "Nothing was changed. Go back, load the page again and repeat what you did."
    return _render(request, "403.html", {"title": title, "text": text}, status=403)


def _render(
    request: HttpRequest, name: str, context: dict[str, str], *, status: int
) -> HttpResponse:
    # The frame of such a page shows neither coverage nor alerts: it must not fail as well.
    request.is_error_page = True  # type: ignore[attr-defined]
    return render(request, name, context, status=status)
