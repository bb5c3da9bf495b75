"""The state machine of the reference venue: steps of one isolated compartment.

Pure: each step takes a compartment and returns a new one with its ledger entries. Every movement
is one LedgerEntry from one purse to another, in integers of the smallest unit, so money is
conserved by construction. Roundings go against the compartment's owner.

A step that carries a price marks the compartment first; when that liquidates it, the order is
void. See docs/formulas.md#the-state-machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction

from positions.engine.compartment import DEFAULT_SCALE, Compartment, RefusedError
from positions.engine.rulebook import find_rule
from positions.engine.rules import Leftover
from positions.engine.types import PositionState, Side, Tier


class Purse(StrEnum):
    """Where money can lie."""

    OWNER = "owner"
    COMPARTMENT = "compartment"
    MARKET = "market"
    VENUE = "venue"
    FUNDING = "funding"
    INSURANCE = "insurance"


class Reason(StrEnum):
    """Why money moved."""

    MARGIN = "margin"
    FEE = "fee"
    PROFIT = "profit"
    FUNDING = "funding"
    LIQUIDATION_FEE = "liquidation_fee"
    SHORTFALL = "shortfall"
    LEFTOVER = "leftover"


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One movement of money: `amount` smallest units, more than 0, from payer to payee."""

    reason: Reason
    payer: Purse
    payee: Purse
    amount: int


@dataclass(frozen=True, slots=True)
class Step:
    """The compartment after a step, and the movements of money that led there."""

    compartment: Compartment
    entries: tuple[LedgerEntry, ...] = ()

    @property
    def is_ended(self) -> bool:
        """Tell whether the compartment was closed or liquidated."""
        return self.compartment.state.is_ended

    def pay(self, reason: Reason, payer: Purse, payee: Purse, amount: int) -> Step:
        """Return the step with one more movement; a negative amount moves the other way."""
        if amount < 0:
            return self.pay(reason, payee, payer, -amount)
        if not amount:
            return self
        held = self.compartment.collateral
        held += amount * ((payee is Purse.COMPARTMENT) - (payer is Purse.COMPARTMENT))
        return Step(
            compartment=replace(self.compartment, collateral=held),
            entries=(*self.entries, LedgerEntry(reason, payer, payee, amount)),
        )


def open_compartment(
    *,
    rule: str,
    side: Side,
    quantity: Fraction,
    price: Fraction,
    leverage: Fraction,
    tiers: tuple[Tier, ...],
    fee_rate: Fraction = Fraction(0),
    liquidation_fee_rate: Fraction = Fraction(0),
    margin: int | None = None,
    scale: int = DEFAULT_SCALE,
) -> Step:
    """Open a compartment; its owner pays the margin into it and the fee beside it.

    margin  smallest units; by default the initial margin, never less

    Raises RefusedError when the margin is too small or would be liquidated at once.
    """
    _refuse_unless(quantity > 0 and price > 0, "quantity and price must be positive")
    _refuse_unless(leverage > 0 and bool(tiers), "leverage and tiers are needed")
    empty = Compartment(
        state=PositionState.OPEN,
        rule=find_rule(key=rule).key,
        side=side,
        quantity=Fraction(0),
        cost=0,
        collateral=0,
        leverage=leverage,
        tiers=tiers,
        fee_rate=fee_rate,
        liquidation_fee_rate=liquidation_fee_rate,
        scale=scale,
    )
    return _buy(empty, quantity, price, margin)


def increase(
    *, compartment: Compartment, quantity: Fraction, price: Fraction, margin: int | None = None
) -> Step:
    """Add to the position at that price; its owner pays margin for the addition and the fee.

    Raises RefusedError as open_compartment does.
    """
    _refuse_unless(quantity > 0, "quantity must be positive")
    marked = mark(compartment=compartment, price=price)
    return marked if marked.is_ended else _buy(compartment, quantity, price, margin)


def reduce(*, compartment: Compartment, quantity: Fraction, price: Fraction) -> Step:
    """Sell part of the position; its share of the equity, less the fee, goes to the owner.

    Raises RefusedError when the quantity is not less than the position's, or when what stays
    would be liquidated at once.
    """
    _refuse_ended(compartment)
    is_part = quantity > 0 and quantity < compartment.quantity
    _refuse_unless(is_part, "reduce by less than the position")
    marked = mark(compartment=compartment, price=price)
    if marked.is_ended:
        return marked
    share = quantity / compartment.quantity
    released = math.floor(compartment.collateral * share)
    sold = _sell(compartment, quantity, price)
    paid_out = sold.compartment.collateral - (compartment.collateral - released)
    left = sold.pay(Reason.MARGIN, Purse.COMPARTMENT, Purse.OWNER, max(paid_out, 0))
    is_alive = not left.compartment.is_liquidatable(price=price)
    _refuse_unless(is_alive, "what stays would be liquidated at once")
    return left


def add_margin(*, compartment: Compartment, amount: int) -> Step:
    """Pay margin into the compartment."""
    _refuse_ended(compartment)
    _refuse_unless(amount > 0, "amount must be positive")
    return Step(compartment).pay(Reason.MARGIN, Purse.OWNER, Purse.COMPARTMENT, amount)


