from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from positions.alerts import defaults, pipeline, services
from positions.alerts.models import AlertRule, Channel, Delivery, Incident
from tests.alerts.steps import evaluate, evaluate_staleness, later, make_ratio_rule, move
from tests.factories import (
    NOW,
    make_account,
    make_life,
    make_market,
    make_position,
    make_team,
    make_user,
)


def test_a_breach_goes_through_first_worse_and_resolved(team, channel, position):
    make_ratio_rule(team)

    told = [
        move(position, margin_ratio=0.72, now=later(0)),
        move(position, margin_ratio=0.75, now=later(2)),
        move(position, margin_ratio=0.9, now=later(4)),
        move(position, margin_ratio=0.65, now=later(6)),
        move(position, margin_ratio=0.59, now=later(8)),
    ]

    assert told == [["first"], [], ["worse"], [], ["resolved"]]
    incident = Incident.objects.get()
    assert incident.state == "resolved"
    assert incident.resolution == "recovered"
    assert (incident.opened_at, incident.fired_at) == (later(0), later(0))
    assert (incident.resolved_at, incident.value) == (later(8), 0.59)
    assert Delivery.objects.filter(channel=channel).count() == 3


def test_a_swing_between_rearm_and_level_is_told_once(team, channel, position):
    make_ratio_rule(team)

    told = [
        reason
        for step in range(200)
        for reason in move(position, margin_ratio=0.62 + 0.1 * (step % 2), now=later(step))
    ]

    assert told == ["first"]


def test_a_second_breach_after_recovery_is_a_second_incident(team, channel, position):
    make_ratio_rule(team)

    for ratio in (0.72, 0.5, 0.72):
        move(position, margin_ratio=ratio)

    assert sorted(Incident.objects.values_list("state", flat=True)) == ["firing", "resolved"]


def test_an_unknown_figure_never_breaches(team, channel, position):
    make_ratio_rule(team)

    assert move(position, margin_ratio=None) == []
    assert not Incident.objects.exists()


def test_an_unknown_figure_leaves_a_firing_incident_firing_and_says_so(team, channel, position):
    make_ratio_rule(team)
    move(position, margin_ratio=0.9)

    told = move(position, margin_ratio=None, now=later(60))

    incident = Incident.objects.get()
    assert told == []
    assert (incident.state, incident.severity) == ("firing", "critical")
    assert (incident.unknown_since, incident.value) == (later(60), 0.9)
    assert "not known since 15:01 UTC, last 90 %" in incident.headline


def test_a_figure_that_is_known_again_clears_the_mark(team, channel, position):
    make_ratio_rule(team)
    move(position, margin_ratio=0.9)
    move(position, margin_ratio=None, now=later(60))

    told = move(position, margin_ratio=0.91, now=later(90))

    incident = Incident.objects.get()
    assert told == []
    assert (incident.unknown_since, incident.value) == (None, 0.91)


def test_a_bankrupt_position_is_critical_though_it_has_no_ratio(team, channel, position):
    make_ratio_rule(team)

    told = move(position, margin_ratio=None, collateral=100.0, unrealized_pnl=-150.0)

    incident = Incident.objects.get()
    assert told == ["first"]
    assert (incident.severity, incident.value) == ("critical", None)
    assert "margin ratio beyond any limit" in incident.headline


def test_a_condition_must_hold_for_the_duration_of_the_rule(team, channel, position):
    make_ratio_rule(team, for_s=10)

    told = [
        move(position, margin_ratio=0.72, now=later(0)),
        move(position, margin_ratio=0.72, now=later(9)),
        move(position, margin_ratio=0.72, now=later(10)),
    ]

    incident = Incident.objects.get()
    assert told == [[], [], ["first"]]
    assert (incident.opened_at, incident.fired_at) == (later(0), later(10))


def test_what_ends_while_pending_leaves_no_trace(team, channel, position):
    make_ratio_rule(team, for_s=10)
    move(position, margin_ratio=0.72)

    told = move(position, margin_ratio=0.5, now=later(5))

    assert told == []
    assert not Incident.objects.exists()


def test_a_firing_incident_is_repeated_until_somebody_acknowledges_it(team, channel, position):
    make_ratio_rule(team, repeat_s=3600)
    user = make_user(team=team)
    move(position, margin_ratio=0.72, now=later(0))

    before = [move(position, now=later(at)) for at in (3599, 3600, 3700)]
    incident = services.acknowledge(
        team=team, incident_id=Incident.objects.get().pk, user=user, now=later(3800)
    )
    after = [move(position, now=later(at)) for at in (7200, 20_000)]

    assert before == [[], ["repeat"], []]
    assert (incident.state, incident.acknowledged_by) == ("acknowledged", user)
    assert after == [[], []]


def test_an_acknowledged_incident_that_gets_worse_fires_again(team, channel, position):
    make_ratio_rule(team)
    move(position, margin_ratio=0.72)
    incident = Incident.objects.get()
    services.acknowledge(team=team, incident_id=incident.pk, user=None, now=NOW)

    told = move(position, margin_ratio=0.9)

    incident.refresh_from_db()
    assert told == ["worse"]
    assert (incident.state, incident.acknowledged_at) == ("firing", None)


