from __future__ import annotations

import pytest

from positions.alerts import selectors, services
from positions.alerts.models import Incident, Message
from tests.alerts.steps import evaluate_staleness, later, make_event_rule, make_ratio_rule, move
from tests.factories import NOW, make_event, make_life


@pytest.mark.parametrize("kind", ["gone", "breached"])
def test_an_event_fires_once(team, channel, position, kind):
    make_event_rule(team, "gone", "breached")
    event = make_event(position, kind)

    told = [move(position, state=kind, events=[event]), move(position, now=later(5))]

    incident = Incident.objects.get()
    assert told == [["first"], []]
    assert (incident.state, incident.severity) == ("firing", "critical")
    assert incident.why["event"]["kind"] == kind


@pytest.mark.parametrize(
    ("kind", "words"), [("liquidated", "was liquidated"), ("deleveraged", "was auto-deleveraged")]
)
def test_the_end_of_a_life_is_told_once_and_nothing_of_it_stays_open(
    team, channel, position, kind, words
):
    make_event_rule(team, "liquidated", "deleveraged")
    event = make_event(position, kind)

    told = [move(position, state=kind, events=[event]), move(position, now=later(5))]

    incident, message = Incident.objects.get(), Message.objects.get()
    assert told == [["first"], []]
    assert (incident.state, incident.fired_at, incident.resolved_at) == ("resolved", NOW, NOW)
    assert incident.resolution == "told once, as it had happened"
    assert incident.headline.endswith(f" {words}")
    assert message.payload["type"] == "incident.fired"
    assert message.payload["data"]["headline"] == f"Critical: {incident.headline}"
    assert not selectors.open_incidents(team=team).exists()


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


def test_a_swing_between_gone_and_seen_is_one_incident_until_it_holds(team, channel, position):
    make_event_rule(team, "gone", clear_for_s=60)

    told = []
    for second in range(0, 100, 2):
        told += move(
            position, state="gone", events=[make_event(position, "gone")], now=later(second)
        )
        told += move(position, state="open", now=later(second + 1))
    held = [move(position, now=later(at)) for at in (158, 159)]

    assert told == ["first"]
    assert held == [[], ["resolved"]]


def test_an_acknowledged_event_is_over(team, channel, position):
    make_event_rule(team, "margin_removed")
    move(position, events=[make_event(position, "margin_removed")])

    incident = services.acknowledge(
        team=team, incident_id=Incident.objects.get().pk, user=None, now=later(60)
    )

    assert (incident.state, incident.resolution) == ("resolved", "acknowledged")


def test_an_event_that_nobody_acknowledged_is_over_after_a_day(team, channel, position):
    make_event_rule(team, "margin_removed")
    move(position, events=[make_event(position, "margin_removed")])

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
    assert Incident.objects.get(rule__kind="event").why["event"]["kind"] == "liquidated"
