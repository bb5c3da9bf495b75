"""Where each position dies, and how it stands at its trigger price: n positions at once.

The one condition is `equity <= required`. Where the requirement is continuous one price meets it,
and one search for its tier finds it. Where it jumps, the solver walks the tiers outward from the
trigger price on the losing side, and the answer is the first price at which the two meet: a root
inside a tier, or a tier's edge. See docs/formulas.md#the-walk.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields

import numpy as np
import numpy.typing as npt

from positions.engine.batch import Batch
from positions.engine.meeting import Meeting, find_wrong, meet
from positions.engine.rules import Floats
from positions.engine.solution import Bools, Solution, State, States, some
from positions.engine.standing import flip, stand

# Rows worked on together: the temporaries of one chunk stay in the processor's cache.
CHUNK = 16384
# From so many rows on, a second thread is worth its start: numpy works without the interpreter.
_MANY = 4 * CHUNK

_FIGURES = tuple(field.name for field in fields(Solution) if field.name != "state")


def solve(batch: Batch) -> Solution:
    """Return where each position dies and how it stands at its trigger price.

    A walk starts at the trigger price, or at entry where that is not known. Rows do not influence
    each other: a batch of one gives the same bytes as a batch of many.

    Source: docs/formulas.md#the-walk.
    """
    count = len(batch)
    if count <= CHUNK:
        with np.errstate(all="ignore"):
            return _solve_rows(batch)
    whole = Solution(
        **{name: np.empty(count) for name in _FIGURES}, state=np.empty(count, np.int32)
    )

    def fill(rows: slice) -> None:
        # The error state belongs to a thread.
        with np.errstate(all="ignore"):
            part = _solve_rows(batch.take(rows))
        for name in (*_FIGURES, "state"):
            getattr(whole, name)[rows] = getattr(part, name)

    chunks = [slice(start, start + CHUNK) for start in range(0, count, CHUNK)]
    if count < _MANY:
        for rows in chunks:
            fill(rows)
        return whole
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(fill, chunks))
    return whole


_BITS = [np.array(place, dtype=np.uint8) for place in range(1, 8)]
# What must be known for a liquidation price; the trigger price only says where to start.
_NEEDED = ~np.int32(State.NO_TRIGGER)


def _states_of(*flags: State) -> States:
    """Return the state of each byte whose bits say which of eight flags are set."""
    return np.array(
        [sum(flag for place, flag in enumerate(flags) if byte >> place & 1) for byte in range(256)],
        dtype=np.int32,
    )


_FOUND = _states_of(
    State.BREACHED,
    State.BANKRUPT,
    State.AT_JUMP,
    State.NO_CROSSING,
    State.BEYOND_CAP,
    State.NO_RECOVERY,
    State.NO_BANKRUPTCY,
    State.UNSOLVED,
)
_UNKNOWN = _states_of(
    State.NO_TRIGGER,
    State.NO_QUANTITY,
    State.NO_ENTRY,
    State.NO_COLLATERAL,
    State.NO_FEE,
    State.NO_FUNDING,
    State.NO_FIXED,
    State.NO_TIERS,
)


def _solve_rows(batch: Batch) -> Solution:
    standing = stand(batch)
    has_gaps = some(np.isnan(standing.equity + standing.required))
    meeting = meet(batch=batch, standing=standing, has_gaps=has_gaps)
    is_wrong = find_wrong(meeting=meeting, standing=standing)
    is_nowhere = ~(meeting.is_found | is_wrong)
    is_breached, trigger = meeting.is_breached, batch.trigger_price
    if has_gaps:
        missing = _find_missing(batch)
        is_known = (missing & _NEEDED) == 0
        is_wrong, is_nowhere = is_wrong & is_known, is_nowhere & is_known
    price = flip(meeting.value, batch.is_inverse)
    is_priced = meeting.is_found & ~is_wrong
    is_capped = is_priced & (price > batch.price_cap)
    is_shown = is_priced & ~is_capped
    liquidation, residual, before = _show(is_shown, price, meeting)
    bankruptcy = standing.entry - standing.direction * batch.collateral / standing.quantity
    is_safe, is_broke = bankruptcy <= 0, standing.equity <= 0
    alive = np.where(is_broke, np.nan, standing.equity)
    marks = (
        is_breached & ~np.isnan(trigger) if has_gaps else is_breached,
        is_broke,
        meeting.is_jump,
        is_nowhere & ~is_breached,
        is_capped,
        is_nowhere & is_breached,
        is_safe,
        is_wrong,
    )
    state = _FOUND.take(_pack(marks))
    # Adding 0.0 turns the -0.0 of a short that stands at its entry into 0.0.
    return Solution(
        liquidation_price=liquidation,
        bankruptcy_price=flip(np.where(is_safe, np.nan, bankruptcy), batch.is_inverse),
        notional=standing.notional,
        unrealized_pnl=standing.unrealized_pnl + 0.0,
        equity=standing.equity,
        maintenance_margin=standing.maintenance_margin,
        required=standing.required,
        margin_ratio=standing.required / alive,
        effective_leverage=standing.notional / alive,
        liquidation_distance=batch.sign * (trigger - liquidation) / trigger + 0.0,
        residual=residual,
        residual_before=before,
        state=state | missing if has_gaps else state,
    )


def _show(is_shown: Bools, price: Floats, meeting: Meeting) -> tuple[Floats, Floats, Floats]:
    """Return price and residuals where there is an answer, NaN elsewhere."""
    own = np.where(is_shown, meeting.residual, np.nan)
    is_alike = meeting.residual is meeting.residual_before
    before = own if is_alike else np.where(is_shown, meeting.residual_before, np.nan)
    return np.where(is_shown, price, np.nan), own, before


def _find_missing(batch: Batch) -> States:
    marks = (
        np.isnan(batch.trigger_price),
        np.isnan(batch.quantity),
        np.isnan(batch.entry_price),
        np.isnan(batch.collateral),
        np.isnan(batch.fee_rate),
        np.isnan(batch.next_funding_rate),
        np.isnan(batch.fixed_requirement),
        np.isnan(batch.tables.rate[:, 0].take(batch.table)),
    )
    return _UNKNOWN.take(_pack(marks))


def _pack(marks: Sequence[Bools | np.bool_]) -> npt.NDArray[np.uint8]:
    """Return eight marks as the bits of one byte, the first mark the lowest."""
    packed = np.asarray(marks[0]).view(np.uint8)
    for mark, bit in zip(marks[1:], _BITS, strict=True):
        if some(mark):
            packed = np.bitwise_or(packed, mark.view(np.uint8) << bit)
    return packed
