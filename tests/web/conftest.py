"""Fixtures of the tests of pages."""

import pytest

from tests import factories


@pytest.fixture
def team(db):
    return factories.make_team("Desk")


@pytest.fixture
def frozen(time_machine):
    """The present is factories.NOW."""
    time_machine.move_to(factories.NOW, tick=False)


@pytest.fixture
def bybit(team):
    return factories.make_account(team, venue="bybit", label="main")
