from __future__ import annotations

import pytest

from positions.alerts.models import Incident, Message
from positions.alerts.wording import value_text
from tests.alerts.steps import evaluate, make_ratio_rule, move
from tests.factories import make_account, make_position


def test_the_why_names_each_figure_with_its_source(team, channel, position):
    make_ratio_rule(team)

    move(position, margin_ratio=0.9)

    figures = {figure["name"]: figure for figure in Incident.objects.get().why["figures"]}
    assert figures["margin_ratio"]["value"] == "0.9"
    assert figures["margin_ratio"]["source"] == "derived"
    assert figures["mark_price"] == {
        "name": "mark_price",
        "label": "Mark price",
        "value": "62000",
        "text": "62,000",
        "source": "reported",
        "reason": None,
    }


def test_an_unknown_figure_of_the_why_has_its_reason(team, channel):
    make_ratio_rule(team)
    position = make_position(team=team, margin_ratio=0.9, entry_price=None, collateral=300.0)

    evaluate(position)

    figures = {figure["name"]: figure for figure in Incident.objects.get().why["figures"]}
    assert figures["entry_price"]["source"] == "unknown"
    assert figures["entry_price"]["reason"] == "the venue gives none"
    assert figures["entry_price"]["text"] == "—"


def test_a_message_holds_the_position_in_its_outside_shape(team, channel, position):
    make_ratio_rule(team)

    move(position, margin_ratio=0.9)

    message = Message.objects.get()
    data = message.payload["data"]
    assert message.payload["type"] == "incident.fired"
    assert message.payload["version"] == 1
    assert data["id"] == message.uid
    assert data["position"]["id"] == str(position.pk)
    assert data["position"]["margin_ratio"] == "0.9"
    assert data["headline"] == (
        f"Critical: BTC/USDT:USDT long on Binance {position.account.label}, "
        "margin ratio 90 % (limit 85 %)"
    )


def test_a_simulated_position_alerts_and_says_that_it_is_simulated(team, channel):
    make_ratio_rule(team)
    account = make_account(team, is_simulated=True)

    told = evaluate(make_position(account, margin_ratio=0.9))

    data = Message.objects.get().payload["data"]
    assert told == ["first"]
    assert data["is_simulated"] is True
    assert data["headline"].startswith("Simulated. Critical: ")


@pytest.mark.parametrize(
    ("hours", "says"), [(26.5, "1 d 2 h"), (-4191.6, "over for 174 d 15 h"), (None, "—")]
)
def test_hours_are_a_length_of_time_and_what_is_past_is_over(hours, says):
    assert value_text(hours, "hours") == says
