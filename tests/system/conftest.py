"""Fixtures of the system tests: databases, a broker, venues on loopback, forked workers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.system.databases import Databases
from tests.system.forks import ForkServer
from tests.system.parts import environment, running_broker
from tests.venues.replay import Replay, new_replay, serving


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder with a short path, for a socket lies in it."""
    path = Path(tempfile.mkdtemp(prefix=settings.FOLDER_PREFIX))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def databases(folder: Path, django_db_setup: None, django_db_blocker: Any) -> Iterator[Databases]:
    made = Databases(folder=folder, blocker=django_db_blocker)
    yield made
    made.remove_all()


@pytest.fixture(scope="module")
def venues() -> Iterator[Replay]:
    """Venues that answer from what a test composes; a request without an answer fails it."""
    with serving() as server:
        replay = new_replay(server)
        yield replay
        assert replay.missed == []


@pytest.fixture(scope="module")
def forks(folder: Path, databases: Databases) -> Iterator[ForkServer]:
    """Workers to be: a process that forks, beside a broker that rings for nobody."""
    env = environment(folder, database_url=databases.url(databases.empty))
    with running_broker(folder):
        server = ForkServer(env=env)
        yield server
        server.close()
