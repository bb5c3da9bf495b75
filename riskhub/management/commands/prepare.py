"""`manage.py prepare`: what runhub does before it starts, for processes run in another way."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError

from riskhub import clock
from riskhub.runhub.prepare import PrepareError, prepare


class Command(BaseCommand):
    help = (
        "Migrate the database (a SQLite file is copied first), collect static files, make the "
        "first login and the demo book. Does nothing that was done before."
    )

    def handle(self, **_: object) -> None:
        try:
            login = prepare(now=clock.now(), say=self.stdout.write)
        except PrepareError as error:
            raise CommandError(str(error)) from None
        if login.password:
            self.stdout.write(f"Sign in as {login.username} with the password {login.password}")
            self.stdout.write("It is shown this once; keep it.")
        else:
            self.stdout.write(f"Sign in as {login.username}; the password was set before.")
