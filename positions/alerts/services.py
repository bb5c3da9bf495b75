"""Writes about alerts that a person, a command or an API asks for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from positions.alerts import outbox, payload, pipeline
from positions.alerts.base import CHANNELS, Config
from positions.alerts.models import (
    AlertRule,
    Channel,
    Delivery,
    DeliveryState,
    Incident,
    IncidentState,
    Message,
    Reason,
)
from positions.alerts.rules import RuleKind
from riskhub import logs
from riskhub.crypto import Secrets
from riskhub.teams import audit
from riskhub.teams.models import Team

CHANNEL_REMOVED = "channel.remove"
SWITCHED_OFF = "The channel was switched off."
_LABEL_LENGTH = 60


def add_channel(
    *,
    team: Team,
    kind: str,
    label: str,
    fields: dict[str, str],
    now: datetime,
    user: User | None = None,
) -> Channel:
    """Add a channel; secrets among `fields` are sealed and never shown again.

    Raises ValidationError with a sentence: no such kind, bad configuration, label in use.
    """
    if kind not in CHANNELS:
        raise ValidationError(f"There is no channel {kind!r}; one of: {_kinds()}.")
    form = CHANNELS[kind]()
    config = {name: fields.get(name, "").strip() for name in form.config_fields}
    plain = {name: config.pop(name) for name in form.secret_fields}
    for secret in plain.values():
        logs.remember_secret(secret)
    problem = form.find_problem(Config({**config, **plain})) or _label_problem(team, label)
    if problem:
        raise ValidationError(problem)
    channel = Channel(
        team=team,
        kind=kind,
        label=label.strip(),
        config=config,
        secrets=Secrets.of(plain),
        created_at=now,
    )
    try:
        with transaction.atomic():
            channel.save()
            _record(team, "channel.add", _channel_name(channel), now=now, user=user)
    except IntegrityError:
        # The same form sent twice at once.
        raise ValidationError(_label_taken(channel.label)) from None
    return channel


def make_secrets(*, kind: str, fields: Mapping[str, str]) -> dict[str, str]:
    """Return new secrets for those fields of a kind that are not given and can be made.

    Show them once: with the channel they are sealed.
    """
    makers = CHANNELS[kind].makers if kind in CHANNELS else {}
    return {name: make() for name, make in makers.items() if name not in fields}


def find_refusal(*, kind: str, fields: Mapping[str, str]) -> str:
    """Return why messages to such a channel would not even leave; "" when they do.

    Asks the resolver: never inside a transaction.
    """
    return CHANNELS[kind]().find_refusal(Config(fields)) if kind in CHANNELS else ""


def switch_channel(
    *, team: Team, channel_id: int, is_enabled: bool, user: User | None, now: datetime
) -> Channel:
    """Stop telling through a channel, or begin again; what waits for a stopped one is given up.

    Raises Channel.DoesNotExist, for another team's too.
    """
    with transaction.atomic():
        channel = _hold_channel(team, channel_id)
        if channel.is_enabled != is_enabled:
            channel.is_enabled, channel.disabled_reason = is_enabled, ""
            channel.save(update_fields=["is_enabled", "disabled_reason"])
            if not is_enabled:
                outbox.give_up(channel=channel, why=SWITCHED_OFF)
            action = "channel.enable" if is_enabled else "channel.disable"
            _record(team, action, _channel_name(channel), now=now, user=user)
    return channel


def remove_channel(*, team: Team, channel_id: int, user: User | None, now: datetime) -> Channel:
    """Remove a channel with its secrets and the record of what was sent through it.

    Raises Channel.DoesNotExist, for another team's too.
    """
    with transaction.atomic():
        channel = _hold_channel(team, channel_id)
        Channel.objects.filter(pk=channel.pk).delete()
        _record(team, CHANNEL_REMOVED, _channel_name(channel), now=now, user=user)
    return channel


def _hold_channel(team: Team, channel_id: int) -> Channel:
    # An evaluation that has read the channels already still writes deliveries for them.
    pipeline.take_turn(team.pk)
    rows = Channel.objects.select_for_update().defer("secrets")
    return rows.get(pk=channel_id, team=team)


def _channel_name(channel: Channel) -> str:
    return f"{channel.kind} {channel.label}"


def _label_problem(team: Team, label: str) -> str:
    if not label.strip():
        return "Give the channel a label."
    if len(label.strip()) > _LABEL_LENGTH:
        return f"A label has at most {_LABEL_LENGTH} characters."
    if Channel.objects.filter(team=team, label=label.strip()).exists():
        return _label_taken(label.strip())
    return ""


def _label_taken(label: str) -> str:
    return f"There is already a channel {label!r}."


def _kinds() -> str:
    return ", ".join(sorted(CHANNELS))


def send_test(*, channel: Channel, now: datetime, user: User | None = None) -> Delivery:
    """Send a test message through a channel now and return the delivery with its outcome."""
    uid = outbox.make_uid()
    with transaction.atomic():
        message = Message.objects.create(
            team=channel.team,
            reason=Reason.TEST,
            uid=uid,
            payload=payload.build_test(channel=channel, uid=uid, now=now),
            created_at=now,
        )
        delivery = Delivery.objects.create(
            team=channel.team, message=message, channel=channel, next_attempt_at=now
        )
        _record(channel.team, "channel.test", _channel_name(channel), now=now, user=user)
    outbox.deliver(delivery_ids=[delivery.pk], now=now)
    delivery.refresh_from_db()
    return delivery


def acknowledge(*, team: Team, incident_id: int, user: User | None, now: datetime) -> Incident:
    """Note that a person has seen a firing incident: it is not repeated unless it gets worse.

    An event, such as a liquidation, is over once it is acknowledged. Nothing changes for an
    incident that is not firing. Raises Incident.DoesNotExist, for another team's too.
    """
    with transaction.atomic():
        incident = (
            Incident.objects.select_for_update(of=("self",))
            .select_related("rule")
            .get(pk=incident_id, team=team)
        )
        if incident.state == IncidentState.FIRING:
            incident.state = IncidentState.ACKNOWLEDGED
            incident.acknowledged_at, incident.acknowledged_by_id = now, user.pk if user else None
            if incident.rule and incident.rule.kind == RuleKind.EVENT:
                incident.state = IncidentState.RESOLVED
                incident.resolved_at, incident.resolution = now, "acknowledged"
            incident.save()
            _record(team, "incident.acknowledge", incident.headline, now=now, user=user)
    return incident


def resend(*, team: Team, delivery_id: int, now: datetime, user: User | None = None) -> Delivery:
    """Give a dead delivery its whole schedule again, with the same message id.

    Nothing changes for one that is not dead. Raises Delivery.DoesNotExist.
    """
    with transaction.atomic():
        delivery = Delivery.objects.select_for_update().get(pk=delivery_id, team=team)
        if delivery.state == DeliveryState.DEAD:
            delivery.state = DeliveryState.PENDING
            delivery.attempts, delivery.next_attempt_at = 0, now
            delivery.save()
            _record(team, "delivery.resend", f"delivery {delivery.pk}", now=now, user=user)
            transaction.on_commit(lambda: outbox.ring(delivery_ids=[delivery.pk]), robust=True)
    return delivery


def save_rule(*, rule: AlertRule, now: datetime, user: User | None = None) -> AlertRule:
    """Store a new or changed rule; raises ValidationError when it makes no sense."""
    rule.created_at = rule.created_at or now
    rule.full_clean()
    with transaction.atomic():
        rule.save()
        _record(rule.team, "rule.save", rule.name, now=now, user=user)
    return rule


def _record(team: Team, action: str, subject: str, *, now: datetime, user: User | None) -> None:
    audit.record(team=team, action=action, subject=subject, now=now, user=user)
