"""The supervisor's parts: port, log file, notices, database copy, probes, command lines."""

import io
import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from riskhub import notices
from riskhub.notices import Notice
from riskhub.runhub import plan
from riskhub.runhub.backup import KEPT, copy_database
from riskhub.runhub.child import exit_words
from riskhub.runhub.console import QUIET_S, Console
from riskhub.runhub.facts import Facts
from riskhub.runhub.logfile import LogFile, loud_part
from riskhub.runhub.port import PortError, open_listener
from riskhub.runhub.probe import WebProbe, broker_answers

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def busy() -> Iterator[int]:
    with open_listener(host="127.0.0.1", port=0) as listener:
        yield listener.getsockname()[1]


def test_a_busy_port_moves_on_to_the_next_free_one(busy: int) -> None:
    with open_listener(host="127.0.0.1", port=busy) as listener:
        chosen = listener.getsockname()[1]

    assert chosen != busy


@pytest.mark.parametrize(
    ("host", "sentence"),
    [("no such host", "is no address"), ("192.0.2.1", "not an address of this machine")],
)
def test_a_wrong_host_is_a_sentence(host: str, sentence: str) -> None:
    with pytest.raises(PortError, match=sentence):
        open_listener(host=host, port=0)


def test_new_lines_come_once_and_only_when_complete(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "web.log")

    log.path.write_text("one\ntw")
    first = log.new_lines()
    with log.path.open("a") as file:
        file.write("o\n")

    assert (first, log.new_lines(), log.new_lines()) == (["one"], ["two"], [])


def test_a_full_log_is_set_aside_and_the_child_goes_on_writing(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "web.log", cap_bytes=10)
    with open(log.open(), "w") as child:
        child.write("a long first line\n")
        child.flush()
        log.new_lines()

        log.keep_small()
        child.write("second\n")
        child.flush()

        assert log.new_lines() == ["second"]
    assert log.path.read_text() == "second\n"
    assert (tmp_path / "web.log.1").read_text() == "a long first line\n"


def test_logs_are_for_their_owner_alone(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "logs" / "web.log")

    assert log.path.stat().st_mode & 0o077 == 0
    assert log.path.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("line", "loud"),
    [
        ('{"level": "warning", "event": "late"}', None),
        ('{"level": "critical", "event": "no disk"}', "critical: no disk"),
        ('{"level": "error", "logger": "django.security.X", "event": "too many fields"}', None),
        (
            '{"level": "error", "logger": "django.security.DisallowedHost", "event": "Add a"}',
            "error: Add a",
        ),
        ("WARNING: something is deprecated", None),
        ('{"level": "error", "event": "first\\nsecond"}', "error: first"),
        ('{"level": "info", "event": "polled"}', None),
        ("ERROR: port taken", "error: port taken"),
        ("INFO: started", None),
        ('{"level": "error", "event": cut', None),
        ("  File x.py, line 3", None),
    ],
)
def test_the_console_shows_errors_and_worse(line: str, loud: str | None) -> None:
    assert loud_part(line) == loud


@pytest.mark.django_db
def test_what_requests_do_wrong_stays_in_the_log_file(settings: Any) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_json_formatter(settings))
    logger = logging.getLogger("django")
    logger.addHandler(handler)
    client = Client(enforce_csrf_checks=True)
    try:
        codes = [
            client.post("/login/", {"username": "x"}).status_code,
            client.get("/nothing/here").status_code,
            client.get("/api/v1/positions", headers={"accept": "text/html"}).status_code,
            client.post("/healthz").status_code,
        ]
    finally:
        logger.removeHandler(handler)

    lines = stream.getvalue().splitlines()
    assert all(code >= 400 for code in codes), codes
    assert len(lines) >= len(codes)
    assert [loud_part(line) for line in lines] == [None] * len(lines)


def _json_formatter(settings: Any) -> logging.Formatter:
    config = dict(settings.LOGGING["formatters"]["json"])
    formatter: logging.Formatter = config.pop("()")(**config)
    return formatter


def test_a_line_that_says_the_same_is_shown_once_a_minute() -> None:
    stream = io.StringIO()
    console = Console(stream)

    for number in range(3):
        console.relay("web", f"error: task {number} failed", now_s=5.0 + number)
    console.relay("web", "error: another", now_s=9.0)
    console.relay("web", "error: task 9 failed", now_s=5.0 + QUIET_S)

    assert stream.getvalue().splitlines() == [
        "           web | error: task 0 failed",
        "           web | error: another",
        "           web | error: task 9 failed (and 2 more like it in logs/web.log)",
    ]


def test_notices_come_back_worst_first(tmp_path: Path) -> None:
    mild = Notice("web", "warning", "was restarted", NOW)
    grave = Notice("beat", "error", "is down", NOW - timedelta(minutes=1))

    notices.write(folder=tmp_path, notices=[mild, grave])

    assert notices.read(folder=tmp_path) == [grave, mild]


