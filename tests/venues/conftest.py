"""Fixtures of the venue tests: a venue on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.venues.replay import Replay, Server, new_replay, serving
from venues import bans


@pytest.fixture(scope="session")
def replay_server() -> Iterator[Server]:
    """The one server of the session."""
    with serving() as server:
        yield server


@pytest.fixture
def replay(replay_server: Server) -> Iterator[Replay]:
    """Venues that answer from files; a request without an answer fails the test."""
    own = new_replay(replay_server)
    yield own
    assert own.missed == []


@pytest.fixture(autouse=True)
def _no_bans() -> Iterator[None]:
    """A ban that one test met is no ban of the next."""
    yield
    bans.forget()
