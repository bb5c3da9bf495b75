from __future__ import annotations

import io
import ipaddress
import json
import logging
from base64 import b64encode

import pytest
from django.core import serializers
from django.core.management import CommandError, call_command
from django.db import connection

from positions.alerts import outbox
from positions.alerts.models import Channel, Delivery, Message
from riskhub import clock, logs
from riskhub.teams.models import AuditEntry
from tests.alerts.receivers import Answer, serve_hook
from tests.factories import make_incident, make_position, make_team

CANARY = "whsec_" + b64encode(b"canary-canary-canary-canary-0001").decode()
LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


@pytest.fixture
def log_text(settings):
    """Collect every line that would reach standard error, from the debug level."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        logs.ScrubbingFormatter(**_formatter(logs.config(level="DEBUG")["formatters"]["json"]))
    )
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream.getvalue
    root.removeHandler(handler)
    root.setLevel(level)


def _formatter(config):
    return {name: value for name, value in config.items() if name != "()"}


def add(tmp_path, url, *extra):
    secret = tmp_path / "secret"
    secret.write_text(CANARY + "\n")
    out, err = io.StringIO(), io.StringIO()
    call_command(
        "add_webhook", "--label", "hook", "--url", url, "--secret", str(secret),
        *extra, stdout=out, stderr=err,
    )  # fmt: skip
    return out.getvalue(), err.getvalue()


def test_the_secret_of_a_channel_is_found_nowhere(db, tmp_path, settings, log_text, monkeypatch):
    settings.OUTBOUND_ALLOW = LOOPBACK
    team = make_team()
    echo = Answer(status=500, body=CANARY.encode())

    with serve_hook(echo, echo) as hook:
        printed = add(tmp_path, hook.url)
        incident = make_incident(make_position(team=team))
        now = clock.now()
        outbox.post(team_id=team.pk, told=[(incident, "first")], now=now)
        outbox.sweep(now=now, limit=10)

    channel = Channel.objects.get()
    dump = serializers.serialize(
        "json",
        [channel, *Message.objects.all(), *Delivery.objects.all(), *AuditEntry.objects.all()],
    )
    shown = [dump, log_text(), *printed, repr(channel.secrets), repr(outbox.open_config(channel))]
    body = hook.requests[0][1].decode()
    for text in (*shown, body, json.dumps(_rows()), Delivery.objects.get().last_error):
        assert CANARY not in text
        assert b64encode(CANARY.encode()).decode() not in text
    assert "delivery_failed" in log_text()


def _rows():
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM alerts_channel")
        return [[str(value) for value in row] for row in cursor.fetchall()]


def test_a_made_secret_is_printed_once_and_stored_sealed(db, settings):
    settings.OUTBOUND_ALLOW = LOOPBACK
    out = io.StringIO()

    call_command("add_webhook", "--label", "x", "--url", "http://127.0.0.1:9/", stdout=out)

    channel = Channel.objects.get()
    secret = channel.secrets.open()["secret"]
    assert out.getvalue().count(secret) == 1
    assert channel.config == {"url": "http://127.0.0.1:9/"}
    assert AuditEntry.objects.get().action == "channel.add"


def test_a_private_host_that_is_not_allowed_is_warned_of(db, tmp_path):
    _, err = add(tmp_path, "http://127.0.0.1:9/")

    assert "Warning: messages to it will be refused. 127.0.0.1 is not a public address" in err
    assert Channel.objects.exists()


@pytest.mark.parametrize(
    ("url", "label", "words"),
    [
        ("ftp://example.com", "x", "must begin with https://"),
        ("http://127.0.0.1:9/", " ", "Give the channel a label"),
        ("http://127.0.0.1:9/", "taken", "already a channel 'taken'"),
    ],
)
def test_a_webhook_that_cannot_work_is_refused_with_a_sentence(db, url, label, words):
    call_command(
        "add_webhook",
        "--label",
        "taken",
        "--url",
        "http://127.0.0.1/",
        stdout=io.StringIO(),
        stderr=io.StringIO(),
    )

    with pytest.raises(CommandError, match=words):
        call_command("add_webhook", "--label", label, "--url", url)

    assert Channel.objects.count() == 1


def test_a_secret_file_that_is_not_there_is_refused_with_a_sentence(db):
    with pytest.raises(CommandError, match="cannot be read from 'nowhere'"):
        call_command(
            "add_webhook", "--label", "x", "--url", "http://127.0.0.1/", "--secret", "nowhere"
        )
