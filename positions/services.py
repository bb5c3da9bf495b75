"""Writes that a person asks for on a page."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from positions.alerts import pipeline
from positions.broadcast import publish
from positions.engine.types import PositionState
from positions.models import Event, EventKind, Life, Position
from riskhub.teams import audit
from riskhub.teams.models import Team
from venues.models import Account
from venues.services import begin_again, hold_account


class NotGoneError(Exception):
    """The position is not missing any more: a poll was quicker than the person."""


def explain_gone(*, team: Team, position_id: int, user: User, now: datetime) -> Position:
    """End a vanished position as closed, by the word of a person; its life ends when it vanished.

    Raises Position.DoesNotExist, for another team's too, and NotGoneError when there is nothing
    to explain.
    """
    with transaction.atomic():
        position = (
            Position.objects.select_for_update(of=("self",))
            .select_related("account", "market", "life", "provenance")
            .get(pk=position_id, team=team)
        )
        if position.state != PositionState.GONE or position.life is None:
            raise NotGoneError
        position.state, position.committed_at = PositionState.CLOSED, now
        position.save(update_fields=["state", "committed_at"])
        event = _end_life(position, position.life, user=user, now=now)
        audit.record(
            team=team, action="position.explained", subject=str(position.pk), now=now, user=user
        )
        pipeline.evaluate(team_id=team.pk, positions=[position], events=[event], now=now)
        publish(positions=[position], events=[event])
    return position


def _end_life(position: Position, life: Life, *, user: User, now: datetime) -> Event:
    vanished = position.events.filter(life=life, kind=EventKind.GONE).order_by("-at").first()
    life.ended_at = vanished.at if vanished else now
    life.end_state = PositionState.CLOSED
    life.end_reference = f"told by {user.get_username()}"[:80]
    life.save(update_fields=["ended_at", "end_state", "end_reference"])
    return Event.objects.create(
        team_id=position.team_id,
        position=position,
        life=life,
        kind=EventKind.CLOSED,
        at=now,
        committed_at=now,
        detail={"reference": life.end_reference},
    )


def poll_now(*, team: Team, account_id: int, user: User, now: datetime) -> Account:
    """Let an account be read at once, also one whose polling had stopped by itself.

    One whose key was refused for what it may do stays as it is: it needs another key.

    Raises Account.DoesNotExist, for another team's too.
    """
    with transaction.atomic():
        account = hold_account(team=team, account_id=account_id)
        was_blocked = bool(account.blocked_reason)
        changed = begin_again(account, now=now)
        if not changed:
            return account
        account.save(update_fields=changed)
        action = "account.unblocked" if was_blocked else "account.polled"
        audit.record(team=team, action=action, subject=str(account), now=now, user=user)
    return account


def switch_account(
    *, team: Team, account_id: int, is_enabled: bool, user: User, now: datetime
) -> Account:
    """Stop reading an account, or begin again; what it last showed is kept.

    What is open about a disabled account and its positions ends with it: nobody looks any more.

    Raises Account.DoesNotExist, for another team's too.
    """
    with transaction.atomic():
        account = hold_account(team=team, account_id=account_id)
        if account.is_enabled != is_enabled:
            account.is_enabled, account.next_poll_at = is_enabled, now
            account.save(update_fields=["is_enabled", "next_poll_at"])
            action = "account.enabled" if is_enabled else "account.disabled"
            audit.record(team=team, action=action, subject=str(account), now=now, user=user)
            if not is_enabled:
                pipeline.close_account(account=account, now=now)
    return account
