"""Add one account; works on a migrated, empty database and without a running system."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from riskhub import clock
from riskhub.teams.services import default_team
from venues import entry, services
from venues.errors import BadAccount
from venues.models import Account


class Command(BaseCommand):
    """Read the arguments, make the account, say so."""

    help = "Add an account at a venue. Secrets come from a file or standard input, never from here."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name the arguments."""
        parser.add_argument("--venue", required=True, help="such as binance or hyperliquid")
        parser.add_argument("--label", required=True, help="a short name of your own")
        parser.add_argument("--wallet", default="", help="public wallet address")
        parser.add_argument(
            "--credentials",
            default="",
            metavar="FILE|-",
            help="JSON object or KEY=VALUE lines; - reads standard input",
        )
        parser.add_argument(
            "--base-url", default="", help="replaces scheme and host of every endpoint"
        )
        parser.add_argument(
            "--option", action="append", default=[], metavar="K=V", help="may be repeated"
        )

    def handle(self, **options: Any) -> None:
        """Add the account, or say in one sentence what to change (exit code 1)."""
        try:
            account = add(options)
        except BadAccount as error:
            raise CommandError(str(error)) from None
        except DatabaseError:
            raise CommandError("The database is not ready; run: manage.py migrate") from None
        self.stdout.write(
            f"Added {account}. Its key is looked at and it is read within seconds while RiskHub "
            f"runs; to read it now: manage.py poll --account {account.label!r}"
        )


def add(options: dict[str, Any]) -> Account:
    """Return the account that the arguments describe; raises BadAccount."""
    now = clock.now()
    source = options["credentials"]
    credentials = entry.read_credentials(entry.read_text(source)) if source else {}
    return services.create_account(
        team=default_team(now=now),
        venue=options["venue"],
        label=options["label"],
        wallet=options["wallet"],
        credentials=credentials,
        environment=options["base_url"],
        options=entry.read_options(options["option"]),
        now=now,
    )
