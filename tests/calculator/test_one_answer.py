"""Two inputs that say different things never make one answer in silence."""

import pytest

from positions.calculator.errors import CalculatorError
from tests.calculator.build import ask

LOAN = {"collateral_quantity": 1, "mark_price": 100, "debt": 50, "liquidation_threshold": 0.8}
SNX = {
    "entry_price": 100,
    "quantity": 100,
    "collateral": 1000,
    "open_fee": 30,
    "min_keeper_fee": 20,
    "liquidation_fee_ratio": 0.0035,
    "liquidation_buffer_ratio": 0.0025,
}
PLAIN = {"entry_price": 100, "quantity": 1, "collateral": 10, "mark_price": 101}


def test_a_loan_is_named_by_its_collateral():
    short = ask("aave", "lending", "short", **LOAN)

    assert short["notes"].pop("side") == "not used: a loan is long of its collateral"
    assert short == ask("aave", "lending", "long", **LOAN)
    assert short["liquidation_price"] == 62.5


def test_with_a_mark_the_trigger_decides_and_not_the_display():
    display = ask("synthetix", "linear", "long", **SNX)
    trigger = ask("synthetix", "linear", "long", **SNX, mark_price=90.87)

    assert (display["rule"], display["liquidation_price"]) == ("synthetix-v1-view", 90.9)
    assert (trigger["rule"], trigger["liquidatable"]) == ("synthetix-v1", False)
    assert trigger["maintenance_margin"] == pytest.approx(54.522)


def test_two_names_of_one_input_are_refused():
    with pytest.raises(CalculatorError, match="another name of entry_price") as caught:
        ask("htx", "linear", "long", **PLAIN, cost_hold=110)
    assert caught.value.field == "cost_hold"


def test_a_table_overrules_a_rate_and_says_so():
    tiers = [{"min": 0, "mmr": 0.5}]
    alone = ask("binance", "linear", "long", **PLAIN, tiers=tiers)

    both = ask("binance", "linear", "long", **PLAIN, tiers=tiers, maintenance_margin_rate=0.01)

    assert "not used" in both["notes"].pop("tiers")
    assert both == alone
    assert both["maintenance_margin_rate"] == 0.5


def test_a_mode_that_the_inputs_cannot_show_is_noted():
    answer = ask("binance", "linear", "long", mode="cross", **PLAIN)

    assert answer["notes"]["margin_mode"].startswith("cross")


def test_a_price_below_one_tick_is_none():
    inputs = {**PLAIN, "maintenance_margin_rate": 0.005, "tick_size": 1000}

    answer = ask("binance", "linear", "short", **inputs)

    assert answer["liquidation_price_tick"] is None
    assert answer["reasons"]["liquidation_price_tick"] == "none: the price is less than one tick"
