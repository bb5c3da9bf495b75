"""Unknown, none, breached, bankrupt: a figure that is missing says why."""

import numpy as np
import pytest

from positions.engine.batch import build_batch
from positions.engine.solution import FIGURES, State
from positions.engine.solver import solve
from positions.engine.types import Tier
from tests.engine.build import LONG, SHORT, make_terms, solve_one

NONE = "none: no price on the losing side liquidates"


@pytest.mark.parametrize(
    ("rule", "side", "changes"),
    [
        ("linear-mark", LONG, {"collateral": 100.0}),
        ("linear-mark", LONG, {"collateral": 150.0}),
        ("linear-entry", LONG, {"collateral": 101.0}),
        ("inverse-mark", SHORT, {"quantity": 100.0, "collateral": 1.0}),
        ("inverse-entry", SHORT, {"quantity": 100.0, "collateral": 1.2}),
    ],
)
def test_fully_backed_positions_have_no_liquidation_price(rule, side, changes):
    solution = solve_one(rule, side, **changes)

    assert np.isnan(solution.liquidation_price[0])
    assert solution.reason(figure="liquidation_price", index=0) == NONE
    assert solution.reason(figure="liquidation_distance", index=0) == NONE
    assert solution.reason(figure="bankruptcy_price", index=0) == (
        "none: no price brings equity to zero"
    )
    assert solution.margin_ratio[0] > 0


def test_an_open_position_has_no_state():
    assert solve_one().state[0] == 0


def test_breached_still_answers_the_crossing_with_a_negative_distance():
    solution = solve_one("linear-mark", LONG, trigger_price=90.5)

    assert State(int(solution.state[0])) == State.BREACHED
    assert solution.liquidation_price[0] == pytest.approx(90 / 0.99)
    assert solution.liquidation_distance[0] == pytest.approx(1 - 90 / 0.99 / 90.5)
    assert solution.liquidation_distance[0] < 0
    assert solution.margin_ratio[0] > 1


def test_bankrupt_has_no_margin_ratio():
    solution = solve_one("linear-mark", SHORT, trigger_price=130.0)

    assert State(int(solution.state[0])) == State.BREACHED | State.BANKRUPT
    assert solution.reasons(index=0) == {
        "margin_ratio": "bankrupt",
        "effective_leverage": "bankrupt",
    }
    assert solution.equity[0] == -20.0


def test_a_short_that_owes_more_than_it_sold_for_is_breached_at_every_price():
    solution = solve_one("linear-mark", SHORT, collateral=-101.0)

    assert solution.reason(figure="liquidation_price", index=0) == (
        "none: already breached at every price"
    )


def test_equality_liquidates_unless_the_rule_is_strict():
    # 19 + (90 - 100) = 0.1 * 90 exactly.
    met = {"collateral": 19.0, "trigger_price": 90.0, "tiers": (Tier(floor=0.0, rate=0.1),)}

    usual, strict = solve_one("linear-mark", LONG, **met), solve_one("linear-mark-strict", **met)

    assert usual.has(State.BREACHED)[0]
    assert not strict.has(State.BREACHED)[0]
    assert usual.liquidation_price[0] == strict.liquidation_price[0] == 90.0


@pytest.mark.parametrize("price", [None, float("nan"), 0.0, -1.0, float("inf")])
def test_without_a_trigger_price_the_liquidation_price_stands_alone(price):
    solution = solve_one(trigger_price=price)

    known = {name for name, value in solution.row(index=0).items() if value is not None}
    assert known == {"liquidation_price", "bankruptcy_price", "residual", "residual_before"}
    assert set(solution.reasons(index=0).values()) == {"unknown: no trigger price"}


def test_maintenance_fixed_at_entry_needs_no_trigger_price():
    solution = solve_one("linear-entry", trigger_price=None)

    assert solution.maintenance_margin[0] == 1.0


