"""No address serves another team's things: holds for each URL there is, also for new ones.

A new URL needs no new test. A new kind of id in a URL needs one line in `make_book`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.converters import IntConverter
from django.urls.resolvers import RoutePattern

from riskhub.teams import tokens
from riskhub.teams.models import Team
from tests import factories

pytestmark = pytest.mark.django_db

METHODS = ("get", "post", "put", "patch", "delete")
# Pages for strangers, by name; a page that is missing here must ask for a login.
PUBLIC = frozenset({"healthz", "readyz", "login", "api-schema", "calculator", "api-calculator"})
# Parts of an address that are no id: any text.
FREE_TEXT = frozenset({"rest"})
# The addresses that answer 404 whatever is asked.
ALWAYS_404 = frozenset({"api-nothing"})
MARK = "foreign-canary"


def make_book(team: Team, mark: str) -> dict[str, int | str]:
    """Make one of everything a team may own, named with `mark`; return kwarg of a URL -> id."""
    user = factories.make_user(f"{mark}-user", team=team)
    account = factories.make_account(team, label=f"{mark}-account", wallet=f"0x{mark}")
    position = factories.make_position(account)
    factories.make_position_unknown(account)
    factories.make_reading(position)
    factories.make_event(position)
    rule = factories.make_rule(team, name=f"{mark}-rule")
    why = {"headline": f"{mark}-headline"}
    incident = factories.make_incident(position, rule=rule, why=why)
    channel = factories.make_channel(team, label=f"{mark}-channel")
    delivery = factories.make_delivery(channel, incident)
    token, _ = factories.make_token(team=team, user=user, label=f"{mark}-token")
    market = factories.make_market(f"{mark.upper()}/USDT:USDT")
    factories.make_position(account, symbol=market.symbol)
    announced = factories.make_announced(market, note=f"{mark}-note")
    return {
        "account_id": account.pk,
        "position_id": position.pk,
        "life_id": position.life_id,
        "rule_id": rule.pk,
        "incident_id": incident.pk,
        "channel_id": channel.pk,
        "delivery_id": delivery.pk,
        "token_id": tokens.public_id(token),
        "market_id": market.pk,
        "announced_id": announced.pk,
        "member_id": user.memberships.get(team=team).pk,
    }


@dataclass(frozen=True)
class Route:
    """One address: its pattern, the names in it, and the view behind."""

    path: str
    name: str
    pattern: URLPattern
    converters: dict[str, object]

    @property
    def ids(self) -> list[str]:
        return [name for name in self.converters if name not in FREE_TEXT]

    def url(self, values: dict[str, int | str]) -> str:
        filled = {**dict.fromkeys(FREE_TEXT, "x"), **values}
        return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(filled[found[1]]), self.path)

    def missing(self, name: str) -> int | str:
        is_number = isinstance(self.converters[name], IntConverter)
        return 987_654_321 if is_number else "f" * 16


def walk(patterns, prefix="/", converters=None) -> Iterator[Route]:
    for entry in patterns:
        assert isinstance(entry.pattern, RoutePattern), f"{entry}: write it with path()"
        found = {**(converters or {}), **entry.pattern.converters}
        path = f"{prefix}{entry.pattern}"
        if isinstance(entry, URLResolver):
            yield from walk(entry.url_patterns, path, found)
        else:
            yield Route(path, entry.name or "", entry, found)


ROUTES = list(walk(get_resolver().url_patterns))
WITH_ID = [route for route in ROUTES if route.ids]


def each(routes):
    return pytest.mark.parametrize("route", routes, ids=[route.path for route in routes])


def is_api(route: Route) -> bool:
    return route.path.startswith("/api/")


@pytest.fixture
def mine():
    return make_book(factories.make_team("Mine"), "own")


@pytest.fixture
def foreign():
    return make_book(factories.make_team("Foreign"), MARK)


def log_in(username="own-user") -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.get(username=username))
    return client


def body_of(response, url: str) -> str:
    """Return the body without what differs between any two answers: address, nonces, the time."""
    text = response.content.decode() if not response.streaming else "stream"
    text = re.sub(r'(nonce|value|content)="[A-Za-z0-9+/=_-]{20,}"', r'\1="…"', text)
    text = re.sub(r'(X-CSRFToken": )"[A-Za-z0-9]+"', r'\1"…"', text)
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?", "NOW", text)
    return text.replace(url, "URL")


def test_there_is_something_to_test():
    assert len(WITH_ID) >= 5
    assert any(is_api(route) for route in WITH_ID)


def test_the_mark_would_be_seen_if_it_were_shown(foreign):
    own = log_in(f"{MARK}-user").get("/api/v1/accounts")

    assert MARK in own.content.decode()


@each(WITH_ID)
def test_each_kind_of_id_in_an_address_is_known_here(route, mine):
    unknown = set(route.ids) - set(mine)

    assert not unknown, f"add {unknown} to make_book, so that {route.path} is covered"


@each(WITH_ID)
def test_a_foreign_id_answers_404_exactly_as_a_missing_one(route, mine, foreign):
    client = log_in()

    for name, method in product(route.ids, METHODS):
        foreign_url = route.url({**mine, name: foreign[name]})
        missing_url = route.url({**mine, name: route.missing(name)})
        for_foreign = getattr(client, method)(foreign_url)
        for_missing = getattr(client, method)(missing_url)

        assert for_foreign.status_code in {404, 405}, (name, method, for_foreign.status_code)
        assert for_foreign.status_code == for_missing.status_code
        assert body_of(for_foreign, foreign_url) == body_of(for_missing, missing_url)


@each(WITH_ID)
def test_an_id_of_ones_own_is_found_so_that_the_404_means_something(route, mine):
    url = route.url(mine)

    answers = {method: getattr(log_in(), method)(url).status_code for method in METHODS}

    allowed = {method: status for method, status in answers.items() if status != 405}
    assert allowed
    assert all(status < 500 for status in allowed.values()), allowed
    # DELETE comes last: what an earlier method took away may be gone by then.
    assert next(iter(allowed.values())) != 404


@each(ROUTES)
def test_no_page_shows_anything_of_another_team(route, mine, foreign):
    response = log_in().get(route.url(mine))

    assert response.status_code != 500
    if not response.streaming:
        assert MARK not in response.content.decode()


@each([route for route in ROUTES if is_api(route)])
def test_a_token_shows_nothing_of_another_team(route, mine, foreign):
    team = Team.objects.get(name="Mine")
    user = User.objects.get(username="own-user")
    _, text = factories.make_token(team=team, user=user)
    client = Client(headers={"authorization": f"Bearer {text}"})

    own = client.get(route.url(mine))
    statuses = {
        client.get(route.url({**mine, name: foreign[name]})).status_code for name in route.ids
    }

    assert (own.status_code == 404) == (route.name in ALWAYS_404)
    assert MARK not in own.content.decode()
    assert statuses <= {404}


@each([route for route in ROUTES if route.name not in PUBLIC])
def test_a_stranger_is_sent_away_before_anything_is_looked_up(route, mine):
    client = Client(raise_request_exception=False)
    missing = {name: route.missing(name) for name in route.ids}

    for method in METHODS:
        for_there = getattr(client, method)(route.url(mine))
        for_missing = getattr(client, method)(route.url(missing))

        expected = 401 if is_api(route) else 302
        assert for_there.status_code == for_missing.status_code == expected, method
        assert is_api(route) or for_there["Location"].startswith("/login/?next=")


@each([route for route in ROUTES if not is_api(route) and route.name not in PUBLIC])
def test_a_stranger_in_htmx_is_told_to_log_in_and_gets_no_form_swapped_in(route, mine):
    response = Client().get(route.url(mine), headers={"hx-request": "true"})

    assert response.status_code == 401
    assert response["HX-Redirect"] == "/login/"


@each([route for route in ROUTES if route.name not in PUBLIC])
def test_a_person_in_no_team_sees_nobodys_things(route, foreign):
    factories.make_user("loner")

    response = log_in("loner").get(route.url(foreign))

    assert response.status_code != 500
    if not response.streaming:
        assert MARK not in response.content.decode()
    if route.ids:
        assert response.status_code in {302, 403, 404, 405}


def owned_models():
    return [
        model
        for model in apps.get_models()
        if any(field.name == "team" for field in model._meta.concrete_fields)
    ]


def ownership() -> dict[str, object]:
    """Return who owns each row there is, the foreign rows in full, and everybody's powers."""
    owners = {
        f"{model._meta.label} {row.pk}": row.team.name
        for model in owned_models()
        for row in model._default_manager.select_related("team")
    }
    foreign_rows = {
        model._meta.label: [
            {column: getattr(value, "sealed", value) for column, value in row.items()}
            for row in model._default_manager.filter(team__name="Foreign").values()
        ]
        for model in owned_models()
    }
    powers = list(User.objects.order_by("id").values("username", "is_staff", "is_superuser"))
    return {"owners": owners, "foreign": foreign_rows, "powers": powers}


