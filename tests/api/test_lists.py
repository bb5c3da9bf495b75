from datetime import timedelta

import pytest

from positions.api.parameters import MOST_LIMIT
from positions.external import position_document, position_queryset
from positions.risk import registry as measures
from tests.factories import (
    NOW,
    make_account,
    make_coverage,
    make_event,
    make_incident,
    make_life,
    make_market,
    make_position,
    make_position_unknown,
    make_reading,
)
from venues.base import REGISTRY

pytestmark = pytest.mark.django_db


def make_book(team, distances):
    account = make_account(team)
    return [
        make_position(account, symbol=f"C{number}/USDT:USDT", liquidation_distance=distance)
        for number, distance in enumerate(distances)
    ]


def walk(api, path):
    """Follow next_cursor to the end; return the ids in order."""
    ids, cursor = [], ""
    while cursor is not None:
        status, page = api.get(f"{path}&cursor={cursor}")
        assert status == 200, page
        ids += [int(row["id"]) for row in page["results"]]
        cursor = page["next_cursor"]
    return ids


def test_positions_are_the_documents_of_the_export(api):
    make_book(api.team, [0.2, 0.1])
    make_position_unknown(team=api.team)

    results = api.results("positions")

    assert results == [position_document(row) for row in position_queryset(team=api.team)]


@pytest.mark.parametrize("query", ["", "?state=all", "?state=open"])
def test_positions_of_a_disabled_account_are_in_no_list(api, query):
    make_position(make_account(api.team, is_enabled=False))
    shown = make_position(make_account(api.team))

    results = api.results(f"positions{query}")

    assert [row["id"] for row in results] == [str(shown.pk)]


def test_a_position_of_a_disabled_account_answers_by_its_id_and_the_account_says_why(api):
    position = make_position(make_account(api.team, is_enabled=False))
    make_reading(position)

    status, document = api.get(f"positions/{position.pk}")

    assert (status, document["id"]) == (200, str(position.pk))
    assert len(api.results(f"positions/{position.pk}/history")) == 1
    assert [row["is_enabled"] for row in api.results("accounts")] == [False]


def test_the_list_of_positions_asks_the_database_as_often_for_one_as_for_many(
    api, django_assert_num_queries
):
    make_book(api.team, [0.1] * 12)

    # The token with user and team, the membership, the positions.
    with django_assert_num_queries(3):
        one = api.results("positions?limit=1")
    with django_assert_num_queries(3):
        many = api.results("positions")

    assert (len(one), len(many)) == (1, 12)


