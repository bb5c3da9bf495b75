from __future__ import annotations

from email import message_from_bytes
from email.policy import default

import pytest

from positions.alerts import outbox, payload, services
from positions.alerts.base import Config, DeliveryError, Message
from positions.alerts.channels.email import Email
from positions.alerts.models import Delivery, Incident
from tests.alerts.receivers import serve_mail
from tests.factories import (
    NOW,
    make_account,
    make_coverage,
    make_incident,
    make_market,
    make_position,
)


@pytest.fixture
def smtp(settings):
    """Point Django's mail at a receiver of ours."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_TIMEOUT = "127.0.0.1", 5

    def point_at(box):
        settings.EMAIL_PORT = box.port
        return box

    return point_at


def make_message(headline="Critical: BTC", **data):
    values = {"id": "msg_1", "headline": headline, "url": "http://localhost/", "why": {}}
    return Message("msg_1", {"data": {**values, **data}}, NOW)


def send(message, to="trader@example.com"):
    Email().send(message, Config({"to": to}))


def parse(mail):
    return message_from_bytes(mail.replace(b"\r\n", b"\n"), policy=default)


def test_a_mail_has_text_and_html_and_the_id_of_the_message(db, smtp):
    with serve_mail() as box:
        smtp(box)
        send(make_message(), to="one@example.com, two@example.com")

    (mail,) = map(parse, box.mails)
    assert mail["Subject"] == "Critical: BTC"
    assert mail["To"] == "one@example.com, two@example.com"
    assert mail["X-RiskHub-Message"] == "msg_1"
    assert mail["Message-ID"] == "<msg_1@riskhub.invalid>"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


@pytest.mark.parametrize(
    "evil",
    [
        "x\r\nBcc: victim@example.com",
        "x\nBcc: victim@example.com",
        "x\rBcc: victim@example.com",
        "x\u2028Bcc: victim@example.com",
        "x\x0bBcc: victim@example.com\x00",
    ],
)
def test_a_symbol_cannot_add_a_header(db, mailoutbox, evil):
    send(make_message(headline=evil))

    (mail,) = mailoutbox
    sent = parse(mail.message().as_bytes())
    assert sent["Bcc"] is None
    assert sent["Subject"] == "x Bcc: victim@example.com"


def test_markup_in_what_a_venue_says_stays_text(team, mailoutbox):
    evil = "<img src=x onerror=alert(1)>"
    account = make_account(team, label=evil)
    incident = make_incident(make_position(account, market=make_market(symbol=evil)))
    payload.explain(incidents=[incident], now=NOW)

    document = payload.build(incident=incident, reason="first", uid="msg_1", now=NOW)
    send(Message("msg_1", document, NOW))

    html = mailoutbox[0].alternatives[0].content
    assert "<img" not in html
    assert "&lt;img" in html


def test_the_mail_shows_figures_with_their_sources(team, mailoutbox):
    incident = make_incident(make_position(team=team, unrealized_pnl=None))
    payload.explain(incidents=[incident], now=NOW)

    document = payload.build(incident=incident, reason="first", uid="msg_1", now=NOW)
    send(Message("msg_1", document, NOW))

    mail = mailoutbox[0]
    assert mail.subject.startswith("Warning: BTC/USDT:USDT long on Binance")
    assert "Mark price: 62,000 (reported)" in mail.body
    assert "Unrealised PnL: — (unknown: the venue gives none)" in mail.body
    assert "Position as of 2026-11-22 15:00:00 UTC" in mail.body
    assert f"/alerts/{incident.pk}/" in mail.body


def test_the_mail_about_an_account_names_what_was_not_seen(team, mailoutbox):
    account = make_account(team, label="main")
    make_coverage(account, "linear", error="HTTP 503")
    make_coverage(account, "inverse", seen_at=None)
    incident = Incident(team=team, account=account, subject="x", severity="warning", opened_at=NOW)
    payload.explain(incidents=[incident], now=NOW)

    document = payload.build(incident=incident, reason="first", uid="msg_1", now=NOW)
    send(Message("msg_1", document, NOW))

    for body in (mailoutbox[0].body, mailoutbox[0].alternatives[0].content):
        assert "last seen never" in body
        assert "last seen 2026-11-22 15:00:00 UTC" in body
        assert "HTTP 503" in body


@pytest.mark.parametrize(
    ("reply", "is_retryable"),
    [(b"451 greylisted", True), (b"421 busy", True), (b"550 no such user", False)],
)
def test_a_temporary_refusal_is_worth_another_try_and_a_final_one_is_not(
    db, smtp, reply, is_retryable
):
    with serve_mail(reply) as box:
        smtp(box)
        with pytest.raises(DeliveryError) as caught:
            send(make_message())

    assert caught.value.retryable is is_retryable
    assert box.mails == []


def test_a_mail_server_that_is_down_is_worth_another_try(db, smtp):
    with serve_mail() as box:
        smtp(box)

    with pytest.raises(DeliveryError, match="could not be reached") as caught:
        send(make_message())

    assert caught.value.retryable


def test_a_greylisted_mail_arrives_once_at_the_next_step(team, smtp):
    services.add_channel(
        team=team, kind="email", label="mail", fields={"to": "a@example.com"}, now=NOW
    )
    incident = make_incident(make_position(team=team))

    with serve_mail(b"451 greylisted") as box:
        smtp(box)
        outbox.post(team_id=team.pk, told=[(incident, "first")], now=NOW)
        outbox.sweep(now=NOW, limit=10)
        at = Delivery.objects.get().next_attempt_at
        outbox.sweep(now=at, limit=10)
        outbox.sweep(now=at, limit=10)

    assert len(box.mails) == 1
    assert Delivery.objects.get().state == "sent"


@pytest.mark.parametrize(
    ("to", "words"),
    [("", "at least one"), ("nobody", "name@host"), ("a@example.com, b@", "name@host")],
)
def test_a_bad_address_is_told(to, words):
    assert words in Email().find_problem(Config({"to": to}))


def test_a_good_address_has_no_problem():
    assert Email().find_problem(Config({"to": "a@example.com, owner@localhost"})) == ""
