"""What is open about an account ends when a person disables the account."""

from __future__ import annotations

import pytest

from positions import services
from positions.alerts.models import Incident, Message
from tests.alerts.steps import (
    RATIO_LEVELS,
    evaluate,
    evaluate_staleness,
    later,
    make_event_rule,
    make_ratio_rule,
    move,
)
from tests.factories import (
    make_account,
    make_event,
    make_incident,
    make_position,
    make_rule,
    make_user,
)

pytestmark = pytest.mark.usefixtures("channel")
OFF = "the account was switched off"


@pytest.fixture
def user(team):
    return make_user(team=team)


def disable(account, user, *, at=60):
    services.switch_account(
        team=account.team, account_id=account.pk, is_enabled=False, user=user, now=later(at)
    )


def ends():
    rows = Incident.objects.order_by("pk")
    return list(rows.values_list("state", "resolution", "resolved_at"))


def test_disabling_ends_what_fires_about_its_positions_without_a_message(position, team, user):
    make_ratio_rule(team)
    move(position, margin_ratio=0.9)
    told = Message.objects.count()

    disable(position.account, user)

    assert ends() == [("resolved", OFF, later(60))]
    assert Incident.objects.get().headline.endswith(OFF)
    assert Message.objects.count() == told


def test_disabling_ends_events_and_what_is_said_of_the_account_itself(position, team, user):
    make_event_rule(team, "gone")
    move(position, state="gone", events=[make_event(position, "gone")])
    levels = [{"level": 1.0, "rearm": 1.0, "severity": "warning"}]
    blind = make_rule(team, kind="staleness", measure="", levels=levels)
    subject = f"account:{position.account_id}"
    make_incident(position, position=None, rule=blind, subject=subject, state="acknowledged")

    disable(position.account, user)

    assert ends() == [("resolved", OFF, later(60))] * 2


def test_what_was_told_to_nobody_leaves_no_trace(position, team, user):
    make_ratio_rule(team, for_s=600)
    move(position, margin_ratio=0.9)

    disable(position.account, user)

    assert not Incident.objects.exists()


def test_other_accounts_of_the_team_keep_theirs(position, team, user):
    make_ratio_rule(team)
    other = make_position(team=team, margin_ratio=0.9)
    evaluate(other)

    disable(position.account, user)

    assert Incident.objects.get().is_open


def test_a_price_that_moves_a_disabled_accounts_position_tells_nobody(position, team, user):
    make_ratio_rule(team, levels=RATIO_LEVELS)
    make_event_rule(team, "breached")
    disable(position.account, user)
    position.refresh_from_db()

    told = move(position, margin_ratio=0.9, events=[make_event(position, "breached")])

    assert told == []
    assert not Incident.objects.exists()


def test_what_an_older_release_left_open_is_ended_by_the_next_look(position, team):
    make_ratio_rule(team)
    move(position, margin_ratio=0.9)
    type(position.account).objects.update(is_enabled=False)

    told = evaluate_staleness(later(5))

    assert told == []
    assert ends() == [("resolved", OFF, later(5))]


def test_an_account_that_is_enabled_again_is_watched_again(position, team, user):
    make_ratio_rule(team)
    move(position, margin_ratio=0.9)
    disable(position.account, user)
    services.switch_account(
        team=team, account_id=position.account_id, is_enabled=True, user=user, now=later(90)
    )
    position.refresh_from_db()

    told = move(position, margin_ratio=0.9, now=later(100))

    assert told == ["first"]


def test_an_account_that_is_removed_leaves_nothing_open(team):
    account = make_account(team)
    make_incident(make_position(account))

    account.delete()

    assert not Incident.objects.exists()
