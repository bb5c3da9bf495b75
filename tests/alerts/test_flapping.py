"""A value that swings is one incident and one message: what gets better has to hold."""

from __future__ import annotations

import pytest

from positions.alerts import defaults
from positions.alerts.models import AlertRule, Incident
from tests.alerts.steps import later, make_ratio_rule, move
from tests.factories import NOW

CALM, WARNING, CRITICAL = 0.3, 0.75, 0.95


@pytest.fixture
def rule(team):
    return make_ratio_rule(team, clear_for_s=60)


def swing(position, *ratios, start=0, times=100):
    """Move between the ratios each second and return the reasons that were told."""
    return [
        reason
        for step in range(times)
        for reason in move(
            position, margin_ratio=ratios[step % len(ratios)], now=later(start + step)
        )
    ]


def hold(position, ratio, *seconds):
    return [move(position, margin_ratio=ratio, now=later(at)) for at in seconds]


@pytest.mark.parametrize("calm", [CALM, WARNING])
def test_a_hundred_swings_are_one_incident_and_one_message(channel, position, rule, calm):
    told = swing(position, CRITICAL, calm)

    incident = Incident.objects.get()
    assert told == ["first"]
    assert (incident.state, incident.severity, incident.rank) == ("firing", "critical", 2)


def test_a_recovery_is_told_once_it_has_held(channel, position, rule):
    swing(position, CRITICAL, CALM)

    told = hold(position, CALM, 100, 158, 159, 300)

    incident = Incident.objects.get()
    assert told == [[], [], ["resolved"], []]
    assert (incident.resolution, incident.resolved_at) == ("recovered", later(159))
    assert incident.value == CALM


def test_a_recovery_that_an_unknown_figure_interrupts_has_not_held(channel, position, rule):
    move(position, margin_ratio=CRITICAL)
    hold(position, CALM, 10)
    hold(position, None, 40)

    told = hold(position, CALM, 75, 134, 135)

    assert told == [[], [], ["resolved"]]


def test_the_default_rules_wait_a_minute_and_those_about_keys_do_not(team):
    defaults.ensure_defaults(team=team, now=NOW)

    waits = dict(AlertRule.objects.values_list("name", "clear_for_s"))

    assert (waits.pop("Key refused"), waits.pop("Key findings")) == (0, 0)
    assert set(waits.values()) == {60}


def test_a_rule_that_waits_for_nothing_is_over_at_once(team, channel, position):
    make_ratio_rule(team, clear_for_s=0)

    assert swing(position, CRITICAL, CALM, times=4) == ["first", "resolved"] * 2


def test_what_gets_worse_is_told_at_once_also_while_it_seemed_better(channel, position, rule):
    move(position, margin_ratio=WARNING)
    hold(position, CALM, 10)

    told = hold(position, CRITICAL, 11)

    assert told == [["worse"]]


def test_a_milder_level_that_held_is_where_the_next_worsening_counts_from(channel, position, rule):
    move(position, margin_ratio=CRITICAL)
    hold(position, WARNING, 10, 70)
    eased = Incident.objects.get()

    told = hold(position, CRITICAL, 71)

    assert (eased.rank, eased.severity) == (1, "warning")
    assert told == [["worse"]]


def test_an_all_clear_counts_from_when_the_last_milder_level_was_left(channel, position, rule):
    move(position, margin_ratio=CRITICAL)
    hold(position, WARNING, 10)

    told = hold(position, CALM, 69, 70, 129, 131)

    incident = Incident.objects.get()
    assert told == [[], [], [], ["resolved"]]
    assert incident.resolved_at == later(131)


def test_while_it_seems_better_the_incident_keeps_its_words_and_is_not_repeated(team, position):
    make_ratio_rule(team, clear_for_s=60, repeat_s=5)
    move(position, margin_ratio=CRITICAL)
    before = Incident.objects.get()

    told = hold(position, CALM, 10, 20)

    incident = Incident.objects.get()
    assert told == [[], []]
    assert (incident.headline, incident.value) == (before.headline, before.value)
    assert incident.eased_since == later(10)


def test_an_ended_position_is_told_at_once(channel, position, rule):
    move(position, margin_ratio=CRITICAL)
    hold(position, CALM, 10)

    assert move(position, state="closed", now=later(11)) == ["resolved"]
