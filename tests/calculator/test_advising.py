"""What would help: asked of the engine with the facts of a case."""

import pytest

from positions.calculator.advising import advise
from positions.calculator.errors import CalculatorError
from positions.calculator.quoting import quote
from positions.engine.rulebook import RULES
from tests.calculator.build import make_case

INPUTS = {
    "entry_price": 60_000,
    "mark_price": 61_200,
    "quantity": 0.5,
    "leverage": 10,
    "maintenance_margin_rate": 0.005,
    "taker_fee_rate": 0.0006,
    "next_funding_rate": 0.0001,
}
TIERS = [{"min": 0, "mmr": 0.005}, {"min": 30_000, "mmr": 0.01}, {"min": 90_000, "mmr": 0.02}]


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize(
    "rule", ["binance-usdm", "gate-linear", "bybit-linear", "kucoin-linear", "mexc-linear"]
)
def test_the_margin_for_a_distance_brings_it(rule, side):
    (advised,) = advise(make_case(side=side, rule=rule, **INPUTS), distances=(0.2,)).margins

    added = make_case(side=side, rule=rule, **INPUTS, extra_margin=advised.value)

    assert quote(added)["liquidation_distance"] == pytest.approx(0.2, rel=1e-9)


def test_the_edges_are_the_prices_where_tiers_begin():
    inputs = {name: INPUTS[name] for name in INPUTS if name != "maintenance_margin_rate"}

    found = advise(make_case(rule="binance-usdm", **inputs, tiers=TIERS), distances=())

    assert (found.edge_down.value, found.edge_up.value) == (60_000, 180_000)


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("mark_price", "unknown: missing mark_price"),
        ("leverage", "unknown: missing one of"),
        ("quantity", "unknown: missing quantity"),
        ("maintenance_margin_rate", "unknown: missing maintenance_margin_rate"),
    ],
)
def test_what_is_missing_is_the_reason(missing, words):
    inputs = {name: INPUTS[name] for name in INPUTS if name != missing}

    found = advise(make_case(rule="bybit-linear", **inputs), distances=(0.1,))

    assert found.margins[0].value is None
    assert found.margins[0].reason.startswith(words)


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule_is_answered_with_a_figure_or_a_reason(rule):
    case = make_case(kind=RULES[rule].kind.value, rule=rule, **INPUTS)

    found = advise(case, distances=(0.1, 0.2))

    for advised in (*found.margins, found.edge_up, found.edge_down):
        assert (advised.value is None) == bool(advised.reason)


def test_nonsense_is_refused_with_its_field():
    with pytest.raises(CalculatorError) as caught:
        advise(make_case(quantity=-1), distances=(0.1,))

    assert caught.value.field == "quantity"