@pytest.mark.parametrize(
    ("changes", "reason", "still_known"),
    [
        ({"quantity": np.nan}, "unknown: no quantity", set()),
        ({"entry_price": np.nan}, "unknown: no entry price", {"notional", "maintenance_margin"}),
        (
            {"collateral": np.nan},
            "unknown: no collateral",
            {"notional", "unrealized_pnl", "maintenance_margin", "required"},
        ),
        (
            {"tiers": ()},
            "unknown: no maintenance tiers",
            {"notional", "unrealized_pnl", "equity", "effective_leverage", "bankruptcy_price"},
        ),
        (
            {"fee_rate": np.nan},
            "unknown: no closing fee",
            {
                "notional",
                "unrealized_pnl",
                "equity",
                "effective_leverage",
                "bankruptcy_price",
                "maintenance_margin",
            },
        ),
    ],
)
def test_a_missing_input_is_named(changes, reason, still_known):
    solution = solve_one("linear-mark-fee", **changes)

    row, reasons = solution.row(index=0), solution.reasons(index=0)
    missing = {name for name in FIGURES if row[name] is None}
    # Without an entry price the maintenance at the mark is known, its requirement too.
    if "entry_price" in changes:
        still_known = still_known | {"required"}
    assert missing == set(FIGURES) - still_known
    assert set(reasons) == missing
    assert set(reasons.values()) == {reason}


def test_a_fee_that_the_rule_does_not_count_may_be_unknown():
    assert solve_one("linear-mark", fee_rate=np.nan).state[0] == 0


def test_numbers_beyond_the_range_are_unknown_not_infinite():
    solution = solve_one("linear-mark", quantity=1e300, entry_price=1e30)

    assert set(solution.reasons(index=0)) == set(FIGURES)
    assert set(solution.reasons(index=0).values()) == {"unknown: solver"}


@pytest.mark.parametrize("field", ["quantity", "entry_price"])
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_quantity_or_entry_that_is_not_positive_is_a_programming_error(field, value):
    with pytest.raises(ValueError, match=f"{field} must be positive"):
        build_batch(terms=[make_terms(), make_terms(**{field: value})])


def test_one_unknown_row_leaves_its_neighbours_alone():
    terms = [make_terms(), make_terms(quantity=np.nan), make_terms(side=SHORT)]

    solution = solve(build_batch(terms=terms))

    assert solution.liquidation_price[[0, 2]] == pytest.approx([90 / 0.99, 110 / 1.01])
    assert np.isnan(solution.liquidation_price[1])


def test_an_empty_batch_has_an_empty_solution():
    assert len(solve(build_batch(terms=[]))) == 0


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_already_breached_is_said_and_the_price_is_the_way_back(side):
    price = {LONG: 90.5, SHORT: 109.5}[side]

    solution = solve_one("linear-mark", side, trigger_price=price)

    assert State(int(solution.state[0])) == State.BREACHED
    assert solution.liquidation_distance[0] < 0
    assert side.sign * (solution.liquidation_price[0] - price) > 0


def test_a_longs_price_may_lie_above_its_entry():
    # 3 of margin at 5 % of maintenance: 3 - (100 - p) = 0.05 p.
    solution = solve_one("linear-mark", collateral=3.0, trigger_price=110.0, tiers=(Tier(0, 0.05),))

    assert solution.liquidation_price[0] == pytest.approx(97 / 0.95)
    assert solution.liquidation_price[0] > 100.0
    assert solution.state[0] == 0


def test_no_liquidation_price_is_a_state_and_no_number():
    solution = solve_one("linear-mark", collateral=100.0)

    row = solution.row(index=0)

    assert row["liquidation_price"] is None
    assert row["liquidation_distance"] is None
    assert solution.has(State.NO_CROSSING)[0]
    assert not solution.has(State.UNSOLVED)[0]
    assert solution.reason(figure="liquidation_price", index=0).startswith("none: ")
