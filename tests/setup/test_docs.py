"""What documents tell people to type works as it is written."""

import re

import pytest
from django.core.management import get_commands

from tests.paths import PROJECT

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("path", PAGES, ids=[path.name for path in PAGES])
def test_a_command_is_written_in_one_way(path):
    text = path.read_text()

    # A command without arguments may be spoken of by its name.
    typed = re.findall(r"([^\s`$(]*python3? )?manage\.py (\w+) [-a-z]", text)
    assert {prefix for prefix, _ in typed} <= {".venv/bin/python "}
    assert set(re.findall(r"([^\s`$(=]*python3?) manage\.py", text)) <= {
        ".venv/bin/python",
        "/srv/riskhub/.venv/bin/python",
    }


def test_every_command_that_is_told_is_there():
    told = {
        name
        for path in PAGES
        for name in re.findall(r"python3? manage\.py (\w+)", path.read_text())
    }

    assert told
    assert told <= set(get_commands())
