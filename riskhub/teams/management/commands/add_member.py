"""Let a person into a team."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from riskhub import clock
from riskhub.teams import members
from riskhub.teams.models import Membership, Role


class Command(BaseCommand):
    """Make a login, or take one that is there, and let it into a team."""

    help = "Add a member to a team. The password of a new login is printed, this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name the arguments."""
        parser.add_argument("--username", default="", help="Name to sign in with.")
        parser.add_argument("--email", default="", help="Without --username the name as well.")
        parser.add_argument("--team", default="", help="Name of the team, if there are several.")
        parser.add_argument("--role", required=True, choices=Role.values)

    def handle(self, *_: Any, **options: Any) -> None:
        """Add the member, or say in one sentence what to change (exit code 1)."""
        try:
            membership, password = members.add(
                team=members.find_team(options["team"]),
                username=options["username"],
                email=options["email"],
                role=options["role"],
                now=clock.now(),
            )
        except members.MemberError as error:
            raise CommandError(str(error)) from None
        except DatabaseError:
            raise CommandError("The database is not ready; run: manage.py migrate") from None
        self._tell(membership, password)

    def _tell(self, membership: Membership, password: str) -> None:
        name = membership.user.get_username()
        self.stdout.write(f"{name} is a member of {membership.team.name}, as {membership.role}.")
        if password:
            self.stdout.write(f"Sign in as {name} with the password {password}")
            self.stdout.write("It is shown this once; it is changed on the page Settings.")
        else:
            self.stdout.write("The login was there before; its password stays.")
