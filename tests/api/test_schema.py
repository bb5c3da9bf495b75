import jsonschema
import pytest
from django.test import Client
from django.urls import get_resolver
from drf_spectacular.validation import validate_schema

from positions.api import schema
from positions.fields import POSITION_FIELDS
from tests.factories import (
    make_account,
    make_coverage,
    make_event,
    make_incident,
    make_position,
    make_position_unknown,
    make_reading,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def document():
    return schema.document()


def test_the_schema_is_valid_openapi_3_1(document):
    validate_schema(document)

    assert document["openapi"].startswith("3.1")


def test_the_schema_is_made_without_a_warning(capsys):
    schema.document.cache_clear()

    schema.document()

    assert capsys.readouterr().err == ""


def test_the_schema_is_served_to_anybody_as_json():
    response = Client().get("/api/v1/schema")

    assert response.status_code == 200
    assert response.json()["info"]["title"] == "RiskHub"


def test_a_position_is_described_with_exactly_its_fields(document):
    described = document["components"]["schemas"]["Position"]

    names = [field.name for field in POSITION_FIELDS] + ["sources", "reasons"]
    assert list(described["properties"]) == names
    assert sorted(described["required"]) == sorted(names)


def test_every_address_is_described(document):
    routes = {
        f"/{prefix.pattern}{route.pattern}".replace("int:", "").replace("<", "{").replace(">", "}")
        for prefix in get_resolver().url_patterns
        if str(prefix.pattern) == "api/v1/"
        for route in prefix.url_patterns
        if route.name not in {"api-schema", "api-nothing"}
    }

    assert set(document["paths"]) == routes


def test_the_token_is_the_described_way_in(document):
    scheme = document["components"]["securitySchemes"]["token"]

    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    paths = [path for path in document["paths"].values() if "get" in path]
    assert all({"token": []} in path["get"]["security"] for path in paths)


def test_filters_are_described_from_the_list_that_reads_them(document):
    parameters = document["paths"]["/api/v1/positions"]["get"]["parameters"]

    names = {parameter["name"] for parameter in parameters}
    assert names == {
        *("venue", "account", "asset", "side", "severity", "state", "margin_mode"),
        *("is_simulated", "ordering", "limit", "cursor"),
    }


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/positions",
        "/api/v1/positions/{position_id}",
        "/api/v1/positions/{position_id}/history",
        "/api/v1/positions/{position_id}/events",
        "/api/v1/accounts",
        "/api/v1/accounts/{account_id}",
        "/api/v1/incidents",
        "/api/v1/incidents/{incident_id}",
        "/api/v1/venues",
        "/api/v1/measures",
    ],
)
def test_answers_are_what_the_schema_says(api, document, path):
    position = make_position(make_account(api.team, wallet="0xabc"))
    unknown = make_position_unknown(team=api.team)
    make_coverage(unknown.account, "inverse", seen_at=None, rows=None)
    make_reading(position, liquidation_price=None)
    make_event(position, detail={"quantity": 0.5})
    incident = make_incident(position)
    make_incident(position, value=None, rule=None, account=None, position=None)
    url = path.format(
        position_id=position.pk, account_id=position.account_id, incident_id=incident.pk
    )

    answer = api.client.get(url)

    assert_described(document, path, answer)


@pytest.mark.parametrize("query", ["?sidee=1", "?limit=x"])
def test_errors_are_what_the_schema_says(api, document, query):
    answer = api.client.get(f"/api/v1/positions{query}")

    assert answer.status_code == 400
    assert_described(document, "/api/v1/positions", answer)


def assert_described(document, path, answer):
    responses = document["paths"][path]["get"]["responses"]
    described = responses[str(answer.status_code)]["content"]["application/json"]["schema"]
    whole = {**described, "components": document["components"]}
    jsonschema.validate(answer.json(), whole, cls=jsonschema.Draft202012Validator)
