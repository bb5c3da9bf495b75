"""A poll task that the broker delivers twice at the same time has one set of effects."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.databases import Databases
from tests.system.forks import ForkServer, Job

pytestmark = pytest.mark.django_db
TRIALS = 100


def test_the_same_poll_task_twice_at_once_is_stored_once(
    folder: Path, databases: Databases, forks: ForkServer
) -> None:
    job = Job("redelivery.twice", databases.make("twice"), str(folder / "twice.log"))
    job.args = {"trials": TRIALS}

    codes = forks.run([job])

    assert codes == [0], job.said
    effects = job.result
    # Both read the venue; the database takes the answer of one of them.
    assert effects["asked"] >= 2 * TRIALS
    assert effects["polls"] == effects["readings"] == TRIALS
    assert effects["events"] == ["opened", *["reduced", "increased"] * (TRIALS // 2 - 1), "reduced"]
    assert effects["messages"] == ["first", "resolved"] * (TRIALS // 2)
    assert effects["incidents"] == TRIALS // 2
