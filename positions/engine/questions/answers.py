"""What an inverse question is answered with: a column of amounts, and a reason for each missing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

import numpy as np

from positions.engine.batch import Batch
from positions.engine.rules import Floats
from positions.engine.solution import Bools, States, some


class Note(IntFlag):
    """What is peculiar about an answer; 0 is an amount that needs no remark.

    REACHED and AT_EDGE stand beside an amount, the others say why there is none.
    """

    NO_QUANTITY = 1
    NO_ENTRY = 2
    NO_COLLATERAL = 4
    NO_TIERS = 8
    NO_FEE = 16
    NO_FUNDING = 32
    NO_FIXED = 64
    NO_TRIGGER = 128
    NO_TARGET = 256
    NO_PRICE = 512
    NOTHING_REQUIRED = 1024
    BANKRUPT = 2048
    NO_CUT = 4096
    NO_EDGE = 8192
    UNMOVED = 16384
    UNSTATED = 32768
    UNSOLVED = 65536
    REACHED = 131072
    AT_EDGE = 262144


# Ordered: the first flag that an answer carries explains why it is missing.
WHY: dict[Note, str] = {
    Note.NO_QUANTITY: "unknown: no quantity",
    Note.NO_ENTRY: "unknown: no entry price",
    Note.NO_COLLATERAL: "unknown: no collateral",
    Note.NO_TIERS: "unknown: no maintenance tiers",
    Note.NO_FEE: "unknown: no closing fee",
    Note.NO_FUNDING: "unknown: no next funding rate",
    Note.NO_FIXED: "unknown: no margin of open orders",
    Note.NO_TRIGGER: "unknown: no trigger price",
    Note.NO_TARGET: "unknown: no target",
    Note.UNSTATED: "unknown: the rule does not say",
    Note.NO_PRICE: "none: there is no such price",
    Note.NOTHING_REQUIRED: "none: nothing is required at the trigger price",
    Note.BANKRUPT: "bankrupt",
    Note.NO_CUT: "none: no part of it that could be cut is enough",
    Note.NO_EDGE: "none: no tier that way",
    Note.UNMOVED: "none: no price moves it",
    Note.UNSOLVED: "unknown: solver",
}
SIZE = Note.NO_QUANTITY | Note.NO_ENTRY | Note.NO_TRIGGER
RULE = Note.NO_TIERS | Note.NO_FEE | Note.NO_FUNDING | Note.NO_FIXED
EVERYTHING = SIZE | RULE | Note.NO_COLLATERAL


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Amounts, (n,), NaN where `reason` says why; `state` holds Note flags."""

    amount: Floats
    state: States

    def __len__(self) -> int:
        return len(self.amount)

    def has(self, note: Note) -> Bools:
        """Return which answers carry the flag, shape (n,)."""
        marked: Bools = (self.state & np.int32(note)) != 0
        return marked

    def reason(self, *, index: int) -> str | None:
        """Return why that amount is missing; None when it is known."""
        return None if not np.isnan(self.amount[index]) else explain(int(self.state[index]))


def explain(state: int) -> str:
    """Return the text of the first flag that explains a missing figure."""
    return next((text for flag, text in WHY.items() if flag & state), WHY[Note.UNSOLVED])


def answer(*, amount: Floats, state: States) -> Answer:
    """Return the answer, an amount only where it is finite and no flag explains its absence.

    Adding 0.0 turns -0.0 into 0.0.
    """
    is_known = (state & np.int32(_CAUSES)) == 0
    is_wrong = is_known & ~np.isfinite(amount)
    shown = np.where(is_known & ~is_wrong, amount, np.nan) + 0.0
    return Answer(amount=shown, state=state | mark(Note.UNSOLVED, is_wrong))


def mark(note: Note, where: Bools) -> States:
    """Return the flag where it holds, 0 elsewhere, (n,)."""
    return where.astype(np.int32) * np.int32(note)


def find_missing(*, batch: Batch, needed: Note) -> States:
    """Return which of the needed inputs each position lacks, (n,)."""
    columns = {
        Note.NO_QUANTITY: batch.quantity,
        Note.NO_ENTRY: batch.entry_price,
        Note.NO_COLLATERAL: batch.collateral,
        Note.NO_TIERS: batch.tables.rate[:, 0].take(batch.table),
        Note.NO_FEE: batch.fee_rate,
        Note.NO_FUNDING: batch.next_funding_rate,
        Note.NO_FIXED: batch.fixed_requirement,
        Note.NO_TRIGGER: batch.trigger_price,
    }
    missing = np.zeros(len(batch), dtype=np.int32)
    for note, column in columns.items():
        is_missing = np.isnan(column)
        if note & needed and some(is_missing):
            missing |= mark(note, is_missing)
    return missing


def spread(value: float | Floats, count: int) -> Floats:
    """Return a scalar or a column as a column, (n,)."""
    return np.broadcast_to(np.asarray(value, dtype=np.float64), (count,))


_CAUSES = sum(WHY)
