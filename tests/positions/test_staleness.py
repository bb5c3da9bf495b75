"""Stale is said of what is open and old, and of nothing that has moved on meanwhile."""

from __future__ import annotations

import pytest

from positions import staleness
from positions.models import Position
from tests.factories import make_account
from tests.positions.readings import SIGHTED, at, outcome, reading
from tests.positions.test_ingest import store

pytestmark = pytest.mark.django_db


def test_a_position_is_stale_once_its_reading_outlived_its_budget():
    store(outcome(make_account(), reading(mark_price=SIGHTED("66000"))))

    early, late = staleness.mark_stale(now=at(69)), staleness.mark_stale(now=at(71))

    assert (early, late) == (0, 1)
    assert Position.objects.get().state == "stale"


@pytest.mark.parametrize("state", ["breached", "gone", "closed", "liquidated"])
def test_what_ended_or_was_breached_meanwhile_is_not_called_stale(state, monkeypatch):
    store(outcome(make_account(), reading()))
    told = []
    monkeypatch.setattr(staleness, "publish", lambda positions, **_: told.extend(positions))
    real = staleness._is_stale

    def meanwhile(position, now):
        Position.objects.update(state=state)
        return real(position, now)

    monkeypatch.setattr(staleness, "_is_stale", meanwhile)

    marked = staleness.mark_stale(now=at(999))

    assert (marked, told) == (0, [])
    assert Position.objects.get().state == state
