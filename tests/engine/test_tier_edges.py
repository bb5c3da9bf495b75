"""Where tiers meet: the edge belongs to the tier it opens, and a jump can be the answer."""

import numpy as np
import pytest

from positions.engine.batch import build_batch
from positions.engine.solution import State
from positions.engine.solver import solve
from positions.engine.tiers import stack_tables, with_amounts
from positions.engine.types import Tier
from tests.engine.build import FLAT_JUMP, LONG, ONE_PERCENT, SHORT, make_terms, solve_one

CUMULATIVE = with_amounts(tiers=FLAT_JUMP)
JUMPING = {"quantity": 10.0, "entry_price": 95.0, "collateral": 90.0, "tiers": FLAT_JUMP}


def test_a_flat_table_liquidates_at_the_edge_where_the_requirement_jumps():
    solution = solve_one("linear-mark-flat", SHORT, trigger_price=97.0, **JUMPING)

    assert solution.liquidation_price[0] == 100.0
    assert solution.has(State.AT_JUMP)[0]
    # The buffer goes from +30 to -10 at a notional of 1,000.
    assert solution.residual_before[0] == pytest.approx(0.03)
    assert solution.residual[0] == pytest.approx(-0.01)


def test_the_same_table_with_deductions_liquidates_beyond_the_edge():
    changes = JUMPING | {"tiers": CUMULATIVE}

    solution = solve_one("linear-mark", SHORT, trigger_price=97.0, **changes)

    assert solution.liquidation_price[0] == pytest.approx((950 + 90 + 40) / 10.5)
    assert not solution.has(State.AT_JUMP)[0]


@pytest.mark.parametrize("price", [100.0, 102.0])
def test_beyond_the_jump_it_is_breached_and_the_edge_is_the_way_back(price):
    solution = solve_one("linear-mark-flat", SHORT, trigger_price=price, **JUMPING)

    assert solution.has(State.BREACHED)[0]
    assert solution.liquidation_price[0] == 100.0
    assert solution.liquidation_distance[0] == pytest.approx((100.0 - price) / price)


def test_the_first_of_two_roots_is_the_one_next_to_the_trigger_price():
    # Dead between 100 and 101.05 by the second tier, safe again below 100 by the first.
    terms = {"quantity": 10.0, "entry_price": 100.0, "collateral": 40.0, "tiers": FLAT_JUMP}

    above = solve_one("linear-mark-flat", LONG, trigger_price=110.0, **terms)
    below = solve_one("linear-mark-flat", LONG, trigger_price=99.0, **terms)

    assert above.liquidation_price[0] == pytest.approx(960 / 9.5)
    assert below.liquidation_price[0] == pytest.approx(960 / 9.9)


def test_the_tier_is_that_of_the_liquidation_price_not_of_the_entry():
    # At entry 1,200 stands in the second tier; it dies in the first.
    solution = solve_one("linear-mark", LONG, quantity=12.0, collateral=300.0, tiers=CUMULATIVE)

    assert solution.liquidation_price[0] == pytest.approx(900 / (12 * 0.99))


def test_entry_basis_keeps_the_tier_of_the_entry():
    solution = solve_one("linear-entry", LONG, quantity=12.0, collateral=300.0, tiers=CUMULATIVE)

    # 0.05 * 1,200 - 40 = 20
    assert solution.maintenance_margin[0] == pytest.approx(20.0)
    assert solution.liquidation_price[0] == pytest.approx((1200 - 300 + 20) / 12)


def test_a_notional_on_the_floor_is_in_the_tier_that_begins_there():
    on_it = solve_one("linear-mark-flat", LONG, quantity=10.0, collateral=100.0, tiers=FLAT_JUMP)
    below = solve_one(
        "linear-mark-flat",
        LONG,
        quantity=10.0,
        collateral=100.0,
        trigger_price=np.nextafter(100.0, 0),
        tiers=FLAT_JUMP,
    )

    assert on_it.maintenance_margin[0] == pytest.approx(50.0)
    assert below.maintenance_margin[0] == pytest.approx(10.0)


def test_a_price_on_a_cumulative_edge_is_continuous():
    # Equity meets the requirement exactly at a notional of 1,000: 10 (p - 101) + 20 = 10.
    solution = solve_one(
        "linear-mark", LONG, quantity=10.0, entry_price=101.0, collateral=20.0, tiers=CUMULATIVE
    )

    assert solution.liquidation_price[0] == pytest.approx(100.0, rel=1e-15)


def test_inverse_tiers_are_in_base_units():
    # 200 quote units: 2 base at 100, 2.5 at 80.
    tiers = with_amounts(tiers=(Tier(0.0, 0.01), Tier(2.2, 0.05)))

    solution = solve_one("inverse-mark", LONG, quantity=200.0, collateral=0.5, tiers=tiers)

    # 0.5 + 2 - 200/p = 0.05 * 200/p - 0.088
    assert solution.liquidation_price[0] == pytest.approx(210 / 2.588)


def test_a_single_rate_starts_at_nothing_even_when_its_floor_is_printed():
    printed = solve_one(tiers=(Tier(floor=5000.0, rate=0.01),))

    assert printed.liquidation_price[0] == solve_one().liquidation_price[0]


def test_deductions_follow_from_floors_and_rates():
    tiers = with_amounts(tiers=(Tier(0.0, 0.004), Tier(50_000.0, 0.005), Tier(600_000.0, 0.0065)))

    assert [tier.amount for tier in tiers] == pytest.approx([0.0, 50.0, 950.0])


def test_tables_of_unlike_length_share_one_padded_shape():
    columns = stack_tables(tables=[ONE_PERCENT, FLAT_JUMP, ONE_PERCENT])

    assert columns.floor[:3].tolist() == [[0.0, np.inf], [0.0, 1000.0], [0.0, np.inf]]
    assert columns.rate[:3].tolist() == [[0.01, 0.0], [0.01, 0.05], [0.01, 0.0]]


def test_floors_that_do_not_ascend_are_refused():
    with pytest.raises(ValueError, match="ascend"):
        stack_tables(tables=[(Tier(0.0, 0.01), Tier(0.0, 0.02))])


def test_a_deep_neighbour_does_not_change_a_shallow_row():
    deep = with_amounts(tiers=[Tier(float(index * 100), 0.01 + index / 100) for index in range(9)])

    alone = solve_one()
    together = solve(build_batch(terms=[make_terms(), make_terms(tiers=deep)]))

    assert together.liquidation_price[0] == alone.liquidation_price[0]
