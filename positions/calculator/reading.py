"""From what somebody sent to a case: every value checked, every fault with its field."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from positions.calculator.errors import CalculatorError
from positions.calculator.fields import ALIASES, FIELDS, Check, Field
from positions.engine.tiers import with_amounts
from positions.engine.types import ContractKind, MarginMode, Side, Tier

# What a table of cases writes where a position has no direction.
NO_SIDE = (None, "", "n/a")
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_LONGEST = 100
_MOST_TIERS = 1000
_RATE_NAMES = ("mmr", "rate", "maintenance_margin_rate")
_FLOOR_NAMES = ("min", "floor")
_AMOUNT_NAMES = ("amount", "maintenance_amount", "cum")


@dataclass(frozen=True, slots=True)
class Liability:
    """One loan of a margin account, with the deduction the venue prints for it."""

    owed: float
    tiers: tuple[Tier, ...]
    amount: float | None


@dataclass(frozen=True, slots=True)
class Case:
    """One question that makes sense.

    inputs   name in FIELDS -> a float, a tuple of tiers, or a tuple of liabilities
    unknown  names of inputs that FIELDS does not hold
    """

    id: str | int | None
    venue: str
    kind: ContractKind
    side: Side | None
    mode: MarginMode
    rule: str | None
    inputs: Mapping[str, Any]
    unknown: tuple[str, ...]


def read_case(case: object) -> Case:
    """Return the case. Raises CalculatorError with the field that makes no sense."""
    if not isinstance(case, Mapping):
        raise CalculatorError("case", "must be an object.")
    inputs, unknown = _read_inputs(case.get("inputs"))
    return Case(
        id=_read_id(case.get("id")),
        venue=_read_text("venue", case.get("venue")) or "",
        kind=_choose("kind", case.get("kind"), ContractKind),
        side=None if _is_sideless(case) else _choose("side", case["side"], Side),
        mode=_read_mode(case.get("margin_mode")),
        rule=_read_text("rule", case.get("rule")),
        inputs=inputs,
        unknown=unknown,
    )


def read_number(name: str, value: object) -> float:
    """Return a JSON number or a decimal string as a float.

    Raises CalculatorError on anything else, and on what is not finite.
    """
    if isinstance(value, str):
        text = value.strip()
        if len(text) > _LONGEST or not _DECIMAL.fullmatch(text):
            raise CalculatorError(name, "must be a number or a decimal string.")
        value = float(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CalculatorError(name, "must be a number or a decimal string.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise CalculatorError(name, "must be a finite number.")
    return number + 0.0


def _is_sideless(case: Mapping[str, Any]) -> bool:
    side = case.get("side")
    return side is None or (isinstance(side, str) and side in NO_SIDE)


def _read_mode(value: object) -> MarginMode:
    mode: MarginMode = _choose(
        "margin_mode", MarginMode.ISOLATED if value is None else value, MarginMode
    )
    return mode


def _read_id(value: object) -> str | int | None:
    if value is None or (isinstance(value, str | int) and not isinstance(value, bool)):
        return value
    raise CalculatorError("id", "must be text or a whole number.")


def _read_text(name: str, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    raise CalculatorError(name, "must be text.")


def _choose(name: str, value: object, choices: Any) -> Any:
    try:
        return choices(value)
    except ValueError:
        known = ", ".join(choice.value for choice in choices)
        raise CalculatorError(name, f"must be one of {known}.") from None


def _read_inputs(given: object) -> tuple[dict[str, Any], tuple[str, ...]]:
    if not isinstance(given, Mapping):
        raise CalculatorError("inputs", "must be an object.")
    inputs: dict[str, Any] = {}
    unknown = []
    for key, value in given.items():
        name = ALIASES.get(key, key)
        if name not in FIELDS:
            unknown.append(str(key))
        elif value is not None:
            if name != key and given.get(name) is not None:
                raise CalculatorError(str(key), f"is another name of {name}: give one of them.")
            inputs[name] = _READERS[FIELDS[name].check](str(key), value)
    return inputs, tuple(unknown)


def _read_within(is_within: Callable[[float], bool]) -> Callable[[str, object], float]:
    def read(name: str, value: object) -> float:
        number = read_number(name, value)
        if not is_within(number):
            field: Field = FIELDS[ALIASES.get(name, name)]
            raise CalculatorError(name, f"must be {field.check.value}.")
        return number

    return read


def _read_tiers(name: str, value: object) -> tuple[Tier, ...]:
    rows = _read_rows(name, value)
    floors = _read_floors(name, rows)
    rates = [_read_first(f"{name}[{i}]", row, _RATE_NAMES, None) for i, row in enumerate(rows)]
    amounts = [_read_first(f"{name}[{i}]", row, _AMOUNT_NAMES, 0.0) for i, row in enumerate(rows)]
    if floors[0] < 0 or any(upper <= lower for lower, upper in pairwise(floors)):
        raise CalculatorError(name, "must ascend by their lower end.")
    if any(not 0 <= rate <= 1 for rate in rates):
        raise CalculatorError(name, "must have rates from 0 to 1.")
    tiers = tuple(Tier(*row) for row in zip(floors, rates, amounts, strict=True))
    is_printed = any(set(row) & set(_AMOUNT_NAMES) for row in rows)
    return tiers if is_printed else with_amounts(tiers=tiers)


def _read_floors(name: str, rows: list[Mapping[str, Any]]) -> list[float]:
    """Return where each tier begins: at its own floor, or where the one before it ends."""
    floors: list[float] = []
    end = 0.0
    for index, row in enumerate(rows):
        where = f"{name}[{index}]"
        floors.append(_read_first(where, row, _FLOOR_NAMES, end))
        end = _read_first(where, row, ("max",), math.inf)
        if end <= floors[-1]:
            raise CalculatorError(f"{where}.max", "must be more than min.")
    return floors


def _read_rows(name: str, value: object) -> list[Mapping[str, Any]]:
    is_list = isinstance(value, list | tuple) and 0 < len(value) <= _MOST_TIERS
    if not is_list or not all(isinstance(row, Mapping) for row in value):  # type: ignore[attr-defined]
        raise CalculatorError(name, f"must be a list of 1 to {_MOST_TIERS} objects.")
    return list(value)  # type: ignore[call-overload, no-any-return]


def _read_first(
    where: str, row: Mapping[str, Any], names: tuple[str, ...], default: float | None
) -> float:
    for name in names:
        if row.get(name) is not None:
            return read_number(f"{where}.{name}", row[name])
    if default is None:
        raise CalculatorError(f"{where}.{names[0]}", "is missing.")
    return default


def _read_liabilities(name: str, value: object) -> tuple[Liability, ...]:
    return tuple(
        _read_liability(f"{name}[{i}]", row) for i, row in enumerate(_read_rows(name, value))
    )


def _read_liability(where: str, row: Mapping[str, Any]) -> Liability:
    owed = _read_first(where, row, ("usdt", "value", "notional"), None)
    if owed < 0:
        raise CalculatorError(f"{where}.usdt", "must be a number, 0 or more.")
    amount = row.get("maintenance_amount")
    return Liability(
        owed=owed,
        tiers=_read_tiers(f"{where}.tiers", row.get("tiers")),
        amount=None if amount is None else read_number(f"{where}.maintenance_amount", amount),
    )


_READERS: dict[Check, Callable[[str, object], Any]] = {
    Check.POSITIVE: _read_within(lambda number: number > 0),
    Check.NOT_NEGATIVE: _read_within(lambda number: number >= 0),
    Check.NUMBER: read_number,
    Check.SHARE: _read_within(lambda number: 0 <= number <= 1),
    Check.COUNT: _read_within(lambda number: number >= 1 and number == int(number)),
    Check.TIERS: _read_tiers,
    Check.LIABILITIES: _read_liabilities,
}
