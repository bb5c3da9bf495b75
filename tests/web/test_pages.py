"""Every page, whatever the database holds: empty, full, unknown or hostile."""

import copy
import re

import pytest
from django.test import Client

from positions.models import Position
from riskhub.teams.models import Team
from tests import factories
from tests.web.pages import PAGES, browser, text_of
from tests.web.test_team_isolation import make_book

pytestmark = pytest.mark.django_db

WITHOUT_ID = [route for route in PAGES if not route.ids]
MOST_QUERIES = 20
XSS = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>"


def each(routes):
    return pytest.mark.parametrize("route", routes, ids=[route.path for route in routes])


def test_all_kinds_of_pages_are_found():
    assert {"overview", "position", "alerts", "incident", "accounts", "add-account", "settings"} < {
        route.name for route in PAGES
    }


@each(WITHOUT_ID)
def test_a_page_answers_on_an_empty_database(team, route):
    response = browser(team).get(route.url({}), follow=True)

    assert response.status_code == 200


@each(PAGES)
def test_a_page_answers_where_every_optional_figure_is_missing(team, route):
    book = make_book(team, "own")
    unknown = factories.make_position_unknown(team=team)

    response = browser(team).get(route.url({**book, "position_id": unknown.pk}), follow=True)

    assert response.status_code == 200
    words = text_of(response)
    assert not re.search(r"\b(None|nan|NaN|inf)\b", words)


@each(PAGES)
def test_a_page_asks_few_queries_however_many_positions_there_are(
    team, route, django_assert_max_num_queries
):
    book = make_book(team, "own")
    multiply(Position.objects.get(pk=book["position_id"]), 150)
    client = browser(team)

    with django_assert_max_num_queries(MOST_QUERIES):
        response = client.get(route.url(book))

    assert response.status_code in {200, 302}


def test_the_number_of_queries_does_not_grow_with_the_positions(team):
    position = factories.make_position(team=team)
    client = browser(team)
    few = count_queries(client)

    multiply(position, 100)

    assert count_queries(client) == few


def count_queries(client: Client) -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        client.get("/")
    return len(queries)


def multiply(position: Position, times: int) -> None:
    """Put copies of a position beside it, each under a slot of its own."""
    copies = []
    for number in range(times):
        row = copy.copy(position)
        row.pk, row.slot = None, f"s{number}"
        copies.append(row)
    Position.objects.bulk_create(copies)


def test_more_rows_than_a_page_holds_are_counted_not_drawn(team):
    position = factories.make_position(team=team)
    multiply(position, 504)

    response = browser(team).get("/")

    assert response.content.count(b"<tr data-position=") == 500
    assert "500 of 505 are shown" in text_of(response)


@pytest.fixture
def hostile(team):
    """A book of which every text was chosen by an enemy."""
    account = factories.make_account(
        team, label=XSS[:60], wallet=XSS, blocked_reason=XSS, environment=XSS
    )
    coins = dict.fromkeys(("asset", "settle", "quote"), XSS[:30])
    market = factories.make_market(f"BAD{XSS}"[:80], **coins)
    reasons = dict.fromkeys(("mark_price", "liquidation_price", "margin_ratio"), XSS)
    provenance = factories.make_provenance(sources={}, reasons=reasons)
    position = factories.make_position(
        account,
        market=market,
        raw={XSS: XSS},
        provenance=provenance,
        mark_price=None,
        liquidation_price=None,
        state="gone",
    )
    factories.make_coverage(account, scope=XSS[:60], error=XSS, refused=1)
    account.coverage.update(refusals=[{"symbol": XSS, "reason": XSS}], error=XSS, seen_at=None)
    factories.make_event(position, detail={"reference": XSS, "to": 1.0})
    ended = {"end_state": "closed", "ended_at": factories.NOW}
    factories.make_life(position, end_reference=XSS[:80], **ended)
    factories.make_reading(position)
    rule = factories.make_rule(team, name=XSS, scope={"asset": [XSS]})
    figure = {"label": XSS, "text": XSS, "source": "derived", "reason": XSS}
    why = {
        "rule": {"name": XSS, "unit": "fraction", "level": XSS},
        "value_text": XSS,
        "figures": [figure, {**figure, "text": ""}, XSS],
        "scopes": [{"scope": XSS, "error": XSS}],
        "blocked_reason": XSS,
    }
    incident = factories.make_incident(position, rule=rule, headline=XSS, why=why)
    factories.make_incident(position, state="resolved", resolution=XSS, headline=XSS, why={})
    channel = factories.make_channel(
        team, label=XSS[:60], config={"url": XSS}, disabled_reason=XSS, is_enabled=False
    )
    delivery = factories.make_delivery(channel, incident, last_error=XSS)
    announced = factories.make_announced(market, note=XSS)
    factories.make_feed(market, error=XSS)
    factories.make_market_change(market, before={"kind": XSS}, after={"kind": XSS})
    token, _ = factories.make_token(team=team, label=XSS)
    Team.objects.filter(pk=team.pk).update(name=XSS)
    return {
        "market_id": market.pk,
        "announced_id": announced.pk,
        "position_id": position.pk,
        "incident_id": incident.pk,
        "account_id": account.pk,
        "rule_id": rule.pk,
        "channel_id": channel.pk,
        "delivery_id": delivery.pk,
        "token_id": token.pk,
    }


@each(PAGES)
def test_hostile_text_is_shown_as_text(hostile, team, route):
    body = browser(team).get(route.url(hostile), follow=True).content.decode()

    assert "<img src=x" not in body
    assert "<script>alert" not in body
    assert 'onerror=alert(1)>"' not in body


def test_the_hostile_text_is_on_the_pages_at_all(hostile, team):
    client = browser(team)

    pages = ["/", "/alerts/", "/accounts/", "/settings/", f"/positions/{hostile['position_id']}/"]
    hits = [client.get(page).content.count(b"&lt;img src=x") for page in pages]

    assert min(hits) >= 1


@each([route for route in PAGES if route.name != "login"])
def test_hostile_parameters_are_shown_as_text_and_break_nothing(team, route):
    book = make_book(team, "own")
    names = ("venue", "account", "asset", "side", "sort", "range", "page", "banners", "label")

    response = browser(team).get(route.url(book), dict.fromkeys(names, f"{XSS}\0"))

    assert response.status_code == 200
    assert b"<img src=x" not in response.content


@each(PAGES)
def test_pages_keep_to_the_content_security_policy(team, route):
    response = browser(team).get(route.url(make_book(team, "own")), follow=True)

    body = response.content.decode()
    assert not re.search(r"<[^>]+\son\w+=", body)
    assert not re.search(r"<[^>]+\sstyle=", body)
    assert response["Content-Security-Policy"].count("unsafe") == 0
