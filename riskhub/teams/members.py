"""Members of a team: add, change the role, remove. A team always keeps an owner."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from riskhub import live, logs
from riskhub.teams import audit
from riskhub.teams.models import ApiToken, Membership, Role, Team

# No letter or digit that is read as another one.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


class MemberError(ValueError):
    """A member cannot be added or changed; the message says why and what to do."""


def new_password() -> str:
    """Return a random password of 79 bits that can be read out and typed."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


def list_for(*, team: Team) -> QuerySet[Membership]:
    """Return the members of a team with their logins, the oldest first."""
    return Membership.objects.filter(team=team).select_related("user", "team").order_by("pk")


def add(
    *,
    team: Team,
    username: str,
    role: str,
    now: datetime,
    email: str = "",
    by: User | None = None,
) -> tuple[Membership, str]:
    """Let a person into a team; return the membership, and the password if a login was made.

    username   a login that is there already is let in as it is: its password stays, "" is returned
    by         who asks; None is a command

    The password is stored as a digest alone: the caller shows it this once. Raises MemberError.
    """
    username, email = User.normalize_username(username.strip()), _checked_email(email)
    role = _checked_role(role)
    try:
        with transaction.atomic():
            user, password = _find_or_make(username or email, email=email)
            membership, is_new = Membership.objects.get_or_create(
                team=team, user=user, defaults={"role": role}
            )
            if not is_new:
                name, had = user.get_username(), membership.role
                raise MemberError(f"{name} is a member of {team.name} already, as {had}.")
            detail = {"role": role, "is_new_login": bool(password)}
            _record(membership, "member.added", now=now, by=by, detail=detail)
    except IntegrityError:
        raise MemberError("Somebody took this name at the same moment; try again.") from None
    return membership, password


def change_role(
    *, team: Team, member_id: int, role: str, now: datetime, by: User | None = None
) -> Membership:
    """Give a member another role; raises MemberError, and Membership.DoesNotExist, also foreign."""
    with transaction.atomic():
        membership = _hold(team=team, member_id=member_id)
        before, membership.role = membership.role, _checked_role(role)
        if membership.role != before:
            if before == Role.OWNER:
                _refuse_last_owner(membership)
            membership.save(update_fields=["role"])
            detail = {"from": before, "to": membership.role}
            _record(membership, "member.role_changed", now=now, by=by, detail=detail)
    return membership


def remove(*, team: Team, member_id: int, now: datetime, by: User | None = None) -> Membership:
    """Shut a member out of a team, with the REST tokens they have in it; the login stays.

    Each request asks for the membership anew, and open live streams are told to: it holds at once.
    Raises MemberError for the last owner, and Membership.DoesNotExist, also foreign.
    """
    with transaction.atomic():
        membership = _hold(team=team, member_id=member_id)
        if membership.role == Role.OWNER:
            _refuse_last_owner(membership)
        tokens = ApiToken.objects.filter(team=team, user=membership.user)
        detail = {"role": membership.role, "tokens": sorted(each.label for each in tokens)}
        _record(membership, "member.removed", now=now, by=by, detail=detail)
        tokens.delete()
        membership.delete()
        transaction.on_commit(lambda: live.publish(team_id=team.pk, event=live.MEMBERS, data=None))
    return membership


def find_team(name: str) -> Team:
    """Return the team of this name, or without one the only team; raises MemberError."""
    teams = list(Team.objects.order_by("name"))
    named = ", ".join(team.name for team in teams) or "none yet; the first `make run` makes one"
    found = [team for team in teams if team.name == name] if name else teams
    if len(found) == 1:
        return found[0]
    if name or not teams:
        raise MemberError(f"There is no team {name!r}; one of: {named}.")
    raise MemberError(f"Name one team with --team; one of: {named}.")


def _find_or_make(username: str, *, email: str) -> tuple[User, str]:
    if not username:
        raise MemberError("Give the name that the person signs in with.")
    # "Ada" beside "ada" would be taken for one another.
    same = list(User.objects.filter(username__iexact=username).order_by("pk"))
    user = next((each for each in same if each.username == username), next(iter(same), None))
    if user is None:
        return _make(username, email=email)
    if not user.is_active:
        raise MemberError(f"The login {user.username} is switched off.")
    return user, ""


def _make(username: str, *, email: str) -> tuple[User, str]:
    password = new_password()
    logs.remember_secret(password)
    user = User(username=username, email=email)
    user.set_password(password)
    try:
        user.clean_fields(exclude=["password"])
    except ValidationError:
        raise MemberError(
            "A name to sign in with has up to 150 letters, digits and @ . + - _, without spaces."
        ) from None
    user.save(force_insert=True)
    return user, password


def _hold(*, team: Team, member_id: int) -> Membership:
    # Whoever changes members holds the team: two owners cannot remove each other.
    Team.objects.select_for_update().get(pk=team.pk)
    return Membership.objects.select_related("user", "team").get(pk=member_id, team=team)


def _refuse_last_owner(membership: Membership) -> None:
    owners = Membership.objects.filter(
        team=membership.team_id, role=Role.OWNER, user__is_active=True
    )
    if not owners.exclude(pk=membership.pk).exists():
        who = f"{membership.user.get_username()} is the last owner of {membership.team.name}"
        raise MemberError(f"{who}; make somebody else an owner first.")


def _checked_role(role: str) -> str:
    if role not in Role.values:
        raise MemberError(f"A role is one of: {', '.join(Role.values)}.")
    return str(role)


def _checked_email(email: str) -> str:
    email = email.strip()
    try:
        if email:
            validate_email(email)
    except ValidationError:
        raise MemberError("This is no email address.") from None
    return email


def _record(
    membership: Membership,
    action: str,
    *,
    now: datetime,
    by: User | None,
    detail: Mapping[str, object],
) -> None:
    subject = membership.user.get_username()
    audit.record(
        team=membership.team, action=action, subject=subject, now=now, user=by, detail=dict(detail)
    )
