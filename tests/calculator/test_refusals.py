"""What makes no sense is refused with its field; what is missing is named."""

import pytest

from positions.calculator.errors import CalculatorError
from positions.calculator.quoting import quote, quote_or_refuse
from tests.calculator.build import ask, make_case

GOOD = {"entry_price": 100, "quantity": 2, "leverage": 10, "maintenance_margin_rate": 0.01}
FALLING = [{"min": 1000, "mmr": 0.01}, {"min": 0, "mmr": 0.05}]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quantity", -1),
        ("quantity", 0),
        ("contracts", "-3"),
        ("entry_price", 0),
        ("mark_price", float("nan")),
        ("mark_price", "NaN"),
        ("mark_price", "Infinity"),
        ("mark_price", "1e400"),
        ("mark_price", float("inf")),
        ("mark_price", 10**400),
        ("mark_price", "1e-400"),
        ("mark_price", "1_000"),
        ("mark_price", "0x10"),
        ("mark_price", "١"),
        ("mark_price", ""),
        ("mark_price", "1" * 101),
        ("leverage", True),
        ("leverage", [1]),
        ("leverage", {}),
        ("maintenance_margin_rate", -0.01),
        ("maintenance_margin_rate", 1.5),
        ("tier_index", 1.5),
        ("tiers", FALLING),
        ("tiers", []),
        ("tiers", 5),
        ("tiers", [5]),
        ("liabilities", "none"),
    ],
)
def test_a_senseless_input_is_refused_by_name(field, value):
    with pytest.raises(CalculatorError) as refused:
        ask(**{**GOOD, field: value})

    assert refused.value.field == field
    assert refused.value.message.endswith(".")


@pytest.mark.parametrize(
    ("tiers", "field"),
    [
        ([{"min": 0}], "tiers[0].mmr"),
        ([{"min": 0, "mmr": "x"}], "tiers[0].mmr"),
        ([{"min": 0, "max": 0, "mmr": 0.01}], "tiers[0].max"),
        ([{"min": 0, "mmr": 2}], "tiers"),
        ([{"min": -1, "mmr": 0.01}], "tiers"),
    ],
)
def test_a_senseless_tier_is_refused_by_place(tiers, field):
    with pytest.raises(CalculatorError) as refused:
        ask(**GOOD, tiers=tiers)

    assert refused.value.field == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"side": "up"}, "side"),
        ({"side": 1}, "side"),
        ({"kind": "option"}, "kind"),
        ({"kind": None}, "kind"),
        ({"kind": ["linear"]}, "kind"),
        ({"rule": "no-such-rule"}, "rule"),
        ({"rule": "inverse-mark"}, "rule"),
        ({"rule": 5}, "rule"),
        ({"margin_mode": "shared"}, "margin_mode"),
        ({"margin_mode": []}, "margin_mode"),
        ({"inputs": [1]}, "inputs"),
        ({"inputs": None}, "inputs"),
        ({"venue": 5}, "venue"),
        ({"id": [1]}, "id"),
        ({"id": True}, "id"),
    ],
)
def test_a_senseless_case_is_refused_by_name(changes, field):
    with pytest.raises(CalculatorError) as refused:
        quote({**make_case(**GOOD), **changes})

    assert refused.value.field == field


@pytest.mark.parametrize("case", [None, 5, "case", [1], True])
def test_what_is_no_object_is_refused(case):
    assert quote_or_refuse(case) == {
        "id": None,
        "error": {"field": "case", "message": "must be an object."},
    }


def test_a_refusal_keeps_the_id():
    refused = quote_or_refuse({**make_case(**GOOD), "side": "up"})

    assert refused == {
        "id": "x",
        "error": {"field": "side", "message": "must be one of long, short."},
    }


@pytest.mark.parametrize(
    ("lacking", "named"),
    [
        ("entry_price", ["entry_price"]),
        ("maintenance_margin_rate", ["maintenance_margin_rate"]),
        ("leverage", ["leverage", "collateral", "initial_margin"]),
        ("taker_fee_rate", ["taker_fee_rate"]),
    ],
)
def test_a_missing_input_is_named(lacking, named):
    inputs = {**GOOD, "taker_fee_rate": 0.001}
    del inputs[lacking]

    answer = ask("gate", **inputs)

    reason = answer["reasons"]["liquidation_price"]
    assert answer["liquidation_price"] is None
    assert reason.startswith("unknown: missing ")
    assert all(name in reason for name in named)


def test_a_missing_side_is_named():
    answer = ask("gate", "linear", None, **GOOD, taker_fee_rate=0.001)

    assert answer["reasons"]["liquidation_price"] == "unknown: missing side"
    assert answer["notional"] == 200


def test_null_is_not_given():
    answer = ask(**{**GOOD, "mark_price": None})

    assert answer["reasons"]["unrealized_pnl"] == "unknown: missing mark_price"


def test_no_price_on_the_losing_side_is_a_reason_not_a_number():
    answer = ask("binance", **{**GOOD, "leverage": 0.5})

    assert answer["liquidation_price"] is None
    assert answer["reasons"]["liquidation_price"].startswith("none: ")
    assert answer["residual"] is None


def test_an_input_nobody_knows_is_said_and_not_used():
    answer = ask(**GOOD, colour=5)

    assert answer["notes"]["inputs"] == "not known, and not used: colour"


def test_what_was_assumed_is_said():
    answer = ask(**GOOD)

    assert answer["notional"] == 200
    assert answer["notes"]["notional"] == "at entry: no mark price is given"


def test_expected_figures_are_never_read():
    case = {**make_case(**GOOD), "expected": {"liquidation_price": 1}, "formula": "LP=1"}

    assert quote(case) == quote(make_case(**GOOD))
