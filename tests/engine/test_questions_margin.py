"""Margin for a target: by hand, against the exact condition, and solved again."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from positions.engine.batch import build_batch
from positions.engine.questions.answers import WHY, Note
from positions.engine.questions.changes import add_margin
from positions.engine.questions.margin import margin_to_add
from positions.engine.questions.targets import Aim, Target
from positions.engine.rulebook import RULES
from positions.engine.solution import State
from positions.engine.solver import solve
from tests.engine.build import FLAT_JUMP, LONG, SHORT, make_terms
from tests.engine.questions import (
    ANY_TERMS,
    LEVELS,
    is_price,
    make_marked,
    margin_for,
    scale_of,
)

POSITIONS = make_marked(900, seed=31)
BATCH = build_batch(terms=POSITIONS)
IS_CUMULATIVE = np.array([RULES[each.rule].is_cumulative for each in POSITIONS])


def _ask(aim, level, *args, **changes):
    batch = build_batch(terms=[make_terms(*args, **changes)])
    return margin_to_add(batch=batch, target=Target(aim, level))


@pytest.mark.parametrize(
    ("aim", "level", "position", "changes", "amount"),
    [
        # At 80 it needs 0.8 and has lost 20.
        (Aim.DISTANCE, 0.2, ("linear-mark", LONG), {}, 10.8),
        (Aim.MOVE, 0.2, ("linear-mark", LONG), {}, 10.8),
        # At 95 it needs 0.95 and has lost 5: 4.05 could go.
        (Aim.DISTANCE, 0.05, ("linear-mark", LONG), {}, -4.05),
        # Breached at 90; at 81 it needs 0.81 and has lost 19.
        (Aim.DISTANCE, 0.1, ("linear-mark", LONG), {"trigger_price": 90.0}, 9.81),
        # At 200 it needs 2 and has lost 100.
        (Aim.DISTANCE, 1.0, ("linear-mark", SHORT), {}, 92.0),
        # Maintenance stays 1.
        (Aim.MOVE, 0.2, ("linear-entry", LONG), {}, 11.0),
        # The fee of closing at 80 is 0.08.
        (Aim.MOVE, 0.2, ("linear-mark-fee", LONG), {"fee_rate": 0.001}, 10.88),
        # The next funding is 0.01 % of 100.
        (Aim.MOVE, 0.2, ("kucoin-linear", LONG), {"next_funding_rate": 0.0001}, 11.01),
        (Aim.MOVE, 0.2, ("htx-linear", LONG), {"fixed_requirement": 0.5}, 11.3),
        # 100 / 80 - 1 = 0.25 lost, 1 % of 1.25 needed, 0.1 held.
        (Aim.MOVE, 0.2, ("inverse-mark", LONG), {"quantity": 100.0, "collateral": 0.1}, 0.1625),
        # A loan of 90 against 1 at 100, threshold 99 %: at 80 it may be 79.2.
        (Aim.MOVE, 0.2, ("lending", LONG), {}, 10.8),
        (Aim.MOVE, 0.2, ("bitmex-quanto", LONG), {}, 11.0),
        # 1 is required; 10 / 4 are enough.
        (Aim.RATIO, 0.4, ("linear-mark", LONG), {}, -7.5),
        (Aim.RATIO, 0.05, ("linear-mark", LONG), {}, 10.0),
        # At 95 required is 0.95 and equity 5.
        (Aim.RATIO, 0.1, ("linear-mark", LONG), {"trigger_price": 95.0}, 4.5),
        (Aim.RATIO, 0.05, ("inverse-entry", SHORT), {"quantity": 100.0, "collateral": 0.1}, 0.1),
    ],
)
def test_by_hand(aim, level, position, changes, amount):
    asked = _ask(aim, level, *position, **changes)

    assert asked.amount[0] == pytest.approx(amount, rel=1e-13)
    assert asked.reason(index=0) is None


@pytest.mark.parametrize(
    ("aim", "level", "changes", "reason"),
    [
        (Aim.DISTANCE, 1.0, {}, "none: there is no such price"),
        (Aim.MOVE, 1.5, {}, "none: there is no such price"),
        (Aim.MOVE, np.nan, {}, "unknown: no target"),
        (Aim.DISTANCE, 0.1, {"trigger_price": None}, "unknown: no trigger price"),
        (Aim.RATIO, 0.1, {"collateral": np.nan}, "unknown: no collateral"),
        (Aim.MOVE, 0.1, {"tiers": ()}, "unknown: no maintenance tiers"),
        (Aim.RATIO, 0.1, {"fixed_requirement": -1.0}, WHY[Note.NOTHING_REQUIRED]),
        (Aim.MOVE, 0.1, {"quantity": 1e300}, "unknown: solver"),
    ],
)
def test_without_an_answer_there_is_a_reason(aim, level, changes, reason):
    asked = _ask(aim, level, **changes)

    assert np.isnan(asked.amount[0])
    assert asked.reason(index=0) == reason


@pytest.mark.parametrize(("aim", "level"), [(Aim.DISTANCE, -0.1), (Aim.MOVE, -1), (Aim.RATIO, 0)])
def test_a_target_out_of_range_is_refused(aim, level):
    with pytest.raises(ValueError, match="must"):
        Target(aim, level)


def test_a_flat_edge_on_the_way_asks_for_what_the_edge_asks():
    # A long at 120 passes 100 on its way to 99: just above 100 it needs 5 %, below only 1 %.
    terms = make_terms(
        "linear-mark-flat", LONG, quantity=10.0, trigger_price=120.0, tiers=FLAT_JUMP
    )
    batch = build_batch(terms=[terms])

    more = margin_to_add(batch=batch, target=Target(Aim.DISTANCE, 0.175))

    assert more.amount[0] == pytest.approx(50.0 - 10.0)
    assert more.has(Note.AT_EDGE)[0]
    enough = solve(add_margin(batch=batch, amount=more.amount * (1 + 1e-12)))
    exactly = solve(add_margin(batch=batch, amount=more.amount))
    assert exactly.liquidation_price[0] == pytest.approx(100.0)
    assert enough.liquidation_distance[0] > 0.175


def test_an_edge_at_the_very_end_is_asked_of_a_move_and_not_of_a_distance():
    # A short of 8 at 100 reaches a notional of 1,000 at 125, where 1 % becomes 5 %.
    changes = {"quantity": 8.0, "collateral": 100.0, "tiers": FLAT_JUMP}

    move = _ask(Aim.MOVE, 0.25, "linear-mark-flat", SHORT, **changes)
    distance = _ask(Aim.DISTANCE, 0.25, "linear-mark-flat", SHORT, **changes)

    assert move.amount[0] == pytest.approx(200.0 + 50.0 - 100.0)
    assert distance.amount[0] == pytest.approx(200.0 + 10.0 - 100.0)


def test_nothing_liquidates_beyond_the_cap():
    # Bybit knows no price above 999,998: the way to 1,200,000 ends there.
    changes = {"entry_price": 600_000.0, "trigger_price": 600_000.0, "collateral": 0.0}

    asked = _ask(Aim.MOVE, 1.0, "bybit-linear", SHORT, **changes)

    assert asked.amount[0] == pytest.approx(399_998.0 + 6_000.0)


@pytest.mark.parametrize("aim", Aim)
def test_every_amount_is_the_exact_one(aim):
    for level in LEVELS[aim]:
        found = margin_to_add(batch=BATCH, target=Target(aim, level)).amount.tolist()

        errors = [
            abs(float(margin_for(terms, aim, level) - exact)) / scale_of(terms, aim, level)
            if is_price(terms, aim, level) and not np.isnan(amount)
            else float(not np.isnan(amount))
            for terms, amount, exact in zip(POSITIONS, found, _fractions(found), strict=True)
        ]
        answered = [not np.isnan(amount) for amount in found]
        assert max(errors) < 1e-15 * 10
        assert sum(answered) > 0.98 * len(POSITIONS)


@pytest.mark.parametrize("level", LEVELS[Aim.DISTANCE])
def test_solving_again_gives_the_distance_wherever_the_way_does_not_jump(level):
    more = margin_to_add(batch=BATCH, target=Target(Aim.DISTANCE, level))

    again = solve(add_margin(batch=BATCH, amount=more.amount))

    rows = IS_CUMULATIVE & ~again.has(State.BEYOND_CAP)
    assert rows.sum() > 500
    np.testing.assert_allclose(again.liquidation_distance[rows], level, rtol=0, atol=1e-12)


@pytest.mark.parametrize("aim", [Aim.DISTANCE, Aim.MOVE])
def test_a_little_more_reaches_the_target_and_a_little_less_does_not(aim):
    more = margin_to_add(batch=BATCH, target=Target(aim, 0.1)).amount
    slack = 1e-9 * np.maximum(solve(BATCH).notional, np.abs(more))

    enough = solve(add_margin(batch=BATCH, amount=more + slack)).liquidation_distance
    short = solve(add_margin(batch=BATCH, amount=more - slack)).liquidation_distance

    assert (np.isnan(enough) | (enough > 0.1)).all()
    assert (short < 0.1).all()


@pytest.mark.parametrize("level", LEVELS[Aim.RATIO])
def test_solving_again_gives_the_ratio(level):
    more = margin_to_add(batch=BATCH, target=Target(Aim.RATIO, level))

    again = solve(add_margin(batch=BATCH, amount=more.amount))

    rows = ~more.has(Note.NOTHING_REQUIRED)
    assert rows.sum() > 600
    # Equity is a small difference where the rate is low.
    np.testing.assert_allclose(again.margin_ratio[rows], level, rtol=1e-10)


@settings(deadline=None, max_examples=200)
@given(
    terms=ANY_TERMS,
    near=st.floats(0.0, 0.9),
    gap=st.floats(0.0, 0.09),
    aim=st.sampled_from([Aim.DISTANCE, Aim.MOVE]),
)
def test_a_farther_target_never_asks_for_less(terms, near, gap, aim):
    batch = build_batch(terms=[terms, terms])

    less, more = margin_to_add(batch=batch, target=Target(aim, np.array([near, near + gap]))).amount

    assert more >= less - 1e-12 * terms.quantity * terms.trigger_price


@settings(deadline=None, max_examples=100)
@given(terms=ANY_TERMS, low=st.floats(0.01, 2.0), gap=st.floats(0.0, 2.0))
def test_a_smaller_ratio_never_asks_for_less(terms, low, gap):
    batch = build_batch(terms=[terms, terms])
    target = Target(Aim.RATIO, np.array([low, low + gap]))

    more, less = margin_to_add(batch=batch, target=target).amount

    assert more >= less


def _fractions(found):
    return [Fraction(0 if np.isnan(each) else each) for each in found]
