"""Bring database, static files, first login and demo book to where the system can start.

`manage.py prepare` calls it, for people and for the supervisor: that process ends, and Django's
memory goes with it.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg
import redis
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import DatabaseError, NotSupportedError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from positions.alerts.defaults import ensure_defaults
from riskhub import logs
from riskhub.runhub.backup import copy_database
from riskhub.teams.members import new_password
from riskhub.teams.models import Membership, Role
from riskhub.teams.services import default_team
from venues.reference.demo import ensure_demo

FIRST_USER = "admin"

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
    check_broker()
    executor = open_database()
    refuse_newer(executor=executor)
    migrate(executor=executor, now=now, say=say)
    _collect_static(say)
    login = first_login(now=now)
    ensure_defaults(team=default_team(now=now), now=now)
    if settings.IS_DEMO:
        _ensure_demo(now=now, say=say)
    return login


def first_login(*, now: datetime) -> Login:
    """Return the first person who can sign in, made with a random password if there is none."""
    people = get_user_model()
    with transaction.atomic():
        person = people.objects.filter(is_active=True).order_by("pk").first()
        if person:
            return Login(person.get_username())
        password = new_password()
        person = people.objects.create_user(username=FIRST_USER, password=password)
        team = default_team(now=now)
        Membership.objects.create(team=team, user=person, role=Role.OWNER)
    return Login(FIRST_USER, password)


def check_broker() -> None:
    """Ask Redis whether it answers; raises PrepareError."""

    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise PrepareError(
            f"Redis does not answer: {first_line(error)}. Start it, or correct REDIS_URL."
        ) from None


def open_database() -> MigrationExecutor:
    """Return what knows the migrations applied and to come; raises PrepareError."""
    try:
        _reach_postgresql()
        return MigrationExecutor(connection)
    except (DatabaseError, NotSupportedError, psycopg.Error) as error:
        raise PrepareError(
            f"The database cannot be used: {first_line(error)}. Start it, or correct DATABASE_URL."
        ) from None


def _reach_postgresql() -> None:
    """Connect once past the pool, which would wait long and not tell why it got nothing."""
    if connection.vendor == "postgresql":
        parameters = connection.get_connection_params()
        parameters.pop("pool", None)
        psycopg.connect(**parameters).close()


def refuse_newer(*, executor: MigrationExecutor) -> None:
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


def migrate(*, executor: MigrationExecutor, now: datetime, say: Say) -> None:
    """Apply what is missing; a SQLite database with tables is copied first. Raises PrepareError."""

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
    stamp = Path(settings.STATIC_ROOT) / ".collected"
    present = _static_digest()
    if stamp.is_file() and stamp.read_text() == present:
        return
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    stamp.write_text(present)
    say("The static files are in place.")


def _static_digest() -> str:
    """Return a digest of name, size and time of every static file."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list(ignore_patterns=[]):
            state = os.stat(storage.path(name))
            digest.update(f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _ensure_demo(*, now: datetime, say: Say) -> None:

    try:
        ensure_demo(team=default_team(now=now), now=now)
    except Exception as error:  # noqa: BLE001 - the demo must not keep real accounts unwatched
        logs.get(__name__).error("demo book failed", exc_info=True)
        say(f"The demo book could not be made ({first_line(error)}); starting without it.")


def first_line(error: BaseException) -> str:
    """Return the first line of an error, without its final stop and without secrets."""
    text = str(error).strip() or type(error).__name__
    return logs.scrub(text.splitlines()[0]).rstrip(".")
