"""Choose the margin rule of a case: as told, by its venue, or by the inputs it has."""

from __future__ import annotations

import re
from dataclasses import dataclass

from positions.calculator.errors import CalculatorError
from positions.calculator.reading import Case
from positions.calculator.taking_part import SIGNATURES, needs_of
from positions.engine.rulebook import RULES, rules_of
from positions.engine.rules import MarginRules
from positions.engine.types import ContractKind

_VENUES = tuple(sorted({rule.venue for rule in RULES.values() if rule.venue}, key=len))
# Family of an unknown venue: without and with a closing fee among the inputs.
_FAMILIES: dict[ContractKind, tuple[str, str]] = {
    ContractKind.LINEAR: ("linear-mark", "linear-mark-fee"),
    ContractKind.INVERSE: ("inverse-mark", "inverse-mark-fee"),
    ContractKind.QUANTO: ("bitmex-quanto", "bitmex-quanto"),
    ContractKind.LENDING: ("lending", "lending"),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """The rule of a case, and why it is this one."""

    rule: MarginRules
    why: str


def choose_rule(case: Case) -> Choice:
    """Return the rule. Raises CalculatorError on a rule that is unknown or of another kind."""
    if case.rule is not None:
        return Choice(_read_rule(case.rule, case.kind), "as told")
    venue = find_venue(case.venue)
    known = rules_of(venue=venue, kind=case.kind) if venue else []
    if known:
        return Choice(_choose_document(known, case), f"by venue {venue}, kind and inputs")
    told = [RULES[key] for name, key in SIGNATURES.items() if name in case.inputs]
    told = [rule for rule in told if rule.kind is case.kind]
    if told:
        return Choice(told[0], "by the inputs: no rule is known for this venue and kind")
    key = _FAMILIES[case.kind]["taker_fee_rate" in case.inputs]
    return Choice(RULES[key], "a family by the inputs: no rule is known for this venue and kind")


def find_venue(label: str) -> str | None:
    """Return the venue a label names: alone, or as the first known name in it."""
    text = label.lower()
    if text in _VENUES:
        return text
    found = ((re.search(rf"\b{re.escape(venue)}\b", text), venue) for venue in _VENUES)
    places = [(match.start(), -len(venue), venue) for match, venue in found if match]
    return min(places)[2] if places else None


def _read_rule(key: str, kind: ContractKind) -> MarginRules:
    if key not in RULES:
        raise CalculatorError("rule", f"there is no margin rule {key!r}.")
    if RULES[key].kind is not kind:
        raise CalculatorError("rule", f"{key} is of {RULES[key].kind.value} contracts.")
    return RULES[key]


def _choose_document(known: list[MarginRules], case: Case) -> MarginRules:
    """Return the document that lacks least; among those, the one that uses most of the inputs."""

    def fit(rule: MarginRules) -> tuple[int, int]:
        needs = needs_of(rule)
        lacking = sum(case.inputs.get(name) is None for name in needs)
        return lacking, lacking - len(needs)

    return min(known, key=fit)
