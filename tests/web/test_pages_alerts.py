"""Pages of alerts."""

import pytest

from positions.alerts.models import AlertRule, Delivery, Incident
from riskhub.teams.models import AuditEntry
from tests.factories import make_channel, make_delivery, make_incident, make_position, make_rule
from tests.web.pages import browser, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]

WHY = {
    "rule": {"name": "Distance", "unit": "fraction", "level": "0.05", "rearm": "0.06"},
    "value_text": "3.1 %",
    "figures": [
        {"label": "Mark price", "text": "182.44", "source": "reported"},
        {"label": "Collateral", "text": "—", "source": "unknown", "reason": "not_read"},
    ],
}


@pytest.fixture
def incident(team):
    rule = make_rule(team, name="Distance")
    position = make_position(team=team)
    return make_incident(position, rule=rule, severity="critical", headline="SOL is near", why=WHY)


def test_open_incidents_stand_first_and_are_counted_everywhere(team, incident):
    make_incident(incident.position, severity="warning", headline="ETH is near")
    client = browser(team)

    words = text_of(client.get("/alerts/"))
    other = client.get("/settings/")

    assert "critical 2 alerts are open" in words
    assert words.index("SOL is near") < words.index("ETH is near")
    assert 'id="count-alerts">2<' in other.content.decode()


def test_what_was_acknowledged_is_counted_apart(team, incident):
    make_incident(incident.position, headline="BTC is near", severity="warning")
    make_incident(
        incident.position, state="acknowledged", severity="critical", headline="ETH is near"
    )

    words = text_of(browser(team).get("/alerts/"))

    assert "2 alerts are open, 1 acknowledged" in words


def test_the_list_shows_the_measure_as_it_is_now_beside_what_was_told(team):
    rule = make_rule(team, measure="margin_ratio")
    position = make_position(team=team, margin_ratio=1.01)
    make_incident(position, rule=rule, headline="margin ratio 88 % (limit 85 %)")

    words = text_of(browser(team).get("/alerts/"))

    assert "margin ratio 88 % (limit 85 %) 101 %" in words


def test_of_a_position_that_is_gone_nothing_is_known_now(team):
    rule = make_rule(team, measure="margin_ratio")
    position = make_position(team=team, state="gone", margin_ratio=1.01)
    make_incident(position, rule=rule, headline="margin ratio 88 % (limit 85 %)")

    words = text_of(browser(team).get("/alerts/"))

    assert "margin ratio 88 % (limit 85 %) — " in words


def test_nothing_firing_is_said(team):
    assert "calm Nothing is firing" in text_of(browser(team).get("/alerts/"))


def test_acknowledging_is_kept_with_the_person(team, incident):
    client = browser(team)

    page = client.post(f"/alerts/{incident.pk}/acknowledge/", follow=True)

    incident.refresh_from_db()
    assert incident.state == "acknowledged"
    assert "acknowledged by user" in text_of(page)
    assert "Nothing is firing, 1 acknowledged" in text_of(page)
    assert AuditEntry.objects.get().action == "incident.acknowledge"


def test_acknowledging_on_its_page_stays_there(team, incident):
    answer = browser(team).post(f"/alerts/{incident.pk}/acknowledge/", {"back": "incident"})

    assert answer["Location"] == f"/alerts/{incident.pk}/"


def test_an_incident_says_why_with_the_figures_of_its_moment(team, incident):
    make_delivery(make_channel(team, label="ops"), incident)

    page = browser(team).get(f"/alerts/{incident.pk}/")

    words = text_of(page)
    assert "critical SOL is near" in words
    assert "Reached 3.1 % Level 5.0 % Ends at 6.0 %" in words
    assert "Mark price 182.44" in words
    assert "Unknown: not read" in page.content.decode()
    assert "ops first dead HTTP 503 9" in words


