"""System checks: what would make this installation unsound, said before it runs."""

from __future__ import annotations

import os
import sqlite3
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, Tags, register

_LEAST_SQLITE = (3, 31)


@register(Tags.database)
def check_sqlite_version(**_: Any) -> list[CheckMessage]:
    """Old SQLite libraries lack what the queries use."""
    is_sqlite = settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")
    if not is_sqlite or sqlite3.sqlite_version_info >= _LEAST_SQLITE:
        return []
    return [
        Error(
            f"SQLite {sqlite3.sqlite_version} is too old.",
            hint="Use a newer Python, or set DATABASE_URL to a PostgreSQL database.",
            id="riskhub.E001",
        )
    ]


@register(Tags.security, deploy=True)
def check_public_url(**_: Any) -> list[CheckMessage]:
    """Links in messages of a production system must be HTTPS and reachable."""
    if settings.PUBLIC_URL.startswith("https://"):
        return []
    return [
        checks.Warning(
            "RISKHUB_URL is not an https:// address.",
            hint="Set RISKHUB_URL to the address people open; links in alerts use it.",
            id="riskhub.W001",
        )
    ]


@register(Tags.security, deploy=True)
def check_kept_secrets(**_: Any) -> list[CheckMessage]:
    """In production the keys come from the environment: a stolen backup does not hold them."""
    return [
        checks.Warning(
            f"{name} is generated into the data folder.",
            hint=f"Set {name} in the environment, apart from the database and its backups.",
            id="riskhub.W002",
        )
        for name in ("SECRET_KEY", "RISKHUB_FIELD_KEYS")
        if not os.environ.get(name)
    ]
