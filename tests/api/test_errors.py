import re

import pytest
from django.db import OperationalError
from django.urls import get_resolver

from tests.api.conftest import Api
from tests.factories import make_account, make_position

pytestmark = pytest.mark.django_db

METHODS = ("post", "put", "patch", "delete", "options")


def api_paths():
    return [
        f"/{prefix.pattern}{route.pattern}"
        for prefix in get_resolver().url_patterns
        if str(prefix.pattern) == "api/v1/"
        for route in prefix.url_patterns
        # It takes a question by POST and changes nothing: tests/api/test_calculator.py.
        if route.name != "api-calculator"
    ]


@pytest.mark.parametrize("method", METHODS)
def test_nothing_can_be_written_in_this_form(team, method):
    api = Api(team, scopes=("read", "write"))
    position = make_position(make_account(api.team))

    response = api.send(f"positions/{position.pk}", method)

    assert response.status_code == 405
    assert response.json()["error"]["code"] == "method_not_allowed"
    position.refresh_from_db()
    assert position.team == api.team


def test_every_address_only_reads(team):
    api = Api(team, scopes=("read", "write"))
    paths = api_paths()

    for path in paths:
        url = re.sub("<[^>]+>", "1", path)
        statuses = {getattr(api.client, method)(url).status_code for method in METHODS}
        assert statuses == {405}, path
    assert len(paths) > 10


def test_a_fault_of_ours_is_told_without_its_details(api, monkeypatch):
    monkeypatch.setattr("positions.api.venues.venue_documents", fail(RuntimeError("inner")))

    status, document = api.get("venues")

    assert status == 500
    assert document["error"]["code"] == "internal"
    assert "inner" not in str(document)


def test_a_silent_database_is_503_with_a_time_to_retry(api, monkeypatch):
    monkeypatch.setattr("positions.api.venues.venue_documents", fail(OperationalError("locked")))

    response = api.send("venues")

    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert response.json()["error"]["code"] == "unavailable"


def fail(error):
    def failing(**_):
        raise error

    return failing


def test_a_wish_for_another_format_is_refused_in_json(api):
    response = api.client.get("/api/v1/positions", headers={"accept": "text/html"})

    assert response.status_code == 406
    assert response.json()["error"]["code"] == "not_acceptable"