@pytest.mark.parametrize(
    "content",
    ["", "{", "null", "[1]", '[{"key": "a", "level": "loud", "text": "", "at": "2026-01-01"}]'],
)
def test_damaged_notices_read_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / notices.FILE_NAME).write_text(content)

    assert notices.read(folder=tmp_path) == []


def test_a_database_in_use_is_copied_whole(tmp_path: Path) -> None:
    path = tmp_path / "db.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE bread AS SELECT 'rye' AS kind")

        copy = copy_database(path=path, folder=tmp_path / "backups", now=NOW)

    with closing(sqlite3.connect(copy)) as restored:
        assert restored.execute("SELECT kind FROM bread").fetchall() == [("rye",)]
    assert copy.stat().st_mode & 0o077 == 0


def test_the_last_copies_are_kept(tmp_path: Path) -> None:
    path, folder = tmp_path / "db.sqlite3", tmp_path / "backups"
    sqlite3.connect(path).close()
    times = [NOW + timedelta(seconds=i) for i in range(KEPT + 2)]

    copies = [copy_database(path=path, folder=folder, now=now) for now in times]

    assert sorted(folder.iterdir()) == copies[-KEPT:]


def test_a_copy_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.Error):
        copy_database(path=tmp_path / "absent", folder=tmp_path / "backups", now=NOW)

    assert list((tmp_path / "backups").iterdir()) == []


def test_a_broker_that_is_not_there_does_not_answer(tmp_path: Path) -> None:
    assert not broker_answers(str(tmp_path / "redis.sock"))


def test_the_probe_does_not_wait_for_an_answer_that_is_not_there() -> None:
    with open_listener(host="127.0.0.1", port=0) as listener:
        probe = WebProbe(listener=listener, host_header="localhost")

        before = probe.is_ready()
        accepted, _ = listener.accept()
        with accepted:
            request = accepted.recv(1000)
            accepted.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            answers = [probe.is_ready() for _ in range(1)]
        probe.close()

    assert (before, answers) == (False, [True])
    assert request.startswith(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n")


@pytest.fixture
def facts(tmp_path: Path) -> Facts:
    return Facts(
        data_dir=str(tmp_path),
        host="127.0.0.1",
        port=8000,
        public_url="",
        allowed_hosts=["localhost", "127.0.0.1"],
        is_hosts_chosen=False,
        redis_url="unix:///data/redis.sock",
        broker_program="/bin/valkey-server",
        broker_socket="/data/redis.sock",
    )


def test_children_are_told_the_port_that_was_chosen(facts: Facts) -> None:
    with open_listener(host="127.0.0.1", port=0) as listener:
        env = plan.environment(
            facts=facts, run_id="r", listener=listener, machine=["10.1.2.3", "hub"]
        )
        port = listener.getsockname()[1]

    assert env["PORT"] == str(port)
    assert env["RISKHUB_URL"] == f"http://127.0.0.1:{port}"
    assert env["ALLOWED_HOSTS"] == "localhost,127.0.0.1"


def test_what_a_person_chose_is_left_as_it_is(facts: Facts) -> None:
    chosen = replace(facts, public_url="https://r.example", is_hosts_chosen=True)
    with open_listener(host="0.0.0.0", port=0) as listener:
        env = plan.environment(
            facts=chosen, run_id="r", listener=listener, machine=["10.1.2.3", "hub"]
        )

    assert env["RISKHUB_URL"] == "https://r.example"
    assert env["ALLOWED_HOSTS"] == "localhost,127.0.0.1"


def test_a_server_for_all_addresses_serves_this_machines_own_names(facts: Facts) -> None:
    with open_listener(host="0.0.0.0", port=0) as listener:
        env = plan.environment(
            facts=facts, run_id="r", listener=listener, machine=["10.1.2.3", "hub"]
        )
        opened = plan.open_url(listener)

    assert env["ALLOWED_HOSTS"] == "localhost,127.0.0.1,10.1.2.3,hub"
    assert env["RISKHUB_URL"] == f"http://10.1.2.3:{env['PORT']}"
    assert opened.startswith("http://127.0.0.1:")


def test_the_broker_listens_on_no_port(facts: Facts) -> None:
    command = plan.broker(facts=facts, env={}).command

    assert command[command.index("--port") + 1] == "0"
    assert command[command.index("--unixsocketperm") + 1] == "700"


@pytest.mark.parametrize(("code", "words"), [(1, "exit code 1"), (-9, "signal SIGKILL")])
def test_exit_codes_in_words(code: int, words: str) -> None:
    assert exit_words(code) == words


def test_facts_survive_the_way_between_processes(facts: Facts) -> None:
    fields = {name: getattr(facts, name) for name in Facts.__dataclass_fields__}

    assert Facts(**json.loads(json.dumps(fields))) == facts
