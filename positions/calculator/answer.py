"""The engine's word on one position: a figure, or why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass

from positions.calculator.errors import NoFigureError
from positions.engine.batch import build_batch
from positions.engine.rules import MarginRules
from positions.engine.solution import Solution, State
from positions.engine.solver import solve
from positions.engine.types import Side, Terms, Tier

# Inputs are decimal, sums are binary: this near to the requirement it is just met.
_MET = 1e-12
NOT_FINITE = "unknown: the numbers are too large or too small"
Table = tuple[Tier, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A batch of one, solved."""

    rule: MarginRules
    solution: Solution

    def read(self, figure: str) -> float:
        """Return the figure. Raises NoFigureError with the engine's reason."""
        value = float(getattr(self.solution, figure)[0])
        if math.isnan(value):
            raise NoFigureError(self.solution.reason(figure=figure, index=0) or "unknown: solver")
        return value

    def has(self, flag: State) -> bool:
        """Tell whether the solution carries that flag."""
        return bool(self.solution.has(flag)[0])

    def is_liquidatable(self) -> bool:
        """Tell whether the condition is met at the trigger price; meeting it exactly counts once.

        Raises NoFigureError where it cannot be told.
        """
        return is_met(
            rule=self.rule,
            equity=self.read("equity"),
            required=self.read("required"),
            scale=self.read("notional"),
        )

    def state(self) -> str:
        """Return the position's state at its trigger price, in a word.

        Raises NoFigureError where it cannot be told.
        """
        if not self.is_liquidatable():
            return "open"
        return "bankrupt" if self.read("equity") <= 0 else "breached"


def is_met(*, rule: MarginRules, equity: float, required: float, scale: float) -> bool:
    """Tell whether the rule liquidates, numbers that differ by rounding alone being equal."""
    if abs(equity - required) <= _MET * max(scale, abs(equity), abs(required)):
        return not rule.is_strict
    return equity < required


def ask(
    *,
    rule: MarginRules,
    quantity: float,
    side: Side = Side.LONG,
    entry_price: float = math.nan,
    collateral: float = math.nan,
    trigger_price: float = math.nan,
    table: Table = (),
    fee_rate: float = math.nan,
    next_funding_rate: float = math.nan,
    fixed_requirement: float = 0.0,
) -> Answer:
    """Return what the engine says of the position; NaN stands for what is not known.

    Raises NoFigureError where the quantity or the entry price is too small to be a number.
    """
    if quantity <= 0 or entry_price <= 0:
        raise NoFigureError(NOT_FINITE)
    terms = Terms(
        rule=rule.key,
        side=side,
        quantity=quantity,
        entry_price=entry_price,
        collateral=collateral,
        trigger_price=trigger_price,
        tiers=table,
        fee_rate=fee_rate,
        next_funding_rate=next_funding_rate,
        fixed_requirement=fixed_requirement,
    )
    return Answer(rule=rule, solution=solve(build_batch(terms=[terms])))


def find_bankruptcy(
    *, rule: MarginRules, side: Side, quantity: float, entry_price: float, collateral: float
) -> float:
    """Return the price at which equity is nothing. Raises NoFigureError where there is none."""
    answer = ask(
        rule=rule, side=side, quantity=quantity, entry_price=entry_price, collateral=collateral
    )
    # The engine knows no price of nothing; for a long bought without credit it is the answer.
    if side is Side.LONG and not rule.is_inverse and collateral == quantity * entry_price:
        return 0.0
    return answer.read("bankruptcy_price")
