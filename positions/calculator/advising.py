"""What would help a position: margin for a distance, and the next edges of its tiers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from positions.calculator.choosing import choose_rule
from positions.calculator.flow import Flow
from positions.calculator.quoting import figures_of
from positions.calculator.reading import read_case
from positions.calculator.taking_part import ways_of
from positions.engine.batch import Batch, build_batch
from positions.engine.questions.edges import Edge, find_edges
from positions.engine.questions.margin import margin_to_add
from positions.engine.questions.targets import Aim, Target
from positions.engine.types import Side, Terms

_NO_FIGURE = "none: the rule knows no liquidation price"
# What the engine is told, and the fact of the case that says it.
_TERMS = {
    "quantity": "size",
    "entry_price": "reference_price",
    "collateral": "held",
    "trigger_price": "trigger_price",
    "fee_rate": "counted_fee",
    "next_funding_rate": "counted_funding",
    "fixed_requirement": "fixed",
}
_NEEDED = ("side", "size", "reference_price", "held", "trigger_price", "table")


@dataclass(frozen=True, slots=True)
class Advised:
    """A figure, or why there is none."""

    value: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Advice:
    """What the engine's inverse questions say of one case.

    margins           of each distance asked for, settle units; negative is margin to spare
    edge_up, edge_down
                      price at which the next tier begins, quote per base
    """

    margins: tuple[Advised, ...]
    edge_up: Advised
    edge_down: Advised


def advise(case: Mapping[str, Any], *, distances: Sequence[float]) -> Advice:
    """Return what would help; `distances` are fractions of the trigger price.

    Raises CalculatorError, with the field at fault, on a case that makes no sense.
    """
    known = read_case(case)
    rule = choose_rule(known).rule
    if "liquidation_price" not in figures_of(rule=rule.key, mode=known.mode):
        return _nothing(_NO_FIGURE, len(distances))
    side = {} if known.side is None else {"side": known.side}
    flow = Flow(
        ways=ways_of(rule=rule.key, mode=known.mode), inputs={**known.inputs, **side, "rule": rule}
    )
    facts = {name: flow.find(name) for name in (*_NEEDED, *_TERMS.values())}
    missing = next((name for name in _NEEDED if facts[name] is None), None)
    if missing is not None or flow.find("liquidation_price") is None:
        return _nothing(flow.reason(missing or "liquidation_price"), len(distances))
    return _ask(_batch(rule.key, facts), distances)


def _batch(rule: str, facts: Mapping[str, Any]) -> Batch:
    numbers = {name: facts[fact] for name, fact in _TERMS.items()}
    known = {name: math.nan if value is None else value for name, value in numbers.items()}
    side: Side = facts["side"]
    return build_batch(terms=[Terms(rule=rule, side=side, tiers=facts["table"], **known)])


def _ask(batch: Batch, distances: Sequence[float]) -> Advice:
    answers = [
        margin_to_add(batch=batch, target=Target(aim=Aim.DISTANCE, level=distance))
        for distance in distances
    ]
    edges = find_edges(batch=batch)
    return Advice(
        margins=tuple(_advised(each.amount[0], each.reason(index=0)) for each in answers),
        edge_up=_price_of(edges.up),
        edge_down=_price_of(edges.down),
    )


def _price_of(edge: Edge) -> Advised:
    return _advised(edge.price[0], edge.reason(figure="price", index=0))


def _advised(value: float, reason: str | None) -> Advised:
    return Advised(None, reason or "") if math.isnan(value) else Advised(float(value))


def _nothing(reason: str, count: int) -> Advice:
    none = Advised(None, reason)
    return Advice(margins=(none,) * count, edge_up=none, edge_down=none)
