"""Pages of settings: the team, its REST tokens, one's own password; and the page's frame."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth import views as auth
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from positions.context import frame_of
from positions.forms import MemberForm, TokenForm
from positions.views import once
from positions.views.base import is_owner, is_writer, team_of, user_of
from riskhub import clock
from riskhub.teams import members, tokens
from riskhub.teams.middleware import SESSION_KEY
from riskhub.teams.models import Membership, Role, Team
from riskhub.teams.tokens import TokenError

# Names under which a secret waits for the page that shows it.
_NEW_TOKEN, NEW_MEMBER = "token", "member"


@require_http_methods(["GET", "HEAD", "POST"])
def settings(request: HttpRequest) -> HttpResponse:
    """The team and its members, REST tokens, the theme; POST makes a token."""
    team = team_of(request)
    if request.method != "POST":
        return settings_page(request, team)
    form = TokenForm(request.POST)
    text = _make_token(request, team, form) if form.is_valid() else ""
    if not text:
        return settings_page(request, team, token_form=form)
    once.keep(request, name=_NEW_TOKEN, texts={"token": text}, now=clock.now())
    return redirect(f"{reverse('settings')}#tokens")


def _make_token(request: HttpRequest, team: Team, form: TokenForm) -> str:
    user = user_of(request)
    try:
        _, text = tokens.create(
            team=team,
            user=user,
            by=user,
            label=form.cleaned_data["label"],
            scopes=form.scopes(),
            days=form.cleaned_data["days"],
            now=clock.now(),
        )
    except TokenError as error:
        form.add_error(None, str(error))
        return ""
    return text


def settings_page(
    request: HttpRequest,
    team: Team,
    *,
    token_form: TokenForm | None = None,
    member_form: MemberForm | None = None,
) -> HttpResponse:
    """Return the page; a form that was refused stands in it with its sentences.

    What a form has just made is shown by this page alone, and by it once.
    """
    now = clock.now()
    mine = Membership.objects.filter(user=user_of(request)).select_related("team").order_by("pk")
    context = {
        "now": now,
        "members": members.list_for(team=team),
        "memberships": mine,
        "tokens": [_token_row(each) for each in tokens.list_for(team=team)],
        "form": token_form or TokenForm(),
        "token_text": once.take(request, name=_NEW_TOKEN, now=now).get("token", ""),
        "member_form": member_form or MemberForm(auto_id="member_%s"),
        "new_member": once.take(request, name=NEW_MEMBER, now=now),
        "roles": Role.values,
        "is_writer": is_writer(request),
        "is_owner": is_owner(request),
    }
    response = render(request, "settings/settings.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _token_row(token: Any) -> dict[str, Any]:
    return {
        "id": tokens.public_id(token),
        "label": token.label,
        "user": token.user.get_username(),
        "scopes": ", ".join(token.scopes),
        "created": token.created,
        "expiry": token.expiry,
    }


@require_POST
def revoke_token(request: HttpRequest, token_id: str) -> HttpResponse:
    """Delete a token of the team: writers any of them, others their own."""
    team, user = team_of(request), user_of(request)
    if not is_writer(request):
        _refuse_anothers(request, team, token_id)
    try:
        tokens.revoke(team=team, token_id=token_id, now=clock.now(), by=user)
    except TokenError:
        raise Http404 from None
    messages.success(
        request, "The token was revoked. Programs that use it are refused from now on."
    )
    return redirect("settings")


def _refuse_anothers(request: HttpRequest, team: Team, token_id: str) -> None:
    mine = tokens.list_for(team=team).filter(user=user_of(request))
    if token_id not in {tokens.public_id(each) for each in mine}:
        raise Http404


@require_POST
def switch_team(request: HttpRequest) -> HttpResponse:
    """Act for another of one's own teams from now on."""
    asked = request.POST.get("team", "")
    mine = Membership.objects.filter(user=user_of(request)).select_related("team")
    chosen = next((each for each in mine if str(each.team_id) == asked), None)
    if chosen is None:
        messages.warning(request, "Nothing was changed: you are not in that team.")
    else:
        request.session[SESSION_KEY] = chosen.team_id
        messages.success(request, f"You now see the team {chosen.team.name}.")
    return redirect("settings")


class PasswordChange(auth.PasswordChangeView):
    """One's own password; other sessions of the same person end."""

    template_name = "settings/password.html"
    success_url = reverse_lazy("settings")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, "Your password was changed.")
        return super().form_valid(form)


@require_safe
def frame(request: HttpRequest) -> HttpResponse:
    """What was seen, how many alerts are open, and the banners, asked again by itself."""
    context = frame_of(request, team=team_of(request), now=clock.now())
    return render(request, "_frame.html", context)
