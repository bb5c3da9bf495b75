"""Coverage and venues by REST."""

from __future__ import annotations

from datetime import timedelta

import pytest

from positions.api import schema
from tests.api.test_schema import assert_described
from tests.factories import NOW, make_account, make_coverage, make_event, make_position, make_team
from venues.models import Feed, HostBan, KeyCheck

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_now")]
LATE = NOW - timedelta(minutes=5)


@pytest.fixture
def at_now(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def book(api):
    """Two accounts, one part of which is stale, one position gone, a feed and a ban."""
    main = make_account(api.team, label="main", environment="https://user:pass@proxy.example")
    make_position(main)
    refusals = [{"symbol": "X", "reason": "liqPx is no number"}]
    make_coverage(main, "inverse", seen_at=LATE, rows=0, refused=1, refusals=refusals)
    side = make_account(api.team, venue="okx", label="side")
    gone = make_position(side, state="gone")
    make_event(gone, "gone", at=LATE)
    Feed.objects.create(venue="binance", environment=main.environment, received_at=LATE)
    HostBan.objects.create(venue="okx", begun_at=NOW, until=NOW + timedelta(hours=1))
    KeyCheck.objects.create(
        account=main,
        checked_at=NOW,
        findings=[{"code": "trade", "severity": "warning", "sentence": "It can trade."}],
    )
    return main


def test_all_of_the_coverage_is_in_one_answer(api, book):
    _, told = api.get("coverage")

    parts = [
        (each["venue"], each["scope"], each["state"], each["answer"]) for each in told["parts"]
    ]
    assert parts == [
        ("binance", "inverse", "stale", "part"),
        ("binance", "linear", "fresh", "positions"),
        ("okx", "linear", "fresh", "positions"),
    ]
    assert told["is_blind"] is True
    assert told["gone"][0]["gone_at"] == "2026-11-22T14:55:00.000Z"
    assert [(each["kind"], each["state"]) for each in told["feeds"]] == [("prices", "stale")]
    assert told["bans"][0]["until"] == "2026-11-22T16:00:00.000Z"


def test_an_age_is_in_seconds_and_in_units_of_what_is_allowed(api, book):
    part = api.get("coverage?state=stale")[1]["parts"][0]

    assert (part["age_s"], part["allowed_s"]) == ("300", "70")
    assert float(part["age"]) == pytest.approx(300 / 70)
    assert part["refusals"] == [{"symbol": "X", "reason": "liqPx is no number"}]


@pytest.mark.parametrize(
    ("query", "counts"),
    [
        ("", [3, 1, 1, 1]),
        ("?venue=binance", [2, 0, 1, 0]),
        ("?venue=binance&venue=okx", [3, 1, 1, 1]),
        ("?account=side", [1, 1, 1, 1]),
        ("?account=main", [2, 0, 1, 1]),
        ("?state=fresh", [2, 1, 1, 1]),
        ("?state=never", [0, 1, 1, 1]),
    ],
)
def test_filters_narrow_what_they_speak_of(api, book, query, counts):
    _, told = api.get(f"coverage{query}")

    assert [len(told[name]) for name in ("parts", "gone", "feeds", "bans")] == counts


@pytest.mark.parametrize("query", ["?state=blind", "?states=fresh", "?limit=1"])
def test_a_filter_that_means_nothing_is_refused(api, book, query):
    status, told = api.get(f"coverage{query}")

    assert (status, told["error"]["code"]) == (400, "bad_parameter")


def test_another_teams_coverage_is_not_there(api, book):
    make_coverage(make_account(make_team(), label="foreign"))

    _, told = api.get("coverage")

    assert "foreign" not in str(told)


def test_the_password_of_a_proxy_is_not_told(api, book):
    for path in ("coverage", "venues", "accounts"):
        assert "pass@" not in str(api.get(path)[1])


def test_a_venue_says_what_it_needs_and_how_it_stands(api, book):
    venues = {row["slug"]: row for row in api.results("venues")}

    binance = venues["binance"]
    assert (binance["accounts"], venues["okx"]["accounts"], venues["bybit"]["accounts"]) == (
        1,
        1,
        0,
    )
    assert binance["permission"]
    assert binance["rate"]["requests"] > 0
    assert [each["state"] for each in binance["feeds"]] == ["stale"]
    assert (binance["bans"], len(venues["okx"]["bans"])) == ([], 1)


def test_an_account_says_what_was_found_of_its_key(api, book):
    accounts = {row["label"]: row for row in api.results("accounts")}

    assert accounts["main"]["key"]["findings"][0]["code"] == "trade"
    assert accounts["side"]["key"] is None


@pytest.mark.parametrize("path", ["/api/v1/coverage", "/api/v1/venues", "/api/v1/accounts"])
def test_answers_are_what_the_schema_says(api, book, path):
    make_account(api.team, label="never")

    answer = api.client.get(path)

    assert_described(schema.document(), path, answer)
