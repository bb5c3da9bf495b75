"""What every page's frame shows: navigation, what was not seen, banners."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from positions.alerts import selectors as alerts
from positions.pages.headline import account_name
from positions.selectors import AccountCoverage, coverage_of, needs_prices
from riskhub import clock, formatting, heartbeat, live, notices
from riskhub.teams.models import Team
from venues import bans, clocks
from venues.base import REGISTRY
from venues.models import Account, HostBan

# What a late cycle means to the person who looks at the page.
_LATE = {
    "polls": "Positions are not being read",
    "prices": "Prices are not being refreshed",
    "reference": "The simulated market stands still",
    "outbox": "Alerts are not being sent",
    "staleness": "Nobody watches whether accounts are seen",
    "keys": "Nobody looks what the keys may do",
    "housekeeping": "Old data is not being removed",
}


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return the context of the frame; strangers and pages of errors get one without queries."""
    now = clock.now()
    frame = {"server_now": now, "version": version(), "home_url": reverse("overview")}
    frame["nav"] = _nav_items(request.path, [("Calculator", reverse("calculator"), 0)])
    team = getattr(request, "team", None)
    if team is None or getattr(request, "is_error_page", False):
        return frame
    return {
        **frame,
        **frame_of(request, team=team, now=now),
        "live_url": _live_url(team),
        "team": team,
        "menu": [
            {"name": "Settings", "url": reverse("settings")},
            {"name": "Change password", "url": reverse("password")},
        ],
    }


def _live_url(team: Team) -> str:
    """The address of the live stream, from where it stands as this page is rendered."""
    return f"{reverse('events')}?since={live.newest_id(team_id=team.pk)}"


def frame_of(request: HttpRequest, *, team: Team, now: datetime) -> dict[str, Any]:
    """Return the parts of the frame that change while a page is open.

    A view that has read the coverage already leaves it as `request.coverage`.
    """
    coverage = getattr(request, "coverage", None)
    if coverage is None:
        coverage = coverage_of(team=team, now=now)
    shown = banners(team=team, now=now)
    return {
        "nav": _nav(request.path, alerts=alerts.firing_incidents(team=team).count()),
        "seen": seen(coverage) if coverage else None,
        "banners": shown,
        "frame_url": reverse("frame"),
        "banners_digest": _digest(shown),
        "are_banners_new": request.headers.get("X-Banners", "") != _digest(shown),
    }


def seen(coverage: Sequence[AccountCoverage]) -> dict[str, Any]:
    """Return the strip that says what was seen, and what was not."""
    blind = [account_name(each) for each in coverage if each.is_blind]
    return {
        "seen": len(coverage) - len(blind),
        "total": len(coverage),
        "blind": blind,
        "url": reverse("accounts"),
    }


def banners(*, team: Team, now: datetime) -> list[dict[str, Any]]:
    """Return what the supervisor wants to be said, and which cycles are late.

    One banner for all of a kind: `texts` of the first and `more` of the others. What is over can
    be dismissed. A late cycle says since when, so that its age ticks on.
    """
    told = notices.read(folder=settings.DATA_DIR)
    return [
        *(_told([each for each in told if each.level == level]) for level in _levels(told)),
        *_banned_venues(team, now),
        *_skewed_clocks(),
        *_late_cycles(team, now),
    ]


def _banned_venues(team: Team, now: datetime) -> list[dict[str, Any]]:
    """One banner for each venue that has banned this machine's address, until the ban ends.

    A venue that is read at another place than its own concerns those who have an account there.
    """
    found = bans.current_bans(now=now)
    places = _places(team) if any(row.environment for row in found) else set()
    return [
        {
            "id": f"ban-{row.venue}-{row.pk}@{row.begun_at.isoformat()}",
            "level": "error",
            "text": f"{_place_name(row)} has banned this machine's address until "
            f"{formatting.timestamp(row.until)}; no account there is read before.",
        }
        for row in found
        if not row.environment or (row.venue, row.environment) in places
    ]


