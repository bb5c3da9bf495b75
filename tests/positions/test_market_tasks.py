"""The tasks behind feeds and announcements, without a broker and without a network."""

from __future__ import annotations

import pytest
from django.conf import settings

from positions import tasks
from positions.models import Position
from riskhub.celery import app
from tests.factories import NOW, make_announced, make_market, make_position, make_quote
from venues.models import AnnouncedChange, Feed, FeedKind

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]


@pytest.fixture
def frozen(time_machine):
    time_machine.move_to(NOW, tick=False)


def test_a_feed_that_cannot_be_read_says_so_and_is_tried_again():
    market = make_market(venue="atlantis")

    tasks.refresh_feed(
        kind="rules", venue="atlantis", environment="", symbols=[market.symbol], newer="argument"
    )

    feed = Feed.objects.get()
    assert "atlantis" in feed.error
    assert (feed.kind, feed.received_at) == (FeedKind.RULES, None)


def test_a_local_venue_has_no_feeds_but_prices():
    make_position(market=make_market(venue="reference"))

    assert tasks.dispatch_due_feeds() == 0
    assert not Feed.objects.exists()


def test_nothing_is_asked_while_nothing_is_held():
    make_quote(make_market())

    assert tasks.dispatch_due_feeds() == 0


def test_an_announced_change_comes_by_the_beat():
    position = make_position(tier_version=1)
    make_announced(position.market, effective_at=NOW)

    assert [tasks.apply_announced(), tasks.apply_announced()] == [1, 0]
    assert AnnouncedChange.objects.get().applied_at == NOW
    assert Position.objects.get().tier_version == 2


def test_what_asks_venues_runs_where_ccxt_is():
    routes = settings.CELERY_TASK_ROUTES

    assert routes["positions.tasks.refresh_feed"] == {"queue": "poll"}
    assert "positions.tasks.apply_announced" not in routes


@pytest.mark.parametrize("name", ["dispatch-due-feeds", "apply-announced"])
def test_the_beat_rings_for_tasks_that_there_are(name):
    entry = app.conf.beat_schedule[name]

    assert entry["task"].removeprefix("positions.tasks.") in vars(tasks)
    assert entry["options"]["expires"] >= entry["schedule"]
