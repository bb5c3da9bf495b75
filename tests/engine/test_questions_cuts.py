"""The smallest cut that reaches a target, by hand."""

import numpy as np
import pytest

from positions.engine.batch import build_batch
from positions.engine.questions.answers import Note
from positions.engine.questions.changes import Release
from positions.engine.questions.cuts import quantity_to_cut
from positions.engine.questions.targets import Aim, Target
from positions.engine.tiers import with_amounts
from positions.engine.types import Tier
from tests.engine.build import LONG, SHORT, make_terms

KEPT, PRO_RATA = Release.KEPT, Release.PRO_RATA
FLAT = (Tier(0.0, 0.01), Tier(500.0, 0.05))
TEN = {"quantity": 10.0, "collateral": 100.0}
NONE_IS_ENOUGH = "none: no part of it that could be cut is enough"


def _ask(target, release, *args, charge=0.0, **changes):
    return quantity_to_cut(
        batch=build_batch(terms=[make_terms(*args, **changes)]),
        target=Target(*target),
        release=release,
        closing_fee_rate=charge,
    )


@pytest.mark.parametrize(
    ("target", "release", "position", "changes", "cut"),
    [
        # Of a share x it loses 200 x on the way to 80 and needs 8 x there: 100 = 208 x.
        ((Aim.MOVE, 0.2), KEPT, ("linear-mark", LONG), TEN, 10 - 1000 / 208),
        ((Aim.DISTANCE, 0.2), KEPT, ("linear-mark", LONG), TEN, 10 - 1000 / 208),
        # The sale costs 10 (1 - x): 90 = 198 x.
        ((Aim.MOVE, 0.2), KEPT, ("linear-mark", LONG), TEN | {"charge": 0.01}, 10 - 900 / 198),
        # Rising to 120: 100 = 200 x + 12 x.
        ((Aim.MOVE, 0.2), KEPT, ("linear-mark", SHORT), TEN, 10 - 1000 / 212),
        # Maintenance is 10 x: 100 = 210 x.
        ((Aim.MOVE, 0.2), KEPT, ("linear-entry", LONG), TEN, 10 - 1000 / 210),
        ((Aim.MOVE, 0.2), KEPT, ("bitmex-quanto", SHORT), TEN, 10 - 1000 / 210),
        # The closing fee of the trigger, 0.1 % of 800 x, stands there too: 100 = 208.8 x.
        (
            (Aim.MOVE, 0.2),
            KEPT,
            ("linear-mark-fee", LONG),
            TEN | {"fee_rate": 0.001},
            10 - 1000 / 208.8,
        ),
        # The next funding shrinks with the rest, the margin of open orders does not.
        (
            (Aim.MOVE, 0.2),
            KEPT,
            ("kucoin-linear", LONG),
            TEN | {"next_funding_rate": 0.001},
            10 - 1000 / 211,
        ),
        (
            (Aim.MOVE, 0.2),
            KEPT,
            ("htx-linear", LONG),
            TEN | {"fixed_requirement": 5.0},
            10 - 950 / 208,
        ),
        # 0.1 = x (100 / 80 - 1) + 0.0125 x.
        (
            (Aim.MOVE, 0.2),
            KEPT,
            ("inverse-mark", LONG),
            {"quantity": 100.0, "collateral": 0.1},
            100 - 10 / 0.2625,
        ),
        # A loan of 90 against 1 at 100, threshold 99 %: what is sold repays it. 10 = 20 x + 0.8 x.
        ((Aim.MOVE, 0.2), KEPT, ("lending", LONG), {}, 1 - 10 / 20.8),
        # At 95 half of the margin is lost already; that loss is no less for selling.
        (
            (Aim.RATIO, 0.1),
            KEPT,
            ("linear-mark", LONG),
            TEN | {"trigger_price": 95.0},
            10 - 10 * 0.1 * 50 / 9.5,
        ),
        # 50 x - 20 is required of 100 x: 20 % at two thirds.
        (
            (Aim.RATIO, 0.2),
            PRO_RATA,
            ("linear-mark", LONG),
            TEN | {"tiers": with_amounts(tiers=FLAT)},
            10 / 3,
        ),
    ],
)
def test_by_hand(target, release, position, changes, cut):
    asked = _ask(target, release, *position, **changes)

    assert asked.amount[0] == pytest.approx(cut, rel=1e-13)
    assert asked.reason(index=0) is None
    assert not asked.has(Note.AT_EDGE | Note.REACHED)[0]


