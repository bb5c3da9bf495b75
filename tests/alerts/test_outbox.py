from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

from positions.alerts import outbox, services
from positions.alerts.base import DeliveryError
from positions.alerts.models import Channel, Delivery, Incident, Message
from positions.alerts.retries import SCHEDULE_S, next_delay_s
from riskhub import killpoints
from tests.alerts.steps import evaluate, later, sweep
from tests.factories import NOW, make_incident, make_position, make_rule, make_team

AFTER_LEASE = NOW + outbox.LEASE + timedelta(seconds=1)
BUSY = DeliveryError("HTTP 503", retryable=True)


class Crash(BaseException):
    """The process ends here; nothing of it may tidy up."""


@contextmanager
def crash_at(name):
    """Kill whatever reaches this point, as often as it does."""

    def reach(point):
        if point == name:
            raise Crash(point)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(killpoints, "reach", reach)
        yield


@pytest.fixture
def incident(team):
    return make_incident(make_position(team=team))


@pytest.fixture
def delivery(incident, channel):
    outbox.post(team_id=incident.team_id, told=[(incident, "first")], now=NOW)
    return Delivery.objects.get()


@pytest.mark.parametrize(
    ("point", "copies"),
    [
        ("outbox: before the claim", 1),
        ("outbox: after the claim", 1),
        ("outbox: before the send", 1),
        ("outbox: after the send", 2),
        ("outbox: before the mark", 2),
        ("outbox: after the mark", 1),
    ],
)
def test_a_crash_repeats_a_message_at_most_once_with_its_id_and_loses_none(
    delivery, recorder, point, copies
):
    with crash_at(point), pytest.raises(Crash):
        outbox.deliver(delivery_ids=[delivery.pk], now=NOW)

    sweep(AFTER_LEASE)
    sweep(AFTER_LEASE + outbox.LEASE)

    delivery.refresh_from_db()
    assert [message.id for message in recorder.sent] == [delivery.message.uid] * copies
    assert delivery.state == "sent"


@pytest.mark.parametrize(
    "point",
    ["alerts: before incidents", "alerts: incidents written", "alerts: messages written"],
)
def test_a_crash_before_the_commit_leaves_nothing_and_the_next_poll_tells(
    team, channel, recorder, point
):
    make_rule(team)
    position = make_position(team=team, liquidation_distance=0.04)

    with crash_at(point), pytest.raises(Crash), transaction.atomic():
        evaluate(position)
    left = Incident.objects.count() + Message.objects.count() + Delivery.objects.count()
    told = evaluate(position)
    sweep(NOW)

    assert (left, told, len(recorder.sent)) == (0, ["first"], 1)


@pytest.mark.parametrize("point", ["outbox: before the doorbell", "outbox: after the doorbell"])
def test_a_crash_at_the_doorbell_is_made_good_by_the_sweeper(
    monkeypatch, delivery, recorder, point
):
    monkeypatch.setattr(current_app, "send_task", lambda *_, **__: None)

    with crash_at(point), pytest.raises(Crash):
        outbox.ring(delivery_ids=[delivery.pk])
    sweep(NOW)

    assert len(recorder.sent) == 1


def test_the_doorbell_names_the_task_and_carries_ids_alone(
    monkeypatch, incident, channel, django_capture_on_commit_callbacks
):
    rung = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **how: rung.append((name, how)))

    with django_capture_on_commit_callbacks(execute=True):
        outbox.post(team_id=incident.team_id, told=[(incident, "first")], now=NOW)

    ((name, how),) = rung
    assert name == "positions.tasks.deliver"
    assert how["kwargs"] == {"delivery_ids": [Delivery.objects.get().pk]}
    assert (how["queue"], how["ignore_result"]) == ("default", True)


def test_a_dead_broker_stops_nobody(monkeypatch, delivery, recorder):
    def send_task(*_, **__):
        raise OperationalError("no broker")

    monkeypatch.setattr(current_app, "send_task", send_task)

    outbox.ring(delivery_ids=[delivery.pk])

    assert sweep(NOW) == 1
    assert len(recorder.sent) == 1


def test_a_second_sender_finds_a_leased_row_taken(delivery, recorder):
    second = []
    recorder.script = [
        lambda: second.append(outbox.deliver(delivery_ids=[delivery.pk], now=NOW)),
    ]

    first = outbox.deliver(delivery_ids=[delivery.pk], now=NOW)

    assert (first, second, len(recorder.sent)) == (1, [0], 1)


