"""Make a REST token."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.db.models import Case, IntegerField, QuerySet, Value, When

from riskhub import clock
from riskhub.teams import tokens
from riskhub.teams.models import Membership, Role


class Command(BaseCommand):
    """Make a REST token and print it, this once; what is kept is a digest."""

    help = "Make a REST token. Its text goes to standard output and is never shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--label", required=True, help="Which program will use it.")
        parser.add_argument("--user", default="", help="Whose token; by default an owner's.")
        parser.add_argument("--team", default="", help="Name of the team, if there are several.")
        parser.add_argument("--scope", action="append", choices=[*tokens.Scope], help="Repeatable.")
        parser.add_argument("--days", type=int, help="Until it expires; never by default.")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            membership = _membership(user=options["user"], team=options["team"])
            token, text = tokens.create(
                team=membership.team,
                user=membership.user,
                label=options["label"],
                scopes=options["scope"] or [tokens.Scope.READ],
                days=options["days"],
                now=clock.now(),
            )
        except tokens.TokenError as error:
            raise CommandError(str(error)) from None
        except DatabaseError as error:
            raise CommandError(
                f"The database cannot be used ({error}); has `manage.py migrate` been run?"
            ) from None
        # Apart from the token itself, so that `TOKEN=$(manage.py create_token …)` works.
        self.stderr.write(
            f"Token {token.label!r} of {membership.user.get_username()} in team "
            f"{membership.team.name}, scope {' '.join(token.scopes)}. It is not shown again; use "
            "it as the header Authorization: Bearer TOKEN",
            self.style.SUCCESS,
        )
        self.stdout.write(text)


def _membership(*, user: str, team: str) -> Membership:
    memberships = _memberships()
    if user:
        memberships = memberships.filter(user=_user(user))
    if team:
        memberships = memberships.filter(team__name=team)
    membership = memberships.first()
    if membership is None:
        raise CommandError(_nobody(user=user, team=team))
    _refuse_choice(memberships)
    return membership


def _memberships() -> QuerySet[Membership]:
    """Owners first, the oldest first."""
    rank = Case(When(role=Role.OWNER, then=Value(0)), default=Value(1), output_field=IntegerField())
    people = Membership.objects.filter(user__is_active=True).select_related("team", "user")
    return people.order_by(rank, "id")


def _refuse_choice(memberships: QuerySet[Membership]) -> None:
    teams = sorted(set(memberships.values_list("team__name", flat=True)))
    if len(teams) > 1:
        raise CommandError(f"Name one team with --team; one of: {', '.join(teams)}.")


def _user(username: str) -> User:
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"There is no user {username!r}.")
    return user


def _nobody(*, user: str, team: str) -> str:
    if user or team:
        return "Nobody active fits; check --user and --team: a token belongs to a team's member."
    return "There is no member of any team yet; the first `make run` makes a login."