def test_a_flat_table_is_cut_to_its_edge_where_the_requirement_falls():
    # 5 % of what stays is half of its margin's 10 %; below a notional of 500 it is a tenth.
    asked = _ask((Aim.RATIO, 0.3), PRO_RATA, "linear-mark-flat", LONG, tiers=FLAT, **TEN)

    assert asked.amount[0] == 5.0
    assert asked.has(Note.AT_EDGE)[0]


def test_margin_that_is_kept_reaches_the_ratio_before_that_edge():
    # 50 x = 30 at a notional of 600.
    asked = _ask((Aim.RATIO, 0.3), KEPT, "linear-mark-flat", LONG, tiers=FLAT, **TEN)

    assert asked.amount[0] == pytest.approx(4.0)
    assert not asked.has(Note.AT_EDGE)[0]


def test_a_sold_part_that_cannot_pay_its_fee_draws_on_the_rest():
    # Selling all would cost 200 of an equity of 100: none is left at the edge that would do.
    asked = _ask((Aim.RATIO, 0.3), PRO_RATA, "linear-mark-flat", tiers=FLAT, charge=0.2, **TEN)

    assert asked.reason(index=0) == NONE_IS_ENOUGH


def test_a_requirement_that_falls_at_an_edge_is_asked_for_just_before_it():
    # A short of 8 at 100 goes to 126. Just below 125 it has lost 200 and needs 50; at the end it
    # has lost 208 and needs 10. Of a share x that stays below the edge: 240 = 208 x + 50.4 x.
    tiers = (Tier(0.0, 0.05), Tier(1000.0, 0.01))
    changes = {"quantity": 8.0, "collateral": 240.0, "tiers": tiers}

    asked = _ask((Aim.MOVE, 0.26), KEPT, "linear-mark-flat", SHORT, **changes)

    assert asked.amount[0] == pytest.approx(8 * (1 - 240 / 258.4))


def test_an_edge_on_the_way_counts_though_both_ends_are_safe():
    # A long of 10 at 60 goes down to 49. There it has lost 110 and needs 4.9 of its 120; but just
    # above 50 it has lost 100 and needs 25. Of a share x, 600 x - 500 is lost at that edge.
    changes = {"quantity": 10.0, "entry_price": 60.0, "trigger_price": 60.0, "collateral": 120.0}

    asked = _ask((Aim.MOVE, 11 / 60), KEPT, "linear-mark-flat", LONG, tiers=FLAT, **changes)

    assert asked.amount[0] == pytest.approx(10 * (1 - 595 / 600))


def test_a_target_that_is_reached_needs_no_cut():
    asked = _ask((Aim.MOVE, 0.05), KEPT)

    assert asked.amount[0] == 0.0
    assert asked.has(Note.REACHED)[0]


@pytest.mark.parametrize(
    ("target", "release", "changes", "reason"),
    [
        # What stays has the same share of everything: the ratio never moves.
        ((Aim.RATIO, 0.05), PRO_RATA, {}, NONE_IS_ENOUGH),
        ((Aim.MOVE, 0.2), PRO_RATA, {}, NONE_IS_ENOUGH),
        (
            (Aim.MOVE, 0.2),
            KEPT,
            {"collateral": 0.0},
            NONE_IS_ENOUGH,
        ),
        # The sale would cost more than there is.
        ((Aim.MOVE, 0.2), KEPT, {"charge": 0.2}, NONE_IS_ENOUGH),
        ((Aim.RATIO, 0.5), KEPT, {"trigger_price": 85.0}, "bankrupt"),
        ((Aim.DISTANCE, 1.0), KEPT, {}, "none: there is no such price"),
        ((Aim.MOVE, np.nan), KEPT, {}, "unknown: no target"),
        ((Aim.MOVE, 0.2), KEPT, {"charge": np.nan}, "unknown: no closing fee"),
        ((Aim.MOVE, 0.2), KEPT, {"trigger_price": None}, "unknown: no trigger price"),
        ((Aim.MOVE, 0.2), KEPT, {"quantity": 1e300}, "unknown: solver"),
    ],
)
def test_without_an_answer_there_is_a_reason(target, release, changes, reason):
    asked = _ask(target, release, **changes)

    assert np.isnan(asked.amount[0])
    assert asked.reason(index=0) == reason
