"""List the members of teams."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from riskhub.teams.members import MemberError, find_team, list_for
from riskhub.teams.models import Membership, Team


class Command(BaseCommand):
    """Print team, name and role of every member."""

    help = "List members: team, name and role, separated by tabs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name the arguments."""
        parser.add_argument("--team", default="", help="Of this team alone.")

    def handle(self, *_: Any, **options: Any) -> None:
        """Print a line for each member, or say in one sentence what to change (exit code 1)."""
        name = options["team"]
        try:
            teams = [find_team(name)] if name else list(Team.objects.order_by("name"))
            for each in (member for team in teams for member in list_for(team=team)):
                self.stdout.write(_line(each))
        except MemberError as error:
            raise CommandError(str(error)) from None
        except DatabaseError:
            raise CommandError("The database is not ready; run: manage.py migrate") from None


def _line(member: Membership) -> str:
    off = "" if member.user.is_active else "\tswitched off"
    return f"{member.team.name}\t{member.user.get_username()}\t{member.role}{off}"
