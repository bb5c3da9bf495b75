"""Pages of channels: where a team wants its alerts; added, tested, switched off and removed."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from positions.alerts import base, selectors, services
from positions.alerts.models import Channel, DeliveryState
from positions.forms import ChannelForm
from positions.pages import alerts as pages
from positions.views import once
from positions.views.base import user_of, writer_team_of
from riskhub import clock
from riskhub.teams.models import Team

_FIRST_KIND = "email"
_MADE = "channel-secret"


@sensitive_post_parameters()
@sensitive_variables()
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """A form with the fields of one kind; a secret that was made is shown after it, once."""
    team, kind = writer_team_of(request), _chosen_kind(request)
    if request.method != "POST":
        made = once.take(request, name=_MADE, now=clock.now())
        if made:
            kept = get_object_or_404(Channel, team=team, pk=int(made.pop("channel")))
            return _secrets_page(request, kept, made)
        return _form_page(request, ChannelForm(channel=kind))
    form = ChannelForm(request.POST, channel=kind)
    if not form.is_valid():
        return _form_page(request, form)
    fields = form.config()
    made = services.make_secrets(kind=kind.kind, fields=fields)
    channel = _create(request, team, form, {**fields, **made})
    if channel is None:
        return _form_page(request, form)
    if made:
        texts = {**made, "channel": str(channel.pk)}
        once.keep(request, name=_MADE, texts=texts, now=clock.now())
        return redirect("add-channel")
    messages.success(request, f"“{channel.label}” was added. A test says whether it arrives.")
    return redirect("alerts")


def _chosen_kind(request: HttpRequest) -> type[base.Channel]:
    return base.CHANNELS.get(request.GET.get("kind", ""), base.CHANNELS[_FIRST_KIND])


@sensitive_variables()
def _create(
    request: HttpRequest, team: Team, form: ChannelForm, fields: dict[str, str]
) -> Channel | None:
    kind = form.channel.kind
    refusal = services.find_refusal(kind=kind, fields=fields)
    if refusal:
        form.add_error(None, refusal)
        return None
    try:
        return services.add_channel(
            team=team,
            kind=kind,
            label=form.cleaned_data["label"],
            fields=fields,
            now=clock.now(),
            user=user_of(request),
        )
    except ValidationError as error:
        form.add_error(None, error)
        return None


def _form_page(request: HttpRequest, form: ChannelForm) -> HttpResponse:
    context = {"form": form, "kind": form.channel, "tabs": pages.channel_tabs(form.channel.kind)}
    response = render(request, "alerts/channel_add.html", context)
    response["Cache-Control"] = "no-store"
    return response


@sensitive_variables()
def _secrets_page(request: HttpRequest, channel: Channel, made: dict[str, str]) -> HttpResponse:
    context = {
        "channel": pages.channel_row(channel, last=None),
        "secrets": pages.secret_rows(channel.kind, made),
    }
    response = render(request, "alerts/channel_secret.html", context)
    response["Cache-Control"] = "no-store"
    return response


@require_POST
def test(request: HttpRequest, channel_id: int) -> HttpResponse:
    """Send a test message now and say how it went."""
    team, user = writer_team_of(request), user_of(request)
    channel = get_object_or_404(Channel, team=team, pk=channel_id)
    if not channel.is_enabled:
        messages.warning(request, f"Nothing was sent: “{channel.label}” is switched off.")
        return redirect("alerts")
    delivery = services.send_test(channel=channel, now=clock.now(), user=user)
    if delivery.state == DeliveryState.SENT:
        messages.success(request, f"The test arrived through “{channel.label}”.")
    else:
        why = delivery.last_error or "it is still on its way"
        messages.warning(request, f"The test through “{channel.label}” did not arrive: {why}")
    return redirect("alerts")


@require_POST
def switch(request: HttpRequest, channel_id: int) -> HttpResponse:
    """Tell through a channel, or no longer."""
    team, user = writer_team_of(request), user_of(request)
    is_enabled = request.POST.get("is_enabled") == "1"
    try:
        channel = services.switch_channel(
            team=team, channel_id=channel_id, is_enabled=is_enabled, user=user, now=clock.now()
        )
    except Channel.DoesNotExist:
        raise Http404 from None
    words = "is told again" if is_enabled else "is switched off: no alert goes there"
    messages.success(request, f"“{channel.label}” {words}.")
    return redirect("alerts")


@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, channel_id: int) -> HttpResponse:
    """Ask whether it is meant, then remove a channel and what was kept of it."""
    team, user = writer_team_of(request), user_of(request)
    channel = get_object_or_404(selectors.channels(team=team), pk=channel_id)
    if request.method != "POST":
        others = selectors.channels(team=team).filter(is_enabled=True).exclude(pk=channel.pk)
        context = {
            "channel": pages.channel_row(channel, last=None),
            "deliveries": selectors.deliveries(team=team).filter(channel=channel).count(),
            "is_last": not others.exists(),
        }
        return render(request, "alerts/channel_remove.html", context)
    try:
        services.remove_channel(team=team, channel_id=channel_id, user=user, now=clock.now())
    except Channel.DoesNotExist:
        raise Http404 from None
    messages.success(request, f"“{channel.label}” was removed; what it knew is forgotten.")
    return redirect("alerts")