def test_an_incident_without_figures_has_a_page(team):
    incident = make_incident(make_position(team=team), why={}, rule=None, headline="")

    words = text_of(browser(team).get(f"/alerts/{incident.pk}/"))

    assert "No figures were kept with it." in words
    assert "BTC/USDT:USDT long on Binance" in words


def test_rules_are_told_in_words(team):
    make_rule(team, name="Near", scope={"asset": ["BTC"]}, for_s=90.0, repeat_s=0.0)

    words = text_of(browser(team).get("/alerts/"))

    assert "Near distance asset: BTC" in words
    assert "below 10 %, until 12 %" in words
    assert "1 min 30 s never" in words


def test_a_rule_is_switched_off_and_on(team):
    rule = make_rule(team)
    client = browser(team)

    page = client.post(f"/alerts/rules/{rule.pk}/switch/", {"is_enabled": "0"}, follow=True)
    is_off = not AlertRule.objects.get().is_enabled
    client.post(f"/alerts/rules/{rule.pk}/switch/", {"is_enabled": "1"})

    assert is_off
    assert "disabled" in text_of(page)
    assert AlertRule.objects.get().is_enabled
    assert AuditEntry.objects.filter(action="rule.save").count() == 2


def test_a_test_goes_through_the_channel_and_its_outcome_is_said(team, mailoutbox):
    channel = make_channel(team, "email", label="mail", config={"to": "owner@localhost"})

    page = browser(team).post(f"/alerts/channels/{channel.pk}/test/", follow=True)

    assert "The test arrived through “mail”." in text_of(page)
    assert mailoutbox[0].to == ["owner@localhost"]
    assert Delivery.objects.get().state == "sent"


def test_a_test_that_does_not_arrive_says_why(team):
    channel = make_channel(team, "webhook", label="hook", config={"url": "https://127.0.0.1/"})

    page = browser(team).post(f"/alerts/channels/{channel.pk}/test/", follow=True)

    assert "The test through “hook” did not arrive:" in text_of(page)


def test_a_channel_shows_its_last_outcome_and_no_secret(team):
    channel = make_channel(team, label="ops", config={"url": "https://h.example/x", "secret": "s3"})
    make_delivery(channel, state="sent")
    make_delivery(channel, last_error="HTTP 503")

    page = browser(team).get("/alerts/")

    assert "ops Webhook https://h.example/x dead HTTP 503" in text_of(page)
    assert "s3" not in text_of(page)


def test_a_dead_letter_is_sent_again(team, incident):
    dead = make_delivery(make_channel(team, label="ops"), incident)
    client = browser(team)
    assert "Not delivered" in text_of(client.get("/alerts/"))

    page = client.post(f"/alerts/deliveries/{dead.pk}/resend/", follow=True)

    dead.refresh_from_db()
    assert (dead.state, dead.attempts) == ("pending", 0)
    assert "Not delivered" not in text_of(page)


def test_what_is_over_is_listed_with_its_end(team):
    make_incident(
        make_position(team=team), state="resolved", headline="It was near", resolution="closed"
    )

    words = text_of(browser(team).get("/alerts/"))

    assert "Over lately" in words
    assert "It was near closed" in words


def test_a_viewer_sees_everything_and_changes_nothing(team, incident):
    channel = make_channel(team)
    dead = make_delivery(channel, incident)
    client = browser(team, role="viewer")

    page = client.get("/alerts/")
    answers = [
        client.post(address, {"is_enabled": "0"}).status_code
        for address in (
            f"/alerts/{incident.pk}/acknowledge/",
            f"/alerts/rules/{incident.rule_id}/switch/",
            f"/alerts/channels/{channel.pk}/test/",
            f"/alerts/deliveries/{dead.pk}/resend/",
        )
    ]

    assert b"<button" not in page.content.split(b"<main")[1]
    assert answers == [403] * 4
    assert Incident.objects.get().state == "firing"
    assert AlertRule.objects.get(pk=incident.rule_id).is_enabled
    assert Delivery.objects.count() == 1