def _places(team: Team) -> set[tuple[str, str]]:
    rows = Account.objects.filter(team=team).order_by()
    return set(rows.values_list("venue", "environment").distinct())


def _place_name(ban: HostBan) -> str:
    if not ban.environment:
        return _label(ban.venue)
    host = urlsplit(ban.environment).netloc.rpartition("@")[2]
    return f"{_label(ban.venue)} at {host or ban.environment}"


def _skewed_clocks() -> list[dict[str, Any]]:
    """One banner for all venues whose clock is not ours: there is one clock to set."""
    texts = [_clock_text(drift) for drift in clocks.current_drifts()]
    if not texts:
        return []
    return [{"id": "clock", "level": "warning", "text": texts[0], "more": texts[1:]}]


def _clock_text(drift: clocks.Drift) -> str:
    seconds = abs(drift.milliseconds) / 1000
    way = "behind" if drift.milliseconds > 0 else "ahead of"
    return f"This machine's clock is {seconds:.1f} s {way} {_label(drift.venue)}'s; set it (NTP)."


def _label(venue: str) -> str:
    kind = REGISTRY.get(venue)
    return kind.label if kind else venue


def _levels(told: Sequence[notices.Notice]) -> list[str]:
    """Return the levels of the notices, worst first."""
    return list(dict.fromkeys(notice.level for notice in told))


def _told(alike: Sequence[notices.Notice]) -> dict[str, Any]:
    texts = [notice.text for notice in alike]
    return {
        "id": " ".join(sorted(f"{notice.key}@{notice.at.isoformat()}" for notice in alike)),
        "level": alike[0].level,
        "text": texts[0],
        "more": texts[1:],
        # An error lasts until it is mended; a warning tells of what is over.
        "is_over": alike[0].level != "error",
    }


def _late_cycles(team: Team, now: datetime) -> list[dict[str, Any]]:
    """A cycle that never came round is not late: this may be a web process that runs alone.

    Nor are prices that nobody needs: without an open position none are asked for.
    """
    last = heartbeat.last_beats()
    late = [
        cycle
        for cycle, budget_s in heartbeat.BEATS.items()
        if cycle in last and (now - last[cycle]).total_seconds() > budget_s
    ]
    if "prices" in late and not needs_prices(team=team):
        late.remove("prices")
    lines = [{"text": f"{_LATE.get(each, each)}: nothing for", "at": last[each]} for each in late]
    name = " ".join(f"late-{each}@{last[each].isoformat()}" for each in late)
    return [{"id": name, "level": "warning", "lines": lines, "is_late": True}] if late else []


def _nav(path: str, *, alerts: int) -> list[dict[str, Any]]:
    places = (
        ("Overview", reverse("overview"), 0),
        ("Alerts", reverse("alerts"), alerts),
        ("Accounts", reverse("accounts"), 0),
        ("Markets", reverse("markets"), 0),
        ("Coverage", reverse("coverage"), 0),
        ("Settings", reverse("settings"), 0),
        ("Calculator", reverse("calculator"), 0),
    )
    return _nav_items(path, places)


def _nav_items(path: str, places: Sequence[tuple[str, str, int]]) -> list[dict[str, Any]]:
    return [
        {"name": name, "url": url, "count": count, "is_current": _is_here(path, url)}
        for name, url, count in places
    ]


def _is_here(path: str, url: str) -> bool:
    home = reverse("overview")
    if url == home:
        return path == home or path.startswith("/positions/")
    return path.startswith(url)


def _digest(shown: Sequence[dict[str, str]]) -> str:
    # The words themselves grow older each second; which causes there are does not.
    text = "|".join(f"{banner['id']} {banner['level']}" for banner in shown)
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:8]


@cache
def version() -> str:
    """Return the version of this project, as pyproject.toml says it."""
    with (settings.BASE_DIR / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])
