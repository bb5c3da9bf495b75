"""A whole site on loopback, of our own: broker, database, web server; and a hand on its ingest.

    with running_site() as site:
        site.act("hold", asset="SOL", mark="182.44")
        open(site.url + "/")

The site is a process of its own: what a test does in it goes through the same code as in a worker.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis
from django.conf import settings

from riskhub import env
from tests.paths import PROJECT
from tests.system.parts import environment, running_broker

# Of sixteen; the tests of everything else use the first.
_OWN_DATABASE = "/9"
_PROGRAM = "import django; django.setup(); from tests.web import site_process as it; it.main()"


class Site:
    """A running site: its address, and acts of tests/web/site_process.py."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.url: str = self._answer()

    def act(self, name: str, **arguments: Any) -> Any:
        """Do something inside the site and return what came of it."""
        assert self._process.stdin
        print(json.dumps([name, arguments]), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the site has ended; its log says why"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["result"]


@contextmanager
def running_site() -> Iterator[Site]:
    """Run a site until the block ends; nothing of it stays."""
    folder = Path(tempfile.mkdtemp(prefix=settings.FOLDER_PREFIX))
    try:
        with _broker(folder) as more, (folder / "site.log").open("w") as log:
            url = f"sqlite:///{folder / 'db.sqlite3'}"
            process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM],
                env=environment(folder, database_url=url, **more),
                cwd=PROJECT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
            try:
                yield Site(process)
            finally:
                process.stdin.close()  # type: ignore[union-attr]
                _wait(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _broker(folder: Path) -> Iterator[dict[str, str]]:
    """Run a broker, or take an emptied database of the server that REDIS_URL names."""
    if env.is_broker_embedded():
        with running_broker(folder):
            yield {}
        return
    url = urlsplit(env.redis_url())._replace(path=_OWN_DATABASE).geturl()
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    yield {"REDIS_URL": url}


def _wait(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=15)
