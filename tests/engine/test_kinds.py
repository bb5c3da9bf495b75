"""Contracts that are linear in another coin: quanto, and loans against collateral."""

import numpy as np
import pytest

from positions.engine.rulebook import find_rule
from positions.engine.solution import State
from positions.engine.types import ContractKind, Tier
from tests.engine.build import LONG, solve_one


def test_a_quanto_is_linear_in_another_currency():
    # BitMEX ETHUSD: 0.000001 XBT per USD and contract; 1,000 contracts at 200 USD and 10x.
    rule = find_rule(key="bitmex-quanto")
    quanto = {"quantity": 0.000001 * 1000, "entry_price": 200.0, "collateral": 0.02}

    solution = solve_one("bitmex-quanto", LONG, trigger_price=210.0, **quanto)

    assert rule.kind is ContractKind.QUANTO
    assert not rule.is_inverse
    # In XBT: 0.001 (210 - 200), and 0.02 - 0.001 (200 - p) = 0.01 x 0.2.
    assert solution.unrealized_pnl[0] == pytest.approx(0.01)
    assert solution.liquidation_price[0] == pytest.approx(182.0)
    assert solution.bankruptcy_price[0] == pytest.approx(180.0)


def test_a_loan_dies_where_its_collateral_times_the_threshold_is_the_debt():
    # 10 coins at a threshold of 0.8 against a debt of 1,200: 1200 / (10 x 0.8) = 150.
    loan = {"quantity": 10.0, "entry_price": 200.0, "collateral": 2000.0 - 1200.0}

    solution = solve_one("lending", LONG, trigger_price=200.0, tiers=(Tier(0.0, 0.2),), **loan)

    assert find_rule(key="lending").kind is ContractKind.LENDING
    assert solution.liquidation_price[0] == pytest.approx(150.0)
    # The debt is worth the collateral at 120.
    assert solution.bankruptcy_price[0] == pytest.approx(120.0)


def test_without_a_debt_there_is_no_price():
    loan = {"quantity": 10.0, "entry_price": 200.0, "collateral": 2000.0}

    solution = solve_one("lending", LONG, trigger_price=200.0, tiers=(Tier(0.0, 0.2),), **loan)

    assert solution.has(State.NO_CROSSING)[0]
    assert np.isnan(solution.liquidation_price[0])
