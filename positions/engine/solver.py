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
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from positions.engine.batch import Batch
from positions.engine.lines import (
    Crossing,
    Lines,
    draw_lines,
    find_breached,
    shortfall,
    walk,
)
from positions.engine.rules import Floats, equity
from positions.engine.solution import Bools, Solution, State, States, some
from positions.engine.standing import Standing, flip, stand
from positions.engine.tiers import find

# A residual above this share of the notional is a failure of the solver, not an answer.
TOLERANCE = 1e-9
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


def margin_to_add(*, batch: Batch, target_distance: float | Floats) -> Floats:
    """Return the margin that moves each liquidation distance to the target, shape (n,).

    target_distance  a fraction of the trigger price, >= 0; scalar or shape (n,)

    Result: settle units; negative where the position holds more than the target needs. NaN where
    an input is unknown, or where the target is no price (a long's of 1 or more). Where a flat
    table jumps before the target, the position dies at that edge with exactly this margin, and
    beyond the target with any more.
    Raises ValueError on a negative target.

    Source: docs/formulas.md#margin-to-add, the largest shortfall on the way to the target price.
    """
    target = np.broadcast_to(np.asarray(target_distance, dtype=np.float64), (len(batch),))
    if np.any(target < 0):
        raise ValueError("target_distance must not be negative")
    with np.errstate(all="ignore"):
        price = batch.trigger_price * (1.0 - batch.sign * target)
        stop = np.where(price > 0, flip(price, batch.is_inverse), np.nan)
        return shortfall(lines=draw_lines(batch=batch, standing=stand(batch)), stop=stop)


@dataclass(frozen=True, slots=True, eq=False)
class _Meeting:
    """Where equity meets the requirement, (n,): the value, and the residuals on both sides."""

    value: Floats
    residual: Floats
    residual_before: Floats
    is_breached: Bools
    is_jump: Bools


_BITS = [np.array(1 << place, dtype=np.uint8) for place in range(1, 8)]
_NOTHING = np.zeros(1, dtype=np.int32)


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
# What must be known for a liquidation price; the trigger price only says where to start.
_NEEDED = ~np.int32(State.NO_TRIGGER)
_MEETING = tuple(field.name for field in fields(_Meeting))


def _solve_rows(batch: Batch) -> Solution:
    standing = stand(batch)
    meeting = _meet(batch, standing)
    if some(batch.is_walked):
        meeting = _walk_some(batch, standing, meeting)
    missing = _find_missing(batch, standing)
    is_known = (missing & _NEEDED) == 0
    is_found = meeting.value > 0
    is_off = ~(np.abs(meeting.residual) <= TOLERANCE) & is_found & ~meeting.is_jump
    is_wrong = is_known & (is_off | np.isnan(standing.quantity))
    price = flip(meeting.value, batch.is_inverse)
    is_capped = (price > batch.price_cap) & ~is_wrong
    is_nowhere = is_known & ~is_wrong & ~is_found
    is_hidden = is_wrong | is_capped
    liquidation = np.where(is_hidden, np.nan, price)
    bankruptcy = standing.entry - standing.direction * batch.collateral / standing.quantity
    is_safe = bankruptcy <= 0
    trigger = batch.trigger_price
    is_broke = standing.equity <= 0
    alive = np.where(is_broke, np.nan, standing.equity)
    marks = (
        meeting.is_breached & ~np.isnan(trigger),
        is_broke,
        meeting.is_jump,
        is_nowhere & ~meeting.is_breached,
        is_capped,
        is_nowhere & meeting.is_breached,
        is_safe,
        is_wrong,
    )
    is_alike = meeting.residual is meeting.residual_before
    residual = np.where(is_hidden, np.nan, meeting.residual)
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
        residual_before=residual
        if is_alike
        else np.where(is_hidden, np.nan, meeting.residual_before),
        state=missing | _combine(marks),
    )


def _meet(batch: Batch, standing: Standing) -> _Meeting:
    """Return the only value at which the requirement, taken as continuous, is met.

    Source: docs/formulas.md#one-search.
    """
    rate, amount = _find_meeting_line(batch, standing)
    direction, quantity = standing.direction, standing.quantity
    pull = rate + batch.fee_rate
    value = (standing.rest + amount) / (quantity * (pull - direction))
    value = np.where((value > 0) & (value < np.inf), value, np.nan)
    notional = quantity * value
    held = equity(
        direction=direction,
        quantity=quantity,
        value=value,
        entry_value=standing.entry,
        collateral=batch.collateral,
    )
    lack = held - (pull * notional - amount + standing.added)
    residual = lack / np.maximum(notional, standing.cost)
    is_met = (standing.equity == standing.required) & ~batch.is_strict
    return _Meeting(
        value=value,
        residual=residual,
        residual_before=residual,
        is_breached=(standing.equity < standing.required) | is_met | _find_sunk(standing),
        is_jump=np.zeros(len(batch), dtype=np.bool_),
    )


