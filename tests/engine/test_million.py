"""A million random positions, twenty thousand of them against exact rationals: `make proof`."""

import pytest

from positions.engine.solution import State
from tests.bench.accuracy import COUNT, SAMPLE, Report, Verdict, measure, print_report

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report() -> Report:
    found = measure()
    print_report(found)
    return found


def test_the_positions_stand_where_mistakes_are_made(report):
    assert report.shares["within 1e-6 of an edge when it dies"] >= 0.2
    assert report.shares["within 1e-6 of an edge at entry"] >= 0.2
    assert report.shares["within 3 % of 1x"] >= 0.1
    assert report.shares["over a table that jumps"] >= 0.2
    assert report.shares["inverse"] >= 0.25
    assert report.states[State.AT_JUMP.name] > COUNT / 1000
    assert report.states[State.NO_CROSSING.name] > COUNT / 100


def test_no_position_is_unknown_to_the_solver(report):
    assert report.states[State.UNSOLVED.name] == 0


def test_every_price_is_the_exact_one_within_a_millionth_of_a_millionth(report):
    assert report.failures == []
    assert report.verdicts[Verdict.WRONG_PRICE] == 0
    assert report.worst <= 1


def test_there_is_a_price_exactly_where_the_oracle_has_one(report):
    assert report.verdicts[Verdict.MISSING] == 0
    assert report.verdicts[Verdict.INVENTED] == 0
    assert report.verdicts[Verdict.WRONG_STATE] == 0
    assert report.verdicts.total() == SAMPLE
    assert report.verdicts[Verdict.RIGHTLY_NONE] > SAMPLE / 100


def test_few_points_stand_on_a_boundary(report):
    # One in ten of those near 1x or marked next to their death is put exactly there.
    assert report.verdicts[Verdict.BOUNDARY] < SAMPLE / 100