def test_of_two_senders_that_both_saw_the_row_free_one_sends(monkeypatch, delivery, recorder):
    reach, entered = killpoints.reach, []

    def let_the_other_one_win(point):
        if point == "outbox: before the claim" and not entered:
            entered.append(point)
            outbox.deliver(delivery_ids=[delivery.pk], now=NOW)
        reach(point)

    monkeypatch.setattr(killpoints, "reach", let_the_other_one_win)

    sent = outbox.deliver(delivery_ids=[delivery.pk], now=NOW)

    assert (sent, len(recorder.sent)) == (0, 1)


def test_a_sender_whose_lease_was_taken_over_marks_nothing(delivery, recorder):
    recorder.script = [lambda: outbox.deliver(delivery_ids=[delivery.pk], now=AFTER_LEASE)]

    outbox.deliver(delivery_ids=[delivery.pk], now=NOW)

    delivery.refresh_from_db()
    assert delivery.state == "sent"
    assert delivery.sent_at >= AFTER_LEASE
    assert [message.id for message in recorder.sent] == [delivery.message.uid] * 2


def test_a_running_lease_is_left_alone_by_the_sweeper(delivery, recorder):
    Delivery.objects.update(state="leased", lease_until=later(30), lease_token="other", attempts=1)

    assert sweep(later(29)) == 0
    assert sweep(later(30)) == 1


def test_a_failure_is_tried_again_on_the_schedule_and_then_dead(delivery, recorder):
    recorder.script = [BUSY] * 11
    at, waits = NOW, []

    for _ in range(10):
        outbox.deliver(delivery_ids=[delivery.pk], now=at)
        delivery.refresh_from_db()
        if delivery.state == "pending":
            waits.append((delivery.next_attempt_at - at).total_seconds())
            early = delivery.next_attempt_at - timedelta(seconds=1)
            assert outbox.deliver(delivery_ids=[delivery.pk], now=early) == 0
            at = delivery.next_attempt_at

    assert waits == pytest.approx(SCHEDULE_S, rel=0.1)
    assert (delivery.state, delivery.attempts, delivery.last_error) == ("dead", 10, "HTTP 503")
    assert len(recorder.script) == 1


def test_after_failures_the_message_arrives_once_with_its_id(delivery, recorder):
    recorder.script = [BUSY, BUSY, BUSY]

    for at in (0, 6, 400, 3000):
        sweep(later(at))

    delivery.refresh_from_db()
    assert [message.id for message in recorder.sent] == [delivery.message.uid]
    assert (delivery.state, delivery.attempts, delivery.last_error) == ("sent", 4, "")


def test_jitter_follows_from_the_row_and_spreads_rows():
    delays = [next_delay_s(attempts=2, delivery_id=pk, retry_after_s=None) for pk in range(200)]

    assert delays == [
        next_delay_s(attempts=2, delivery_id=pk, retry_after_s=None) for pk in range(200)
    ]
    assert len(set(delays)) == 200
    assert 270 <= min(delays) < 280
    assert 320 < max(delays) <= 330


def test_the_receivers_wish_for_a_pause_is_kept(delivery, recorder):
    recorder.script = [DeliveryError("HTTP 429", retryable=True, retry_after_s=120)]

    outbox.deliver(delivery_ids=[delivery.pk], now=NOW)

    delivery.refresh_from_db()
    wait_s = (delivery.next_attempt_at - NOW).total_seconds()
    assert wait_s == pytest.approx(120, abs=1)


def test_a_refusal_for_good_is_dead_at_once_and_can_be_sent_again(team, delivery, recorder):
    recorder.script = [DeliveryError("HTTP 404", retryable=False)]
    outbox.deliver(delivery_ids=[delivery.pk], now=NOW)
    delivery.refresh_from_db()
    dead = delivery.state

    services.resend(team=team, delivery_id=delivery.pk, now=later(60))
    sweep(later(60))

    delivery.refresh_from_db()
    assert (dead, delivery.state) == ("dead", "sent")
    assert [message.id for message in recorder.sent] == [delivery.message.uid]


def test_another_teams_delivery_cannot_be_sent_again(delivery):
    with pytest.raises(Delivery.DoesNotExist):
        services.resend(team=make_team(), delivery_id=delivery.pk, now=NOW)


def test_a_receiver_that_is_gone_switches_its_channel_off(incident, channel, recorder):
    other = make_incident(incident.position)
    outbox.post(team_id=incident.team_id, told=[(incident, "first"), (other, "first")], now=NOW)
    recorder.script = [DeliveryError("HTTP 410", retryable=False, disable=True)]

    sweep(NOW)
    sweep(later(86_400))

    channel.refresh_from_db()
    assert channel.is_enabled is False
    assert "HTTP 410" in channel.disabled_reason
    assert set(Delivery.objects.values_list("state", flat=True)) == {"dead"}
    assert recorder.sent == []


