"""What every view needs: the team that asks, and whether its member may change anything."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from riskhub.teams.models import Role, Team

NO_TEAM = "You are in no team yet. An owner of a team can add you."
ONLY_LOOK = "Your role lets you look, not change. An owner of your team can change roles."

ONLY_OWNERS = "Only an owner of the team can change who is in it."


def team_of(request: HttpRequest) -> Team:
    """Return the team this request acts for; raises PermissionDenied without one."""
    team: Team | None = getattr(request, "team", None)
    if team is None:
        raise PermissionDenied(NO_TEAM)
    return team


def writer_team_of(request: HttpRequest) -> Team:
    """Return the team if this member may change things in it; raises PermissionDenied."""
    team = team_of(request)
    if not is_writer(request):
        raise PermissionDenied(ONLY_LOOK)
    return team


def owner_team_of(request: HttpRequest) -> Team:
    """Return the team if this member may change who is in it; raises PermissionDenied."""
    team = team_of(request)
    if not is_owner(request):
        raise PermissionDenied(ONLY_OWNERS)
    return team


def is_owner(request: HttpRequest) -> bool:
    """Tell whether the person who asks owns the team."""
    membership = getattr(request, "membership", None)
    return membership is not None and membership.role == Role.OWNER


def is_writer(request: HttpRequest) -> bool:
    """Tell whether the person who asks may change anything in the team."""
    membership = getattr(request, "membership", None)
    return membership is not None and membership.is_writer


def user_of(request: HttpRequest) -> User:
    """Return the person who asks; every page behind the login has one."""
    if not isinstance(request.user, User):
        raise PermissionDenied(NO_TEAM)
    return request.user


def is_partial(request: HttpRequest) -> bool:
    """Tell whether htmx asks for a part of the page."""
    headers = request.headers
    return "HX-Request" in headers and "HX-History-Restore-Request" not in headers


def render_page(
    request: HttpRequest, *, page: str, part: str, context: dict[str, object]
) -> HttpResponse:
    """Render a page, or the part of it that htmx asks for."""
    response = render(request, part if is_partial(request) else page, context)
    patch_vary_headers(response, ["HX-Request"])
    return response
