"""Give an account another key; works without a running system."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from riskhub import clock
from venues import entry, services
from venues.errors import BadAccount
from venues.models import Account


class Command(BaseCommand):
    """Read the arguments, find the account, replace its key, say so."""

    help = "Replace an account's key. Secrets come from a file or standard input, never from here."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name the arguments."""
        parser.add_argument(
            "--account", required=True, metavar="LABEL", help="its label, or VENUE/LABEL"
        )
        parser.add_argument("--team", default="", help="needed where two teams use the label")
        parser.add_argument(
            "--credentials",
            required=True,
            metavar="FILE|-",
            help="JSON object or KEY=VALUE lines; - reads standard input",
        )

    def handle(self, **options: Any) -> None:
        """Replace the key, or say in one sentence what to change (exit code 1)."""
        try:
            account = replace(options)
        except BadAccount as error:
            raise CommandError(str(error)) from None
        except Account.DoesNotExist:
            raise CommandError("The account was removed meanwhile.") from None
        except DatabaseError:
            raise CommandError("The database is not ready; run: manage.py migrate") from None
        then = (
            "It is read within seconds while RiskHub runs; to read it now: manage.py poll "
            f"--account {account.label!r}"
            if account.is_enabled
            else "It stays switched off until somebody reads it again on the accounts page."
        )
        self.stdout.write(f"{account} has its new key. {then}")


def replace(options: dict[str, Any]) -> Account:
    """Return the account that the arguments name, with its new key; raises BadAccount."""
    account = find_account(options["account"], team=options["team"])
    return services.replace_key(
        team=account.team,
        account_id=account.pk,
        credentials=entry.read_credentials(entry.read_text(options["credentials"])),
        now=clock.now(),
    )


def find_account(name: str, *, team: str = "") -> Account:
    """Return the one account called LABEL or VENUE/LABEL; raises BadAccount."""
    rows = Account.objects.select_related("team").defer("credentials").order_by("venue", "label")
    there = [row for row in rows if not team or row.team.name == team]
    # A label may hold a solidus, so it is no separator.
    found = [row for row in there if str(row) == name]
    found = found or [row for row in there if row.label == name]
    if len(found) == 1:
        return found[0]
    if not found:
        known = ", ".join(str(row) for row in there[:20])
        raise BadAccount(f"There is no account {name!r}. Known: {known or 'none'}.")
    several = ", ".join(f"{row} of team {row.team.name}" for row in found)
    raise BadAccount(f"{name!r} is {several}; name one by VENUE/LABEL, and by --team.")
