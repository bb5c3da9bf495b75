"""POST /api/v1/calculator: public, reads nobody's book, refuses nonsense by its field."""

import json

import jsonschema
import pytest
import time_machine
from django.core.cache import cache
from django.test import Client

from positions.api import schema
from positions.api.calculator import MOST_BYTES, MOST_CASES
from positions.api.throttles import PER_MINUTE
from positions.calculator.quoting import quote
from positions.engine.rulebook import RULES
from riskhub.formatting import decimal_string
from tests.factories import NOW

ADDRESS = "/api/v1/calculator"
INPUTS = {
    "entry_price": "60000",
    "mark_price": 61200,
    "quantity": 0.5,
    "leverage": 10,
    "maintenance_margin_rate": 0.005,
}


def make_case(**changes):
    case = {"id": "a", "rule": "bybit-linear", "kind": "linear", "side": "long"}
    return case | {"inputs": dict(INPUTS)} | changes


def with_input(**inputs):
    return make_case(inputs=INPUTS | inputs)


def send(body, *, client=None, content_type="application/json"):
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    client = client or Client(raise_request_exception=False)
    return client.post(ADDRESS, text, content_type=content_type)


def error_of(response):
    return response.status_code, response.json()["error"].get("field")


def test_a_stranger_is_answered_and_no_database_is_asked():
    # Without the mark of pytest-django any query fails.
    response = send(make_case())

    assert response.status_code == 200
    document = response.json()
    assert document["id"] == "a"
    assert document["liquidation_price"] == "54300"
    assert document["margin_ratio"] == decimal_string(150 / 3600)
    assert document["liquidatable"] is False
    assert document["state"] == "open"
    assert not response.cookies


def test_figures_are_those_of_the_calculator():
    found = quote(make_case())

    document = send(make_case()).json()

    assert set(document) == set(found)
    for name, value in found.items():
        expected = decimal_string(value) if isinstance(value, float) else value
        assert document[name] == expected, name


def test_what_is_missing_is_null_and_says_why():
    document = send(make_case(inputs={"entry_price": "60000"})).json()

    assert document["liquidation_price"] is None
    assert document["reasons"]["liquidation_price"].startswith("unknown: missing")
    nulls = {name for name, value in document.items() if value is None}
    assert nulls == set(document["reasons"])


@pytest.mark.parametrize("wrap", [list, lambda cases: {"cases": cases}])
def test_many_cases_are_answered_in_their_order(wrap):
    cases = [make_case(id="long"), make_case(id="short", side="short")]

    results = send(wrap(cases)).json()["results"]

    assert [row["id"] for row in results] == ["long", "short"]
    assert results[0]["liquidation_price"] == "54300"
    assert results[1]["liquidation_price"] == "65700"


def test_no_cases_have_no_results():
    assert send([]).json() == {"results": []}


@pytest.mark.parametrize("key", sorted(RULES))
def test_every_rule_answers(key):
    response = send(make_case(rule=key, kind=RULES[key].kind.value))

    assert response.status_code == 200
    assert response.json()["rule"] == key


@pytest.mark.parametrize(
    ("case", "field"),
    [
        (with_input(quantity=-1), "quantity"),
        (with_input(quantity=0), "quantity"),
        (with_input(quantity="1e400"), "quantity"),
        (with_input(entry_price="sixty"), "entry_price"),
        (with_input(entry_price=True), "entry_price"),
        (with_input(entry_price={}), "entry_price"),
        (with_input(maintenance_margin_rate=1.5), "maintenance_margin_rate"),
        (with_input(tiers=[{"min": 0, "mmr": "x"}]), "tiers[0].mmr"),
        (make_case(side="up"), "side"),
        (make_case(side=["long"]), "side"),
        (make_case(rule="made-up"), "rule"),
        (make_case(rule="binance-coinm"), "rule"),
        (make_case(kind="cubic"), "kind"),
        (make_case(inputs=None), "inputs"),
        (make_case(id=[1]), "id"),
        (make_case(id=10**30), "id"),
        ([make_case(), make_case(side="up")], "cases[1].side"),
        ([3], "cases[0].case"),
        ("x", "cases"),
        ({"cases": 3}, "cases"),
        ([{}] * (MOST_CASES + 1), "cases"),
    ],
    ids=str,
)
def test_nonsense_is_refused_with_the_field_named(case, field):
    response = send(json.dumps(case))

    assert error_of(response) == (400, field)
    assert response.json()["error"]["code"] == "bad_parameter"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "9" * 5000])
def test_what_is_no_finite_number_is_refused_with_the_field_named(number):
    body = json.dumps(make_case()).replace("0.5", number)

    assert error_of(send(body)) == (400, "quantity")


@pytest.mark.parametrize(
    "body", ["{", b"\xff", "[" * 200_000, '{"id": "\\ud800"}'], ids=["cut", "bytes", "deep", "half"]
)
def test_what_is_no_json_is_refused(body):
    response = send(body)

    assert response.status_code == 400
    assert response.json()["error"]["code"] == "bad_request"


def test_a_body_has_a_longest_size():
    fits, exceeds = " " * (MOST_BYTES - 2) + "[]", " " * (MOST_BYTES - 1) + "[]"

    assert send(fits).status_code == 200
    response = send(exceeds)

    assert response.status_code == 413
    assert response.json()["error"]["code"] == "too_large"


def test_the_most_cases_fit_into_the_body():
    response = send([make_case()] * MOST_CASES)

    assert len(response.json()["results"]) == MOST_CASES


def test_a_parameter_in_the_address_is_refused():
    response = Client().post(f"{ADDRESS}?rule=x", "{}", content_type="application/json")

    assert error_of(response) == (400, "rule")


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "options"])
def test_other_methods_are_not_allowed(method):
    response = getattr(Client(), method)(ADDRESS)

    assert response.status_code == 405


def test_no_csrf_token_is_asked_for():
    response = send(make_case(), client=Client(enforce_csrf_checks=True))

    assert response.status_code == 200


def test_only_json_is_read():
    response = send("a=1", content_type="application/x-www-form-urlencoded")

    assert response.status_code == 415


@pytest.fixture
def counting_cache(settings):
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "calc"}
    }
    yield cache
    cache.clear()


def test_an_address_has_a_limit_of_its_own(counting_cache):
    one, other = Client(REMOTE_ADDR="192.0.2.7"), Client(REMOTE_ADDR="192.0.2.8")
    with time_machine.travel(NOW, tick=False):
        minute = int(NOW.timestamp()) // 60
        counting_cache.set(f"api-rate:address:192.0.2.7:{minute}", PER_MINUTE - 1)

        clients = (one, one, other)
        statuses = [send(make_case(), client=client).status_code for client in clients]

    assert statuses == [200, 429, 200]


def test_it_is_described_as_public_and_as_it_is():
    document = schema.document()
    described = document["paths"][ADDRESS]["post"]

    assert described["security"] == [{}]
    bodies = described["requestBody"]["content"]["application/json"]["schema"]
    for body in (make_case(), [make_case()], {"cases": [make_case(), make_case(side="short")]}):
        jsonschema.validate(body, bodies, cls=jsonschema.Draft202012Validator)
        assert_described(document, described, send(body))
    assert_described(document, described, send(make_case(side="up")))


def assert_described(document, described, answer):
    shape = described["responses"][str(answer.status_code)]["content"]["application/json"]
    whole = {**shape["schema"], "components": document["components"]}
    jsonschema.validate(answer.json(), whole, cls=jsonschema.Draft202012Validator)
