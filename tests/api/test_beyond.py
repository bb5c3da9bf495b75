"""Numbers and instants that no database holds are refused by name, never a fault of ours."""

from __future__ import annotations

import base64

import orjson
import pytest

from tests.factories import make_incident, make_position

pytestmark = pytest.mark.django_db

BEYOND = (
    "9999-12-31T23:59:59-23:59",
    "9999-12-31T23:59:59.999999-00:01",
    "0001-01-01T00:00:00%2B23:59",
    "0001-01-01T00:00:00+00:01",
    "2026-11-22T15:00:00%2B99:99",
    "99999-01-01T00:00:00Z",
)
LISTS = ("incidents", "positions/{pk}/history", "positions/{pk}/events")


def cursor(*parts):
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def assert_refused(answer, *, field):
    status, document = answer
    assert status == 400
    assert document["error"]["code"] == "bad_parameter"
    assert document["error"]["field"] == field


@pytest.mark.parametrize("field", ["since", "until"])
@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("text", BEYOND)
def test_an_instant_that_utc_has_not_is_refused(api, path, field, text):
    position = make_position(team=api.team)

    answer = api.get(f"{path.format(pk=position.pk)}?{field}={text}")

    assert_refused(answer, field=field)


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_the_first_and_last_instants_of_utc_are_bounds_like_others(api, path, text):
    position = make_position(team=api.team)
    make_incident(position)

    status, _ = api.get(f"{path.format(pk=position.pk)}?since={text}&until={text}")

    assert status == 200


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("incidents", ("-opened_at", "9999-12-31T23:59:59-23:59", 1)),
        ("incidents", ("-opened_at", "0001-01-01T00:00:00+23:59", 1)),
        ("incidents", ("-opened_at", "2026-11-22T15:00:00+00:00", 2**63)),
        ("accounts", ("id", "9" * 40, 1)),
        ("accounts", ("id", "-1", 1)),
        ("accounts", ("id", "inf", 1)),
        ("accounts", ("id", "1" * 5_000, 1)),
        ("positions", ("liquidation_distance", "1e999x", 1)),
    ],
)
def test_a_cursor_beyond_what_columns_hold_is_refused(api, path, parts):
    assert_refused(api.get(f"{path}?cursor={cursor(*parts)}"), field="cursor")


@pytest.mark.parametrize("text", ["9" * 30, "9" * 200])
def test_a_limit_beyond_all_numbers_is_the_most(api, text):
    status, _ = api.get(f"incidents?limit={text}")

    assert status == 200


@pytest.mark.parametrize("text", ["9" * 201, "1e3", "%2B5", "1.5"])
def test_a_limit_that_is_no_number_is_refused(api, text):
    assert_refused(api.get(f"incidents?limit={text}"), field="limit")


@pytest.mark.parametrize("pk", [2**63, 10**40])
@pytest.mark.parametrize("path", ["incidents/{}", "positions/{}/events", "accounts/{}"])
def test_an_id_beyond_all_rows_is_not_there(api, path, pk):
    status, document = api.get(path.format(pk))

    assert status == 404
    assert document["error"]["code"] == "not_found"
