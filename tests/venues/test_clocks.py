"""A clock that is not the venues': the operator is told, and told when it is right again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.test import override_settings

from positions import context
from riskhub import clock
from tests.factories import make_team
from tests.system.parts import running_broker
from venues import clocks


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = Path(tmp_path_factory.mktemp("r"))
    with running_broker(folder):
        yield f"unix://{folder / 'redis.sock'}"


@pytest.fixture(autouse=True)
def _shared(redis_url: str) -> Iterator[None]:
    with override_settings(REDIS_URL=redis_url):
        # What reading noted before, in the same process, is no part of these cases.
        clocks.settle()
        redis.Redis.from_url(redis_url).flushall()
        yield


def tell(**milliseconds: int) -> None:
    for venue, each in milliseconds.items():
        clocks.note(venue=venue, milliseconds=each)
    clocks.settle()


def test_the_worst_is_told_first_and_a_second_is_none() -> None:
    tell(bybit=-1500, binance=60_000, okx=1000)

    assert [drift.venue for drift in clocks.current_drifts()] == ["binance", "bybit"]


def test_a_clock_that_was_set_is_no_longer_told_of() -> None:
    tell(bybit=-1500, binance=60_000)

    tell(bybit=20, binance=-4)

    assert clocks.current_drifts() == []


@pytest.mark.django_db
def test_the_page_says_by_how_much_and_which_way() -> None:
    tell(bybit=-1500, binance=60_000)

    shown = context.banners(team=make_team(), now=clock.now())

    (banner,) = [each for each in shown if each["id"] == "clock"]
    assert banner["text"].startswith("This machine's clock is 60.0 s behind Binance's")
    assert banner["more"][0].startswith("This machine's clock is 1.5 s ahead of Bybit's")


@override_settings(REDIS_URL="unix:///nowhere/redis.sock")
def test_without_redis_nothing_is_told_and_nothing_fails() -> None:
    tell(bybit=-1500)

    assert clocks.current_drifts() == []
