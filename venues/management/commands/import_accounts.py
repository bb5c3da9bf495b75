"""Add the accounts of a file: first as a rehearsal, with a result for each row."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, transaction

from riskhub import clock
from riskhub.teams.services import default_team
from venues import entry, services
from venues.entry import Entry
from venues.errors import BadAccount


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one row."""

    number: int
    is_good: bool
    text: str


class Command(BaseCommand):
    """Read the file, try or apply each row, print the results."""

    help = "Add accounts from a CSV or JSON file; a dry run unless --apply is given."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name the arguments."""
        parser.add_argument("file", help="CSV with a header, or a JSON list; - is standard input")
        parser.add_argument("--apply", action="store_true", help="write what is good")

    def handle(self, **options: Any) -> None:
        """Print a line per row; exit code 1 when any row is refused."""
        is_real = options["apply"]
        try:
            entries = list(entry.read_entries(entry.read_text(options["file"])))
            results = import_entries(entries, is_real=is_real)
        except BadAccount as error:
            raise CommandError(str(error)) from None
        except DatabaseError:
            raise CommandError("The database is not ready; run: manage.py migrate") from None
        for result in results:
            self.stdout.write(f"row {result.number}: {result.text}")
        self._conclude(results, is_real=is_real)

    def _conclude(self, results: list[Result], *, is_real: bool) -> None:
        refused = sum(not result.is_good for result in results)
        good = len(results) - refused
        if is_real:
            self.stdout.write(f"{good} added, {refused} refused.")
        else:
            self.stdout.write(f"{good} good, {refused} refused; nothing written. Add --apply.")
        if refused:
            raise CommandError(f"{refused} of {len(results)} rows were refused; see above.")


def import_entries(entries: Iterable[Entry], *, is_real: bool) -> list[Result]:
    """Return a result for each entry; each is written whole or not at all, a rehearsal never.

    A rehearsal writes and takes back, so that two rows of one label are found too.
    """
    if is_real:
        return [_import(item, is_real=True) for item in entries]
    with transaction.atomic():
        results = [_import(item, is_real=False) for item in entries]
        transaction.set_rollback(True)
    return results


def _import(item: Entry, *, is_real: bool) -> Result:
    now = clock.now()
    try:
        account = services.create_account(
            team=default_team(now=now),
            venue=item.venue,
            label=item.label,
            wallet=item.wallet,
            credentials=item.credentials,
            environment=item.base_url,
            options=item.options,
            now=now,
        )
    except BadAccount as error:
        return Result(item.number, is_good=False, text=f"refused: {error}")
    return Result(item.number, is_good=True, text=f"{account} {'added' if is_real else 'is good'}")
