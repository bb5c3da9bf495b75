"""Which margin rule a case is answered by, and that it is said."""

import subprocess
import sys

import pytest

from tests.calculator.build import ask
from tests.paths import PROJECT

GOOD = {"entry_price": 100, "quantity": 2, "leverage": 10, "maintenance_margin_rate": 0.01}
FEE = {"taker_fee_rate": 0.001}
FUNDING = {"next_funding_rate": 0.0001}


@pytest.mark.parametrize(
    ("place", "inputs", "rule"),
    [
        (("kucoin",), GOOD, "kucoin-linear-help"),
        (("kucoin",), GOOD | FEE, "kucoin-linear-page"),
        (("kucoin",), GOOD | FEE | FUNDING, "kucoin-linear"),
        (("phemex",), GOOD, "phemex-linear-old"),
        (("phemex",), GOOD | FEE, "phemex-linear"),
        (("synthetix",), GOOD, "synthetix-v1-view"),
        (("synthetix",), {"quantity": 2, "mark_price": 5}, "synthetix-v1"),
        (("Bybit",), GOOD, "bybit-linear"),
        (("a bot (Bybit linear)",), GOOD, "bybit-linear"),
        (("a bot (Bybit/BitMEX inverse)", "inverse"), GOOD, "bybit-inverse"),
        (("nowhere",), GOOD, "linear-mark"),
        (("nowhere",), GOOD | FEE, "linear-mark-fee"),
        (("nowhere", "inverse"), GOOD, "inverse-mark"),
        (("nowhere", "inverse"), GOOD | FEE, "inverse-mark-fee"),
        (("nowhere", "lending"), {"debt": 5}, "lending"),
        (("",), GOOD | {"quote_balance": 5}, "dydx-v4"),
        (("nowhere",), GOOD | {"adjust_factor": 0.1}, "htx-linear"),
    ],
)
def test_the_rule_is_chosen_by_venue_kind_and_inputs(place, inputs, rule):
    answer = ask(*place, **inputs)

    assert answer["rule"] == rule
    assert answer["notes"]["rule"]


def test_a_rule_that_is_told_wins():
    answer = ask("bybit", **GOOD, rule="linear-mark")

    assert answer["rule"] == "linear-mark"
    assert answer["liquidation_price"] == pytest.approx(90 / 0.99)
    assert answer["notes"]["rule"] == "as told"


def test_an_unknown_venue_is_said():
    answer = ask("nowhere", **GOOD)

    assert "no rule is known" in answer["notes"]["rule"]


@pytest.mark.parametrize("banned", ["django", "ccxt", "celery"])
def test_the_calculator_loads_without(banned):
    code = f"import sys, positions.calculator.describing; sys.exit({banned!r} in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0
