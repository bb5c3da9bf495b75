"""The form of the calculator: what the address says, the case it makes, and its fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from typing import Any

from positions.calculator.describing import describe_rule
from positions.calculator.errors import CalculatorError
from positions.calculator.fields import FIELDS, Check
from positions.calculator.quoting import quote
from positions.engine.rulebook import RULES
from positions.engine.rules import MarginRules, Trigger
from positions.engine.types import ContractKind, Side
from riskhub import formatting
from venues import registry

DEFAULT_RULE = "bybit-linear"
# The rule whose fields a sent form had: where it is another one, the new fields are to be filled.
SHOWN_RULE = "shown"
_LONGEST = 4_000
# Of a slider: beyond them its ends would be no numbers.
_LEAST, _MOST = 1e-300, 1e300
# What nobody types into one line stays with REST.
_UNSHOWN = frozenset({Check.LIABILITIES})
# A worked example, for a page that nobody has filled in.
_EXAMPLES = {
    "entry_price": "60000",
    "mark_price": "61200",
    "oracle_price": "61200",
    "quantity": "0.5",
    "contracts": "300",
    "contract_size": "100",
    "multiplier": "0.000001",
    "leverage": "10",
    "collateral": "3000",
    "maintenance_margin_rate": "0.005",
    "max_leverage": "50",
    "taker_fee_rate": "0.0006",
    "next_funding_rate": "0.0001",
    "collateral_quantity": "1",
    "debt": "30000",
    "liquidation_threshold": "0.8",
    "open_notional": "30000",
    "notional_usd": "30000",
    "amm_quote_reserve": "60000000",
    "amm_base_reserve": "1000",
    "min_keeper_fee": "20",
    "liquidation_fee_ratio": "0.0035",
    "liquidation_buffer_ratio": "0.0025",
    "margin_fee_rate": "0.001",
    "liquidation_fee": "5",
}
# Venues that are calculated and not read, where a capital alone does not make the name.
_NAMES = {
    "alph-trade": "Alph.trade",
    "bitmex": "BitMEX",
    "coinex": "CoinEx",
    "gmx": "GMX",
    "makerdao": "MakerDAO",
    "mcdex": "MCDEX",
    "mcs": "MCS",
    "perp-v1": "Perpetual v1",
    "standx": "StandX",
    "zb": "ZB",
}
_SIZES = frozenset({"quantity", "contracts", "position_size", "collateral_quantity"})
_AMOUNTS = frozenset({"collateral", "debt"})


@dataclass(slots=True)
class Asked:
    """What a page's address asks.

    texts    input -> what stands in its field, sense or nonsense
    answer   of quote(); None where the rule is not one
    case     what was answered: the inputs that make sense
    errors   field -> what is wrong with it
    """

    rule: MarginRules
    side: str
    texts: dict[str, str]
    case: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, Any] | None = None
    errors: dict[str, str] = field(default_factory=dict)


def read_query(query: Mapping[str, str]) -> Asked:
    """Return what the address asks, answered; nonsense is left out and named in `errors`."""
    key = query.get("rule", "") or DEFAULT_RULE
    rule = RULES.get(key, RULES[DEFAULT_RULE])
    side = query.get("side", Side.LONG.value)[:_LONGEST]
    asked = Asked(rule=rule, side=side, texts=_read_texts(query, rule))
    if key in RULES:
        _answer(asked)
    else:
        asked.errors["rule"] = f"there is no margin rule {key[:80]!r}."
    return asked


def form_context(asked: Asked) -> dict[str, Any]:
    """Return what the form shows: rules by venue, sides, and the fields of the rule."""
    shown = [_show_field(each, asked) for each in _inputs_of(asked.rule.key)]
    main = _main_inputs(asked.rule)
    more = [each for each in shown if each["name"] not in main]
    return {
        "rule_groups": _rule_groups(),
        "rule": asked.rule,
        "rule_error": asked.errors.get("rule", ""),
        "needs_side": _describe(asked.rule.key)["needs_side"],
        "sides": list(Side),
        "side": asked.side,
        "side_error": asked.errors.get("side", ""),
        "fields": [each for each in shown if each["name"] in main],
        "more_fields": more,
        "is_more_open": any(each["value"] for each in more),
    }


def label_of(name: str) -> str:
    """Return an input or a figure in words: "Entry price"."""
    text = "LTV" if name == "ltv" else name.replace("_", " ").replace(" pnl", " PnL")
    return text[:1].upper() + text[1:]


@lru_cache(maxsize=256)
def _describe(rule: str) -> dict[str, Any]:
    return describe_rule(rule=rule)


def _inputs_of(rule: str) -> list[dict[str, Any]]:
    return [each for each in _describe(rule)["inputs"] if Check(each["check"]) not in _UNSHOWN]


def _read_texts(query: Mapping[str, str], rule: MarginRules) -> dict[str, str]:
    names = [each["name"] for each in _inputs_of(rule.key)]
    texts = {name: _clean(query[name]) for name in names if name in query}
    is_new = query.get(SHOWN_RULE, rule.key) != rule.key
    if is_new or not any(name in FIELDS for name in query):
        given = {name: text for name, text in texts.items() if text}
        filled = {name: _EXAMPLES.get(name, "") for name in _main_inputs(rule)}
        texts = {**_without_alternatives(filled, given, rule.key), **given}
    return texts


def _clean(text: str) -> str:
    return text[:_LONGEST].replace("\0", "").strip()


def _without_alternatives(
    filled: dict[str, str], texts: Mapping[str, str], rule: str
) -> dict[str, str]:
    """Leave out an example where another input stands that would do, and all but the first."""
    for each in _inputs_of(rule):
        group = [name for name in _EXAMPLES if name in each["one_of"] and name in filled]
        given = [name for name in each["one_of"] if texts.get(name)]
        for name in group if given else group[1:]:
            filled[name] = ""
    return filled


@lru_cache(maxsize=256)
def _main_inputs(rule: MarginRules) -> tuple[str, ...]:
    """Return the inputs that are shown at once: what is required, and what values the position."""
    inputs = _inputs_of(rule.key)
    names = {each["name"] for each in inputs}
    required = [each["name"] for each in inputs if each["required"]]
    choices = [
        name
        for each in inputs
        for name in each["one_of"]
        if name in _EXAMPLES or not set(each["one_of"]) & set(_EXAMPLES)
    ]
    price = "oracle_price" if rule.trigger is Trigger.ORACLE else "mark_price"
    wanted = {*required, *choices, price, "tiers"} & names
    return tuple(each["name"] for each in inputs if each["name"] in wanted)


def _answer(asked: Asked) -> None:
    """Answer the case; an input that makes no sense is named and left out, one after the other."""
    needs_side = _describe(asked.rule.key)["needs_side"]
    inputs: dict[str, Any] = {}
    for name, text in asked.texts.items():
        if text:
            inputs[name] = _read_tiers(text) if name == "tiers" else text
    asked.case = {
        "rule": asked.rule.key,
        "venue": asked.rule.venue,
        "kind": asked.rule.kind.value,
        "side": (asked.side or None) if needs_side else None,
        "inputs": inputs,
    }
    for _ in range(len(inputs) + 2):
        try:
            asked.answer = quote(asked.case)
            return
        except CalculatorError as error:
            name = re.split(r"[.\[]", error.field)[0]
            asked.errors[name] = error.message
            inputs.pop(name, None)
            if name == "side":
                asked.case["side"] = None


def _read_tiers(text: str) -> list[dict[str, str]]:
    """Return the rows of "from rate [deduction]", one a line; what is no number is refused."""
    rows = (re.split(r"[\s,;]+", line.strip()) for line in text.splitlines() if line.strip())
    return [dict(zip(("min", "mmr", "amount"), row, strict=False)) for row in rows]


def _show_field(described: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    name = described["name"]
    return {
        "name": name,
        "label": label_of(name),
        "unit": described["unit"],
        "hint": _hint(described),
        "value": asked.texts.get(name, ""),
        "error": asked.errors.get(name, ""),
        "is_required": described["required"],
        "is_kept": described["required"] or bool(described["one_of"]),
        "is_area": described["check"] == Check.TIERS,
        "slider": _slider(name, asked),
    }


def _hint(described: Mapping[str, Any]) -> str:
    if described["check"] == Check.TIERS:
        return "a table instead of one rate: from, rate and, if printed, deduction, a tier a line"
    others = [label_of(name).lower() for name in described["one_of"] if name != described["name"]]
    instead = f"; or {', '.join(others)}" if others else ""
    return f"{described['help']}{instead}"


def _slider(name: str, asked: Asked) -> dict[str, str]:
    """Return the ends of the field's slider; {} where it has none."""
    if name == "leverage":
        return {"low": "1", "high": "125"}
    spans = {"mark_price": 2.0, "oracle_price": 2.0}
    spans |= dict.fromkeys(_SIZES, 100.0) | dict.fromkeys(_AMOUNTS, 20.0)
    if name not in spans:
        return {}
    middle = _middle(name, asked.case.get("inputs", {}))
    ends = (middle / spans[name], middle * spans[name])
    low, high = (formatting.decimal_string(float(f"{end:.4g}")) for end in ends)
    return {"low": low or "", "high": high or ""}


