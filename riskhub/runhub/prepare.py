"""Bring database, static files, first login and demo book to where the system can start.

`manage.py prepare` calls it for people; the supervisor runs `python -m riskhub.runhub.prepare`,
which reports in JSON lines and ends, so that Django's memory goes with it.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from riskhub import logs
from riskhub.runhub.backup import copy_database

if TYPE_CHECKING:
    from django.db.migrations.executor import MigrationExecutor

FIRST_USER = "admin"
# No letter or digit that is read as another one.
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"

Say = Callable[[str], None]


class PrepareError(Exception):
    """The system cannot start; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who can sign in; `password` only when it was made just now, it is stored nowhere."""

    username: str
    password: str = ""


def prepare(*, now: datetime, say: Say) -> Login:
    """Do every step, each of which does nothing when it was done before; raises PrepareError."""
    from django.conf import settings  # noqa: PLC0415 - Django is set up by then

    _check_broker()
    executor = _open_database()
    _refuse_newer(executor)
    _migrate(executor, now=now, say=say)
    _collect_static(say)
    login = first_login(now=now)
    if settings.IS_DEMO:
        _ensure_demo(now=now, say=say)
    return login


def first_login(*, now: datetime) -> Login:
    """Return the first person who can sign in, made with a random password if there is none."""
    from django.contrib.auth import get_user_model  # noqa: PLC0415
    from django.db import transaction  # noqa: PLC0415

    from riskhub.teams.models import Membership, Role  # noqa: PLC0415
    from riskhub.teams.services import default_team  # noqa: PLC0415

    people = get_user_model()
    with transaction.atomic():
        person = people.objects.filter(is_active=True).order_by("pk").first()
        if person:
            return Login(person.get_username())
        password = "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))
        person = people.objects.create_user(username=FIRST_USER, password=password)
        team = default_team(now=now)
        Membership.objects.create(team=team, user=person, role=Role.OWNER)
    return Login(FIRST_USER, password)


def _check_broker() -> None:
    import redis  # noqa: PLC0415
    from django.conf import settings  # noqa: PLC0415

    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise PrepareError(
            f"Redis does not answer: {first_line(error)}. Start it, or correct REDIS_URL."
        ) from None


def _open_database() -> MigrationExecutor:
    from django.db import DatabaseError, NotSupportedError, connection  # noqa: PLC0415
    from django.db.migrations.executor import MigrationExecutor  # noqa: PLC0415

    try:
        return MigrationExecutor(connection)
    except (DatabaseError, NotSupportedError) as error:
        raise PrepareError(
            f"The database cannot be used: {first_line(error)}. Start it, or correct DATABASE_URL."
        ) from None


def _refuse_newer(executor: MigrationExecutor) -> None:
    """Refuse a database that newer code has changed: this code would misread it."""
    loader = executor.loader
    replaced = {key for squashed in loader.replacements.values() for key in squashed.replaces}
    unknown = sorted(set(loader.applied_migrations) - set(loader.disk_migrations) - replaced)
    if unknown:
        names = ", ".join(f"{app}.{name}" for app, name in unknown[:3])
        raise PrepareError(
            f"The database was written by a newer RiskHub (it has {names}, unknown here). "
            "Start that version, or restore a copy made before it."
        )


def _migrate(executor: MigrationExecutor, *, now: datetime, say: Say) -> None:
    from django.core.management import call_command  # noqa: PLC0415

    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return
    copy = _copy_first(now=now) if executor.loader.applied_migrations else None
    if copy:
        say(f"The database was copied to {copy} before its tables change.")
    try:
        call_command("migrate", interactive=False, verbosity=0)
    except Exception as error:  # noqa: BLE001 - a migration may raise anything
        logs.get(__name__).error("migration failed", exc_info=True)
        kept = f" The copy made before is {copy}." if copy else ""
        raise PrepareError(
            f"The database could not be migrated: {first_line(error)}.{kept}"
        ) from None
    say("The database is up to date.")


def _copy_first(*, now: datetime) -> Path | None:
    from django.conf import settings  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415

    if connection.vendor != "sqlite":
        return None
    path = Path(str(connection.settings_dict["NAME"]))
    try:
        return copy_database(path=path, folder=Path(settings.DATA_DIR) / "backups", now=now)
    except (sqlite3.Error, OSError) as error:
        raise PrepareError(
            f"The database could not be copied before its tables change: {first_line(error)}. "
            "Make room on the disk and start again; nothing was changed."
        ) from None


def _collect_static(say: Say) -> None:
    """Collect the static files if any of them differs from those collected last."""
    from django.conf import settings  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415

    stamp = Path(settings.STATIC_ROOT) / ".collected"
    present = _static_digest()
    if stamp.is_file() and stamp.read_text() == present:
        return
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    stamp.write_text(present)
    say("The static files are in place.")


def _static_digest() -> str:
    """Return a digest of name, size and time of every static file."""
    from django.contrib.staticfiles.finders import get_finders  # noqa: PLC0415

    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list(ignore_patterns=[]):
            state = os.stat(storage.path(name))
            digest.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _ensure_demo(*, now: datetime, say: Say) -> None:
    from venues.reference.demo import ensure_demo  # noqa: PLC0415

    try:
        ensure_demo(now=now)
    except Exception as error:  # noqa: BLE001 - the demo must not keep real accounts unwatched
        logs.get(__name__).error("demo book failed", exc_info=True)
        say(f"The demo book could not be made ({first_line(error)}); starting without it.")


def first_line(error: BaseException) -> str:
    """Return the first line of an error, without its final stop and without secrets."""
    text = str(error).strip() or type(error).__name__
    return logs.scrub(text.splitlines()[0]).rstrip(".")


def main() -> int:
    """Prepare and report: one JSON object a line, the last one the login or the error.

    A reported error is a result: the exit code is 0, and another one means a crash.
    """
    import django  # noqa: PLC0415

    from riskhub import clock  # noqa: PLC0415

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "riskhub.settings")
    django.setup()
    try:
        login = prepare(now=clock.now(), say=lambda text: _report("say", text))
    except PrepareError as error:
        _report("error", str(error))
    else:
        _report("login", [login.username, login.password])
    return 0


def _report(kind: str, value: object) -> None:
    sys.stdout.write(json.dumps({kind: value}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
