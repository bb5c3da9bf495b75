"""What holds for every case: decimal strings, plain JSON, and a graph without circles."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from positions.calculator.derivations import GIVEN
from positions.calculator.fields import ALIASES, FIELDS, Check
from positions.calculator.figures import FIGURES
from positions.calculator.quoting import quote, quote_or_refuse
from positions.calculator.taking_part import ways_of
from positions.engine.rulebook import RULES
from positions.engine.types import MarginMode
from tests.calculator.test_composed import WORKED

NUMBERS = {
    Check.POSITIVE: st.floats(1e-6, 1e6),
    Check.NOT_NEGATIVE: st.floats(0, 1e6),
    Check.NUMBER: st.floats(-1e6, 1e6),
    Check.SHARE: st.floats(0, 1),
    Check.COUNT: st.integers(1, 9),
}
PLAIN = [name for name, field in FIELDS.items() if field.check in NUMBERS]
RULE = st.sampled_from(sorted(RULES))
SIDES = st.sampled_from(["long", "short", "n/a"])


@st.composite
def cases(draw, numbers=NUMBERS):
    rule = draw(RULE)
    names = draw(st.lists(st.sampled_from(PLAIN), max_size=12, unique=True))
    common = ["entry_price", "quantity", "leverage", "maintenance_margin_rate", "mark_price"]
    names = dict.fromkeys(names + draw(st.sampled_from([[], common])))
    return {
        "id": 1,
        "rule": rule,
        "kind": RULES[rule].kind.value,
        "side": draw(SIDES),
        "inputs": {name: draw(numbers[FIELDS[name].check]) for name in names},
    }


@given(case=cases())
@settings(max_examples=300, deadline=None)
def test_decimal_strings_are_read_as_the_numbers_they_write(case):
    text = {name: f"{Decimal(repr(value)):f}" for name, value in case["inputs"].items()}
    short = {name: value for name, value in text.items() if len(value) <= 100}

    assert quote({**case, "inputs": {**case["inputs"], **short}}) == quote(case)


EXTREME = {check: st.sampled_from([1e-308, 5e-324, 1e-9, 1.0, 1e9, 1e308]) for check in Check} | {
    Check.SHARE: st.sampled_from([0.0, 1e-308, 0.5, 1.0]),
    Check.COUNT: st.integers(1, 3),
}


@given(case=cases(numbers=EXTREME))
@settings(max_examples=500, deadline=None)
def test_numbers_at_the_ends_of_the_scale_give_plain_json_with_reasons(case):
    answer = quote(case)

    json.dumps(answer, allow_nan=False)
    assert all(answer[name] is not None or name in answer["reasons"] for name in answer)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
NAMES = st.sampled_from([*FIELDS, *ALIASES])


@given(
    inputs=JSON | st.dictionaries(NAMES, JSON, max_size=5),
    side=JSON | SIDES,
    kind=JSON | st.sampled_from(["linear", "inverse", "quanto", "lending"]),
    venue=JSON,
)
@settings(max_examples=500, deadline=None)
def test_garbage_is_answered_or_refused_never_more(inputs, side, kind, venue):
    case = {"id": 1, "venue": venue, "kind": kind, "side": side, "inputs": inputs}

    answer = quote_or_refuse(case)

    assert answer["id"] == 1
    assert ("error" in answer) != ("rule" in answer)
    json.dumps(answer, allow_nan=False)


@pytest.mark.parametrize("name", WORKED)
def test_the_same_case_gives_the_same_bytes(name):
    (venue, kind, side), inputs, _ = WORKED[name]
    plain = {key: value for key, value in inputs.items() if key != "mode"}
    case = {"id": 1, "venue": venue, "kind": kind, "side": side, "inputs": plain}

    assert json.dumps(quote(case)) == json.dumps(quote(case))


@pytest.mark.parametrize("mode", [MarginMode.ISOLATED, MarginMode.CROSS])
@pytest.mark.parametrize("rule", sorted(RULES))
def test_no_fact_of_a_rule_needs_itself(rule, mode):
    ways = ways_of(rule=rule, mode=mode)

    def visit(fact, above):
        assert fact not in above, f"{rule}: {' -> '.join((*above, fact))}"
        for need in {need for way in ways.get(fact, ()) for need in way.needs}:
            if not need.startswith(GIVEN):
                visit(need, (*above, fact))

    for fact in ways:
        visit(fact, ())


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_need_of_a_formula_exists(rule):
    ways = ways_of(rule=rule)
    known = {*ways, *FIELDS, "rule", "side"}

    unknown = {
        (fact, need)
        for fact, derivations in ways.items()
        for way in derivations
        for need in way.needs
        if need.removeprefix(GIVEN) not in known and need not in way.defaults
    }
    assert unknown == set()


def test_every_figure_is_known_to_some_rule():
    known = {fact for rule in RULES for fact in ways_of(rule=rule)}

    assert set(FIGURES) <= known
