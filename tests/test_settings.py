"""Settings: every one documented, every wrong one a sentence."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys

import pytest

from riskhub import env
from tests.paths import PROJECT

READ = re.compile(r"""(?:text|number|flag|words|networks)\(\s*"([A-Z_]+)\"""")


def test_every_setting_is_documented_with_its_default():
    page = (PROJECT / "docs" / "settings.md").read_text()

    missing = [
        setting.name
        for setting in env.SETTINGS
        if f"| `{setting.name}` | {setting.default} | {setting.help} |" not in page
    ]

    assert missing == []


def test_every_setting_that_is_read_is_listed():
    read = {
        name
        for path in ("riskhub/env.py", "riskhub/settings.py")
        for name in READ.findall((PROJECT / path).read_text())
    }

    assert read - {setting.name for setting in env.SETTINGS} == set()


def manage(tmp_path, *arguments, **variables):
    environment = {
        "PATH": os.environ["PATH"],
        "RISKHUB_DATA_DIR": str(tmp_path / "data"),
        # Nobody connects; unset, a folder for the socket of so long a path would stay behind.
        "REDIS_URL": "redis://127.0.0.1:1/0",
        **variables,
    }
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DATABASE_URL", "mysql://u@h/db", "postgres://"),
        ("DATABASE_URL", "nonsense", "no scheme"),
        ("DATABASE_URL", "postgres://user:pw@host:5432/", "names no database"),
        ("DATABASE_URL", "postgres://user:pw@host:notaport/name", "DATABASE_URL"),
        ("REDIS_URL", "http://localhost", "redis://"),
        ("RISKHUB_FIELD_KEYS", "tooshort", "RISKHUB_FIELD_KEYS"),
        ("RISKHUB_POLL_BUDGET_S", "often", "RISKHUB_POLL_BUDGET_S"),
        ("RISKHUB_POLL_BUDGET_S", "-1", "at least 1"),
        ("RISKHUB_DEMO", "maybe", "1 or 0"),
        ("RISKHUB_OUTBOUND_ALLOW", "10.0.0.0/99", "10.0.0.0/8"),
        ("EMAIL_URL", "carrier-pigeon://x", "EMAIL_URL"),
    ],
)
def test_a_wrong_value_is_one_sentence_without_a_traceback(tmp_path, name, value, says):
    done = manage(tmp_path, "check", **{name: value})

    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("Configuration: ")
    assert says in done.stderr
    assert "pw" not in done.stderr


def test_generated_secrets_are_private_and_kept(tmp_path):
    manage(tmp_path, "check")
    first = (tmp_path / "data" / "field_keys").read_text()
    manage(tmp_path, "check")

    for name in ("field_keys", "secret_key"):
        assert stat.S_IMODE((tmp_path / "data" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert (tmp_path / "data" / "field_keys").read_text() == first


def test_production_settings_pass_the_deploy_checks(tmp_path):
    done = manage(
        tmp_path,
        "check",
        "--deploy",
        "--fail-level",
        "WARNING",
        RISKHUB_PRODUCTION="1",
        SECRET_KEY="x" * 20 + "abcdefghijklmnopqrstuvwxyz0123456789",
        RISKHUB_FIELD_KEYS="MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        ALLOWED_HOSTS="riskhub.example",
        RISKHUB_URL="https://riskhub.example",
    )

    assert done.returncode == 0, done.stderr


def test_a_long_data_folder_keeps_its_socket_elsewhere(tmp_path, monkeypatch):
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    monkeypatch.setenv("RISKHUB_DATA_DIR", str(deep))

    socket = env.embedded_socket()
    again, mode = env.embedded_socket(), stat.S_IMODE(socket.parent.stat().st_mode)
    socket.parent.rmdir()

    assert len(str(socket)) < 100
    assert (again, mode) == (socket, 0o700)


def run_test_process(folder, ending):
    """Start a process with the settings of the tests, which makes two folders and ends so."""
    code = (
        "import os, sys, tempfile; from riskhub import settings_test;"
        f"tempfile.mkdtemp(prefix=settings_test.FOLDER_PREFIX); {ending}"
    )
    environment = {**os.environ, "TMPDIR": str(folder), "REDIS_URL": "redis://127.0.0.1:1/0"}
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, env=environment, check=False)


@pytest.mark.parametrize("ending", ["", "sys.exit(3)", "1 / 0"])
def test_a_test_process_leaves_no_folder(tmp_path, ending):
    run_test_process(tmp_path, ending)

    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_test_process_left_is_removed_by_the_next_one(tmp_path):
    run_test_process(tmp_path, "os.kill(os.getpid(), 9)")
    left = len(list(tmp_path.iterdir()))

    run_test_process(tmp_path, "")

    assert (left, list(tmp_path.iterdir())) == (2, [])


def test_a_folder_of_a_test_process_that_still_runs_is_left_alone(tmp_path):
    (tmp_path / f"riskhub-test-{os.getpid()}-x").mkdir()
    (tmp_path / "riskhub-test-notes-x").mkdir()

    run_test_process(tmp_path, "")

    assert len(list(tmp_path.iterdir())) == 2


def test_a_forked_child_leaves_its_parents_folders_alone(tmp_path):
    kept = tmp_path / "kept"
    ending = (
        "os.fork() or sys.exit(); os.wait();"
        f"os.mkdir({str(kept)!r}) if len(os.listdir({str(tmp_path)!r})) == 2 else None"
    )

    run_test_process(tmp_path, ending)

    assert list(tmp_path.iterdir()) == [kept]
