"""Give every request of a person its team."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin

from riskhub.teams.models import Membership

SESSION_KEY = "team"


def membership_of(request: HttpRequest) -> Membership | None:
    """Return the membership this request acts under: the chosen team's, else the first."""
    if not request.user.is_authenticated:
        return None
    mine = Membership.objects.filter(user_id=request.user.pk).select_related("team")
    chosen = request.session.get(SESSION_KEY)
    return (chosen and mine.filter(team_id=chosen).first()) or mine.order_by("id").first()


def is_member(*, pk: int) -> bool:
    """Tell whether a membership still stands, and its person may still sign in."""
    return Membership.objects.filter(pk=pk, user__is_active=True).exists()


class TeamMiddleware(MiddlewareMixin):
    """Set `request.membership` and `request.team`; None for strangers and public views."""

    def process_request(self, request: HttpRequest) -> None:
        request.membership = request.team = None  # type: ignore[attr-defined]

    def process_view(self, request: HttpRequest, view: Any, *_: Any) -> None:
        # Health and static views ask the database nothing.
        if getattr(view, "login_required", True):
            membership = membership_of(request)
            request.membership = membership  # type: ignore[attr-defined]
            request.team = membership.team if membership else None  # type: ignore[attr-defined]
