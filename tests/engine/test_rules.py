"""Rules are data: found by key, named when they are not, and free of any framework."""

import re
import subprocess
import sys

import pytest

from positions.engine.batch import build_batch
from positions.engine.rulebook import RULES, UnknownRuleError, find_rule, rules_of
from positions.engine.rules import Basis, Leftover
from positions.engine.types import ContractKind
from tests.engine.build import make_terms
from tests.engine.rule_table import BEGIN, DOCUMENT, END, render
from tests.paths import PROJECT

FAMILIES = sorted(key for key, rule in RULES.items() if not rule.venue and key != "lending")


@pytest.mark.parametrize("key", sorted(RULES))
def test_every_rule_is_found_by_its_own_key_and_names_a_source(key):
    rule = find_rule(key=key)

    assert rule.key == key
    assert rule.source
    assert not rule.venue or (rule.product and key.startswith(rule.venue))


@pytest.mark.parametrize("key", FAMILIES)
def test_the_name_of_a_family_says_its_switches(key):
    rule = find_rule(key=key)

    assert rule.kind == key.partition("-")[0]
    assert rule.is_entry_basis is ("entry" in key)
    assert rule.is_fee_counted is ("fee" in key)
    assert rule.is_cumulative is ("flat" not in key)
    assert rule.is_strict is ("strict" in key)


def test_every_kind_of_contract_has_a_rule():
    assert {rule.kind for rule in RULES.values()} == set(ContractKind)


def test_documents_of_one_venue_that_disagree_are_two_rules():
    older, newer = find_rule(key="bybit-inverse"), find_rule(key="bybit-inverse-2026")

    assert (older.basis, newer.basis) == (Basis.ENTRY, Basis.MARK)
    assert older.document != newer.document
    assert rules_of(venue="bybit", kind=ContractKind.INVERSE) == [older, newer]


def test_what_is_left_goes_to_the_insurance_fund_where_the_venue_says_so():
    insured = {key for key, rule in RULES.items() if rule.leftover is Leftover.INSURANCE}

    assert {"linear-entry", "bybit-linear", "kucoin-linear", "phemex-linear"} <= insured
    assert not {"linear-mark", "dydx-v4", "hyperliquid-perp", "toobit-linear"} & insured


def test_an_unknown_rule_is_a_sentence_that_names_the_known_ones():
    with pytest.raises(UnknownRuleError) as caught:
        build_batch(terms=[make_terms("linear-marks")])

    assert "'linear-marks'" in str(caught.value)
    assert all(key in str(caught.value) for key in RULES)
    assert isinstance(caught.value, KeyError)


def test_the_engine_loads_without_any_framework():
    banned = ("django", "ccxt", "celery", "scipy", "pandas", "riskhub", "venues")
    code = (
        "import sys, positions.engine.solver, positions.engine.machine\n"
        f"sys.exit(', '.join(name for name in {banned!r} if name in sys.modules) or None)"
    )

    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stderr


def test_every_anchor_that_the_engine_cites_is_a_heading_of_the_document():
    lines = DOCUMENT.read_text().splitlines()
    headings = {_slug(line.lstrip("# ")) for line in lines if line.startswith("#")}
    sources = [path.read_text() for path in (PROJECT / "positions" / "engine").rglob("*.py")]

    cited = {anchor for text in sources for anchor in re.findall(r"formulas\.md#([\w-]+)", text)}

    assert cited
    assert cited <= headings


@pytest.mark.parametrize("key", sorted(RULES))
def test_every_rule_is_in_the_document(key):
    assert f"| `{key}` |" in DOCUMENT.read_text()


def test_the_documents_table_is_that_of_the_rules():
    _, _, rest = DOCUMENT.read_text().partition(BEGIN)

    # Otherwise: python -m tests.engine.rule_table
    assert rest.partition(END)[0] == render()


def _slug(heading):
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
