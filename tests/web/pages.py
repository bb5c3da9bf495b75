"""What tests of pages share: a person who is logged in, and the addresses of every page."""

from __future__ import annotations

import html
import re
from typing import Any

from django.test import Client

from positions.models import Position
from riskhub.teams.models import Role, Team
from tests.factories import make_position, make_user
from tests.web.test_team_isolation import PUBLIC, ROUTES, is_api
from venues.models import Account

# Addresses that only take what a form sends.
POST_ONLY = frozenset(
    {
        "explain",
        "announce-change",
        "cancel-announced",
        "explain-gone",
        "acknowledge",
        "switch-rule",
        "test-channel",
        "switch-channel",
        "resend",
        "poll-account",
        "switch-account",
        "revoke-token",
        "switch-team",
        "add-member",
        "change-role",
        "remove-member",
        "logout",
    }
)
# Not pages of text: the stream of events, and files to save.
STREAMED = frozenset({"events", "export-csv", "export-json"})
PAGES = [
    route
    for route in ROUTES
    if not is_api(route)
    and route.name not in POST_ONLY | STREAMED | (PUBLIC - {"login", "calculator"})
]


def browser(team: Team, role: str = Role.OWNER) -> Client:
    """Return the client of a new member of the team."""
    client = Client()
    client.force_login(make_user(team=team, role=role))
    return client


def text_of(response: object) -> str:
    """Return what a person reads of a page: no markup, one space between words."""
    return words_of(response.content.decode())  # type: ignore[attr-defined]


def words_of(body: str) -> str:
    """Return the words of markup."""
    body = re.sub(r"<(script|template|style)\b.*?</\1>", " ", body, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def row_of(response: object, position_id: int) -> str:
    """Return the markup of one position's row of a table."""
    body = response.content.decode()  # type: ignore[attr-defined]
    found = re.search(rf'<tr data-position="{position_id}".*?</tr>', body, flags=re.DOTALL)
    assert found, f"no row of position {position_id}"
    return found[0]


def rows_of(page: object) -> list[int]:
    """Return the positions of all rows, in their order."""
    body = page.content.decode()  # type: ignore[attr-defined]
    return [int(key) for key in re.findall(r'<tr data-position="(\d+)"', body)]


def headline(response: object) -> str:
    """Return the first sentence of a page, with the word of its severity."""
    body = response.content.decode()  # type: ignore[attr-defined]
    found = re.search("<h1>.*?</h1>", body)
    assert found
    return words_of(found[0])


def make_sol(account: Account, **columns: Any) -> Position:
    """A short of 142.5 SOL at 176.02, marked 182.44, liquidated at 193.58."""
    terms = {"entry_price": 176.02, "mark_price": 182.44, "contracts": 142.5}
    return make_position(
        account, symbol="SOL/USDT:USDT", side="short", collateral=2_640.0, **{**terms, **columns}
    )
