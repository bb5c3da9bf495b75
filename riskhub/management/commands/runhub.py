"""`manage.py runhub`: the whole system, supervised."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser

from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Run web, workers, scheduler and broker on this machine; Ctrl-C stops them all."
    # The supervisor prepares the database itself and says what is wrong in sentences.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--verbose", action="store_true", help="show every log line here")

    def handle(self, *, verbose: bool, **_: object) -> None:
        """Become the supervisor: it lives as long as the system and needs none of Django."""
        flags = ["--verbose"] if verbose else []
        os.execv(sys.executable, [sys.executable, "-m", "riskhub.runhub", *flags])  # noqa: S606
