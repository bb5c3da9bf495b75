"""Write positions to standard output."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from positions import exports
from positions.external import position_queryset
from riskhub.teams.models import Team


class Command(BaseCommand):
    """Write a team's positions as CSV or JSON; needs the database and nothing that runs."""

    help = "Write positions to standard output, with the fields that REST and webhooks show."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["positions"])
        parser.add_argument("--format", choices=list(exports.FORMATS), default="csv")
        parser.add_argument("--team", default="", help="Name of the team; needed if there are two.")
        parser.add_argument("--all", action="store_true", help="With positions that have ended.")

    def handle(self, *args: Any, **options: Any) -> None:
        _, lines = exports.FORMATS[options["format"]]
        try:
            team = _team(options["team"])
            rows = position_queryset(team=team, is_ended_included=options["all"]) if team else []
            for chunk in lines(rows):
                self.stdout.write(chunk, ending="")
            self.stdout.flush()
        except BrokenPipeError:
            # The reader, such as `head`, has had enough; Python would complain at exit otherwise.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except DatabaseError as error:
            raise CommandError(
                f"The database cannot be read ({error}); has `manage.py migrate` been run?"
            ) from None


def _team(name: str) -> Team | None:
    names = list(Team.objects.order_by("name").values_list("name", flat=True))
    if name and name not in names:
        raise CommandError(f"There is no team {name!r}; {_choice(names)}")
    if not name and len(names) > 1:
        raise CommandError(f"Name one team with --team; {_choice(names)}")
    return Team.objects.filter(name=name or names[0]).first() if names else None


def _choice(names: list[str]) -> str:
    return f"one of: {', '.join(names)}." if names else "there is none yet."
