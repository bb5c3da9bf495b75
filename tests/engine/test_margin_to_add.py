"""Margin for a target distance: solved again with it, the distance is the target."""

import numpy as np
import pytest

from positions.engine.batch import build_batch
from positions.engine.rulebook import RULES
from positions.engine.solver import margin_to_add, solve
from tests.engine.build import FLAT_JUMP, LONG, SHORT, make_positions, make_terms


def _add_for(target, *args, **changes):
    return margin_to_add(
        batch=build_batch(terms=[make_terms(*args, **changes)]), target_distance=target
    )[0]


def test_a_linear_long_by_hand():
    # At 80 it needs 0.8 and has lost 20.
    assert _add_for(0.2) == pytest.approx(10.8)


def test_more_than_enough_is_negative():
    # At 95 it needs 0.95 and has lost 5: 4.05 could go.
    assert _add_for(0.05) == pytest.approx(-4.05)


def test_a_breached_position_needs_the_breach_and_the_distance():
    # At 81 it needs 0.81 and has lost 19.
    assert _add_for(0.1, trigger_price=90.0) == pytest.approx(9.81)


def test_a_long_cannot_be_a_whole_price_away():
    assert np.isnan(_add_for(1.0))


def test_a_short_can():
    # At 200 it needs 2 and has lost 100.
    assert _add_for(1.0, side=SHORT) == pytest.approx(92.0)


def test_without_a_trigger_price_there_is_no_answer():
    assert np.isnan(_add_for(0.1, trigger_price=None))


def test_a_negative_target_is_refused():
    with pytest.raises(ValueError, match="negative"):
        _add_for(-0.1)


def test_a_flat_edge_on_the_way_asks_for_what_the_edge_asks():
    # A long at 120 passes 100 on its way to 99: just above 100 it needs 5 %, below only 1 %.
    terms = make_terms(
        "linear-mark-flat", LONG, quantity=10.0, trigger_price=120.0, tiers=FLAT_JUMP
    )
    batch = build_batch(terms=[terms])

    more = margin_to_add(batch=batch, target_distance=0.175)

    assert more[0] == pytest.approx(50.0 - 10.0)
    enough = solve(batch.change(collateral=batch.collateral + more * (1 + 1e-12)))
    exactly = solve(batch.change(collateral=batch.collateral + more))
    assert exactly.liquidation_price[0] == pytest.approx(100.0)
    assert enough.liquidation_distance[0] > 0.175


@pytest.mark.parametrize("target", [0.0, 0.02, 0.1, 0.5])
def test_solving_again_gives_the_target_wherever_the_way_does_not_jump(target):
    rules = {key for key, rule in RULES.items() if rule.is_cumulative}
    terms = [
        each
        for each in make_positions(900, seed=11)
        if each.rule in rules and each.trigger_price is not None
    ]
    batch = build_batch(terms=terms)

    more = margin_to_add(batch=batch, target_distance=target)

    again = solve(batch.change(collateral=batch.collateral + more))
    assert len(terms) > 500
    np.testing.assert_allclose(again.liquidation_distance, target, rtol=0, atol=1e-12)


def test_flat_tables_reach_the_target_or_stop_at_an_edge_before_it():
    terms = [
        each
        for each in make_positions(1800, seed=12)
        if each.rule.endswith("flat") and each.trigger_price is not None
    ]
    batch = build_batch(terms=terms)

    more = margin_to_add(batch=batch, target_distance=0.1)

    slack = 1e-9 * batch.quantity * batch.trigger_price
    enough = solve(batch.change(collateral=batch.collateral + more + slack))
    short = solve(batch.change(collateral=batch.collateral + more - slack))
    reached = enough.liquidation_distance
    assert (np.isnan(reached) | (reached >= 0.1 - 1e-12)).all()
    assert (short.liquidation_distance < 0.1).all()
