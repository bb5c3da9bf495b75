"""Which cycle beats when, so that only a cycle that has died grows late."""

from __future__ import annotations

import pytest

from positions import feeds, tasks
from riskhub import heartbeat
from riskhub.health import cycles
from tests.factories import NOW, make_account, make_position
from venues.models import FeedKind

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_now")]


@pytest.fixture
def at_now(time_machine):
    time_machine.move_to(NOW, tick=False)


def test_prices_that_nobody_needs_are_not_late():
    rung = tasks.dispatch_due_prices()

    assert rung == 0
    assert cycles(now=NOW)["prices"]["is_late"] is False


@pytest.mark.parametrize(
    ("account", "position"), [({"is_enabled": False}, {}), ({}, {"state": "gone"})]
)
def test_a_position_whose_price_is_not_asked_for_needs_none(account, position):
    make_position(make_account(**account), **position)

    tasks.dispatch_due_prices()

    assert heartbeat.last_beats() == {"prices": NOW}


def test_prices_that_are_needed_and_not_due_do_not_beat_for_a_refresh_that_died():
    make_position()
    feeds.claim_feeds(kind=FeedKind.PRICES, now=NOW)

    rung = tasks.dispatch_due_prices()

    assert rung == 0
    assert heartbeat.last_beats() == {}
