"""Pages of channels: added with the secret shown once, tested, switched off, removed."""

import re
from ipaddress import ip_network

import pytest

from positions.alerts import defaults, outbox, services
from positions.alerts.models import Channel, Delivery
from riskhub.teams.models import AuditEntry
from tests.alerts.receivers import Answer, serve_hook
from tests.factories import (
    NOW,
    make_channel,
    make_delivery,
    make_incident,
    make_position,
    make_team,
)
from tests.web.pages import browser, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]

EMAIL, WEBHOOK = "/alerts/channels/add/?kind=email", "/alerts/channels/add/?kind=webhook"
LOOPBACK = [ip_network("127.0.0.0/8")]
HOOK = {"label": "pager", "url": "http://127.0.0.1:9/hook"}
OWN_SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNk"


@pytest.fixture
def _loopback(settings):
    settings.OUTBOUND_ALLOW = LOOPBACK


def shown_secret(page):
    found = re.search(r'<pre class="secret-once"[^>]*>([^<]+)</pre>', page.content.decode())
    return found and found[1]


def actions():
    return list(AuditEntry.objects.order_by("pk").values_list("action", "subject"))


def test_the_page_of_alerts_leads_to_the_form(team):
    client = browser(team)

    assert 'href="/alerts/channels/add/"' in client.get("/alerts/").content.decode()
    assert "One or more, separated by commas." in text_of(client.get("/alerts/channels/add/"))


@pytest.mark.parametrize("kind", ["", "?kind=pigeon", "?kind=1"])
def test_a_kind_that_there_is_not_is_the_first_one(team, kind):
    page = browser(team).get(f"/alerts/channels/add/{kind}")

    assert 'aria-current="page">Email' in page.content.decode()


def test_an_address_is_added_and_told_by_whom(team):
    client = browser(team, role="trader")

    page = client.post(EMAIL, {"label": "desk", "to": "a@example.com, b@example.com"}, follow=True)

    channel = Channel.objects.get()
    assert (channel.team, channel.kind, channel.label) == (team, "email", "desk")
    assert channel.config == {"to": "a@example.com, b@example.com"}
    assert "“desk” was added." in text_of(page)
    assert actions() == [("channel.add", "email desk")]
    assert AuditEntry.objects.get().user is not None


@pytest.mark.usefixtures("_loopback")
def test_a_made_secret_is_shown_once_and_signs(team):
    client = browser(team)
    with serve_hook(Answer()) as hook:
        page = client.post(WEBHOOK, {"label": "pager", "url": hook.url}, follow=True)
        channel = Channel.objects.get()
        client.post(f"/alerts/channels/{channel.pk}/test/")

    secret = shown_secret(page)
    assert channel.secrets.open() == {"secret": secret}
    assert page["Cache-Control"] == "no-store"
    assert page.redirect_chain
    assert secret not in client.get(page.request["PATH_INFO"]).content.decode()
    assert secret not in client.get("/alerts/").content.decode()
    assert secret not in str(channel.config)
    assert Delivery.objects.get().state == "sent"
    assert actions() == [("channel.add", "webhook pager"), ("channel.test", "webhook pager")]


@pytest.mark.usefixtures("_loopback")
def test_a_secret_of_ones_own_is_never_shown(team):
    client = browser(team)

    page = client.post(WEBHOOK, {**HOOK, "secret": OWN_SECRET}, follow=True)

    assert Channel.objects.get().secrets.open() == {"secret": OWN_SECRET}
    assert shown_secret(page) is None
    assert OWN_SECRET not in page.content.decode()


@pytest.mark.parametrize(
    ("address", "form", "sentence"),
    [
        (EMAIL, {"label": "", "to": "a@example.com"}, "Give the channel a label"),
        (EMAIL, {"label": "x" * 61, "to": "a@example.com"}, "at most 60 characters"),
        (EMAIL, {"label": "desk", "to": ""}, "Email needs this: Addresses."),
        (EMAIL, {"label": "desk", "to": "a@example.com, nobody"}, "must look like name@host"),
        (EMAIL, {"label": "desk", "to": "a@example.com\0"}, "Null characters are not allowed."),
        (EMAIL, {"label": "taken", "to": "a@example.com"}, "There is already a channel 'taken'."),
        (WEBHOOK, {"label": "pager", "url": ""}, "Webhook needs this: URL."),
        (WEBHOOK, {"label": "pager", "url": "ftp://h.example/"}, "must begin with https://"),
        (WEBHOOK, {"label": "pager", "url": "https://u:p@h.example/"}, "must not hold a user name"),
        (WEBHOOK, HOOK, "127.0.0.1 is not a public address"),
        (WEBHOOK, {"label": "pager", "url": "http://169.254.169.254/"}, "is not a public address"),
        (WEBHOOK, {**HOOK, "url": "http://8.8.8.8/", "secret": "s3cr3t"}, 'must be "whsec_"'),
    ],
)
def test_what_cannot_be_added_is_a_sentence(team, address, form, sentence):
    make_channel(team, label="taken")

    page = browser(team).post(address, form)

    assert sentence in text_of(page)
    assert "s3cr3t" not in page.content.decode()
    assert Channel.objects.count() == 1
    assert actions() == []


