from __future__ import annotations

import pytest

from positions.alerts import services
from positions.alerts.models import Incident
from tests.alerts.steps import evaluate_staleness, later, make_event_rule, make_ratio_rule, move
from tests.factories import NOW, make_event, make_life


@pytest.mark.parametrize("kind", ["liquidated", "deleveraged", "gone"])
def test_an_event_fires_once(team, channel, position, kind):
    make_event_rule(team, "liquidated", "deleveraged", "gone")
    event = make_event(position, kind)

    told = [move(position, state=kind, events=[event]), move(position, now=later(5))]

    incident = Incident.objects.get()
    assert told == [["first"], []]
    assert (incident.state, incident.severity) == ("firing", "critical")
    assert incident.why["event"]["kind"] == kind


def test_events_that_no_rule_names_are_silent(team, channel, position):
    make_event_rule(team, "liquidated")

    assert move(position, events=[make_event(position, "increased")]) == []


@pytest.mark.parametrize("state", ["open", "closed", "liquidated"])
def test_gone_is_over_when_the_position_returns_or_its_end_is_explained(
    team, channel, position, state
):
    make_event_rule(team, "gone")
    move(position, state="gone", events=[make_event(position, "gone")])

    told = move(position, state=state, now=later(30))

    assert told == ["resolved"]
    assert Incident.objects.get().resolution == f"the position is {state}"


def test_an_acknowledged_liquidation_is_over(team, channel, position):
    make_event_rule(team, "liquidated")
    move(position, state="liquidated", events=[make_event(position, "liquidated")])

    incident = services.acknowledge(
        team=team, incident_id=Incident.objects.get().pk, user=None, now=later(60)
    )

    assert (incident.state, incident.resolution) == ("resolved", "acknowledged")


def test_a_liquidation_that_nobody_acknowledged_is_over_after_a_day(team, channel, position):
    make_event_rule(team, "liquidated")
    move(position, state="liquidated", events=[make_event(position, "liquidated")])

    early, late = evaluate_staleness(later(86_399)), evaluate_staleness(later(86_400))

    assert early == late == []
    assert Incident.objects.get().resolution == "a day has passed"


def test_the_event_of_an_old_life_is_told_though_a_new_one_has_begun(team, channel, position):
    make_event_rule(team, "liquidated")
    make_ratio_rule(team)
    move(position, margin_ratio=0.9)
    event = make_event(position, "liquidated")
    position.life.ended_at = NOW
    position.life.save()

    told = move(position, life=make_life(position), margin_ratio=0.2, events=[event])

    assert sorted(told) == ["first", "resolved"]
    assert Incident.objects.get(state="firing").why["event"]["kind"] == "liquidated"
