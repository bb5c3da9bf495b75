"""What venues and protocols printed: single figures of our own, and the collection beside us."""

import json
from collections import Counter

import numpy as np
import pytest

from positions.engine.batch import build_batch
from positions.engine.rulebook import RULES
from positions.engine.solver import solve
from positions.engine.types import Side, Terms, Tier
from tests.engine.test_rules import FAMILIES
from tests.paths import DATA, SHARED, needs_recordings

PUBLISHED = json.loads((DATA / "engine" / "published.json").read_text())
PRICES = ("liquidation_price", "bankruptcy_price")

# Family of a published case -> rule. The fee of BitMEX-like families (F3fee, F4fee) stands inside
# their maintenance: not in this form of the engine.
RULE_OF_FAMILY = {
    "F1": "linear-mark",
    "F2": "linear-mark-fee",
    "F3": "linear-entry",
    "F4": "linear-mark-flat",
    "F5": "inverse-entry",
    "F6": "inverse-mark",
    "F6fee": "inverse-mark-fee",
}
LEFT_OUT = {
    "cross": "a cross position: its collateral is the account's balance",
    "buffered_liquidation_price": "a bot's safety margin on top of the venue's price",
    "fee_in_margin": "the venue adds its reserve for the closing fee to this margin",
    "price_cap": "the venue prints none because the price lies beyond its cap of 1,000,000",
    "not_the_engines": "initial margin, fee reserves and venue-side sums",
}
# Figures, not cases, that a family's rule does not answer as the venue prints them.
EXCEPTIONS = {
    ("bybit-api-dgb-short-1x", "maintenance_margin"): "fee_in_margin",
    ("kucoin-api-xbtusdm-inverse-short-noliq", "maintenance_margin"): "fee_in_margin",
    ("kucoin-api-xbtusdm-inverse-short-noliq", "liquidation_price"): "price_cap",
}


def _load_cases():
    if SHARED is None:
        return []
    cases = json.loads((SHARED / "golden" / "cases.json").read_text())
    return [case for case in cases if case["family"] in RULE_OF_FAMILY]


CASES = _load_cases()


@pytest.mark.parametrize("case", PUBLISHED, ids=[case["id"] for case in PUBLISHED])
def test_a_published_figure_is_ours(case):
    tiers = (Tier(floor=0.0, rate=case["rate"], amount=case.get("amount", 0.0)),)
    terms = Terms(
        tiers=tiers,
        side=Side(case["side"]),
        fee_rate=case.get("fee_rate", 0.0),
        **{
            key: case[key]
            for key in ("rule", "quantity", "entry_price", "collateral", "trigger_price")
        },
    )

    row = solve(build_batch(terms=[terms])).row(index=0)

    printed = {name: case[name] for name in row if name in case}
    allowed = {name: case["tick"] if name in PRICES else 1e-5 * abs(case[name]) for name in printed}
    assert {n: row[n] for n in printed if abs(row[n] - printed[n]) > allowed[n]} == {}
    assert "liquidation_price" in printed


@pytest.mark.parametrize(
    "rule",
    sorted(key for key in FAMILIES if key not in {"linear-mark-strict", "linear-mark-fee-flat"}),
)
def test_every_rule_has_a_published_figure(rule):
    assert any(case["rule"] == rule for case in PUBLISHED)


@needs_recordings
@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_case_of_the_collection_is_answered_within_its_tolerance(case):
    answerable = [name for name in case["expected"] if _why_left_out(case, name) is None]
    if not answerable:
        pytest.skip(LEFT_OUT[_why_left_out(case, next(iter(case["expected"])))])

    row = solve(build_batch(terms=[_read_terms(case)])).row(index=0)

    wrong = {
        name: (row[name], case["expected"][name]) for name in answerable if _is_off(case, name, row)
    }
    assert wrong == {}


@needs_recordings
def test_what_is_left_out_of_the_collection_is_counted_by_reason():
    figures = [(case, name) for case in CASES for name in case["expected"]]

    left_out = Counter(_why_left_out(case, name) for case, name in figures)

    answered = left_out.pop(None)
    assert answered == 82
    assert left_out == {
        "not_the_engines": 14,
        "buffered_liquidation_price": 4,
        "cross": 2,
        "fee_in_margin": 2,
        "price_cap": 1,
    }
    assert set(left_out) == set(LEFT_OUT)


def _why_left_out(case, name):
    if case.get("margin_mode") == "cross":
        return "cross"
    if name == "buffered_liquidation_price":
        return name
    if (case["id"], name) in EXCEPTIONS:
        return EXCEPTIONS[case["id"], name]
    answered = {
        *PRICES,
        "unrealized_pnl",
        "notional",
        "maintenance_margin",
        "equity",
        "venue_margin_ratio",
    }
    return None if name in answered else "not_the_engines"


def _read_terms(case):
    given = case["inputs"]
    rule = RULES[RULE_OF_FAMILY[case["family"]]]
    quantity = _read_quantity(given, rule.is_inverse)
    entry = given["entry_price"]
    value = quantity / entry if rule.is_inverse else quantity * entry
    tier = Tier(0.0, given["maintenance_margin_rate"], given.get("maintenance_amount", 0.0))
    return Terms(
        rule=rule.key,
        side=Side(case["side"]),
        quantity=quantity,
        entry_price=entry,
        collateral=_read_collateral(given, value),
        # Where no mark is printed the figures are those of the entry.
        trigger_price=given.get("mark_price", entry),
        tiers=(tier,),
        fee_rate=given.get("taker_fee_rate", 0.0),
    )


def _read_quantity(given, is_inverse):
    if is_inverse:
        return given.get("contracts", 1) * given.get("contract_size", 1)
    return given.get("quantity", given.get("contracts", 1) * given.get("contract_size", 1))


def _read_collateral(given, value):
    if "collateral" in given:
        unsettled = given.get("funding_delta_per_unit", 0) * given.get("quantity", 0)
        return given["collateral"] - unsettled
    # Bybit's and KuCoin's printed margins hold a fee reserve: the leverage says it without.
    if "leverage" in given:
        return value / given["leverage"] + given.get("extra_margin", 0)
    return given["initial_margin"]


def _is_off(case, name, row):
    expected = case["expected"][name]
    found = row["margin_ratio"] if name == "venue_margin_ratio" else row[name]
    if expected is None or found is None:
        return expected is not found
    tolerance = case["tolerance"][name]
    # Some venues print equity over requirement, the inverse of ours.
    if name == "venue_margin_ratio" and expected > 1:
        found = 1 / found
    return not np.isclose(
        found, expected, rtol=tolerance.get("rel", 0), atol=tolerance.get("abs", 0)
    )
