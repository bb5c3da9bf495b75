"""The real thing: `python -m riskhub.runhub` on an empty data folder, and on the same again."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from riskhub.runhub.leftovers import marked_processes
from riskhub.runhub.port import open_listener
from tests.setup.hubs import Hub, eventually

ROOT = Path(__file__).resolve().parents[2]
# The second start needs the folder of the first: one process does both.
pytestmark = pytest.mark.xdist_group("runhub")
OURS = {"DATABASE_URL", "REDIS_URL", "HOST", "ALLOWED_HOSTS", "RISKHUB_URL", "SECRET_KEY"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


def start(folder: Path, *, port: int) -> Hub:
    env = {name: value for name, value in os.environ.items() if name not in OURS}
    env |= {
        "RISKHUB_DATA_DIR": str(folder),
        "RISKHUB_ENV_FILE": os.devnull,
        "DJANGO_SETTINGS_MODULE": "riskhub.settings",
        "RISKHUB_DEMO": "0",
        "PORT": str(port),
    }
    return Hub([sys.executable, "-m", "riskhub.runhub"], env=env)


def start_and_stop(folder: Path) -> None:
    """Make the first start, where this test runs alone."""
    hub = start(folder, port=0)
    try:
        hub.hear("RiskHub is ready: ")
        hub.end(signal.SIGINT)
    finally:
        hub.close()


@pytest.fixture
def busy_port() -> Iterator[int]:
    with open_listener(host="127.0.0.1", port=0) as listener:
        yield listener.getsockname()[1]


def get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def run_id(folder: Path) -> str:
    return json.loads((folder / "runhub.json").read_text())["run_id"]


def test_first_start_serves_tells_the_login_and_stops_without_a_trace(
    folder: Path, busy_port: int
) -> None:
    hub = start(folder, port=busy_port)
    try:
        taken = hub.hear("is taken; using")
        address = hub.hear("RiskHub is ready: ")
        password = hub.hear("with the password ").split()[-1]
        port = int(re.search(r":(\d+)/", address).group(1))
        answers = [get(port, path)[0] for path in ("/healthz", "/readyz", "/login/")]
        second = subprocess.run(
            hub.process.args, env=hub.env, cwd=ROOT, capture_output=True, text=True, check=False
        )
        this_run = run_id(folder)
        code = hub.end(signal.SIGINT)
    finally:
        hub.close()

    assert str(busy_port) in taken
    assert answers == [200, 200, 200]
    assert re.fullmatch(r"(\w{4}-){3}\w{4}", password)
    assert second.returncode == 1
    assert "RiskHub already runs on" in second.stdout
    assert code == 0
    assert eventually(lambda: marked_processes(this_run) == set())
    assert not any(password in log.read_text() for log in (folder / "logs").iterdir())
    assert folder_is_private(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals orphans at once")
def test_second_start_keeps_the_login_and_a_killed_runner_leaves_nothing(folder: Path) -> None:
    if not (folder / "db.sqlite3").exists():
        start_and_stop(folder)
    hub = start(folder, port=0)
    try:
        hub.hear("RiskHub is ready: ")
        hub.hear("Sign in as admin; a lost password")
        children = json.loads((folder / "runhub.json").read_text())["children"]
        this_run = run_id(folder)
        hub.end(signal.SIGKILL)
    finally:
        hub.close()

    assert [name for name, _, _ in children] == [
        "broker",
        "worker-poll",
        "worker-default",
        "beat",
        "web",
    ]
    assert eventually(lambda: marked_processes(this_run) == set())
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for _, pid, _ in children))


def folder_is_private(folder: Path) -> bool:
    """Tell whether others can read nothing; static files are public, and locked in all the same."""
    secret = [path for path in folder.rglob("*") if folder / "static" not in path.parents]
    return not any(path.stat().st_mode & 0o077 for path in secret if path.is_file())
