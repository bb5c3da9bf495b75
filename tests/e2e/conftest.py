"""A real browser on a real site. Without a browser these tests say so and are skipped."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.web.site import Site, running_site

_labels = (f"desk-{number}" for number in itertools.count(1))
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/e2e/" in item.nodeid:
            item.add_marker(pytest.mark.e2e)


def _give_up(reason: str) -> None:
    if os.environ.get("RISKHUB_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser of this machine, driven by Playwright."""
    program = next((path for name in _PROGRAMS if (path := shutil.which(name))), None)
    if program is None:
        _give_up("no Chromium on this machine")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _give_up("Playwright is not installed; make setup-e2e does it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    with running_site() as running:
        yield running


@pytest.fixture
def label(site: Site) -> str:
    """An account with two positions, of a team of its own."""
    name = next(_labels)
    site.act("poll", label=name, marks={"SOL": "101", "ETH": "96"})
    return name


Opener = Callable[..., Any]


@pytest.fixture
def open_page(chromium: Any, site: Site, label: str) -> Iterator[Opener]:
    """Open an address as the account's person; whatever the browser complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def complain(message: Any) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(f"{message.type}: {message.text}")

    def opener(address: str = "/", *, width: int = 1280, **options: Any) -> Any:
        context = chromium.new_context(
            base_url=site.url, viewport={"width": width, "height": 900}, **options
        )
        contexts.append(context)
        context.set_default_timeout(15_000)
        session = site.act("session", label=label)
        context.add_cookies([{"name": "sessionid", "value": session, "url": site.url}])
        page = context.new_page()
        page.on("console", complain)
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.goto(address)
        return page

    yield opener
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def addresses(site: Site, label: str) -> dict[str, str]:
    """Every page by name, with an incident to show."""
    held = site.act("poll", label=label, marks={"SOL": "101", "ETH": "96"})
    site.act("add_history", label=label, asset="SOL", points=30)
    incident = site.act("alert", label=label)
    return {
        "overview": "/",
        "position": f"/positions/{held['SOL']}/",
        "alerts": "/alerts/",
        "incident": f"/alerts/{incident}/",
        "channel": "/alerts/channels/add/",
        "accounts": "/accounts/",
        "add": "/accounts/add/",
        "settings": "/settings/",
        "password": "/settings/password/",
        "styleguide": "/styleguide/",
    }