def hostile_form(foreign_team: Team) -> dict[str, object]:
    """Return a form that names every column of every owned table, with values from elsewhere."""
    columns = {
        spelling
        for model in owned_models()
        for field in model._meta.concrete_fields
        for spelling in (field.name, field.attname)
    }
    powers = {"is_staff": "true", "is_superuser": "true", "role": "owner", "scopes": "write"}
    owner = {"team": foreign_team.pk, "team_id": foreign_team.pk, "owner_id": foreign_team.pk}
    return {**dict.fromkeys(sorted(columns), "1"), **powers, **owner}


@each(ROUTES)
def test_no_form_field_moves_a_row_to_or_from_another_team(route, mine, foreign):
    form = hostile_form(Team.objects.get(name="Foreign"))
    before = ownership()

    for method, is_json in product(("post", "put", "patch"), (False, True)):
        kind = {} if method == "post" and not is_json else {"content_type": "application/json"}
        response = getattr(log_in(), method)(route.url(mine), form, **kind)

        after = ownership()
        assert response.status_code != 500, method
        assert after["foreign"] == before["foreign"], method
        assert after["powers"] == before["powers"], method
        assert moved(before["owners"], after["owners"]) == {}, method


def moved(before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    return {key: after[key] for key in before if key in after and after[key] != before[key]}


def test_the_harness_knows_every_table_with_a_team():
    assert {"Position", "Account", "Incident", "ApiToken"} <= {
        model.__name__ for model in owned_models()
    }