@pytest.mark.parametrize("ordering", ["liquidation_distance", "-liquidation_distance", "id"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_together_hold_each_position_once_in_order(api, ordering, limit):
    make_book(api.team, [0.3, None, 0.1, 0.1, -0.2, None, 1.7])
    whole = [int(row["id"]) for row in api.results(f"positions?ordering={ordering}")]

    ids = walk(api, f"positions?ordering={ordering}&limit={limit}")

    assert ids == whole
    assert len(set(ids)) == 7


def test_the_nearest_liquidation_comes_first_and_unknown_last_both_ways(api):
    near, unknown, far = make_book(api.team, [-0.1, None, 0.4])

    up = [int(row["id"]) for row in api.results("positions")]
    down = [int(row["id"]) for row in api.results("positions?ordering=-liquidation_distance")]

    assert up == [near.pk, far.pk, unknown.pk]
    assert down == [far.pk, near.pk, unknown.pk]


def test_a_huge_page_is_capped(api, monkeypatch):
    make_book(api.team, [0.1, 0.2, 0.3])
    monkeypatch.setattr("positions.api.parameters.MOST_LIMIT", 2)

    status, page = api.get("positions?limit=1000000000000000000000")

    assert status == 200
    assert len(page["results"]) == 2
    assert page["next_cursor"]
    assert MOST_LIMIT <= 1000


@pytest.mark.parametrize(
    ("query", "symbols"),
    [
        ("venue=bybit", {"ETH/USDT:USDT"}),
        ("venue=bybit&venue=binance", {"BTC/USDT:USDT", "ETH/USDT:USDT"}),
        ("account=main", {"BTC/USDT:USDT"}),
        ("asset=ETH", {"ETH/USDT:USDT"}),
        ("side=short", {"ETH/USDT:USDT"}),
        ("severity=critical", {"ETH/USDT:USDT"}),
        ("state=closed", {"SOL/USDT:USDT"}),
        ("state=closed&state=open", {"BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT"}),
        ("state=all", {"BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT"}),
        ("margin_mode=cross", {"ETH/USDT:USDT"}),
        ("margin_mode=null", set()),
        ("is_simulated=true", {"ETH/USDT:USDT"}),
        ("is_simulated=false&side=long", {"BTC/USDT:USDT"}),
        ("side=long&side=short", {"BTC/USDT:USDT", "ETH/USDT:USDT"}),
        ("venue=nowhere", set()),
        ("", {"BTC/USDT:USDT", "ETH/USDT:USDT"}),
    ],
)
def test_filters_narrow_the_list(api, query, symbols):
    real = make_account(api.team, venue="binance", label="main")
    paper = make_account(api.team, venue="bybit", label="paper", is_simulated=True)
    make_position(real, symbol="BTC/USDT:USDT")
    make_position(real, symbol="SOL/USDT:USDT", state="closed")
    make_position(
        paper, symbol="ETH/USDT:USDT", side="short", severity="critical", margin_mode="cross"
    )

    results = api.results(f"positions?{query}")

    assert {row["symbol"] for row in results} == symbols


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("side=up", "side"),
        ("severity=bad", "severity"),
        ("state=dead", "state"),
        ("is_simulated=maybe", "is_simulated"),
        ("is_simulated=true&is_simulated=false", "is_simulated"),
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=\u0663", "limit"),
        ("ordering=raw", "ordering"),
        ("cursor=zzz", "cursor"),
        ("cursor=bnVsbA", "cursor"),
        ("cursor=\u00e9", "cursor"),
        ("cursor=WyJsaXF1aWRhdGlvbl9kaXN0YW5jZSIsIm5hbiIsMV0", "cursor"),
        ("cursor=WyJsaXF1aWRhdGlvbl9kaXN0YW5jZSIsIjAuMSIsImEiXQ", "cursor"),
        ("cursor=WyJpZCIsIjEiLDFd", "cursor"),
        ("venue=%00", "venue"),
        ("sidee=long", "sidee"),
        ("team=1", "team"),
        ("format=xml", "format"),
    ],
)
def test_a_parameter_that_is_not_understood_is_named(api, query, field):
    status, document = api.get(f"positions?{query}")

    assert status == 400
    assert document["error"]["code"] == "bad_parameter"
    assert document["error"]["field"] == field


def test_a_cursor_of_another_order_is_refused(api):
    make_book(api.team, [0.1, 0.2])
    _, page = api.get("positions?limit=1")

    status, _ = api.get(f"positions?limit=1&ordering=id&cursor={page['next_cursor']}")

    assert status == 400


def test_a_cursor_holds_no_key_to_another_team(api):
    make_book(api.team, [0.1, 0.2])
    make_position(liquidation_distance=0.15)

    ids = walk(api, "positions?limit=1")

    assert len(ids) == 2


def test_one_position_is_its_document_ended_or_not(api, django_assert_num_queries):
    position = make_position(team=api.team, state="liquidated")

    with django_assert_num_queries(3):
        status, document = api.get(f"positions/{position.pk}")

    assert status == 200
    assert document.pop("rules")["market"] == str(position.market_id)
    assert document == position_document(position)
    assert document["state"] == "liquidated"


def test_history_is_newest_first_in_pages_and_bounded_by_time(api):
    position = make_position(team=api.team)
    readings = [
        make_reading(position, at=NOW + timedelta(seconds=second), mark_price=60_000.0 + second)
        for second in range(5)
    ]
    path = f"positions/{position.pk}/history"

    ids = walk(api, f"{path}?limit=2")
    window = api.results(f"{path}?since=2026-11-22T15:00:01Z&until=2026-11-22T15:00:03%2B00:00")

    assert ids == [reading.pk for reading in reversed(readings)]
    assert [row["mark_price"] for row in window] == ["60002", "60001"]


def test_history_asks_the_database_as_often_for_one_as_for_many(api, django_assert_num_queries):
    position = make_position(team=api.team)
    for second in range(6):
        make_reading(position, at=NOW + timedelta(seconds=second))

    with django_assert_num_queries(4):
        results = api.results(f"positions/{position.pk}/history")

    assert len(results) == 6


@pytest.mark.parametrize("text", ["yesterday", "2026-11-22T15:00:00", "2026-13-01T00:00:00Z"])
def test_a_time_without_zone_or_sense_is_refused(api, text):
    position = make_position(team=api.team)

    status, document = api.get(f"positions/{position.pk}/history?since={text}")

    assert status == 400
    assert document["error"]["field"] == "since"


