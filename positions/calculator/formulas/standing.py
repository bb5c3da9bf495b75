"""What the engine says: where the position dies, and how it stands at its trigger price."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from positions.calculator.answer import Answer, Table, ask
from positions.calculator.derivations import Derivation, Family
from positions.calculator.errors import NoFigureError
from positions.calculator.formulas.sizes import common, position
from positions.engine.rules import MarginRules, profit
from positions.engine.solution import State
from positions.engine.ticks import round_price
from positions.engine.types import Side, Tier

to_equity = Family("prints-required-to-equity", "the rule's convention")
to_required = Family("prints-equity-to-required", "the rule's convention")
to_notional = Family("prints-equity-to-notional", "the rule's convention")
silent = Family("prints-no-ratio", "the rule's convention")

_UNKNOWN = math.nan
_PLACE = ("side", "scale", "reference_price")
_REQUIRED = ("table", "counted_fee", "counted_funding", "fixed")
_CROSSING = (*_PLACE, "scaled_held", *_REQUIRED)
# Figure -> what it cannot do without, beside the engine's answer. Amounts need a size.
_READ: dict[str, tuple[str, ...]] = {
    "liquidation_price": _CROSSING,
    "residual": _CROSSING,
    "equity": ("size", *_PLACE, "scaled_held", "trigger_price"),
    "required": ("size", "trigger_price", *_REQUIRED),
    "margin_ratio": (*_CROSSING, "trigger_price"),
    "effective_leverage": (*_PLACE, "scaled_held", "trigger_price"),
    "liquidation_distance": (*_CROSSING, "trigger_price"),
}


def _from_engine(figure: str, needs: tuple[str, ...], read: Callable[[Answer], Any]) -> Derivation:
    return Derivation(
        gives=figure,
        needs=("solved", *needs),
        formula=lambda solved, **_: read(solved),
        source="docs/formulas.md, of the one condition and the walk",
    )


common.derivations += [
    *(
        _from_engine(name, needs, partial(Answer.read, figure=name))
        for name, needs in _READ.items()
    ),
    _from_engine("liquidatable", (*_CROSSING, "trigger_price"), Answer.is_liquidatable),
]


@common.gives("solved")
def solve_position(
    *,
    rule: MarginRules,
    scale: float,
    side: Side = Side.LONG,
    reference_price: float = _UNKNOWN,
    scaled_held: float = _UNKNOWN,
    trigger_price: float = _UNKNOWN,
    table: Table = (),
    counted_fee: float = _UNKNOWN,
    counted_funding: float = _UNKNOWN,
    fixed: float = _UNKNOWN,
) -> Answer:
    return ask(
        rule=rule,
        side=side,
        quantity=scale,
        entry_price=reference_price,
        collateral=scaled_held,
        trigger_price=trigger_price,
        table=table,
        fee_rate=counted_fee,
        next_funding_rate=counted_funding,
        fixed_requirement=fixed,
    )


@position.gives("unrealized_pnl")
def profit_at_mark(
    rule: MarginRules, side: Side, size: float, entry_price: float, trigger_price: float
) -> float:
    value, entry_value = trigger_price, entry_price
    if rule.is_inverse:
        value, entry_value = 1.0 / value, 1.0 / entry_value
    gain: float = profit(  # type: ignore[type-var]
        direction=float(rule.direction(side)), quantity=size, value=value, entry_value=entry_value
    )
    return gain


@position.gives("isolated_margin_incl_upnl", source="Binance payload: isolatedMargin")
def margin_with_profit(equity: float) -> float:
    return equity


@common.gives("maintenance_safe")
def is_safe(liquidatable: bool) -> bool:
    return not liquidatable


@common.gives("state")
def state_in_a_word(solved: Answer, liquidatable: bool) -> str:
    return solved.state()


@position.gives("liquidation_price_tick", source="docs/formulas.md, ticks; the rule's rounding")
def price_on_tick(
    rule: MarginRules, side: Side, liquidation_price: float, tick_size: float
) -> float:
    rounded = round_price(
        # Digits of a float64 that mean nothing would make a price on a tick one beyond it.
        price=Decimal(f"{liquidation_price:.15g}"),
        tick=Decimal(repr(tick_size)),
        side=side,
        rounding=rule.rounding,
    )
    if rounded <= 0:
        raise NoFigureError("none: the price is less than one tick")
    return float(rounded)


@position.gives("buffered_liquidation_price", source="freqtrade: LP + s |EP - LP| x buffer")
def price_before_liquidation(
    *,
    solved: Answer,
    rule: MarginRules,
    side: Side,
    size: float,
    entry_price: float,
    held: float,
    table: Table,
    counted_fee: float,
    counted_funding: float,
    fixed: float,
    liquidation_buffer: float,
) -> float:
    """Return the buffered price, a price of its own where the liquidation price is none.

    A share b of the way from LP to entry is where the position with (1 - b) of its margin and of
    its table, moved by b of the entry's notional, dies.
    """
    if not solved.has(State.NO_CROSSING):
        found = solved.read("liquidation_price")
        return found + side.sign * abs(entry_price - found) * liquidation_buffer
    if rule.is_inverse:
        raise NoFigureError("none: no price on the losing side liquidates")
    keep, moved = 1.0 - liquidation_buffer, liquidation_buffer * size * entry_price
    if rule.is_entry_basis:
        moved = 0.0
    return ask(
        rule=rule,
        side=side,
        quantity=size,
        entry_price=entry_price,
        collateral=held * keep,
        table=tuple(_move(tier, keep, moved, counted_fee) for tier in table),
        fee_rate=counted_fee,
        next_funding_rate=counted_funding * keep,
        fixed_requirement=fixed * keep,
    ).read("liquidation_price")


def _move(tier: Tier, keep: float, moved: float, fee: float) -> Tier:
    if not moved:
        return Tier(floor=tier.floor, rate=tier.rate * keep, amount=tier.amount * keep)
    amount = tier.amount * keep + (tier.rate + fee) * moved
    floor = tier.floor * keep + moved if tier.floor else 0.0
    return Tier(floor=floor, rate=tier.rate, amount=amount)


@to_equity.gives("venue_margin_ratio")
def ratio_to_equity(required: float, equity: float) -> float:
    return _divide(required, equity, "none: no equity is left")


@to_required.gives("venue_margin_ratio")
def ratio_to_required(equity: float, required: float) -> float:
    return _divide(equity, required, "none: nothing is required")


@to_notional.gives("venue_margin_ratio")
def ratio_to_notional(equity: float, notional: float) -> float:
    return _divide(equity, notional, "none: no notional")


@silent.gives("venue_margin_ratio")
def no_ratio() -> float:
    raise NoFigureError("none: the rule knows no ratio of the venue's own")


def _divide(numerator: float, denominator: float, reason: str) -> float:
    if denominator == 0:
        raise NoFigureError(reason)
    return numerator / denominator