def test_the_same_label_is_free_in_another_team(team):
    make_channel(make_team(), label="desk")

    browser(team).post(EMAIL, {"label": "desk", "to": "a@example.com"})

    assert Channel.objects.filter(team=team, label="desk").exists()


def test_a_channel_that_is_switched_off_is_told_nothing_and_what_waits_is_given_up(team):
    channel = make_channel(team, label="ops")
    incident = make_incident(make_position(team=team))
    waiting = make_delivery(channel, incident, state="pending", last_error="")

    page = browser(team).post(
        f"/alerts/channels/{channel.pk}/switch/", {"is_enabled": "0"}, follow=True
    )
    outbox.post(team_id=team.pk, told=[(incident, "first")], now=NOW)

    waiting.refresh_from_db()
    assert (waiting.state, waiting.last_error) == ("dead", "The channel was switched off.")
    assert Delivery.objects.count() == 1
    assert "“ops” is switched off: no alert goes there." in text_of(page)
    assert actions() == [("channel.disable", "webhook ops")]


def test_a_channel_that_its_receiver_switched_off_begins_anew(team):
    channel = make_channel(team, is_enabled=False, disabled_reason="HTTP 410")

    browser(team).post(f"/alerts/channels/{channel.pk}/switch/", {"is_enabled": "1"})

    channel.refresh_from_db()
    assert (channel.is_enabled, channel.disabled_reason) == (True, "")


def test_nothing_is_sent_through_a_channel_that_is_off(team):
    channel = make_channel(team, label="ops", is_enabled=False)
    client = browser(team)

    page = client.post(f"/alerts/channels/{channel.pk}/test/", follow=True)

    assert "Nothing was sent: “ops” is switched off." in text_of(page)
    assert f"/alerts/channels/{channel.pk}/test/" not in page.content.decode()
    assert not Delivery.objects.exists()


def test_removing_is_asked_first_and_says_what_goes_with_it(team):
    channel = make_channel(team, label="ops")
    make_delivery(channel)
    client = browser(team)

    asked = text_of(client.get(f"/alerts/channels/{channel.pk}/remove/"))
    is_there = Channel.objects.exists()
    page = client.post(f"/alerts/channels/{channel.pk}/remove/", follow=True)

    assert "Remove “ops”?" in asked
    assert "With it goes the record of 1 message" in asked
    assert "No other channel is on" in asked
    assert is_there
    assert "“ops” was removed" in text_of(page)
    assert not Channel.objects.exists()
    assert not Delivery.objects.exists()
    assert actions() == [("channel.remove", "webhook ops")]


def test_the_last_channel_that_was_removed_does_not_come_back_by_itself(team):
    channel = make_channel(team)
    services.remove_channel(team=team, channel_id=channel.pk, user=None, now=NOW)

    defaults.ensure_defaults(team=team, now=NOW)

    assert not Channel.objects.exists()


def test_a_delivery_whose_channel_was_just_removed_is_nobodys(team, monkeypatch):
    delivery = make_delivery(make_channel(team), state="pending")

    def remove_after_the_claim(name):
        if name == "outbox: after the claim":
            Channel.objects.all().delete()

    monkeypatch.setattr(outbox.killpoints, "reach", remove_after_the_claim)

    sent = outbox.deliver(delivery_ids=[delivery.pk], now=NOW)

    assert sent == 0


def test_a_viewer_changes_no_channel(team):
    channel = make_channel(team)
    client = browser(team, role="viewer")

    page = client.get("/alerts/")
    answers = [
        client.get(EMAIL).status_code,
        client.post(EMAIL, {"label": "desk", "to": "a@example.com"}).status_code,
        client.post(f"/alerts/channels/{channel.pk}/switch/", {"is_enabled": "0"}).status_code,
        client.get(f"/alerts/channels/{channel.pk}/remove/").status_code,
        client.post(f"/alerts/channels/{channel.pk}/remove/").status_code,
    ]

    assert b"/alerts/channels/" not in page.content
    assert answers == [403] * 5
    assert Channel.objects.get().is_enabled


@pytest.mark.parametrize("act", ["test", "switch", "remove"])
def test_a_channel_of_another_team_is_not_found(team, act):
    foreign = make_channel(make_team())

    answer = browser(team).post(f"/alerts/channels/{foreign.pk}/{act}/", {"is_enabled": "0"})

    assert answer.status_code == 404
    assert Channel.objects.get().is_enabled