def test_events_are_newest_first_with_exact_details(api, django_assert_num_queries):
    position = make_position(team=api.team)
    make_event(position, "opened", at=NOW)
    make_event(
        position,
        "reduced",
        at=NOW + timedelta(seconds=1),
        detail={"quantity": [0.5, 0.1], "rows": 2},
    )

    with django_assert_num_queries(4):
        results = api.results(f"positions/{position.pk}/events")

    assert [row["kind"] for row in results] == ["reduced", "opened"]
    assert results[0]["detail"] == {"quantity": ["0.5", "0.1"], "rows": 2}
    assert results[0]["at"] == "2026-11-22T15:00:01.000Z"
    assert [row["kind"] for row in api.results(f"positions/{position.pk}/events?kind=opened")] == [
        "opened"
    ]


def test_events_of_an_earlier_life_are_there_too(api):
    position = make_position(team=api.team)
    earlier = make_life(position, ended_at=NOW, end_state="closed")
    make_event(position, "closed", life=earlier)

    results = api.results(f"positions/{position.pk}/events")

    assert [row["life"] for row in results] == [str(earlier.pk)]


def test_accounts_come_with_coverage_and_without_secrets(api, django_assert_num_queries):
    secret = "canary-secret-value"
    account = make_account(
        api.team,
        label="main",
        credentials={"apiKey": secret, "secret": secret},
        options={"password": secret},
        environment=f"https://user:{secret}@proxy.example:8443/path",
    )
    make_account(api.team, label="other")
    make_coverage(account, "linear", rows=3)
    make_coverage(account, "inverse", seen_at=None, rows=None, error_kind="Timeout", error="slow")

    with django_assert_num_queries(4):
        first, second = api.results("accounts")

    assert [entry["scope"] for entry in first["coverage"]] == ["inverse", "linear"]
    assert first["coverage"][0]["seen_at"] is None
    assert first["coverage"][0]["error"] == "slow"
    assert first["coverage"][1]["rows"] == 3
    assert first["base_url"] == "https://proxy.example:8443/path"
    assert second["coverage"] == []
    assert secret not in str(first)
    assert api.get(f"accounts/{account.pk}") == (200, first)


def test_incidents_are_newest_first_in_one_query(api, django_assert_num_queries):
    position = make_position(team=api.team)
    old = make_incident(position, opened_at=NOW, state="resolved", resolved_at=NOW)
    new = make_incident(position, opened_at=NOW + timedelta(minutes=1), value=0.875)
    make_incident(position, opened_at=NOW, state="pending")
    make_incident(make_position())

    with django_assert_num_queries(3):
        results = api.results("incidents")

    assert [row["id"] for row in results] == [str(new.pk), str(old.pk)]
    assert results[0]["value"] == "0.875"
    assert results[0]["position"] == str(position.pk)
    assert results[0]["account"] == position.account.label
    assert api.results("incidents?state=resolved") == [results[1]]
    assert api.get(f"incidents/{new.pk}") == (200, results[0])


def test_a_pending_incident_is_not_there(api):
    incident = make_incident(make_position(team=api.team), state="pending")

    status, _ = api.get(f"incidents/{incident.pk}")

    assert status == 404


def test_registries_list_what_is_registered(api, django_assert_num_queries):
    with django_assert_num_queries(5):
        venues = api.results("venues")

    assert [row["slug"] for row in venues] == sorted(REGISTRY)
    assert [row["name"] for row in api.results("measures")] == measures.names()


@pytest.mark.parametrize("pk", ["0", "987654321", "9" * 30])
@pytest.mark.parametrize("path", ["positions/{}", "positions/{}/history", "accounts/{}"])
def test_what_is_not_there_is_404_whatever_the_number(api, path, pk):
    status, document = api.get(path.format(pk))

    assert status == 404
    assert document == {"error": {"code": "not_found", "message": "There is nothing here."}}


@pytest.mark.parametrize("path", ["positions/", "positions/abc", "nothing", "positions/1/x"])
def test_an_address_that_is_no_address_is_the_same_404(api, path):
    status, document = api.get(path)

    assert status == 404
    assert document == {"error": {"code": "not_found", "message": "There is nothing here."}}


def test_unknown_markets_and_modes_are_null_not_empty_text(api):
    account = make_account(api.team)
    make_position_unknown(account, market=make_market("ODD", is_known=False, kind="", asset=""))

    (row,) = api.results("positions")

    assert (row["kind"], row["asset"], row["margin_mode"]) == (None, None, None)


def test_answers_are_json_with_a_request_id(api):
    response = api.send("positions")

    assert response["Content-Type"] == "application/json"
    assert response["X-Request-Id"]
