"""Open compartments and their money, changed in memory at one step and stored once.

Whoever uses a book holds the run's row in the same transaction: one writer at a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from positions.engine.compartment import Compartment, RefusedError
from positions.engine.machine import LedgerEntry, Purse, Step
from positions.engine.types import PositionState
from venues.models import Account
from venues.reference.models import (
    ReferenceBalance,
    ReferenceEntry,
    ReferenceMarket,
    ReferencePosition,
    ReferenceRun,
)

MAIN = "main"
# The purse that paper money comes from, and the reason of that movement.
OUTSIDE = "outside"
DEPOSIT = "deposit"

Identity = tuple[int, str, str]
_CHANGES = ["state", "record", "changed_step", "ended_step", "ended_at", "end_ticks"]


class Movement(NamedTuple):
    """One ledger entry to be: `amount` smallest units, more than 0, from payer to payee."""

    reason: str
    payer: str
    payee: str
    amount: int

    @property
    def owners_gain(self) -> int:
        """Return what the owner's purse gains by it."""
        owner = str(Purse.OWNER)
        return self.amount * ((self.payee == owner) - (self.payer == owner))


class Book:
    """The open compartments of some accounts.

    step, at   the step that changes belong to, and its instant
    """

    def __init__(self, *, step: int, at: datetime, positions: Iterable[ReferencePosition]) -> None:
        self.step = step
        self.at = at
        self.ended: list[ReferencePosition] = []
        self.opened: list[ReferencePosition] = []
        self._open = {identity(row): row for row in positions}
        self._compartments = {row.pk: row.compartment for row in self._open.values()}
        self._changed: dict[int, ReferencePosition] = {}
        self._entries: list[ReferenceEntry] = []
        self._balances: dict[tuple[int, str], int] | None = None
        self._paid: set[tuple[int, str]] = set()

    @property
    def positions(self) -> list[ReferencePosition]:
        """Return the open positions in the order of their making."""
        return list(self._open.values())

    def compartment(self, position: ReferencePosition) -> Compartment:
        """Return an open position's compartment, changes of this book included."""
        return self._compartments[position.pk]

    def find(self, *, account_id: int, symbol: str, slot: str) -> ReferencePosition | None:
        """Return the open position of that identity."""
        return self._open.get((account_id, symbol, slot))

    def balance(self, *, account: Account, unit: str) -> int:
        """Return what the owner holds outside compartments, smallest units."""
        return self._purses().get((account.pk, unit), 0)

    def deposit(self, *, account: Account, unit: str, amount: int) -> None:
        """Pay paper money in from outside. Raises RefusedError unless the amount is positive."""
        if amount <= 0:
            raise RefusedError("amount must be positive")
        self._pay(account, None, unit, [Movement(DEPOSIT, OUTSIDE, str(Purse.OWNER), amount)])

    def open(
        self, *, account: Account, market: ReferenceMarket, slot: str, step: Step
    ) -> ReferencePosition:
        """Take a new compartment into the book.

        Raises RefusedError when the balance does not cover it or the slot is taken.
        """
        if self.find(account_id=account.pk, symbol=market.symbol, slot=slot):
            raise RefusedError(f"{market.symbol} {slot} is open already")
        movements = _movements(step.entries)
        self._refuse_overdraft(account, market.contract.settle, movements)
        row = ReferencePosition.objects.create(
            account=account,
            market=market,
            slot=slot,
            record=step.compartment.to_record(),
            opened_step=self.step,
            opened_at=self.at,
            changed_step=self.step,
        )
        self._open[identity(row)] = row
        self._compartments[row.pk] = step.compartment
        self.opened.append(row)
        self._pay(account, row, market.contract.settle, movements)
        return row

    def apply(self, *, position: ReferencePosition, step: Step, ticks: int) -> None:
        """Take a step of an open compartment into the book; `ticks` is the price it happened at.

        Raises RefusedError when the owner's balance does not cover it.
        """
        if not step.entries and not step.is_ended:
            return
        movements, unit = _movements(step.entries), position.market.contract.settle
        self._refuse_overdraft(position.account, unit, movements)
        self._pay(position.account, position, unit, movements)
        self._compartments[position.pk] = step.compartment
        self._changed[position.pk] = position
        position.changed_step = self.step
        if step.is_ended:
            self._end(position, step.compartment.state, ticks)

    def store(self) -> None:
        """Write what changed: positions, ledger and balances."""
        for key, row in self._changed.items():
            row.record = self._compartments[key].to_record()
        if self._changed:
            ReferencePosition.objects.bulk_update(self._changed.values(), _CHANGES)
        if self._entries:
            ReferenceEntry.objects.bulk_create(self._entries)
        if self._paid:
            self._store_balances()

    def _end(self, position: ReferencePosition, state: PositionState, ticks: int) -> None:
        position.state = state
        position.ended_step, position.ended_at = self.step, self.at
        position.end_ticks = ticks
        del self._open[identity(position)]
        self.ended.append(position)

    def _pay(
        self,
        account: Account,
        position: ReferencePosition | None,
        unit: str,
        movements: list[Movement],
    ) -> None:
        self._entries += [
            ReferenceEntry(
                position=position,
                account=account,
                step=self.step,
                at=self.at,
                unit=unit,
                **movement._asdict(),
            )
            for movement in movements
        ]
        change = sum(movement.owners_gain for movement in movements)
        if change:
            purses, key = self._purses(), (account.pk, unit)
            purses[key] = purses.get(key, 0) + change
            self._paid.add(key)

    def _refuse_overdraft(self, account: Account, unit: str, movements: list[Movement]) -> None:
        change = sum(movement.owners_gain for movement in movements)
        if change < 0 and self.balance(account=account, unit=unit) + change < 0:
            raise RefusedError(f"{account.label} has not enough free {unit}")

    def _purses(self) -> dict[tuple[int, str], int]:
        if self._balances is None:
            rows = ReferenceBalance.objects.values_list("account_id", "unit", "amount")
            self._balances = {(account, unit): amount for account, unit, amount in rows}
        return self._balances

    def _store_balances(self) -> None:
        purses = self._purses()
        ReferenceBalance.objects.bulk_create(
            [
                ReferenceBalance(account_id=account, unit=unit, amount=purses[account, unit])
                for account, unit in sorted(self._paid)
            ],
            update_conflicts=True,
            unique_fields=["account", "unit"],
            update_fields=["amount"],
        )


def hold_run() -> ReferenceRun:
    """Return the run, held until the transaction ends. Raises RefusedError before the first."""
    run = ReferenceRun.objects.select_for_update().filter(name=MAIN).first()
    if run is None:
        raise RefusedError("the reference venue has not been started")
    return run


def load_book(*, step: int, at: datetime, **filters: object) -> Book:
    """Return the book of every open position, or of those that the filters choose."""
    rows = (
        ReferencePosition.objects.filter(ended_step=None, **filters)
        .select_related("account", "market")
        .order_by("pk")
    )
    return Book(step=step, at=at, positions=rows)


def identity(position: ReferencePosition) -> Identity:
    """Return (account id, symbol, slot)."""
    return (position.account_id, position.market.symbol, position.slot)


def _movements(entries: Iterable[LedgerEntry]) -> list[Movement]:
    return [Movement(str(e.reason), str(e.payer), str(e.payee), e.amount) for e in entries]
