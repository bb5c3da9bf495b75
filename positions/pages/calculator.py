"""The answers of the calculator in plain values: a sentence, a picture, and cards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from positions.calculator.advising import Advice, Advised, advise
from positions.calculator.fields import FRACTION, PRICE, TIMES
from positions.calculator.figures import FIGURES, FLAG
from positions.engine.rules import MarginRules, Trigger
from positions.engine.types import ContractKind, Severity
from positions.pages.calculator_form import Asked, form_context, label_of, venue_label
from positions.pages.calculator_line import DIGITS, price_line
from positions.pages.headline import Sentence
from positions.risk.severity import severity
from riskhub import formatting

DISTANCES = (0.10, 0.20)
_CARDS = (
    (
        "Where it ends",
        (
            *("liquidation_price", "liquidation_price_tick", "liquidation_distance"),
            *("bankruptcy_price", "health_factor", "ltv"),
        ),
    ),
    (
        "How it stands",
        (
            *("margin_ratio", "effective_leverage", "unrealized_pnl", "equity", "notional"),
            *("maintenance_margin", "maintenance_margin_rate", "required", "venue_margin_ratio"),
        ),
    ),
)
_MAIN = frozenset(name for _, names in _CARDS for name in names)
# Among the others where they are not known: not everybody has a tick, nor every venue a ratio.
_OPTIONAL = frozenset({"liquidation_price_tick", "venue_margin_ratio"})
# Heading in docs/formulas.md, and the formula inside one tier.
_FORMULAS = {
    "linear-mark-basis": "LP = (EP − s (M + D) / q) / (1 − s r)",
    "linear-mark-basis-with-fee": "LP = (EP − s (M + D) / q) / (1 − s (r + f))",
    "linear-entry-basis": "LP = EP − s (M − r q EP + D) / q",
    "the-next-funding-in-the-requirement": "LP = EP − s (M − (r + g) q EP) / q",
    "inverse-mark-basis": "LP = q (1 + s (r + f)) / (q / EP + s (M + D))",
    "inverse-entry-basis": "LP = q / (q / EP + s (M − r q / EP + D))",
    "quanto": "LP = EP − s (M − (r + g) q EP) / q, with q = contracts × multiplier",
    "lending": "LP = debt / (C LT)",
}


def calculator_context(asked: Asked, *, is_part: bool) -> dict[str, Any]:
    """Return the context of the page, or of the part that moves with a slider."""
    answer = asked.answer or {}
    context = {
        "is_part": is_part,
        "sentence": _say(asked),
        "line": _draw(asked),
        "errors": [
            {"name": name, "label": label_of(name), "text": text}
            for name, text in asked.errors.items()
        ],
        "cards": [_card(title, names, asked) for title, names in _CARDS] if answer else [],
        "advice": _advise(asked) if answer else [],
        "others": _others(asked),
        "formula": _formula(asked),
    }
    return context if is_part else {**context, **form_context(asked)}


def _say(asked: Asked) -> Sentence:
    answer = asked.answer
    if answer is None:
        return Sentence("No answer:", "unknown", asked.errors.get("rule", "").rstrip("."))
    price = answer.get("liquidation_price")
    if price is None:
        return _say_none(asked, answer)
    distance = answer.get("liquidation_distance")
    text = formatting.price(price, digits=DIGITS)
    if distance is None:
        after = ". How far that is takes a mark price"
        return Sentence(f"{_subject(asked)} is liquidated at", "", text, after=after)
    away = formatting.percent(abs(distance), digits=1)
    urgency = _urgency(answer)
    if answer.get("liquidatable"):
        before = f"{_subject(asked)} would be liquidated now:"
        figure = f"{away} beyond" if distance else "just at"
        return Sentence(before, urgency, figure, after=f" its liquidation price, {text}")
    where = "below" if _is_long(asked) else "above"
    return Sentence(
        f"{_subject(asked)} is liquidated at",
        urgency,
        text,
        after=f", {away} {where} the {_trigger_word(asked.rule)} price",
        sub=_sub(answer),
    )


def _say_none(asked: Asked, answer: Mapping[str, Any]) -> Sentence:
    reason = answer["reasons"].get("liquidation_price", "unknown: this rule gives none")
    kind, _, rest = reason.replace("_", " ").partition(": ")
    if kind == "none":
        is_dead = answer.get("state") in {"breached", "bankrupt"}
        urgency = Severity.CRITICAL if is_dead else Severity.CALM
        return Sentence(f"{_subject(asked)} has no liquidation price:", urgency, rest)
    before = f"{_subject(asked)}: its liquidation price is"
    return Sentence(before, Severity.UNKNOWN, "not known", after=f": {rest or kind}")


def _subject(asked: Asked) -> str:
    if asked.rule.kind is ContractKind.LENDING:
        what = "This loan"
    else:
        what = f"This {asked.case.get('side') or 'position'}"
    venue = venue_label(asked.rule.venue)
    return f"{what} on {venue}" if venue else what


def _sub(answer: Mapping[str, Any]) -> str:
    parts = []
    if answer.get("margin_ratio") is not None:
        parts.append(f"margin ratio {formatting.percent(answer['margin_ratio'])}")
    if answer.get("bankruptcy_price"):
        price = formatting.price(answer["bankruptcy_price"], digits=DIGITS)
        parts.append(f"bankrupt at {price}")
    text = ", ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _urgency(answer: Mapping[str, Any]) -> str:
    return severity(
        margin_ratio=answer.get("margin_ratio"),
        distance=answer.get("liquidation_distance"),
        is_bankrupt=answer.get("state") == "bankrupt",
    )


def _is_long(asked: Asked) -> bool:
    return asked.case.get("side") != "short"


def _trigger_word(rule: MarginRules) -> str:
    return "oracle" if rule.trigger is Trigger.ORACLE else "mark"


def _draw(asked: Asked) -> dict[str, Any]:
    answer, inputs = asked.answer or {}, asked.case.get("inputs", {})
    names = ("mark_price", "oracle_price", "index_price", "price")
    if asked.rule.trigger is Trigger.ORACLE:
        names = ("oracle_price", "mark_price", "index_price", "price")
    mark = next((inputs[name] for name in names if name in inputs), None)
    entry = inputs.get("entry_price")
    prices = {
        "liquidation_price": answer.get("liquidation_price"),
        "bankruptcy_price": answer.get("bankruptcy_price"),
        "mark": float(mark) if mark and answer else None,
        "entry": float(entry) if entry and answer else None,
    }
    return price_line(prices, is_long=_is_long(asked), trigger=_trigger_word(asked.rule))


def _card(title: str, names: tuple[str, ...], asked: Asked) -> dict[str, Any]:
    answer = asked.answer or {}
    shown = [
        _show(name, answer) for name in names if name in answer and not _is_left_out(name, answer)
    ]
    return {"title": title, "items": shown, "severity": _urgency(answer)}


def _show(name: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    figure, value = FIGURES[name], answer[name]
    return {
        "name": name,
        "label": label_of(name),
        "help": figure.help,
        "text": _write(name, value),
        "value": value,
        "reason": answer["reasons"].get(name, ""),
        "note": answer["notes"].get(name, ""),
    }


def _write(name: str, value: Any) -> str:
    unit = FIGURES[name].unit
    if value is None or isinstance(value, str):
        return value or formatting.DASH
    if unit == FLAG:
        return "yes" if value else "no"
    if name == "unrealized_pnl":
        # A unit that is no currency's: the coin of the settlement is not known here.
        return formatting.signed_money(value, "")
    if name == "maintenance_margin_rate":
        return formatting.percent(value, digits=2)
    return _FORMS.get(unit, formatting.quantity)(value)


def _price(value: float) -> str:
    return formatting.price(value, digits=DIGITS)


def _percent(value: float) -> str:
    return formatting.percent(value, digits=1)


_FORMS: dict[str, Callable[[float], str]] = {
    PRICE: _price,
    FRACTION: _percent,
    TIMES: formatting.leverage,
}


def _advise(asked: Asked) -> list[dict[str, Any]]:
    found: Advice = advise(asked.case, distances=DISTANCES)
    rows = [
        (f"Margin for {formatting.percent(distance)} distance", _margin(each), each.reason)
        for distance, each in zip(DISTANCES, found.margins, strict=True)
    ]
    rows += [
        ("Next tier at a price of", _edge(found.edge_up), found.edge_up.reason),
        ("Tier below at a price of", _edge(found.edge_down), found.edge_down.reason),
    ]
    return [{"label": label, "text": text, "reason": reason} for label, text, reason in rows]


def _margin(each: Advised) -> str:
    if each.value is None:
        return formatting.DASH
    amount = formatting.quantity(abs(each.value))
    return f"add {amount}" if each.value > 0 else f"none; {amount} to spare"


def _edge(each: Advised) -> str:
    return formatting.DASH if each.value is None else _price(each.value)


def _others(asked: Asked) -> list[dict[str, Any]]:
    answer = asked.answer or {}
    return [
        _show(name, answer)
        for name in FIGURES
        if name in answer and (name not in _MAIN or _is_left_out(name, answer))
    ]


def _is_left_out(name: str, answer: Mapping[str, Any]) -> bool:
    return name in _OPTIONAL and answer[name] is None


def _formula(asked: Asked) -> dict[str, Any]:
    rule, notes = asked.rule, (asked.answer or {}).get("notes", {})
    anchor = _anchor(rule)
    return {
        "rule": rule.key,
        "source": rule.source,
        "document": rule.document or "no date is stated",
        "anchor": f"docs/formulas.md#{anchor}",
        "family": anchor.replace("-", " "),
        "text": _FORMULAS[anchor],
        "trigger": rule.trigger.value,
        "notes": [text for name, text in notes.items() if name == "inputs"],
    }


def _anchor(rule: MarginRules) -> str:
    if rule.kind in {ContractKind.LENDING, ContractKind.QUANTO}:
        return rule.kind.value
    if rule.kind is ContractKind.INVERSE:
        return "inverse-entry-basis" if rule.is_entry_basis else "inverse-mark-basis"
    if rule.funding.is_next_required:
        return "the-next-funding-in-the-requirement"
    if rule.is_entry_basis:
        return "linear-entry-basis"
    return "linear-mark-basis-with-fee" if rule.is_fee_counted else "linear-mark-basis"
