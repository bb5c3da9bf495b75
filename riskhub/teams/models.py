"""Who may see what: teams, memberships, API tokens and the audit log."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from knox.models import AbstractAuthToken


class Team(models.Model):
    """Owns accounts, positions, rules and channels; nothing crosses from one to another."""

    name = models.CharField(max_length=80, unique=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """What a member may do: see; see and change; change members too."""

    VIEWER = "viewer"
    TRADER = "trader"
    OWNER = "owner"


class Membership(models.Model):
    """A person's role in a team."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=Role.choices, default=Role.VIEWER)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "user"], name="membership_once")
        ]

    @property
    def is_writer(self) -> bool:
        """Tell whether this member may change anything."""
        return self.role in {Role.TRADER, Role.OWNER}


class ApiToken(AbstractAuthToken):
    """A REST token: stored as a digest, bound to one team and to scopes such as `read`."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="+")
    label = models.CharField(max_length=80)
    scopes = models.JSONField(default=list)


class AuditEntry(models.Model):
    """One change made by a person or a command; never edited, never holding a secret."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="audit_entries")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="audit_entries"
    )
    actor = models.CharField(max_length=80)
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=120)
    detail = models.JSONField(default=dict)
    at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["team", "-at"], name="audit_by_time")]
        verbose_name_plural = "audit entries"
