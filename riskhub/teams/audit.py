"""Write the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.models import AnonymousUser, User

from riskhub.teams.models import AuditEntry, Team


def record(
    *,
    team: Team,
    action: str,
    subject: str,
    now: datetime,
    user: User | AnonymousUser | None = None,
    detail: dict[str, Any] | None = None,
    actor: str = "command",
) -> AuditEntry:
    """Record who did what to which thing; call it in the transaction of the change itself.

    Without a user it was `actor`: "command" is somebody with a shell on the server, "riskhub" what
    happens by itself.
    """
    known = user if isinstance(user, User) else None
    return AuditEntry.objects.create(
        team=team,
        user=known,
        actor=known.get_username() if known else actor,
        action=action,
        subject=subject[:120],
        detail=detail or {},
        at=now,
    )