def remove_margin(*, compartment: Compartment, amount: int, price: Fraction) -> Step:
    """Take margin back, down to the initial margin at that price.

    Raises RefusedError beyond that, or beyond the point of liquidation.
    """
    _refuse_unless(amount > 0, "amount must be positive")
    marked = mark(compartment=compartment, price=price)
    if marked.is_ended:
        return marked
    removed = marked.pay(Reason.MARGIN, Purse.COMPARTMENT, Purse.OWNER, amount)
    after = removed.compartment
    held = min(Fraction(after.collateral), after.equity(price=price))
    least = compartment.initial_margin(price=price)
    is_alive = not after.is_liquidatable(price=price)
    _refuse_unless(held >= least and is_alive, "margin may not fall below the initial margin")
    return removed


def settle_funding(*, compartment: Compartment, rate: Fraction, price: Fraction) -> Step:
    """Charge funding on the notional at that price: longs pay a positive rate, shorts receive it.

    Marked before and after: a payment can liquidate.
    """
    marked = mark(compartment=compartment, price=price)
    if marked.is_ended:
        return marked
    due = math.ceil(compartment.notional(price=price) * rate * compartment.side.sign)
    paid = marked.pay(Reason.FUNDING, Purse.COMPARTMENT, Purse.FUNDING, due)
    after = mark(compartment=paid.compartment, price=price)
    return Step(after.compartment, paid.entries + after.entries)


def mark(*, compartment: Compartment, price: Fraction) -> Step:
    """Show the compartment a mark price: liquidate it when equity meets the requirement.

    The whole position is sold at the mark. Profit or loss first, a shortfall out of the insurance
    fund, then the liquidation fee, and the rest to whom the rule says.
    """
    _refuse_ended(compartment)
    _refuse_unless(price > 0, "price must be positive")
    if not compartment.is_liquidatable(price=price):
        return Step(compartment)
    fee = math.ceil(compartment.notional(price=price) * compartment.liquidation_fee_rate)
    sold = _settle(compartment, compartment.quantity, price)
    covered = _cover(sold)
    fee = min(fee, covered.compartment.collateral)
    charged = covered.pay(Reason.LIQUIDATION_FEE, Purse.COMPARTMENT, Purse.INSURANCE, fee)
    heir = Purse.OWNER if compartment.rules.leftover is Leftover.OWNER else Purse.INSURANCE
    return _end(charged, PositionState.LIQUIDATED, Reason.LEFTOVER, heir)


def close(*, compartment: Compartment, price: Fraction) -> Step:
    """Sell the whole position at that price; what is left after the fee goes to the owner."""
    marked = mark(compartment=compartment, price=price)
    if marked.is_ended:
        return marked
    sold = _cover(_sell(compartment, compartment.quantity, price))
    return _end(sold, PositionState.CLOSED, Reason.MARGIN, Purse.OWNER)


def _buy(before: Compartment, quantity: Fraction, price: Fraction, margin: int | None) -> Step:
    added = quantity * before.unit_value(price=price)
    # A rounded entry never stands better than the trade.
    grows = before.rules.direction(before.side) > 0
    cost = before.cost + (math.ceil(added) if grows else math.floor(added))
    _refuse_unless(cost > before.cost, "the notional is below the smallest unit")
    bought = replace(before, quantity=before.quantity + quantity, cost=cost)
    least = math.ceil(added / before.leverage)
    _refuse_unless(margin is None or margin >= least, "margin is below the initial margin")
    fee = math.ceil(added * before.fee_rate)
    step = (
        Step(bought)
        .pay(Reason.MARGIN, Purse.OWNER, Purse.COMPARTMENT, least if margin is None else margin)
        .pay(Reason.FEE, Purse.OWNER, Purse.VENUE, fee)
    )
    is_alive = not step.compartment.is_liquidatable(price=price)
    _refuse_unless(is_alive, "it would be liquidated at once")
    return step


def _settle(before: Compartment, quantity: Fraction, price: Fraction) -> Step:
    """Take a quantity out at that price and move its profit or loss."""
    direction = before.rules.direction(before.side)
    sold_cost = math.floor(before.cost * quantity / before.quantity)
    profit = math.floor(direction * (quantity * before.unit_value(price=price) - sold_cost))
    rest = replace(before, quantity=before.quantity - quantity, cost=before.cost - sold_cost)
    return Step(rest).pay(Reason.PROFIT, Purse.MARKET, Purse.COMPARTMENT, profit)


def _sell(before: Compartment, quantity: Fraction, price: Fraction) -> Step:
    fee = math.ceil(quantity * before.unit_value(price=price) * before.fee_rate)
    sold = _settle(before, quantity, price)
    # A fee never takes more than is there: it is no loss that others should bear.
    charged = min(fee, max(sold.compartment.collateral, 0))
    return sold.pay(Reason.FEE, Purse.COMPARTMENT, Purse.VENUE, charged)


def _cover(step: Step) -> Step:
    lack = max(-step.compartment.collateral, 0)
    return step.pay(Reason.SHORTFALL, Purse.INSURANCE, Purse.COMPARTMENT, lack)


def _end(step: Step, state: PositionState, reason: Reason, heir: Purse) -> Step:
    emptied = step.pay(reason, Purse.COMPARTMENT, heir, step.compartment.collateral)
    return Step(replace(emptied.compartment, state=state), emptied.entries)


def _refuse_ended(compartment: Compartment) -> None:
    state = compartment.state
    _refuse_unless(not state.is_ended, f"the compartment is {state.value}")


def _refuse_unless(condition: bool, why: str) -> None:
    if not condition:
        raise RefusedError(why)
