"""Rules, incidents, channels and the outbox of messages and deliveries."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from positions.alerts.rules import Level, RuleKind, find_problem, read_ladder
from positions.models import Position
from riskhub.crypto import SealedField
from riskhub.teams.models import Team
from venues.models import Account


class IncidentState(models.TextChoices):
    """An incident's life; pending waits for the rule's for-duration and is told to nobody."""

    PENDING = "pending"
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Reason(models.TextChoices):
    """Why a message is sent."""

    FIRST = "first"
    WORSE = "worse"
    REPEAT = "repeat"
    RESOLVED = "resolved"
    TEST = "test"


class DeliveryState(models.TextChoices):
    """A delivery's life.

    superseded  a later message about the same incident made it pointless before it was tried
    dead        given up: refused for good, or the retry schedule ran out; can be sent again
    """

    PENDING = "pending"
    LEASED = "leased"
    SENT = "sent"
    SUPERSEDED = "superseded"
    DEAD = "dead"


class AlertRule(models.Model):
    """A condition with its ladder of levels, for the part of a team's book that `scope` names.

    measure      threshold rules: a name in the measure registry
    events       event rules: kinds of positions.models.EventKind
    scope        venue, account (ids), asset, side -> list of allowed values; none means all
    levels       list of {level, rearm, severity}, the mildest first (positions.alerts.rules)
    for_s        the condition must hold that long before anybody is told
    clear_for_s  a milder level, or none at all, must hold that long before it is believed
    repeat_s     a firing incident that nobody acknowledged is told again so often; 0 is never

    `kind` and `measure` have no model choices: a new one needs no migration.
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="alert_rules")
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=16, default=RuleKind.THRESHOLD)
    measure = models.CharField(max_length=60, blank=True)
    events = models.JSONField(default=list, blank=True)
    scope = models.JSONField(default=dict, blank=True)
    levels = models.JSONField(default=list)
    for_s = models.FloatField(default=0.0)
    clear_for_s = models.FloatField(default=60.0)
    repeat_s = models.FloatField(default=4 * 3600.0)
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "name"], name="alert_rule_name_once")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def ladder(self) -> tuple[Level, ...]:
        """The levels as value objects, the least dangerous first."""
        return read_ladder(self.levels)

    def clean(self) -> None:
        """Refuse what cannot be evaluated; raises ValidationError with a sentence."""
        problem = find_problem(
            kind=self.kind,
            measure=self.measure,
            events=self.events,
            scope=self.scope,
            levels=self.levels,
            for_s=self.for_s,
            clear_for_s=self.clear_for_s,
            repeat_s=self.repeat_s,
        )
        if problem:
            raise ValidationError(problem)


class Incident(models.Model):
    """One breach of one rule by one subject, from the first sight of it to its end.

    subject        what it is about, such as "position:12/life:34" or "account:3"
    rank           number of the level reached, counted from 1 up the rule's ladder
    opened_at      the condition was first seen; fired_at: it had held for the rule's for-duration
    value          the measure when the incident last moved; None where it has no finite number
    unknown_since  since when the measure has not been known; the incident stays as it was
    eased_since    since when it has been milder without a break, which is not believed yet
    eased_rank     the most dangerous level seen in that time; 0 is none
    why            the figures at that time, each with its source (positions.alerts.payload.explain)
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="incidents")
    rule = models.ForeignKey(AlertRule, models.SET_NULL, null=True, related_name="incidents")
    subject = models.CharField(max_length=120)
    position = models.ForeignKey(
        Position, models.CASCADE, null=True, blank=True, related_name="incidents"
    )
    account = models.ForeignKey(
        Account, models.CASCADE, null=True, blank=True, related_name="incidents"
    )
    severity = models.CharField(max_length=8)
    rank = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(
        max_length=12, choices=IncidentState.choices, default=IncidentState.PENDING
    )
    opened_at = models.DateTimeField()
    fired_at = models.DateTimeField(null=True, blank=True)
    last_message_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=120, blank=True)
    value = models.FloatField(null=True, blank=True)
    unknown_since = models.DateTimeField(null=True, blank=True)
    eased_since = models.DateTimeField(null=True, blank=True)
    eased_rank = models.PositiveSmallIntegerField(default=0)
    # One sentence: what is wrong, where, and how far.
    headline = models.CharField(max_length=300, blank=True)
    why = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["rule", "subject"],
                condition=Q(resolved_at=None),
                name="incident_open_once",
            ),
            models.CheckConstraint(
                condition=Q(state=IncidentState.RESOLVED, resolved_at__isnull=False)
                | (~Q(state=IncidentState.RESOLVED) & Q(resolved_at__isnull=True)),
                name="incident_resolved_with_time",
            ),
        ]
        indexes: ClassVar = [
            # Each evaluation asks for what is open on the accounts it looks at.
            models.Index(
                fields=["team", "account"], condition=Q(resolved_at=None), name="incident_open"
            ),
            models.Index(fields=["team", "-opened_at"], name="incident_by_time"),
        ]

    @property
    def is_open(self) -> bool:
        """Tell whether the incident has not been resolved."""
        return self.resolved_at is None

    @property
    def is_simulated(self) -> bool:
        """Tell whether the incident is about a made-up account."""
        return self.account is not None and self.account.is_simulated


class Channel(models.Model):
    """Where a team wants its messages: a kind with its configuration, secrets apart and sealed.

    `disabled_reason` says why RiskHub itself switched the channel off ("" when it did not).
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="channels")
    kind = models.CharField(max_length=20)
    label = models.CharField(max_length=60)
    config = models.JSONField(default=dict)
    secrets = SealedField(blank=True, null=True, editable=False)
    is_enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "label"], name="channel_label_once")
        ]

    def __str__(self) -> str:
        return self.label


class Message(models.Model):
    """What is told, once for all channels; written in the transaction of what it tells.

    `uid` is the same on every attempt, so that a receiver can drop what it has had.
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="messages")
    # None for the test of a channel.
    incident = models.ForeignKey(Incident, models.CASCADE, null=True, related_name="messages")
    reason = models.CharField(max_length=8, choices=Reason.choices)
    uid = models.CharField(max_length=40, unique=True)
    payload = models.JSONField()
    created_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["team", "-created_at"], name="message_by_time")]


class Delivery(models.Model):
    """One message on its way through one channel.

    attempts         counted when the lease is taken, so that a crash counts as one
    next_attempt_at  the retry time: a column, never a delay in the broker
    lease_until      when another sender may take a leased row over
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="deliveries")
    message = models.ForeignKey(Message, models.CASCADE, related_name="deliveries")
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="deliveries")
    state = models.CharField(
        max_length=10, choices=DeliveryState.choices, default=DeliveryState.PENDING
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.CharField(max_length=32, blank=True)
    last_error = models.CharField(max_length=300, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["message", "channel"], name="delivery_once")
        ]
        indexes: ClassVar = [
            # The sweeper asks each few seconds for what is due or was left by a dead sender.
            models.Index(
                fields=["channel", "next_attempt_at"],
                condition=Q(state__in=["pending", "leased"]),
                name="delivery_due",
            ),
            models.Index(fields=["team", "state"], name="delivery_by_state"),
        ]
        verbose_name_plural = "deliveries"
