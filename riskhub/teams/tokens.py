"""REST tokens: make, list and revoke; what is stored is a digest, the text is shown once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from knox.models import get_digest_token
from knox.settings import CONSTANTS

from riskhub import logs
from riskhub.teams import audit
from riskhub.teams.models import ApiToken, Membership, Team

_PUBLIC_LENGTH = 16
_LABEL_LENGTH = 80
_MOST_DAYS = 3650


class Scope(StrEnum):
    """What a token may do. `write` does not include `read`."""

    READ = "read"
    WRITE = "write"


class TokenError(ValueError):
    """A token cannot be made or found; the message says why and what to do."""


def create(
    *,
    team: Team,
    user: User,
    label: str,
    scopes: Iterable[str] = (Scope.READ,),
    now: datetime,
    days: int | None = None,
    by: User | None = None,
) -> tuple[ApiToken, str]:
    """Make a token of `user` in `team`; return its row and its text, which is not kept.

    days   until it expires; None is never
    by     who asks; None is a command

    Raises TokenError on an empty label, an unknown scope, no days, a stranger to the team, or
    a viewer who wants to write.
    """
    wanted = _scopes(scopes)
    _check(team=team, user=user, label=label, scopes=wanted, days=days)
    digest, text = get_digest_token()
    logs.remember_secret(text)
    token = ApiToken(
        digest=digest,
        token_key=text[: CONSTANTS.TOKEN_KEY_LENGTH],
        user=user,
        team=team,
        label=label.strip()[:_LABEL_LENGTH],
        scopes=wanted,
        expiry=now + timedelta(days=days) if days else None,
    )
    _store(token, now=now, by=by)
    return token, text


def _store(token: ApiToken, *, now: datetime, by: User | None) -> None:
    detail = {
        "user": token.user.get_username(),
        "scopes": token.scopes,
        "expires_at": token.expiry.isoformat() if token.expiry else None,
    }
    with transaction.atomic():
        token.save(force_insert=True)
        audit.record(
            team=token.team,
            action="token.created",
            subject=token.label,
            now=now,
            user=by,
            detail=detail,
        )


def list_for(*, team: Team) -> QuerySet[ApiToken]:
    """Return the tokens of a team, newest first, with their users."""
    tokens: QuerySet[ApiToken] = ApiToken.objects.filter(team=team).select_related("user")
    return tokens.order_by("-created", "label")


def public_id(token: ApiToken) -> str:
    """Return the id of a token for pages and addresses: part of its digest, never of its text."""
    return str(token.digest)[:_PUBLIC_LENGTH]


def revoke(*, team: Team, token_id: str, now: datetime, by: User | None = None) -> None:
    """Delete a token of `team` by its public id; raises TokenError when there is none."""
    with transaction.atomic():
        token = _find(team=team, token_id=token_id)
        audit.record(team=team, action="token.revoked", subject=token.label, now=now, user=by)
        token.delete()


def _find(*, team: Team, token_id: str) -> ApiToken:
    if len(token_id) == _PUBLIC_LENGTH:
        rows: QuerySet[ApiToken] = ApiToken.objects.filter(team=team)
        token = rows.filter(digest__startswith=token_id).first()
        if token is not None:
            return token
    raise TokenError("There is no such token.")


def _scopes(scopes: Iterable[str]) -> list[str]:
    try:
        return sorted({Scope(scope).value for scope in scopes} or {Scope.READ.value})
    except ValueError:
        raise TokenError(f"A scope is one of: {', '.join(Scope)}.") from None


def _check(*, team: Team, user: User, label: str, scopes: list[str], days: int | None) -> None:
    if not label.strip():
        raise TokenError("Give the token a label, such as the program that will use it.")
    if days is not None and not 1 <= days <= _MOST_DAYS:
        raise TokenError(f"A token lasts from 1 to {_MOST_DAYS} days; leave it out for no end.")
    membership = Membership.objects.filter(team=team, user=user).first()
    if membership is None:
        raise TokenError(f"{user.get_username()} is not a member of the team {team.name}.")
    if Scope.WRITE in scopes and not membership.is_writer:
        raise TokenError(f"{user.get_username()} may only look; a token of theirs cannot write.")