def test_a_channel_that_just_failed_is_not_asked_again_in_the_same_call(
    incident, channel, recorder
):
    told = [(incident, "first"), (make_incident(incident.position), "first")]
    outbox.post(team_id=incident.team_id, told=told, now=NOW)
    recorder.script = [BUSY]

    sent = sweep(NOW)

    attempts = list(Delivery.objects.order_by("pk").values_list("attempts", flat=True))
    assert (sent, attempts) == (0, [1, 0])


def test_a_channel_with_a_pile_hides_no_other(team, incident, channel, recorder):
    pile = [(make_incident(incident.position), "first") for _ in range(30)]
    outbox.post(team_id=team.pk, told=pile, now=NOW)
    Channel.objects.update(is_enabled=False)
    Channel.objects.create(team=team, kind="recorder", label="new", created_at=NOW)
    outbox.post(team_id=team.pk, told=[(incident, "first")], now=later(1))
    Channel.objects.update(is_enabled=True)

    sweep(later(2), limit=5)

    uid = Message.objects.latest("pk").uid
    assert uid in {message.id for message in recorder.sent}


def test_a_fault_inside_a_channel_is_an_ordinary_failure(delivery, recorder):
    recorder.script = [RuntimeError("boom")]

    outbox.deliver(delivery_ids=[delivery.pk], now=NOW)

    delivery.refresh_from_db()
    assert (delivery.state, delivery.last_error) == ("pending", "RiskHub failed (RuntimeError).")


def test_a_channel_of_another_release_waits(delivery):
    Channel.objects.update(kind="pigeon")

    outbox.deliver(delivery_ids=[delivery.pk], now=NOW)

    delivery.refresh_from_db()
    assert (delivery.state, delivery.last_error) == (
        "pending",
        "This release has no channel 'pigeon'.",
    )


def test_newer_news_waits_for_older_news_that_is_on_its_way(incident, channel, recorder):
    outbox.post(team_id=incident.team_id, told=[(incident, "first")], now=NOW)
    first = Delivery.objects.get()
    seen = []

    def resolve_meanwhile():
        outbox.post(team_id=incident.team_id, told=[(incident, "resolved")], now=NOW)
        seen.append(sweep(NOW))

    recorder.script = [resolve_meanwhile]
    outbox.deliver(delivery_ids=[first.pk], now=NOW)
    sweep(later(5))

    assert seen == [0]
    assert [message.payload["data"]["reason"] for message in recorder.sent] == [
        "first",
        "resolved",
    ]


def test_old_news_that_failed_is_not_retried_once_newer_news_is_there(incident, channel, recorder):
    outbox.post(team_id=incident.team_id, told=[(incident, "first")], now=NOW)
    first = Delivery.objects.get()

    def get_worse_and_fail():
        outbox.post(team_id=incident.team_id, told=[(incident, "worse")], now=NOW)
        raise BUSY

    recorder.script = [get_worse_and_fail]
    outbox.deliver(delivery_ids=[first.pk], now=NOW)
    sweep(later(5))
    sweep(later(10))

    first.refresh_from_db()
    assert first.state == "superseded"
    assert [message.payload["data"]["reason"] for message in recorder.sent] == ["worse"]


def test_a_team_without_channels_keeps_the_message(incident):
    outbox.post(team_id=incident.team_id, told=[(incident, "first")], now=NOW)

    assert (Message.objects.count(), Delivery.objects.count()) == (1, 0)


def test_the_claim_judges_the_row_itself(delivery, django_assert_max_num_queries):
    with django_assert_max_num_queries(1) as queries:
        outbox._claim(delivery.pk, NOW)

    # A subquery that yields the row's id would be judged by an old snapshot on PostgreSQL.
    sql = queries[0]["sql"]
    assert sql.startswith("UPDATE")
    assert '"id" IN (SELECT' not in sql
    assert '"alerts_delivery"."state" = ' in sql


def test_a_test_message_shows_its_outcome(channel, recorder):
    good = services.send_test(channel=channel, now=NOW)
    recorder.script = [DeliveryError("HTTP 404", retryable=False)]
    bad = services.send_test(channel=channel, now=NOW)

    assert (good.state, bad.state, bad.last_error) == ("sent", "dead", "HTTP 404")
    assert recorder.sent[0].payload["type"] == "channel.test"
