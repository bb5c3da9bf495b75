"""Describe what can be asked: the inputs and figures of every rule, as plain JSON values.

For pages and programs that build a form: nothing here is needed to answer a case.
"""

from __future__ import annotations

from typing import Any

from positions.calculator.derivations import GIVEN
from positions.calculator.fields import FIELDS, Field
from positions.calculator.figures import FIGURES
from positions.calculator.flow import SIDE, Flow, Groups
from positions.calculator.quoting import figures_of
from positions.calculator.taking_part import needs_of, ways_of
from positions.engine.rulebook import RULES, find_rule
from positions.engine.types import Side

# What a form is for, the first that the rule can answer.
_AIMS = ("liquidation_price", "venue_margin_ratio")


def fields() -> list[dict[str, Any]]:
    """Return every input: name, unit, help, check (what may stand there), default, aliases."""
    return [_describe_field(field) for field in FIELDS.values()]


def figures() -> list[dict[str, str]]:
    """Return every figure: name, unit, help."""
    return [
        {"name": figure.name, "unit": figure.unit, "help": figure.help}
        for figure in FIGURES.values()
    ]


def describe() -> dict[str, Any]:
    """Return all inputs, all figures, and each rule with its own."""
    return {
        "fields": fields(),
        "figures": figures(),
        "rules": {key: describe_rule(rule=key) for key in RULES},
    }


def describe_rule(*, rule: str) -> dict[str, Any]:
    """Return what the rule is of, the inputs it takes part of, and the figures it knows.

    An input is `required` for the rule's main figure, or one of `one_of`, which holds all that
    would do in its place.
    Raises UnknownRuleError on a rule that the engine does not know.
    """
    known = find_rule(key=rule)
    groups = _find_required(rule)
    return {
        "rule": rule,
        "venue": known.venue,
        "kind": known.kind.value,
        "product": known.product,
        "document": known.document,
        "source": known.source,
        "needs_side": (SIDE,) in groups,
        "inputs": [
            {
                **_describe_field(FIELDS[name]),
                "required": (name,) in groups or name in needs_of(known),
                "one_of": next((list(g) for g in groups if name in g and len(g) > 1), []),
            }
            for name in _find_inputs(rule)
        ],
        "figures": [
            {
                "name": name,
                "unit": FIGURES[name].unit,
                "help": FIGURES[name].help,
                "sources": list(dict.fromkeys(way.source for way in ways_of(rule=rule)[name])),
            }
            for name in figures_of(rule=rule)
        ],
    }


def _describe_field(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "unit": field.unit,
        "help": field.help,
        "check": field.check.value,
        "default": field.default,
        "aliases": list(field.aliases),
    }


def _find_inputs(rule: str) -> list[str]:
    """Return the inputs that some figure of the rule can be made of, in the order of FIELDS."""
    ways = ways_of(rule=rule)
    seen: set[str] = set()
    waiting = list(figures_of(rule=rule))
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += [need for way in ways.get(name, ()) for need in way.needs]
    read = {need.removeprefix(GIVEN) for need in seen if need.startswith(GIVEN)}
    # A figure that is an input too is one only where a formula takes it as given.
    return [name for name in FIELDS if name in read or (name in seen and name not in FIGURES)]


def _find_required(rule: str) -> Groups:
    """Return what the rule's main figure cannot do without, alternatives together."""
    ways = ways_of(rule=rule)
    blank = Flow(ways=ways, inputs={"rule": find_rule(key=rule)})
    aim = next((name for name in _AIMS if blank.missing(name)), _AIMS[0])
    single = [group for group in blank.missing(aim) if len(group) == 1]
    # With those given, the alternatives that need them come into view.
    filled: dict[str, Any] = {group[0]: Side.LONG if group == (SIDE,) else 1.0 for group in single}
    rest = Flow(ways=ways, inputs={"rule": find_rule(key=rule), **filled}).missing(aim)
    return (*single, *rest)
