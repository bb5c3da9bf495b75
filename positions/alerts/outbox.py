"""The transactional outbox: messages are written with what they tell, and sent afterwards.

Celery is only the doorbell. The database decides: a sender claims a delivery with a conditional
UPDATE and a lease, sends outside any transaction, and marks it sent after the send. A sender that
dies leaves a lease that runs out; the sweeper gives the row to another one, with the same id. So a
crash may repeat a message, never lose one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from celery import current_app
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Window
from django.db.models.functions import RowNumber
from kombu.exceptions import OperationalError

from positions.alerts import payload, registry
from positions.alerts.base import Config, DeliveryError
from positions.alerts.base import Message as OutgoingMessage
from positions.alerts.models import Channel, Delivery, DeliveryState, Incident, Message, Reason
from positions.alerts.retries import next_delay_s
from riskhub import clock, killpoints, logs
from riskhub.crypto import UndecryptableError

log = logs.get(__name__)

# Longer than any channel may take for one send.
LEASE = timedelta(seconds=60)
# A sweep begins no send after this long, so that sweeps do not pile up behind slow receivers.
_SWEEP_S = 30.0
_PER_DOORBELL = 50
_PER_CHANNEL = 20
_ERROR_LENGTH = 300


def post(*, team_id: int, told: Sequence[tuple[Incident, Reason]], now: datetime) -> None:
    """Write a message for each incident and reason, and a delivery for each enabled channel.

    Call it inside the transaction of what is told; the doorbell rings once that has committed.
    A delivery of older news about the same incident that nobody has taken yet is superseded.
    """
    if not told:
        return
    channels = list(Channel.objects.filter(team_id=team_id, is_enabled=True).order_by("pk"))
    _supersede([incident.pk for incident, _ in told])
    messages = Message.objects.bulk_create(
        [_write_message(team_id, incident, reason, now) for incident, reason in told]
    )
    deliveries = Delivery.objects.bulk_create(
        [
            Delivery(team_id=team_id, message=message, channel=channel, next_attempt_at=now)
            for channel in channels
            for message in messages
        ]
    )
    _ring_on_commit(deliveries)


def _write_message(team_id: int, incident: Incident, reason: Reason, now: datetime) -> Message:
    uid = make_uid()
    return Message(
        team_id=team_id,
        incident=incident,
        reason=reason,
        uid=uid,
        payload=payload.build(incident=incident, reason=reason, uid=uid, now=now),
        created_at=now,
    )


def make_uid() -> str:
    """Return a new message id, the same on every attempt to deliver it."""
    return f"msg_{uuid4().hex}"


def _supersede(incident_ids: Sequence[int]) -> None:
    for start in range(0, len(incident_ids), 500):
        Delivery.objects.filter(
            state=DeliveryState.PENDING, message__incident__in=incident_ids[start : start + 500]
        ).update(state=DeliveryState.SUPERSEDED)


def _ring_on_commit(deliveries: Iterable[Delivery]) -> None:
    by_channel: dict[int, list[int]] = defaultdict(list)
    for delivery in deliveries:
        by_channel[delivery.channel_id].append(delivery.pk)
    # One doorbell speaks of one channel: a slow one keeps no other waiting.
    for ids in by_channel.values():
        for start in range(0, len(ids), _PER_DOORBELL):
            chunk = ids[start : start + _PER_DOORBELL]
            transaction.on_commit(partial(ring, delivery_ids=chunk), robust=True)


def ring(*, delivery_ids: Sequence[int]) -> None:
    """Ask a worker to deliver; without a broker the sweeper does it a few seconds later."""
    killpoints.reach("outbox: before the doorbell")
    try:
        current_app.send_task(
            "positions.tasks.deliver",
            kwargs={"delivery_ids": list(delivery_ids)},
            queue="default",
            ignore_result=True,
            retry=False,
        )
    except (OperationalError, OSError) as error:
        log.warning("doorbell_failed", deliveries=len(delivery_ids), error=logs.describe(error))
    killpoints.reach("outbox: after the doorbell")


def deliver(*, delivery_ids: Sequence[int], now: datetime) -> int:
    """Send those of the deliveries that are due and free; return how many were accepted.

    A channel that has just failed is not asked again in the same call.
    """
    return _deliver(delivery_ids, now, until_s=None)


def sweep(*, now: datetime, limit: int) -> int:
    """Send what is due and what dead senders left; return how many were accepted.

    At most `limit` in all and a few of each channel, so that a dead channel's pile hides no other.
    """
    rows = (
        Delivery.objects.filter(_is_due(now), _has_enabled_channel())
        .annotate(
            place=Window(RowNumber(), partition_by="channel", order_by=["next_attempt_at", "pk"])
        )
        .filter(place__lte=_PER_CHANNEL)
        .order_by("place", "next_attempt_at")
        .values_list("pk", flat=True)
    )
    return _deliver(list(rows[:limit]), now, until_s=_SWEEP_S)


def _deliver(delivery_ids: Sequence[int], now: datetime, *, until_s: float | None) -> int:
    started_s, sent, failing = clock.monotonic_s(), 0, set[int]()
    rows = Delivery.objects.filter(pk__in=delivery_ids).values_list("pk", "channel_id")
    channels = dict(rows)
    for pk in delivery_ids:
        passed_s = clock.monotonic_s() - started_s
        if until_s is not None and passed_s > until_s:
            break
        if pk not in channels or channels[pk] in failing:
            continue
        outcome = _deliver_one(pk, now + timedelta(seconds=passed_s))
        sent += outcome is True
        if outcome is False:
            failing.add(channels[pk])
    return sent


def _deliver_one(pk: int, now: datetime) -> bool | None:
    """Return True when accepted, False when it failed, None when the row is not ours to send."""
    killpoints.reach("outbox: before the claim")
    token = _claim(pk, now)
    killpoints.reach("outbox: after the claim")
    if token is None:
        return None
    delivery = Delivery.objects.select_related("message", "channel").filter(pk=pk).first()
    # A person has just removed the channel.
    if delivery is None:
        return None
    error = _send(delivery, now)
    if error is None:
        _mark_sent(delivery, token, now)
    else:
        _mark_failed(delivery, token, error, now)
    killpoints.reach("outbox: after the mark")
    return error is None


def _is_due(now: datetime) -> Q:
    return Q(state=DeliveryState.PENDING, next_attempt_at__lte=now) | Q(
        state=DeliveryState.LEASED, lease_until__lte=now
    )


def _has_enabled_channel() -> Exists:
    return Exists(Channel.objects.filter(pk=OuterRef("channel_id"), is_enabled=True))


def _claim(pk: int, now: datetime) -> str | None:
    """Take the lease; None when the row is not due, or another sender has it.

    All conditions stand on the row itself: PostgreSQL judges them again after waiting for another
    sender's claim. News waits while older news of the same incident is on its way.
    """
    token = uuid4().hex
    on_its_way = Delivery.objects.filter(
        channel_id=OuterRef("channel_id"),
        message__incident_id=OuterRef("message__incident_id"),
        state=DeliveryState.LEASED,
        lease_until__gt=now,
        pk__lt=pk,
    )
    earlier = Delivery.objects.filter(pk=pk).filter(Exists(on_its_way))
    taken = (
        Delivery.objects.filter(_is_due(now), _has_enabled_channel(), pk=pk)
        .exclude(Exists(earlier))
        .update(
            state=DeliveryState.LEASED,
            lease_token=token,
            lease_until=now + LEASE,
            attempts=F("attempts") + 1,
        )
    )
    return token if taken else None


def _send(delivery: Delivery, now: datetime) -> DeliveryError | None:
    message = OutgoingMessage(delivery.message.uid, delivery.message.payload, now)
    try:
        channel = registry.get(delivery.channel.kind)
        config = open_config(delivery.channel)
        killpoints.reach("outbox: before the send")
        channel.send(message, config)
        killpoints.reach("outbox: after the send")
    except DeliveryError as error:
        return error
    except Exception as error:  # A fault in one channel must not stop the others.
        log.exception("channel_failed", kind=delivery.channel.kind, delivery_id=delivery.pk)
        return DeliveryError(f"RiskHub failed ({type(error).__name__}).", retryable=True)
    return None


def open_config(channel: Channel) -> Config:
    """Return a channel's configuration with its secrets; raises DeliveryError."""
    secrets: Any = channel.secrets
    try:
        opened: dict[str, str] = secrets.open() if secrets else {}
    except UndecryptableError as error:
        raise DeliveryError(str(error), retryable=True) from None
    for secret in opened.values():
        logs.remember_secret(secret)
    return Config({**channel.config, **opened})