def _middle(name: str, inputs: Mapping[str, Any]) -> float:
    """Return where the slider has its middle: prices about the entry, the others as they are."""
    given = inputs.get("entry_price") if name.endswith("_price") else None
    for text in (given, inputs.get(name), _EXAMPLES.get(name, "1")):
        # What stands in `inputs` was read as a number already.
        number = float(text) if text else 0.0
        if _LEAST < number < _MOST:
            return number
    return 1.0


@lru_cache(maxsize=1)
def _rule_groups() -> list[dict[str, Any]]:
    rules: Iterable[MarginRules] = sorted(RULES.values(), key=_by_venue)
    return [
        {"label": label or "Any venue", "rules": [_show_rule(rule) for rule in group]}
        for label, group in groupby(rules, key=lambda rule: venue_label(rule.venue))
    ]


def _by_venue(rule: MarginRules) -> str:
    return venue_label(rule.venue).lower()


def _show_rule(rule: MarginRules) -> dict[str, str]:
    venue = f"{venue_label(rule.venue)}: " if rule.venue else ""
    what = f"{venue}{rule.product or rule.key.replace('-', ' ')}"
    if rule.venue and rule.kind is not ContractKind.LINEAR and rule.kind.value not in what:
        what = f"{what}, {rule.kind.value}"
    dated = f" ({rule.document})" if rule.document else ""
    return {"key": rule.key, "name": f"{what}{dated} · {rule.source}"}


def venue_label(venue: str) -> str:
    """Return a venue's name as people read it; "" for none."""
    name = registry.label(venue) if venue else ""
    return _NAMES.get(venue, name.capitalize()) if name == venue else name
