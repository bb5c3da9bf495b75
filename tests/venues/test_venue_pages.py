"""The pages of docs/venues and the README's table are what the adapters say today."""

from __future__ import annotations

import pytest

from tests.venues import venue_pages
from venues import registry
from venues.base import REGISTRY

registry.load()


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return venue_pages.render_all()


@pytest.mark.slow
def test_every_page_is_fresh(pages: dict[str, str]) -> None:
    # Otherwise: python -m tests.venues.venue_docs
    for name, text in pages.items():
        assert (venue_pages.FOLDER / name).read_text() == text, name


@pytest.mark.slow
def test_no_page_is_of_a_venue_that_is_gone(pages: dict[str, str]) -> None:
    there = {path.name for path in venue_pages.FOLDER.glob("*.md")}

    assert there == {*pages, f"{venue_pages.BY_HAND}.md"}


def test_the_readme_lists_every_venue() -> None:
    # Otherwise: python -m tests.venues.venue_docs
    _, _, rest = venue_pages.README.read_text().partition(venue_pages.BEGIN)
    told, _, _ = rest.partition(venue_pages.END)

    assert told == venue_pages.render_table()
    assert all(adapter.label in told for adapter in REGISTRY.values())