def _mark_sent(delivery: Delivery, token: str, now: datetime) -> None:
    killpoints.reach("outbox: before the mark")
    Delivery.objects.filter(pk=delivery.pk, lease_token=token).update(
        state=DeliveryState.SENT, sent_at=now, lease_until=None, lease_token="", last_error=""
    )
    log.info("delivered", delivery_id=delivery.pk, message=delivery.message.uid)


def _mark_failed(delivery: Delivery, token: str, error: DeliveryError, now: datetime) -> None:
    sentence = logs.scrub(str(error))[:_ERROR_LENGTH]
    delay_s = next_delay_s(
        attempts=delivery.attempts,
        delivery_id=delivery.pk,
        retry_after_s=error.retry_after_s,
    )
    with transaction.atomic():
        if error.disable:
            _disable(delivery.channel, sentence)
        row = Delivery.objects.filter(pk=delivery.pk, lease_token=token)
        common = {"lease_until": None, "lease_token": "", "last_error": sentence}
        if _is_outdated(delivery):
            row.update(state=DeliveryState.SUPERSEDED, **common)
        elif error.retryable and delay_s is not None:
            at = now + timedelta(seconds=delay_s)
            row.update(state=DeliveryState.PENDING, next_attempt_at=at, **common)
        else:
            row.update(state=DeliveryState.DEAD, **common)
    log.warning(
        "delivery_failed",
        delivery_id=delivery.pk,
        message=delivery.message.uid,
        attempts=delivery.attempts,
        error=sentence,
    )


def _is_outdated(delivery: Delivery) -> bool:
    incident_id = delivery.message.incident_id
    if incident_id is None:
        return False
    return Delivery.objects.filter(
        channel_id=delivery.channel_id, message__incident_id=incident_id, pk__gt=delivery.pk
    ).exists()


def _disable(channel: Channel, sentence: str) -> None:
    """Switch off a channel whose receiver wants no more; what waits for it is given up."""
    reason = f"The receiver wants no more messages ({sentence})."[:_ERROR_LENGTH]
    Channel.objects.filter(pk=channel.pk).update(is_enabled=False, disabled_reason=reason)
    give_up(channel=channel, why=reason)


def give_up(*, channel: Channel, why: str) -> None:
    """Let what waits for a channel go no further: it stays visible and can be sent again."""
    Delivery.objects.filter(channel=channel, state=DeliveryState.PENDING).update(
        state=DeliveryState.DEAD, last_error=why
    )
