"""Add a signed webhook channel."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from positions.alerts import services
from riskhub import clock
from riskhub.teams.services import default_team


class Command(BaseCommand):
    help = "Add a webhook: a Standard Webhooks receiver that is told of every incident."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--label", required=True, help="its name on pages")
        parser.add_argument("--url", required=True, help="https://… of the receiver")
        parser.add_argument(
            "--secret",
            metavar="FILE",
            help="file with the signing secret (whsec_…), - for standard input; "
            "without it one is made and printed once",
        )

    def handle(self, *, label: str, url: str, secret: str | None, **_: Any) -> None:
        now = clock.now()
        fields = {"url": url, **({"secret": _read_secret(secret)} if secret else {})}
        made = services.make_secrets(kind="webhook", fields=fields)
        try:
            channel = services.add_channel(
                team=default_team(now=now),
                kind="webhook",
                label=label,
                fields={**fields, **made},
                now=now,
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        self.stdout.write(f"Added the webhook {channel.label!r}.")
        for text in made.values():
            self.stdout.write(f"Its secret, shown this once: {text}")
        refusal = services.find_refusal(kind="webhook", fields=fields)
        if refusal:
            self.stderr.write(f"Warning: messages to it will be refused. {refusal}")


def _read_secret(source: str) -> str:
    try:
        return sys.stdin.read() if source == "-" else Path(source).read_text()
    except (OSError, UnicodeError) as error:
        raise CommandError(f"The secret cannot be read from {source!r}: {error}") from None
