"""Pages of markets: the rules in force, what changed, and what an owner says will change."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from positions import announcements, market_selectors
from positions.announced_form import AnnouncementForm
from positions.announced_terms import AnnouncementError
from positions.pages import markets as pages
from positions.views.base import is_owner, render_page, team_of, user_of
from riskhub import clock
from riskhub.teams.models import Team
from venues.models import Market

ONLY_OWNERS = (
    "Only an owner of a team can announce changes of rules: they hold for every team of this "
    "installation."
)
_BY_ITSELF = "The change was announced; it comes into force by itself."
_AT_ONCE = "The change was announced; its time is past, so that it comes into force at once."
_PER_PAGE = 50


@require_safe
def markets(request: HttpRequest) -> HttpResponse:
    """Every market that the team holds, those that end first, with rules and what will change."""
    team, now = team_of(request), clock.now()
    rows = list(market_selectors.with_announced(market_selectors.held_markets(team=team)))
    page = Paginator(rows, _PER_PAGE).get_page(request.GET.get("page", "").replace("\0", ""))
    shown = list(page)
    market_selectors.fetch_rules(shown)
    feeds = market_selectors.feeds_of(markets=shown)
    context = {
        "now": now,
        "page": page,
        "sentence": pages.markets_sentence(rows, now=now),
        "markets": [pages.market_row(row, feeds=feeds, now=now) for row in shown],
    }
    return render_page(
        request, page="markets/markets.html", part="markets/_markets.html", context=context
    )


@require_safe
def market(request: HttpRequest, market_id: int) -> HttpResponse:
    """One market: its tables, limits, what changed, what is announced, and the form for more."""
    team = team_of(request)
    row = _find(team, market_id)
    return _page(request, team, row, AnnouncementForm(market=row, now=clock.now()))


@require_POST
def announce(request: HttpRequest, market_id: int) -> HttpResponse:
    """Say what a venue has announced; "preview" shows first whom it moves."""
    team = team_of(request)
    row = _find(team, market_id)
    _refuse_others(request)
    form = AnnouncementForm(request.POST, market=row, now=clock.now())
    if not form.is_valid() or "preview" in request.POST:
        return _page(request, team, row, form)
    try:
        announcements.announce(
            market=row,
            terms=form.terms,
            effective_at=form.effective,
            note=form.cleaned_data["note"],
            team=team,
            user=user_of(request),
            now=form.now,
        )
    except AnnouncementError as error:
        form.add_error(None, str(error))
        return _page(request, team, row, form)
    messages.success(request, _AT_ONCE if form.is_at_once else _BY_ITSELF)
    return redirect("market", market_id=row.pk)


@require_POST
def cancel(request: HttpRequest, announced_id: int) -> HttpResponse:
    """Take back what was announced, before it comes into force."""
    team = team_of(request)
    announced = market_selectors.announced_of(team=team, announced_id=announced_id)
    if announced is None:
        raise Http404
    _refuse_others(request)
    is_done = announcements.cancel(
        announced_id=announced.pk, team=team, user=user_of(request), now=clock.now()
    )
    if is_done:
        messages.success(request, "The announced change was cancelled.")
    else:
        messages.warning(request, "Nothing was changed: it is in force, or was cancelled before.")
    return redirect("market", market_id=announced.market_id)


def _find(team: Team, market_id: int) -> Market:
    rows = market_selectors.with_rules(market_selectors.markets_of(team=team))
    return get_object_or_404(rows, pk=market_id)


def _refuse_others(request: HttpRequest) -> None:
    if not is_owner(request):
        raise PermissionDenied(ONLY_OWNERS)


def _page(request: HttpRequest, team: Team, row: Market, form: AnnouncementForm) -> HttpResponse:
    now = form.now
    positions = market_selectors.held_positions(team=team, market=row)
    context = pages.market_context(
        row,
        versions=market_selectors.versions_of(market=row),
        positions=positions,
        feeds=market_selectors.feeds_of(markets=[row]),
        now=now,
    )
    is_previewed = form.is_bound and form.is_valid()
    moved = (
        announcements.preview(positions=positions, terms=form.terms, now=now)
        if is_previewed
        else []
    )
    return render(
        request,
        "markets/market.html",
        {
            **context,
            "form": form,
            "is_owner": is_owner(request),
            "is_previewed": is_previewed,
            "is_at_once": is_previewed and form.is_at_once,
            "moved": pages.moved_rows(moved),
        },
    )
