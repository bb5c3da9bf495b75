"""Pages of accounts: what is seen of each, and forms for a new one and for another key."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, prefetch_related_objects
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from positions import selectors, services
from positions.forms import AccountForm, KeyForm, venue_choices
from positions.pages import accounts as pages
from positions.views.base import is_writer, render_page, team_of, user_of, writer_team_of
from riskhub import clock
from riskhub.teams.models import Team
from venues import registry
from venues.base import REGISTRY, VenueAdapter
from venues.errors import BadAccount
from venues.models import Account
from venues.services import create_account, replace_key

_PER_PAGE = 50


@require_safe
def accounts(request: HttpRequest) -> HttpResponse:
    """Every account with what was last seen of it, blind ones first."""
    team, now = team_of(request), clock.now()
    coverage = selectors.coverage_of(team=team, now=now, is_disabled_included=True)
    request.coverage = [each for each in coverage if each.account.is_enabled]  # type: ignore[attr-defined]
    page = Paginator(sorted(coverage, key=pages.urgency), _PER_PAGE).get_page(
        request.GET.get("page", "").replace("\0", "")
    )
    held = _held(team)
    prefetch_related_objects([each.account for each in page], "key_check")
    context = {
        "now": now,
        "sentence": pages.accounts_sentence(coverage),
        "page": page,
        "accounts": [pages.account_row(each, held=held, now=now) for each in page],
        "is_writer": is_writer(request),
    }
    return render_page(
        request, page="venues/accounts.html", part="venues/_accounts.html", context=context
    )


def _held(team: Team) -> dict[int, int]:
    rows = selectors.open_positions(team=team).order_by()
    return dict(rows.values_list("account").annotate(Count("pk")))


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """A form with the fields that the chosen venue needs; what was typed stays, secrets do not."""
    team = writer_team_of(request)
    adapter = _chosen_adapter(request)
    if request.method != "POST" or "choose" in request.POST:
        given = request.POST or request.GET
        kept = {name: given.get(name, "") for name in ("label", "environment", "options")}
        return _form_page(request, AccountForm(adapter=adapter, initial=kept))
    form = AccountForm(request.POST, adapter=adapter)
    account = _create(request, form, team) if form.is_valid() else None
    if account is None:
        return _form_page(request, form)
    then = "Its key is looked at first, then it is read, within seconds."
    messages.success(request, f"{account.label} was added. {then}")
    return redirect("accounts")


def _chosen_adapter(request: HttpRequest) -> VenueAdapter:
    asked = (request.POST or request.GET).get("venue", "")
    slugs = [slug for slug, _ in venue_choices()]
    if asked in slugs:
        return registry.get(asked)
    return registry.get("binance" if "binance" in REGISTRY else slugs[0])


@sensitive_variables()
def _create(request: HttpRequest, form: AccountForm, team: Team) -> Account | None:
    values = form.cleaned_data
    try:
        return create_account(
            team=team,
            venue=values["venue"],
            label=values["label"],
            wallet=values.get("wallet", ""),
            credentials=form.credentials(),
            environment=values["environment"],
            options=values["options"],
            user=user_of(request),
            now=clock.now(),
        )
    except BadAccount as error:
        form.add_error(None, str(error))
        return None


def _form_page(request: HttpRequest, form: AccountForm) -> HttpResponse:
    response = render_page(
        request,
        page="venues/add.html",
        part="venues/_add_form.html",
        context={"form": form, "venue": form.adapter.label},
    )
    response["Cache-Control"] = "no-store"
    return response


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def key(request: HttpRequest, account_id: int) -> HttpResponse:
    """A form for another key of an account; no secret, old or new, is ever shown."""
    team = writer_team_of(request)
    account = get_object_or_404(Account.objects.defer("credentials"), pk=account_id, team=team)
    adapter = registry.find(account.venue)
    if adapter is None or not adapter.credentials:
        raise Http404
    form = KeyForm(request.POST if request.method == "POST" else None, adapter=adapter)
    if form.is_valid() and _replace(request, form, account):
        then = (
            "is read with it once it was looked at" if account.is_enabled else "stays switched off"
        )
        messages.success(request, f"{account.label} has its new key and {then}.")
        return redirect("accounts")
    context = {"form": form, "account": account, "venue": adapter.label}
    response = render(request, "venues/key.html", context)
    response["Cache-Control"] = "no-store"
    return response


@sensitive_variables()
def _replace(request: HttpRequest, form: KeyForm, account: Account) -> bool:
    try:
        replace_key(
            team=account.team,
            account_id=account.pk,
            credentials=form.credentials(),
            user=user_of(request),
            now=clock.now(),
        )
    except Account.DoesNotExist:
        raise Http404 from None
    except BadAccount as error:
        form.add_error(None, str(error))
        return False
    return True


@require_POST
def poll(request: HttpRequest, account_id: int) -> HttpResponse:
    """Read an account at once, also one whose reading had stopped."""
    team, user = writer_team_of(request), user_of(request)
    try:
        account = services.poll_now(team=team, account_id=account_id, user=user, now=clock.now())
    except Account.DoesNotExist:
        raise Http404 from None
    if account.blocked_reason:
        messages.warning(request, f"{account.label} is not read: {account.blocked_reason}")
    else:
        messages.success(request, f"{account.label} is read again within seconds.")
    return redirect("accounts")


@require_POST
def switch(request: HttpRequest, account_id: int) -> HttpResponse:
    """Stop reading an account, or begin again."""
    team, user = writer_team_of(request), user_of(request)
    is_enabled = request.POST.get("is_enabled") == "1"
    try:
        account = services.switch_account(
            team=team, account_id=account_id, is_enabled=is_enabled, user=user, now=clock.now()
        )
    except Account.DoesNotExist:
        raise Http404 from None
    words = "is read again" if is_enabled else "is no longer read; what it held is not shown"
    messages.success(request, f"{account.label} {words}.")
    return redirect("accounts")
