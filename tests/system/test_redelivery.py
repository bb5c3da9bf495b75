"""A poll task that the broker delivers twice at the same time has one set of effects."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.databases import Databases
from tests.system.forks import ForkServer, Job

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("trials", [30, pytest.param(1000, marks=pytest.mark.slow)])
def test_the_same_poll_task_twice_at_once_is_stored_once(
    folder: Path, databases: Databases, forks: ForkServer, trials: int
) -> None:
    database = databases.copy(databases.empty, f"twice{trials}")
    log = str(folder / f"twice{trials}.log")
    job = Job("redelivery.twice", database, log, args={"trials": trials})

    codes = forks.run([job])

    assert codes == [0], job.said
    effects = job.result
    # Both read the venue; the database takes the answer of one of them.
    assert effects["asked"] >= 2 * trials
    assert effects["polls"] == effects["readings"] == trials
    assert effects["events"] == ["opened", *["reduced", "increased"] * (trials // 2 - 1), "reduced"]
    assert effects["messages"] == ["first", "resolved"] * (trials // 2)
    assert effects["incidents"] == trials // 2
