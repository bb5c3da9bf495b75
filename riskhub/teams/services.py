"""Make and find teams."""

from __future__ import annotations

from datetime import datetime

from riskhub.teams.models import Team

DEFAULT_TEAM = "Default"


def default_team(*, now: datetime) -> Team:
    """Return the oldest team, made if there is none: a command works on an empty database."""
    team = Team.objects.order_by("id").first()
    return team or Team.objects.get_or_create(name=DEFAULT_TEAM, defaults={"created_at": now})[0]
