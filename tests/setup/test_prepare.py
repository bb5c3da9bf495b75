"""What happens to the database before the start: in this process, and in one of its own."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from riskhub.runhub.prepare import PrepareError, check_broker, first_login, refuse_newer
from riskhub.teams.models import Membership, Role

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def run(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command on a data folder of its own, without any setting of this machine."""
    clean = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"}
    own = {
        "RISKHUB_DATA_DIR": str(folder),
        # Nobody connects; unset, a folder for the socket of so long a path would stay behind.
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "RISKHUB_ENV_FILE": os.devnull,
        "RISKHUB_DEMO": "0",
        "DJANGO_SETTINGS_MODULE": "riskhub.settings",
    }
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**clean, **own, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.django_db
def test_the_first_login_owns_the_default_team_and_its_password_works() -> None:
    login = first_login(now=NOW)

    person = get_user_model().objects.get(username=login.username)
    assert person.check_password(login.password)
    assert Membership.objects.get(user=person).role == Role.OWNER


@pytest.mark.django_db
def test_the_second_start_makes_no_login_and_tells_no_password() -> None:
    first = first_login(now=NOW)

    second = first_login(now=NOW)

    assert (second.username, second.password) == (first.username, "")
    assert get_user_model().objects.count() == 1


@pytest.mark.django_db
def test_passwords_of_two_installations_differ() -> None:
    first = first_login(now=NOW)
    get_user_model().objects.all().delete()

    assert first_login(now=NOW).password != first.password


@pytest.mark.django_db
def test_a_database_that_newer_code_has_changed_is_refused() -> None:
    MigrationRecorder(connection).record_applied("positions", "9999_from_the_future")

    with pytest.raises(PrepareError, match=r"newer RiskHub .*positions\.9999_from_the_future"):
        refuse_newer(executor=MigrationExecutor(connection))


@pytest.mark.django_db
def test_a_database_of_this_version_is_not_refused() -> None:
    refuse_newer(executor=MigrationExecutor(connection))


def test_a_broker_that_is_not_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.conf.settings.REDIS_URL", "unix:///nowhere/redis.sock")

    with pytest.raises(PrepareError, match=r"Redis does not answer: .*correct REDIS_URL"):
        check_broker()


def test_the_sqlite_file_is_copied_before_its_tables_change(tmp_path: Path) -> None:
    done = run(tmp_path, "-c", _MIGRATE_TWICE)

    assert done.returncode == 0, done.stderr
    (copy,) = (tmp_path / "backups").iterdir()
    assert str(copy) in done.stdout
    assert _tables(copy) == {"django_migrations", "django_content_type", "sqlite_sequence"}
    assert "auth_user" in _tables(tmp_path / "db.sqlite3")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("DATABASE_URL", "mysql://u@h/db", "DATABASE_URL begins with 'mysql'"),
        ("REDIS_URL", "memcached://h", "REDIS_URL should begin with"),
        ("PORT", "http", "PORT is 'http'"),
        ("RISKHUB_DATA_DIR", "/dev/null/data", "cannot be made"),
    ],
)
def test_a_wrong_setting_is_one_sentence(
    tmp_path: Path, name: str, value: str, sentence: str
) -> None:
    done = run(tmp_path, "-m", "riskhub.runhub", **{name: value})

    assert done.returncode == 1
    assert sentence in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


def _tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as database:
        return {
            name
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type='table'")
        }


_MIGRATE_TWICE = """
import django; django.setup()
from django.core.management import call_command
from riskhub import clock
from riskhub.runhub import prepare
call_command("migrate", "contenttypes", verbosity=0)
prepare.migrate(executor=prepare.open_database(), now=clock.now(), say=print)
"""
