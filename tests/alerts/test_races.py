"""Races that only a database with several writers knows; on SQLite writers take turns."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, connections, transaction

from positions.alerts import outbox, pipeline
from positions.alerts.models import Delivery, Incident, Message
from positions.models import Position
from tests.factories import NOW, make_incident, make_position, make_rule

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="only PostgreSQL has several writers at once"
    ),
]


def at_once(*, count, call):
    """Call in `count` threads at the same moment; return the results, errors raised."""
    barrier, results = threading.Barrier(count), []

    def run():
        try:
            barrier.wait(10)
            results.append(call())
        except Exception as error:  # noqa: BLE001
            results.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def test_two_evaluations_at_once_open_one_incident_and_tell_once(team, channel):
    make_rule(team)
    position = make_position(team=team, liquidation_distance=0.04)

    def evaluate():
        row = Position.objects.select_related("account", "market", "life").get(pk=position.pk)
        with transaction.atomic():
            pipeline.evaluate(team_id=team.pk, positions=[row], events=[], now=NOW)

    results = at_once(count=4, call=evaluate)

    assert results == [None] * 4
    assert (Incident.objects.count(), Message.objects.count()) == (1, 1)


def test_of_many_senders_at_once_one_sends(team, channel, recorder):
    incident = make_incident(make_position(team=team))
    with transaction.atomic():
        outbox.post(team_id=team.pk, told=[(incident, "first")], now=NOW)
    delivery = Delivery.objects.get()

    results = at_once(count=6, call=lambda: outbox.deliver(delivery_ids=[delivery.pk], now=NOW))

    delivery.refresh_from_db()
    assert sorted(results) == [0, 0, 0, 0, 0, 1]
    assert (len(recorder.sent), delivery.attempts, delivery.state) == (1, 1, "sent")
