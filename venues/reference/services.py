"""Orders on paper accounts: open, change, close, add and remove margin, pay paper money in.

Each is one transaction at the price of the last step. All raise RefusedError, with a sentence for
the owner, where the venue would refuse; nothing has changed then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.db import transaction

from positions.engine import machine
from positions.engine.compartment import RefusedError
from positions.engine.machine import Step
from positions.engine.types import Side
from venues.models import Account
from venues.reference.book import Book, hold_run, load_book
from venues.reference.catalogue import (
    CONTRACTS,
    LIQUIDATION_FEE,
    STYLES,
    TAKER_FEE,
    UNIT_DIGITS,
    Contract,
    exact,
)
from venues.reference.models import (
    ReferenceBalance,
    ReferenceMarket,
    ReferencePosition,
    ReferenceRun,
)
from venues.reference.world import Quote, quote

SLUG = "reference"
NET = "net"


def deposit(*, account: Account, unit: str, amount: Decimal, now: datetime) -> None:
    """Pay paper money of a settle coin into an account's free balance."""
    with transaction.atomic():
        book = load_book(step=hold_run().step, at=now, account=account)
        book.deposit(account=account, unit=unit, amount=to_units(amount))
        book.store()


def open_position(
    *,
    account: Account,
    symbol: str,
    side: Side,
    contracts: Decimal,
    leverage: int,
    now: datetime,
    margin: Decimal | None = None,
    slot: str = NET,
) -> ReferencePosition:
    """Open a position at the mark; margin is the initial margin unless more is given."""
    with transaction.atomic():
        run = hold_run()
        book = load_book(step=run.step, at=now, account=account)
        row = place_order(
            book=book,
            account=account,
            price=quote(world=run.world, contract=find_contract(symbol=symbol)),
            side=side,
            contracts=contracts,
            leverage=leverage,
            margin=margin,
            slot=slot,
        )
        book.store()
    return row


def place_order(
    *,
    book: Book,
    account: Account,
    price: Quote,
    side: Side,
    contracts: Decimal,
    leverage: int,
    margin: Decimal | None = None,
    slot: str = NET,
) -> ReferencePosition:
    """Open a position in a book at a quote's mark, by the account's margin rules."""
    contract, style = price.contract, STYLES.get(str(account.options.get("style_of")))
    rule = rule_of(options=account.options, kind=contract.kind)
    if account.venue != SLUG or style is None or rule is None:
        raise RefusedError(f"{account.label} cannot trade {contract.symbol}")
    step = machine.open_compartment(
        rule=rule,
        side=side,
        quantity=to_quantity(contract=contract, contracts=contracts),
        price=price.mark,
        leverage=Fraction(leverage),
        tiers=style.tiers(contract=contract, rule=rule),
        fee_rate=exact(TAKER_FEE),
        liquidation_fee_rate=exact(LIQUIDATION_FEE),
        margin=None if margin is None else to_units(margin),
        scale=UNIT_DIGITS,
    )
    market = ReferenceMarket.objects.get(symbol=contract.symbol)
    return book.open(account=account, market=market, slot=slot, step=step)


def change_position(
    *, position: ReferencePosition, contracts: Decimal, now: datetime
) -> ReferencePosition:
    """Increase the position by so many contracts, or reduce it where they are negative."""

    def order(held: Held) -> Step:
        size = to_quantity(contract=held.price.contract, contracts=abs(contracts))
        act = machine.increase if contracts > 0 else machine.reduce
        return act(compartment=held.compartment, quantity=size, price=held.price.mark)

    return _change(position, order, now)


def close_position(*, position: ReferencePosition, now: datetime) -> ReferencePosition:
    """Close the whole position at the mark."""
    return _change(
        position,
        lambda held: machine.close(compartment=held.compartment, price=held.price.mark),
        now,
    )


def add_margin(*, position: ReferencePosition, amount: Decimal, now: datetime) -> ReferencePosition:
    """Pay margin, in settle coins, into the compartment."""
    units = to_units(amount)
    return _change(
        position,
        lambda held: machine.add_margin(compartment=held.compartment, amount=units),
        now,
    )


def remove_margin(
    *, position: ReferencePosition, amount: Decimal, now: datetime
) -> ReferencePosition:
    """Take margin, in settle coins, out of the compartment, down to the initial margin."""
    units = to_units(amount)
    return _change(
        position,
        lambda held: machine.remove_margin(
            compartment=held.compartment, amount=units, price=held.price.mark
        ),
        now,
    )


def find_balance(*, account: Account, unit: str) -> int:
    """Return what the owner holds outside compartments, smallest units of a settle coin."""
    row = ReferenceBalance.objects.filter(account=account, unit=unit).first()
    return row.amount if row else 0


def rule_of(*, options: Mapping[str, Any], kind: str) -> str | None:
    """Return the key of the margin rule that an account's options name for a kind of contract.

    "rules" maps kinds to keys; without it "style_of" names the venue whose rules hold.
    """
    rules = options.get("rules")
    if not isinstance(rules, Mapping):
        style = STYLES.get(str(options.get("style_of")))
        rules = style.rules if style else {}
    rule = rules.get(str(kind))
    return None if rule is None else str(rule)


def style_options(*, style: str, **more: object) -> dict[str, object]:
    """Return the options of a paper account under a venue's rules; KeyError for no such style."""
    return {"rules": dict(STYLES[style].rules), "style_of": style, **more}


def find_contract(*, symbol: str) -> Contract:
    """Return a listed contract; raises RefusedError."""
    if symbol not in CONTRACTS:
        raise RefusedError(f"the reference venue does not list {symbol}")
    return CONTRACTS[symbol]


def to_quantity(*, contract: Contract, contracts: Decimal) -> Fraction:
    """Return contracts as base units (linear) or quote units (inverse); refuses broken lots."""
    if contracts <= 0 or contracts % contract.lot:
        raise RefusedError(f"{contract.symbol} trades in lots of {contract.lot} contracts")
    return exact(contracts) * exact(contract.contract_size)


def to_units(amount: Decimal) -> int:
    """Return an amount of coins in smallest units; refuses what is finer than those."""
    units = exact(amount) * 10**UNIT_DIGITS
    if units.denominator != 1:
        raise RefusedError(f"amounts have at most {UNIT_DIGITS} decimals")
    return int(units)


class Held:
    """An open position in hand: its compartment and its contract's prices."""

    def __init__(self, *, book: Book, run: ReferenceRun, position: ReferencePosition) -> None:
        self.compartment = book.compartment(position)
        self.price = quote(world=run.world, contract=position.market.contract)


def _change(
    position: ReferencePosition, order: Callable[[Held], Step], now: datetime
) -> ReferencePosition:
    with transaction.atomic():
        run = hold_run()
        book = load_book(step=run.step, at=now, pk=position.pk)
        if not book.positions:
            raise RefusedError("the position is no longer open")
        row = book.positions[0]
        held = Held(book=book, run=run, position=row)
        book.apply(position=row, step=order(held), ticks=held.price.mark_ticks)
        book.store()
    return row
