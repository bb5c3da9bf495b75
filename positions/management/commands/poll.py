"""Poll accounts now, without a running system."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from positions import ingest, key_checks, scheduling
from riskhub import clock, formatting
from venues import reading
from venues.base import AccountOutcome
from venues.models import Account
from venues.services import unchecked_keys


class Command(BaseCommand):
    """Print what each account's poll saw; exit 1 when any account could not be seen."""

    help = "Poll accounts now and print rows, refusals and age. Exit code 1 when any is not seen."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--account", metavar="L", help="label of one account; all without it")

    def handle(self, *, account: str | None, **_: Any) -> None:
        accounts = self._chosen(account)
        refused = self._refuse(accounts)
        now = clock.now()
        allowed = [account_id for account_id in accounts if account_id not in refused]
        cycle, claimed = scheduling.claim(accounts=allowed, now=now)
        blind = len(refused)
        ids = [account_id for _, account_id in claimed]
        for group in reading.read_accounts(account_ids=ids, now=now):
            stored = ingest.ingest_outcomes(outcomes=group, cycle=cycle, now=clock.now())
            blind += sum(self._report(accounts, outcome, stored) for outcome in group)
        if blind:
            raise CommandError(f"{blind} of {len(accounts)} accounts could not be seen.")

    def _chosen(self, label: str | None) -> dict[int, Account]:
        rows = Account.objects.filter(is_enabled=True).order_by("venue", "label")
        rows = rows.filter(label=label) if label else rows
        if not rows:
            labels = Account.objects.order_by("label").values_list("label", flat=True)
            known = ", ".join(labels.distinct()[:20])
            raise CommandError(
                f"There is no account {label!r}. Known: {known or 'none'}."
                if label
                else "There is no account yet; add one with: manage.py add_account --help"
            )
        return {row.pk: row for row in rows}

    def _refuse(self, accounts: dict[int, Account]) -> set[int]:
        """Look at keys that nobody has looked at yet; returns whose are not to be used."""
        new = list(unchecked_keys().filter(pk__in=accounts))
        if new:
            lease, claimed = key_checks.claim(account_ids=new, now=clock.now())
            key_checks.check_now(account_ids=claimed, lease=lease)
        refused = set(key_checks.refused_keys(account_ids=accounts))
        for row in Account.objects.filter(pk__in=refused).order_by("pk"):
            self.stdout.write(f"{row}  not seen. {row.blocked_reason}")
        return refused

    def _report(
        self, accounts: dict[int, Account], outcome: AccountOutcome, stored: Iterable[int]
    ) -> bool:
        """Print one account's lines; returns whether any part of it could not be seen."""
        account = accounts[outcome.account_id]
        age = formatting.age((clock.now() - outcome.received_at).total_seconds())
        for scope in outcome.scopes:
            self.stdout.write(
                f"{account}  {scope.scope}: {len(scope.positions)} rows, "
                f"{len(scope.refusals)} refused, {age} old"
            )
            for refusal in scope.refusals:
                self.stdout.write(f"  refused {refusal.venue_symbol or 'a row'}: {refusal.reason}")
        for failure in outcome.failures:
            self.stdout.write(f"{account}  {failure.scope}: not seen. {failure.error}")
        if outcome.account_id not in stored:
            self.stdout.write(
                f"{account}  not stored: it was refused (see the log), or a newer poll won"
            )
        return bool(outcome.failures) or outcome.account_id not in stored
