"""Members of the team: an owner lets people in, changes what they may do, and shuts them out."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from positions.forms import MemberForm
from positions.views import once
from positions.views.base import owner_team_of, user_of
from positions.views.settings import NEW_MEMBER, settings_page
from riskhub import clock
from riskhub.teams import members
from riskhub.teams.members import MemberError
from riskhub.teams.models import Membership, Team


@require_POST
def add(request: HttpRequest) -> HttpResponse:
    """Let a person in; the password of a new login is shown by the next page, once."""
    team, form = owner_team_of(request), MemberForm(request.POST, auto_id="member_%s")
    if form.is_valid() and _add(request, team, form):
        return _back()
    return settings_page(request, team, member_form=form)


def _add(request: HttpRequest, team: Team, form: MemberForm) -> bool:
    now, values = clock.now(), form.cleaned_data
    try:
        membership, password = members.add(
            team=team,
            username=values["username"],
            role=values["role"],
            by=user_of(request),
            now=now,
        )
    except MemberError as error:
        form.add_error("username", str(error))
        return False
    name = membership.user.get_username()
    if password:
        texts = {"username": name, "password": password}
        once.keep(request, name=NEW_MEMBER, texts=texts, now=now)
    else:
        messages.success(request, f"{name} had a login before and now sees this team, too.")
    return True


@require_POST
def change_role(request: HttpRequest, member_id: int) -> HttpResponse:
    """Give a member another role."""
    team, user = owner_team_of(request), user_of(request)
    role = request.POST.get("role", "")
    try:
        found = members.change_role(
            team=team, member_id=member_id, role=role, by=user, now=clock.now()
        )
    except Membership.DoesNotExist:
        raise Http404 from None
    except MemberError as error:
        messages.warning(request, f"Nothing was changed: {error}")
    else:
        messages.success(request, f"{found.user.get_username()} is now {found.role}.")
    return _back()


@require_POST
def remove(request: HttpRequest, member_id: int) -> HttpResponse:
    """Shut a member out, at once."""
    team, user = owner_team_of(request), user_of(request)
    try:
        gone = members.remove(team=team, member_id=member_id, by=user, now=clock.now())
    except Membership.DoesNotExist:
        raise Http404 from None
    except MemberError as error:
        messages.warning(request, f"Nothing was changed: {error}")
        return _back()
    name = gone.user.get_username()
    messages.success(request, f"{name} no longer sees this team; their tokens here are revoked.")
    return redirect("overview") if gone.user == user else _back()


def _back() -> HttpResponse:
    return redirect(f"{reverse('settings')}#members")
