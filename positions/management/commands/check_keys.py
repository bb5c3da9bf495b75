"""Look at keys now, without a running system: what may they do, and what is wrong with that."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from positions import key_checks
from riskhub import clock
from venues import hygiene
from venues.hygiene import FindingSeverity
from venues.models import Account, KeyCheck

_GRAVE = {FindingSeverity.REFUSED, FindingSeverity.CRITICAL}


class Command(BaseCommand):
    """Ask the venues, store what they tell, print the findings."""

    help = "Look at keys now and print what was found. Exit code 1 when one may move money away."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name the arguments."""
        parser.add_argument("--account", metavar="L", help="label of one account; all without it")

    def handle(self, *, account: str | None, **_: Any) -> None:
        """Print an account's findings a line each."""
        ids = self._chosen(account)
        lease, claimed = key_checks.claim(account_ids=ids, now=clock.now())
        key_checks.check_now(account_ids=claimed, lease=lease)
        checks = KeyCheck.objects.filter(pk__in=ids).select_related("account")
        rows = checks.defer("account__credentials").order_by("account__venue", "account__label")
        grave = sum(self._report(check) for check in rows)
        if grave:
            raise CommandError(f"{grave} of {len(ids)} accounts have a key that must be changed.")

    def _chosen(self, label: str | None) -> list[int]:
        rows = Account.objects.filter(is_enabled=True, is_simulated=False)
        rows = rows.filter(label=label) if label else rows
        ids = list(rows.values_list("pk", flat=True))
        if not ids:
            raise CommandError(
                f"There is no account {label!r} with a key to look at."
                if label
                else "There is no account with a key to look at; add one with: "
                "manage.py add_account --help"
            )
        return ids

    def _report(self, check: KeyCheck) -> bool:
        """Print what was found of one account; returns whether its key must be changed."""
        findings = hygiene.read(check.findings)
        if check.error:
            self.stdout.write(f"{check.account}  could not be looked at. {check.error}")
        for finding in findings:
            self.stdout.write(f"{check.account}  {finding.severity}: {finding.sentence}")
        if not findings and not check.error:
            self.stdout.write(f"{check.account}  nothing found: {_rights(check.facts.items())}")
        return any(each.severity in _GRAVE for each in findings)


def _rights(facts: Iterable[tuple[str, str]]) -> str:
    told = ", ".join(f"{name} {value}" for name, value in facts)
    return told or "it is read without a key"
