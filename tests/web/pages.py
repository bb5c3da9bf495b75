"""What tests of pages share: a person who is logged in, and the addresses of every page."""

from __future__ import annotations

import html
import re

from django.test import Client

from riskhub.teams.models import Role, Team
from tests.factories import make_user
from tests.web.test_team_isolation import PUBLIC, ROUTES, Route, is_api

# Addresses that only take what a form sends.
POST_ONLY = frozenset(
    {
        "explain",
        "acknowledge",
        "switch-rule",
        "test-channel",
        "resend",
        "poll-account",
        "switch-account",
        "revoke-token",
        "switch-team",
        "logout",
    }
)
# Not pages of text: the stream of events, and files to save.
STREAMED = frozenset({"events", "export-csv", "export-json"})
PAGES = [
    route
    for route in ROUTES
    if not is_api(route) and route.name not in POST_ONLY | STREAMED | (PUBLIC - {"login"})
]


def browser(team: Team, role: str = Role.OWNER) -> Client:
    """Return the client of a new member of the team."""
    client = Client()
    client.force_login(make_user(team=team, role=role))
    return client


def text_of(response: object) -> str:
    """Return what a person reads of a page: no markup, one space between words."""
    body = response.content.decode()  # type: ignore[attr-defined]
    body = re.sub(r"<(script|template|style)\b.*?</\1>", " ", body, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def row_of(response: object, position_id: int) -> str:
    """Return the markup of one position's row of a table."""
    body = response.content.decode()  # type: ignore[attr-defined]
    found = re.search(rf'<tr data-position="{position_id}".*?</tr>', body, flags=re.DOTALL)
    assert found, f"no row of position {position_id}"
    return found[0]


__all__ = ["PAGES", "Route", "browser", "row_of", "text_of"]
