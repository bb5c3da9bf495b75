import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from riskhub import notices
from riskhub.runhub.leftovers import RUN_ID_NAME, marked_processes, start_mark
from tests.setup.hubs import FakeHub, eventually, is_alive

Start = Callable[..., FakeHub]
linux_only = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux signals the children of a killed process"
)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    hubs: list[FakeHub] = []

    def start_hub(*children: str) -> FakeHub:
        hubs.append(FakeHub(tmp_path, *children))
        return hubs[-1]

    yield start_hub
    for hub in hubs:
        hub.close()


def names_in(order: list[str], event: str) -> list[str]:
    return [line.split()[0] for line in order if line.split()[1] == event]


def test_ctrl_c_stops_the_children_backwards_and_the_broker_last(start: Start) -> None:
    hub = start("broker=stays", "worker=stays", "web=stays")
    hub.hear("ready")

    code = hub.end(signal.SIGINT)

    assert code == 0
    assert names_in(hub.order(), "up") == ["broker", "worker", "web"]
    assert sorted(names_in(hub.order(), "down")[:2]) == ["web", "worker"]
    assert names_in(hub.order(), "down")[2:] == ["broker"]


def test_sigterm_ends_the_grandchildren_too(start: Start, tmp_path: Path) -> None:
    hub = start("worker=parent")
    hub.hear("ready")
    run_id = json.loads((tmp_path / "runhub.json").read_text())["run_id"]

    code = hub.end(signal.SIGTERM)

    assert code == 0
    assert eventually(lambda: marked_processes(run_id) == set())


def test_under_nohup_a_closed_terminal_stops_nothing(start: Start) -> None:
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    hub = start("web=stays")
    signal.signal(signal.SIGHUP, old)
    hub.hear("ready")

    hub.process.send_signal(signal.SIGHUP)
    os.kill(hub.pid_of("web"), signal.SIGKILL)

    assert hub.hear("was restarted")
    assert hub.end(signal.SIGTERM) == 0


def test_a_closed_terminal_stops_all(start: Start) -> None:
    hub = start("web=stays")
    hub.hear("ready")

    assert hub.end(signal.SIGHUP) == 0
    assert names_in(hub.order(), "down") == ["web"]


def test_a_child_that_does_not_end_is_killed_after_the_grace(start: Start) -> None:
    hub = start("worker=stubborn")
    hub.hear("ready")
    pid = hub.pid_of("worker")

    hub.end(signal.SIGINT)

    assert not is_alive(pid)


def test_a_second_ctrl_c_does_not_wait_for_the_grace(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_GRACE_S", "60")
    hub = start("worker=stubborn")
    hub.hear("ready")
    pid = hub.pid_of("worker")
    hub.process.send_signal(signal.SIGINT)
    hub.hear("stopping")

    code = hub.end(signal.SIGINT)

    assert code == 0
    assert not is_alive(pid)


def test_a_child_that_dies_in_the_start_stops_the_rest_and_shows_its_log(start: Start) -> None:
    hub = start("broker=stays", "worker=dies", "web=stays")

    hub.hear("The worker stopped during the start (exit code 1)")
    hub.hear("worker has no bread")

    assert hub.process.wait(timeout=40) == 1
    assert names_in(hub.order(), "up") == ["broker"]
    assert names_in(hub.order(), "down") == ["broker"]


def test_a_child_that_dies_later_is_restarted_with_a_banner(start: Start, tmp_path: Path) -> None:
    hub = start("broker=stays", "web=stays")
    hub.hear("ready")
    first = hub.pid_of("web")

    os.kill(first, signal.SIGKILL)
    hub.hear("The web stopped (signal SIGKILL) and is being restarted.")
    hub.hear("The web had stopped and was restarted.")

    assert eventually(lambda: hub.pid_of("web") != first)
    (notice,) = notices.read(folder=tmp_path)
    assert (notice.key, notice.level) == ("web", "warning")


def test_a_child_that_keeps_dying_is_tried_ever_more_seldom(start: Start, tmp_path: Path) -> None:
    hub = start("web=relapses")
    hub.hear("ready")

    os.kill(hub.pid_of("web"), signal.SIGKILL)
    waits = [hub.hear("Next try in").split("Next try in ")[1].split(";")[0] for _ in range(4)]

    assert waits == ["0.1 s", "0.2 s", "0.4 s", "0.4 s"]
    (notice,) = notices.read(folder=tmp_path)
    assert (notice.key, notice.level) == ("web", "error")
    assert notice.text.endswith("Nothing is baked.")


def test_the_banner_goes_with_the_run(start: Start, tmp_path: Path) -> None:
    hub = start("web=stays")
    hub.hear("ready")
    os.kill(hub.pid_of("web"), signal.SIGKILL)
    hub.hear("was restarted")

    hub.end(signal.SIGINT)

    assert notices.read(folder=tmp_path) == []


def test_errors_of_a_child_reach_the_console(start: Start) -> None:
    hub = start("web=relapses")
    hub.hear("ready")

    os.kill(hub.pid_of("web"), signal.SIGKILL)

    assert hub.hear("has no bread").strip() == "web | error: web has no bread"


@linux_only
def test_no_child_survives_a_sigkill_of_the_runner(start: Start, tmp_path: Path) -> None:
    hub = start("broker=stays", "worker=stubborn", "web=stays")
    hub.hear("ready")
    run_id = json.loads((tmp_path / "runhub.json").read_text())["run_id"]

    hub.end(signal.SIGKILL)

    assert eventually(lambda: marked_processes(run_id) == set())


@linux_only
def test_the_next_start_ends_grandchildren_of_a_killed_run(start: Start, tmp_path: Path) -> None:
    killed = start("worker=parent")
    killed.hear("ready")
    run_id = json.loads((tmp_path / "runhub.json").read_text())["run_id"]
    killed.end(signal.SIGKILL)
    assert eventually(lambda: not is_alive(killed.pid_of("worker")))
    left = marked_processes(run_id)

    start("worker=stays").hear("ready")

    assert len(left) == 1
    assert marked_processes(run_id) == set()


def test_a_second_runner_of_the_same_folder_is_refused(start: Start) -> None:
    first = start("web=stays")
    first.hear("ready")

    second = start("web=stays")

    sentence = second.hear("RiskHub already runs on")
    assert f"process {first.process.pid}" in sentence
    assert "http://127.0.0.1:1/" in sentence
    assert second.process.wait(timeout=40) == 1
    assert is_alive(first.pid_of("web"))


def test_a_recorded_child_that_hides_its_environment_is_ended(start: Start, tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"]
    left = subprocess.Popen(command, env={})
    record = {"run_id": "f" * 32, "children": [["broker", left.pid, start_mark(left.pid)]]}
    (tmp_path / "runhub.json").write_text(json.dumps(record))

    start("web=stays").hear("ready")

    assert left.wait(timeout=40) == -signal.SIGTERM


def test_somebody_elses_process_is_left_alone(start: Start, tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"]
    other = subprocess.Popen(command, env={RUN_ID_NAME: "of another run"})
    record = {"run_id": "f" * 32, "children": [["web", other.pid, "another instant"]]}
    (tmp_path / "runhub.json").write_text(json.dumps(record))

    start("web=stays").hear("ready")

    assert other.poll() is None
    other.kill()
    other.wait(timeout=40)
