"""What pages and programs are told about the inputs and figures of a rule."""

import json

import pytest

from positions.calculator.describing import describe, describe_rule, fields
from positions.calculator.quoting import quote
from positions.engine.rulebook import RULES

SENSIBLE = {
    "entry_price": 100.0,
    "mark_price": 101.0,
    "oracle_price": 101.0,
    "quantity": 2.0,
    "contracts": 2.0,
    "contract_size": 10.0,
    "multiplier": 1.0,
    "leverage": 10.0,
    "collateral": 20.0,
    "quote_balance": -180.0,
    "cash": -180.0,
    "debt": 100.0,
    "collateral_quantity": 2.0,
    "max_leverage": 50.0,
    "amm_quote_reserve": 1000.0,
    "amm_base_reserve": 100.0,
    "open_notional": 100.0,
    "min_keeper_fee": 2.0,
    "liquidation_fee": 5.0,
}


def test_every_input_has_unit_check_and_help():
    assert all(field["help"] and field["check"] for field in fields())
    json.dumps(describe(), allow_nan=False)


@pytest.mark.parametrize("rule", sorted(RULES))
def test_what_is_called_required_is_enough_for_the_main_figure(rule):
    told = describe_rule(rule=rule)
    wanted = [field["name"] for field in told["inputs"] if field["required"]]
    choices = {tuple(field["one_of"]) for field in told["inputs"] if field["one_of"]}
    chosen = [next((n for n in names if n in SENSIBLE), names[0]) for names in choices]
    inputs = {name: SENSIBLE.get(name, 0.01) for name in (*wanted, *chosen)}
    case = {"rule": rule, "kind": told["kind"], "inputs": inputs}
    case |= {"side": "long"} if told["needs_side"] else {}

    answer = quote(case)

    aim = "venue_margin_ratio" if rule == "perp-v1" else "liquidation_price"
    assert answer[aim] is not None, answer["reasons"][aim]


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("kucoin-linear", "next_funding_rate"),
        ("gate-linear", "taker_fee_rate"),
        ("synthetix-v1-view", "min_keeper_fee"),
        ("aave-lending", "debt"),
        ("bybit-linear", "entry_price"),
    ],
)
def test_what_a_rule_cannot_do_without_is_required(rule, name):
    told = {field["name"]: field for field in describe_rule(rule=rule)["inputs"]}

    assert told[name]["required"]


def test_a_rule_is_not_offered_the_inputs_of_others():
    told = {field["name"] for field in describe_rule(rule="bybit-linear")["inputs"]}

    assert not told & {"quote_balance", "debt", "amm_base_reserve", "adjust_factor", "multiplier"}
    assert {"maintenance_amount", "extra_margin", "tiers", "tick_size", "notional"} <= told


def test_a_figure_says_its_unit_and_source():
    told = {figure["name"]: figure for figure in describe_rule(rule="standx-perp")["figures"]}

    assert told["bankruptcy_price"]["unit"] == "quote per base"
    assert "StandX" in told["bankruptcy_price"]["sources"][0]
