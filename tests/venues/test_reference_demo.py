from __future__ import annotations

import itertools

import pytest

from positions.engine.types import PositionState
from tests.venues.reference_book import at, run_steps, start_demo, state
from venues.models import Account
from venues.reference import demo, keeper
from venues.reference.models import ReferencePosition, ReferenceRun
from venues.reference.world import quotes

pytestmark = pytest.mark.django_db


def test_the_demo_opens_under_several_venues_rules() -> None:
    start_demo()

    rows = list(ReferencePosition.objects.select_related("account", "market"))
    rules = {row.record["rule"] for row in rows}
    assert len(rows) == len(keeper.SEATS) == 18
    assert len({row.account.options["style_of"] for row in rows}) >= 5
    assert {"linear-mark", "linear-entry", "linear-mark-fee-flat", "inverse-mark"} <= rules
    assert all(row.account.is_simulated for row in rows)
    assert {row.market.kind for row in rows} == {"linear", "inverse"}


def test_the_first_page_shows_danger_and_calm() -> None:
    start_demo()

    prices = quotes(world=ReferenceRun.objects.get().world)
    ratios = []
    for row in ReferencePosition.objects.select_related("market"):
        held, mark = row.compartment, prices[row.market.symbol].mark
        ratios.append(float(held.required(price=mark) / held.equity(price=mark)))
    assert min(ratios) < 0.05
    assert 0.3 < max(ratios) < 0.7


def test_asking_for_the_demo_again_changes_nothing() -> None:
    team = start_demo()
    run_steps(1, 5)
    before = state()

    demo.ensure_demo(team=team, now=at(5))

    assert state() == before


def test_two_teams_have_a_demo_each() -> None:
    start_demo()
    start_demo()

    run_steps(1, 2)

    assert Account.objects.count() == 2 * len(demo.ACCOUNTS)
    assert ReferencePosition.objects.count() == 2 * len(keeper.SEATS)


def test_with_the_shipped_seed_a_position_dies_between_half_a_minute_and_four() -> None:
    start_demo()

    run_steps(1, 235, stride=5)

    ends = ReferencePosition.objects.filter(state=PositionState.LIQUIDATED)
    first = ends.order_by("ended_step").values_list("ended_step", flat=True)[0]
    assert 30 <= first <= 180


def test_the_demo_goes_on_dying_and_opening_within_bounds() -> None:
    start_demo()
    planned = {_seat(row): row.compartment.collateral for row in _open()}

    run_steps(1, 900, stride=5)

    rows = ReferencePosition.objects.all()
    dead = rows.filter(state=PositionState.LIQUIDATED).order_by("ended_step")
    ends = [0, *dead.values_list("ended_step", flat=True), 900]
    gaps = [later - earlier for earlier, later in itertools.pairwise(ends)]
    assert len(ends) >= 7
    assert max(gaps) <= 300
    assert rows.filter(opened_step__gt=0).count() >= 4
    assert len(_open()) >= 12
    for row in _open():
        assert row.compartment.collateral <= 3 * planned[_seat(row)], row.market.symbol


def test_an_account_that_was_switched_off_is_no_longer_traded() -> None:
    start_demo()
    Account.objects.update(is_enabled=False)

    run_steps(1, 200, stride=5)

    assert not ReferencePosition.objects.filter(opened_step__gt=0).exists()
    assert ReferencePosition.objects.filter(state=PositionState.LIQUIDATED).exists()


def test_no_two_seats_share_a_place_or_a_stream() -> None:
    places = {(seat.account, seat.symbol, seat.slot) for seat in keeper.SEATS}
    numbers = {seat.number for seat in keeper.SEATS}

    assert len(places) == len(numbers) == len(keeper.SEATS)
    assert {seat.account for seat in keeper.SEATS} == {label for label, _ in demo.ACCOUNTS}


def _open() -> list[ReferencePosition]:
    return list(
        ReferencePosition.objects.filter(ended_step=None).select_related("account", "market")
    )


def _seat(row: ReferencePosition) -> tuple[str, str, str]:
    return (row.account.label, row.market.symbol, row.slot)
