"""`manage.py prepare`: what runhub does before it starts, also for processes run in another way."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from riskhub import clock
from riskhub.runhub.prepare import Login, PrepareError, prepare


class Command(BaseCommand):
    help = (
        "Migrate the database (a SQLite file is copied first), collect static files, make the "
        "first login and the demo book. Does nothing that was done before."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object a line")

    def handle(self, **options: Any) -> None:
        self._is_json = options["json"]
        try:
            login = prepare(now=clock.now(), say=lambda text: self._report("say", text))
        except PrepareError as error:
            if not self._is_json:
                raise CommandError(str(error)) from None
            # A reported error is a result; another exit code than 0 then means a crash.
            self._report("error", str(error))
        else:
            self._tell(login)

    def _tell(self, login: Login) -> None:
        if self._is_json:
            self._report("login", [login.username, login.password])
        elif login.password:
            self.stdout.write(f"Sign in as {login.username} with the password {login.password}")
            self.stdout.write("It is shown this once; keep it.")
        else:
            self.stdout.write(f"Sign in as {login.username}; the password was set before.")

    def _report(self, kind: str, value: object) -> None:
        self.stdout.write(json.dumps({kind: value}) if self._is_json else str(value))
        self.stdout.flush()
