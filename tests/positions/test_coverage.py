"""How old is too old, and what came last: for parts, feeds and what is gone."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import override_settings

from positions.coverage import Answer, SightState, age_of, answer_of, refused_of, sights_of
from tests.factories import NOW, make_account, make_coverage, make_event, make_position, make_team
from venues.models import CoverageEntry, Feed, HostBan

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_now")]


@pytest.fixture
def at_now(time_machine: Any) -> None:
    time_machine.move_to(NOW, tick=False)


@pytest.mark.parametrize(
    ("seconds", "state", "share"),
    [
        (0, "fresh", 0.0),
        (40, "fresh", 40 / 70),
        (41, "late", 41 / 70),
        (70, "late", 1.0),
        (71, "stale", 71 / 70),
        (-5, "fresh", 0.0),
    ],
)
def test_an_age_is_judged_by_its_own_budget(seconds: int, state: str, share: float) -> None:
    age = age_of(seen_at=NOW - timedelta(seconds=seconds), budget_s=30, now=NOW)

    assert (age.state, age.allowed_s) == (state, 70)
    assert age.share == pytest.approx(share)


def test_what_was_never_seen_has_no_age() -> None:
    age = age_of(seen_at=None, budget_s=30, now=NOW)

    assert (age.state, age.seconds, age.share) == ("never", None, None)


@pytest.mark.parametrize(
    ("columns", "answer"),
    [
        ({"rows": 2}, "positions"),
        ({"rows": 0}, "flat"),
        ({"rows": 2, "refused": 1}, "part"),
        ({"rows": 0, "refused": 1}, "part"),
        ({"error_kind": "unreadable", "error": "Binance: the answer is empty."}, "empty"),
        ({"error_kind": "unreadable", "error": "Binance: the answer is an empty object."}, "empty"),
        ({"error_kind": "unreadable", "error": "Binance: the answer is a web page."}, "unreadable"),
        ({"error_kind": "timeout", "error": "late"}, "none"),
        ({"seen_at": None, "rows": None}, "none"),
    ],
)
def test_an_empty_an_unreadable_and_a_flat_answer_are_three_things(
    columns: dict[str, Any], answer: str
) -> None:
    entry = CoverageEntry(**{"seen_at": NOW, "tried_at": NOW, "rows": 0, **columns})

    assert answer_of(entry) == answer


def test_an_account_that_was_never_asked_is_a_part_that_is_blind() -> None:
    account = make_account()

    (part,) = sights_of(team=account.team, now=NOW).parts

    assert (part.scope, part.answer, part.age.state) == ("account", Answer.UNASKED, "never")
    assert part.is_blind


def test_a_blocked_account_is_blind_however_fresh_it_was() -> None:
    account = make_account(blocked_reason="refused")
    make_coverage(account)

    (part,) = sights_of(team=account.team, now=NOW).parts

    assert part.is_blind
    assert (part.age.state, part.problem) == ("fresh", "refused")


def test_a_disabled_account_is_in_no_list() -> None:
    account = make_account(is_enabled=False)
    make_coverage(account)
    make_position(account, state="gone")

    sights = sights_of(team=account.team, now=NOW)

    assert (sights.parts, sights.gone) == ([], [])


def test_what_is_gone_says_since_when() -> None:
    position = make_position(state="gone")
    make_event(position, "gone", at=NOW - timedelta(hours=30))

    (gone,) = sights_of(team=position.team, now=NOW).gone

    assert gone.gone_at == NOW - timedelta(hours=30)


@override_settings(PRICE_BUDGET_S=2)
@pytest.mark.parametrize(
    ("seconds", "state"), [(0, "fresh"), (13, "late"), (15, "stale"), (None, "never")]
)
def test_a_feed_ages_against_its_own_budget(seconds: int | None, state: str) -> None:
    position = make_position()
    at = None if seconds is None else NOW - timedelta(seconds=seconds)
    Feed.objects.create(venue="binance", kind="prices", received_at=at)

    (sight,) = sights_of(team=position.team, now=NOW).feeds

    assert sight.age.state == state


def test_a_feed_that_nobody_needs_is_idle_and_not_stale() -> None:
    account = make_account()
    Feed.objects.create(venue="binance", kind="prices", received_at=NOW - timedelta(days=1))

    sights = sights_of(team=account.team, now=NOW)

    assert sights.feeds[0].age.state == SightState.IDLE
    assert sights.blind_prices == []


def test_what_another_team_reads_elsewhere_is_not_shown() -> None:
    account = make_account(environment="https://one.example")
    Feed.objects.create(venue="binance", environment="https://two.example", kind="prices")
    HostBan.objects.create(venue="okx", begun_at=NOW, until=NOW + timedelta(hours=1))

    sights = sights_of(team=account.team, now=NOW)

    assert (sights.feeds, sights.bans) == ([], [])


def test_a_ban_is_shown_until_it_ends() -> None:
    account = make_account()
    HostBan.objects.create(venue="binance", begun_at=NOW, until=NOW + timedelta(hours=1))

    during = sights_of(team=account.team, now=NOW).bans
    after = sights_of(team=account.team, now=NOW + timedelta(hours=1)).bans

    assert (len(during), after) == (1, [])


def test_queries_do_not_grow_with_accounts(django_assert_num_queries: Any) -> None:
    team = make_team()
    for _ in range(10):
        make_position(make_account(team))

    with django_assert_num_queries(6):
        sights_of(team=team, now=NOW)


def printed(*arguments: str) -> str:
    out = io.StringIO()
    call_command("coverage", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_prints_each_part_and_ends_well_where_all_is_fresh() -> None:
    make_coverage(make_account(make_team("Desk"), label="main"), rows=0)

    assert "binance/main  linear: fresh, 0 s old, flat: 0 rows" in printed()


def test_the_command_ends_with_an_error_where_anything_is_blind() -> None:
    make_coverage(
        make_account(make_team("Desk"), label="main"),
        seen_at=NOW - timedelta(minutes=5),
        error="Binance is down.",
        error_kind="unavailable",
    )
    out = io.StringIO()

    with pytest.raises(CommandError, match="1 part or price feed is not seen"):
        call_command("coverage", stdout=out)

    assert "linear: stale, 5 min old, none: 1 row. Binance is down." in out.getvalue()


def test_the_command_prints_what_rest_answers() -> None:
    make_coverage(make_account(make_team("Desk"), label="main"))

    told = json.loads(printed("--json", "--team", "Desk"))

    assert told["Desk"]["is_blind"] is False
    assert told["Desk"]["parts"][0]["state"] == "fresh"


def test_the_command_names_the_teams_there_are() -> None:
    make_team("Desk")

    with pytest.raises(CommandError, match="no team 'Book'"):
        printed("--team", "Book")


def test_the_command_names_the_place_of_a_feed_that_is_not_the_venues_own() -> None:
    account = make_account(make_team("Desk"), environment="https://user:pass@one.example/x")
    make_coverage(account)
    make_position(account)
    Feed.objects.create(
        venue="binance", environment=account.environment, kind="rules", received_at=NOW
    )

    told = printed()

    assert "binance at https://one.example/x  rules: fresh" in told
    assert "pass" not in told


def test_rows_refused_of_an_answer_that_never_came_are_not_known() -> None:
    entry = make_coverage(make_account(), rows=None, refused=0, seen_at=None)

    assert refused_of(entry) is None
    assert refused_of(CoverageEntry(rows=0, refused=0)) == 0
    assert refused_of(CoverageEntry(rows=None, refused=3)) == 3
