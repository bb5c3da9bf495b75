"""Cases small enough to check on paper, one per switch of the condition."""

import pytest

from positions.engine.types import Tier
from tests.engine.build import LONG, ONE_PERCENT, SHORT, solve_one

# 2 % above 500, each slice bearing its own rate: 500 * (2 % - 1 %) = 5 deducted.
TWO_TIERS = (Tier(floor=0.0, rate=0.01), Tier(floor=500.0, rate=0.02, amount=5.0))


@pytest.mark.parametrize(
    ("rule", "side", "changes", "price"),
    [
        # 10 + (p - 100) = 0.01 p
        ("linear-mark", LONG, {}, 90 / 0.99),
        # 10 - (p - 100) = 0.01 p
        ("linear-mark", SHORT, {}, 110 / 1.01),
        # 10 + (p - 100) = 0.01 p + 0.001 p
        ("linear-mark-fee", LONG, {"fee_rate": 0.001}, 90 / 0.989),
        ("linear-mark-fee", SHORT, {"fee_rate": 0.001}, 110 / 1.011),
        # The fee is not part of this rule's trigger.
        ("linear-mark", LONG, {"fee_rate": 0.001}, 90 / 0.99),
        # 10 + (p - 100) = 1, whatever the price
        ("linear-entry", LONG, {}, 91.0),
        ("linear-entry", SHORT, {}, 109.0),
        # 100 + 10 (p - 100) = 0.02 * 10 p - 5
        (
            "linear-mark",
            LONG,
            {"quantity": 10.0, "collateral": 100.0, "tiers": TWO_TIERS},
            895 / 9.8,
        ),
        # The same table flat: no 5.
        (
            "linear-mark-flat",
            LONG,
            {"quantity": 10.0, "collateral": 100.0, "tiers": TWO_TIERS},
            900 / 9.8,
        ),
        # Fixed at entry: 0.02 * 1000 - 5 = 15; 100 + 10 (p - 100) = 15
        ("linear-entry", LONG, {"quantity": 10.0, "collateral": 100.0, "tiers": TWO_TIERS}, 91.5),
        # 0.1 + 100 (1/100 - 1/p) = 0.01 * 100/p, so 1.1 p = 101
        ("inverse-mark", LONG, {"quantity": 100.0, "collateral": 0.1}, 101 / 1.1),
        # 0.1 - 100 (1/100 - 1/p) = 0.01 * 100/p, so 0.9 p = 99
        ("inverse-mark", SHORT, {"quantity": 100.0, "collateral": 0.1}, 99 / 0.9),
        (
            "inverse-mark-fee",
            SHORT,
            {"quantity": 100.0, "collateral": 0.1, "fee_rate": 0.001},
            98.9 / 0.9,
        ),
        # 0.1 + 1 - 100/p = 0.01
        ("inverse-entry", LONG, {"quantity": 100.0, "collateral": 0.1}, 100 / 1.09),
        # 0.1 - 1 + 100/p = 0.01
        ("inverse-entry", SHORT, {"quantity": 100.0, "collateral": 0.1}, 100 / 0.91),
    ],
)
def test_liquidation_price(rule, side, changes, price):
    solution = solve_one(rule, side, **changes)

    assert solution.liquidation_price[0] == pytest.approx(price, rel=1e-15)
    assert abs(solution.residual[0]) < 1e-15


@pytest.mark.parametrize(
    ("rule", "side", "changes", "price"),
    [
        ("linear-mark", LONG, {}, 90.0),
        ("linear-mark", SHORT, {}, 110.0),
        ("inverse-mark", LONG, {"quantity": 100.0, "collateral": 0.1}, 100 / 1.1),
        ("inverse-mark", SHORT, {"quantity": 100.0, "collateral": 0.1}, 100 / 0.9),
    ],
)
def test_bankruptcy_price(rule, side, changes, price):
    solution = solve_one(rule, side, **changes)

    assert solution.bankruptcy_price[0] == pytest.approx(price, rel=1e-15)


def test_figures_of_a_linear_short_at_its_trigger_price():
    solution = solve_one(
        "linear-mark-fee", SHORT, quantity=2.0, collateral=20.0, trigger_price=105.0, fee_rate=0.001
    )

    row = solution.row(index=0)
    assert row["notional"] == 210.0
    assert row["unrealized_pnl"] == -10.0
    assert row["equity"] == 10.0
    assert row["maintenance_margin"] == pytest.approx(2.1)
    assert row["required"] == pytest.approx(2.31)
    assert row["margin_ratio"] == pytest.approx(0.231)
    assert row["effective_leverage"] == 21.0
    assert row["liquidation_distance"] == pytest.approx(110 / 1.011 / 105 - 1)
    assert solution.reasons(index=0) == {}


def test_figures_of_an_inverse_long_are_in_base_units():
    solution = solve_one(
        "inverse-mark", LONG, quantity=100.0, collateral=0.1, trigger_price=125.0, tiers=ONE_PERCENT
    )

    row = solution.row(index=0)
    assert row["notional"] == pytest.approx(0.8)
    assert row["unrealized_pnl"] == pytest.approx(0.2)
    assert row["equity"] == pytest.approx(0.3)
    assert row["maintenance_margin"] == pytest.approx(0.008)
    assert row["margin_ratio"] == pytest.approx(0.008 / 0.3)
    assert row["liquidation_distance"] == pytest.approx((125 - 101 / 1.1) / 125)


def test_negative_collateral_moves_a_long_above_its_entry():
    solution = solve_one("linear-mark", LONG, collateral=-5.0, trigger_price=120.0)

    assert solution.liquidation_price[0] == pytest.approx(105 / 0.99)
    assert solution.bankruptcy_price[0] == 105.0
