"""Rules are data: found by key, named when they are not, and free of any framework."""

import re
import subprocess
import sys

import pytest

from positions.engine.batch import build_batch
from positions.engine.rules import RULES, Leftover, UnknownRuleError, find_rule
from positions.engine.types import ContractKind
from tests.engine.build import make_terms
from tests.paths import PROJECT

DOCUMENT = PROJECT / "docs" / "formulas.md"


@pytest.mark.parametrize("key", sorted(RULES))
def test_every_rule_is_found_by_its_own_key_and_names_a_source(key):
    rule = find_rule(key=key)

    assert rule.key == key
    assert rule.source
    assert rule.is_inverse is key.startswith("inverse")
    assert rule.is_entry_basis is ("entry" in key)
    assert rule.is_fee_counted is ("fee" in key)
    assert rule.is_cumulative is ("flat" not in key)


def test_only_linear_and_inverse_rules_exist():
    assert {rule.kind for rule in RULES.values()} == {ContractKind.LINEAR, ContractKind.INVERSE}


def test_what_is_left_goes_to_the_insurance_fund_where_the_venue_says_so():
    insured = {key for key, rule in RULES.items() if rule.leftover is Leftover.INSURANCE}

    assert insured == {"linear-entry", "inverse-entry"}


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
    sources = [path.read_text() for path in (PROJECT / "positions" / "engine").glob("*.py")]

    cited = {anchor for text in sources for anchor in re.findall(r"formulas\.md#([\w-]+)", text)}

    assert cited
    assert cited <= headings


@pytest.mark.parametrize("key", sorted(RULES))
def test_every_rule_is_in_the_document(key):
    assert f"| `{key}` |" in DOCUMENT.read_text()


def _slug(heading):
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