def _find_sunk(standing: Standing) -> Bools | np.bool_:
    """Return where equity lacks at every price, should no price meet the requirement.

    It does where it shrinks with the value. Only asked where no trigger price tells.
    """
    is_unmarked = np.isnan(standing.value)
    return is_unmarked & (standing.direction < 0) if some(is_unmarked) else np.False_


def _find_meeting_line(batch: Batch, standing: Standing) -> tuple[Floats, Floats]:
    """Return rate and amount of the tier in which the requirement is met."""
    tables = batch.tables
    is_fixed = batch.is_entry_basis | batch.is_tier_fixed
    fixed = np.count_nonzero(is_fixed)
    if tables.depth == 1 or fixed == len(batch):
        return standing.line_rate, standing.line_amount
    has_fees = np.count_nonzero(batch.fee_rate)
    tilt = (-standing.direction * batch.fee_rate, tables.floor) if has_fees else None
    row = batch.table.copy()
    np.copyto(row, row + len(tables), where=standing.direction < 0)
    key = -standing.direction * standing.rest
    place = find(edges=tables.edges, row=row, key=key, tilt=tilt)
    rate, amount = tables.rate.ravel().take(place), tables.amount.ravel().take(place)
    if fixed:
        np.copyto(rate, standing.line_rate, where=is_fixed)
        np.copyto(amount, standing.line_amount, where=is_fixed)
    return rate, amount


def _walk_some(batch: Batch, standing: Standing, meeting: _Meeting) -> _Meeting:
    """Return the meeting with the rows that must be walked put right."""
    rows = np.flatnonzero(batch.is_walked)
    part = batch.take(rows)
    lines = draw_lines(batch=part, standing=standing.take(rows))
    is_breached = find_breached(lines=lines, is_strict=part.is_strict)
    crossing = walk(lines=lines, is_breached=is_breached)
    own, before, is_jump = _residuals(lines, crossing)
    walked = _Meeting(
        value=np.where(np.isfinite(crossing.value), crossing.value, np.nan),
        residual=own,
        residual_before=before,
        is_breached=is_breached,
        is_jump=is_jump,
    )
    whole = {name: getattr(meeting, name).copy() for name in _MEETING}
    for name, column in whole.items():
        column[rows] = getattr(walked, name)
    return _Meeting(**whole)


def _residuals(lines: Lines, crossing: Crossing) -> tuple[Floats, Floats, Bools]:
    """Return the residual in the crossing's tier, in the tier before it, and where it jumps."""
    scale = lines.quantity * np.maximum(crossing.value, lines.entry)
    own = lines.buffer_at(crossing.value, crossing.tier) / scale
    before = lines.buffer_at(crossing.value, crossing.before) / scale
    is_jump = crossing.is_edge & (np.abs(own) > TOLERANCE) & (own * before <= 0)
    return own, np.where(is_jump, before, own), is_jump


def _find_missing(batch: Batch, standing: Standing) -> States:
    if not some(np.isnan(standing.equity + standing.required)):
        return _NOTHING
    first_rate = batch.tables.rate[:, 0].take(batch.table)
    return _UNKNOWN.take(
        _pack(
            (
                np.isnan(batch.trigger_price),
                np.isnan(batch.quantity),
                np.isnan(batch.entry_price),
                np.isnan(batch.collateral),
                np.isnan(batch.fee_rate),
                np.isnan(batch.next_funding_rate),
                np.isnan(batch.fixed_requirement),
                np.isnan(first_rate),
            )
        )
    )


def _combine(marks: Sequence[Bools]) -> States:
    return _FOUND.take(_pack(marks))


def _pack(marks: Sequence[Bools]) -> npt.NDArray[np.uint8]:
    """Return eight marks as the bits of one byte, the first mark the lowest."""
    packed = marks[0].view(np.uint8)
    for mark, bit in zip(marks[1:], _BITS, strict=True):
        if some(mark):
            packed = packed | (mark.view(np.uint8) * bit)
    return packed
