"""Answer a case: every figure that its inputs allow, and why the others are missing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from positions.calculator.choosing import choose_rule
from positions.calculator.errors import CalculatorError
from positions.calculator.figures import FIGURES
from positions.calculator.flow import Flow
from positions.calculator.reading import Case, read_case
from positions.calculator.taking_part import ways_of
from positions.engine.rules import MarginRules
from positions.engine.types import ContractKind, MarginMode, Side

RESIDUAL = "residual"
# Of one rate and a table of rates, the table says more.
_OVERRULED = frozenset({"maintenance_margin_rate", "maintenance_amount"})


def quote(case: Mapping[str, Any]) -> dict[str, Any]:
    """Return every figure of the case that its inputs allow; plain JSON values.

    case  id, venue, kind, side, inputs[, rule, margin_mode]; what else it holds is not read

    Result: id, rule, each figure that the rule knows (None where it is missing), residual (of the
    one condition at the liquidation price, relative to notional), reasons (why each None) and
    notes (what was assumed, by figure).
    Raises CalculatorError, with the field at fault, on a case that makes no sense.
    """
    known = read_case(case)
    choice = choose_rule(known)
    rule = choice.rule.key
    flow = Flow(ways=ways_of(rule=rule, mode=known.mode), inputs=_facts(known, choice.rule))
    names = (*figures_of(rule=rule, mode=known.mode), RESIDUAL)
    found = {name: flow.find(name) for name in names}
    notes = {name: flow.note(name) for name in names if flow.note(name)}
    if known.side is Side.SHORT and _is_loan(choice.rule):
        notes["side"] = "not used: a loan is long of its collateral"
    if known.mode is not MarginMode.ISOLATED:
        notes["margin_mode"] = f"{known.mode.value}: taken as if this margin alone backed it"
    if set(known.inputs) & _OVERRULED and "tiers" in known.inputs:
        notes["tiers"] = f"the table counts: {', '.join(sorted(_OVERRULED))} are not used"
    if known.unknown:
        notes["inputs"] = f"not known, and not used: {', '.join(known.unknown)}"
    return {
        "id": known.id,
        "rule": rule,
        **found,
        "reasons": {name: flow.reason(name) for name in names if found[name] is None},
        "notes": {"rule": choice.why, **notes},
    }


def quote_or_refuse(case: object) -> dict[str, Any]:
    """Return what `quote` does, or the id and the error of a case that makes no sense."""
    try:
        return quote(case)  # type: ignore[arg-type]
    except CalculatorError as error:
        id_ = case.get("id") if isinstance(case, Mapping) else None
        return {
            "id": id_ if isinstance(id_, str | int) else None,
            "error": {"field": error.field, "message": error.message},
        }


@lru_cache(maxsize=512)
def figures_of(*, rule: str, mode: MarginMode = MarginMode.ISOLATED) -> tuple[str, ...]:
    """Return the names of the figures that the rule knows, in the order of FIGURES."""
    ways = ways_of(rule=rule, mode=mode)
    return tuple(name for name in FIGURES if name in ways)


def _facts(case: Case, rule: MarginRules) -> dict[str, Any]:
    facts = {**case.inputs, "rule": rule}
    if "tiers" in facts:
        facts = {name: fact for name, fact in facts.items() if name not in _OVERRULED}
    return facts if case.side is None or _is_loan(rule) else {**facts, "side": case.side}


def _is_loan(rule: MarginRules) -> bool:
    return rule.kind is ContractKind.LENDING