@pytest.mark.parametrize("state", ["closed", "liquidated", "deleveraged", "settled"])
def test_the_end_of_a_position_resolves_its_incidents_with_the_reason(
    team, channel, position, state
):
    make_ratio_rule(team)
    move(position, margin_ratio=0.72)

    told = move(position, state=state, now=later(5))

    incident = Incident.objects.get()
    assert told == ["resolved"]
    assert incident.resolution == f"the position was {state}"


def test_a_position_that_is_gone_leaves_its_incident_firing_as_unknown(team, channel, position):
    make_ratio_rule(team)
    move(position, margin_ratio=0.72)

    told = move(position, state="gone", margin_ratio=0.1, now=later(5))

    incident = Incident.objects.get()
    assert told == []
    assert (incident.state, incident.unknown_since) == ("firing", later(5))


def test_a_new_life_of_a_position_is_a_new_subject(team, channel, position):
    make_ratio_rule(team)
    move(position, margin_ratio=0.72)
    position.life.ended_at = NOW
    position.life.save()

    told = move(position, life=make_life(position), now=later(5))

    old, new = Incident.objects.order_by("pk")
    assert sorted(told) == ["first", "resolved"]
    assert (old.state, old.resolution) == ("resolved", "a new life of the position began")
    assert (new.state, new.subject) == ("firing", f"position:{position.pk}/life:{position.life_id}")


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        ({"venue": ["okx"]}, ["okx short"]),
        ({"side": ["long"]}, ["binance long"]),
        ({"asset": ["ETH"]}, ["okx short"]),
        ({"asset": ["BTC"], "side": ["short"]}, []),
        ({"venue": []}, ["binance long", "okx short"]),
    ],
)
def test_a_rule_keeps_to_its_scope(team, channel, scope, covered):
    make_ratio_rule(team, scope=scope)
    one = make_position(make_account(team, venue="binance"), margin_ratio=0.9)
    other = make_position(
        make_account(team, venue="okx"),
        market=make_market("ETH/USDT:USDT", venue="okx"),
        side="short",
        margin_ratio=0.9,
    )

    evaluate(one, other)

    found = Incident.objects.order_by("pk")
    assert [f"{each.account.venue} {each.position.side}" for each in found] == covered


def test_an_account_in_a_scope_is_named_by_its_id(team, channel):
    one, other = (make_position(make_account(team), margin_ratio=0.9) for _ in range(2))
    make_ratio_rule(team, scope={"account": [other.account_id]})

    evaluate(one, other)

    assert Incident.objects.get().account == other.account


def test_a_rule_that_is_switched_off_ends_its_incidents_without_a_message(team, channel, position):
    rule = make_ratio_rule(team)
    move(position, margin_ratio=0.9)
    AlertRule.objects.filter(pk=rule.pk).update(is_enabled=False)

    told = evaluate_staleness(later(5))

    assert told == []
    assert Incident.objects.get().resolution == "the rule was switched off"


def test_the_incidents_of_a_deleted_rule_stay_in_the_history(team, channel, position):
    rule = make_ratio_rule(team)
    move(position, margin_ratio=0.9)
    rule.delete()

    evaluate_staleness(later(5))

    incident = Incident.objects.get()
    assert (incident.rule, incident.state) == (None, "resolved")
    assert incident.why["figures"]


def test_rules_of_one_team_do_not_see_positions_of_another(team, channel, position):
    make_ratio_rule(make_team())

    assert move(position, margin_ratio=0.9) == []


def test_another_teams_incident_cannot_be_acknowledged(team, channel, position):
    make_ratio_rule(team)
    move(position, margin_ratio=0.9)

    with pytest.raises(Incident.DoesNotExist):
        services.acknowledge(
            team=make_team(), incident_id=Incident.objects.get().pk, user=None, now=NOW
        )


def test_only_enabled_channels_get_a_delivery(team, channel, position):
    Channel.objects.create(
        team=team, kind="recorder", label="off", is_enabled=False, created_at=NOW
    )
    make_ratio_rule(team)

    move(position, margin_ratio=0.9)

    assert list(Delivery.objects.values_list("channel__label", flat=True)) == ["recorder"]


def test_the_resolution_supersedes_a_first_message_that_nobody_has_taken(team, channel, position):
    make_ratio_rule(team)
    move(position, margin_ratio=0.9)

    move(position, state="closed")

    states = list(Delivery.objects.order_by("pk").values_list("message__reason", "state"))
    assert states == [("first", "superseded"), ("resolved", "pending")]


@pytest.mark.parametrize("ratio", [0.3, 0.9])
def test_the_number_of_queries_does_not_depend_on_the_number_of_positions(team, channel, ratio):
    defaults.ensure_defaults(team=team, now=NOW)
    counts = []

    for size in (2, 40):
        accounts = [make_account(team) for _ in range(size)]
        positions = [make_position(account, margin_ratio=ratio) for account in accounts]
        for position in positions:
            position.refresh_from_db(fields=["provenance"])
        with CaptureQueriesContext(connection) as queries:
            evaluate(*positions)
        counts.append(len(queries))

    assert counts[0] == counts[1]
    assert Incident.objects.count() == (0 if ratio < 0.5 else 42)


def test_a_position_that_is_given_twice_counts_once(team, channel, position):
    make_ratio_rule(team)
    position.margin_ratio = 0.9

    assert evaluate(position, position) == ["first"]


def test_nothing_to_evaluate_asks_the_database_nothing(team, django_assert_num_queries):
    with django_assert_num_queries(0):
        pipeline.evaluate(team_id=team.pk, positions=[], events=[], now=NOW)
