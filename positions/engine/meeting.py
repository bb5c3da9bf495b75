"""Where equity meets the requirement: one search, and a walk where the requirement jumps."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from positions.engine.batch import Batch
from positions.engine.lines import Crossing, Lines, draw_lines, find_breached, walk
from positions.engine.rules import Floats, equity
from positions.engine.solution import Bools, some
from positions.engine.standing import Standing
from positions.engine.tiers import find

# A residual above this share of the notional is a failure of the solver, not an answer.
TOLERANCE = 1e-9


# Not frozen, as Standing is not: the checks of a frozen class cost as much as two columns.
@dataclass(slots=True, eq=False)
class Meeting:
    """Where equity meets the requirement, (n,); see Solution for the residuals.

    value        value of a unit; it and the residuals mean nothing where none was found
    is_breached  equity lacks at the trigger price or, where that is not known, at every price
    """

    value: Floats
    residual: Floats
    residual_before: Floats
    is_found: Bools
    is_breached: Bools
    is_jump: Bools | np.bool_


_NAMES = tuple(field.name for field in fields(Meeting))


def meet(*, batch: Batch, standing: Standing, has_gaps: bool) -> Meeting:
    """Return where each position's equity meets its requirement.

    has_gaps  some equity or requirement at the trigger price is not known
    """
    meeting = _search(batch, standing, has_gaps)
    return _walk_some(batch, standing, meeting) if some(batch.is_walked) else meeting


def find_wrong(*, meeting: Meeting, standing: Standing) -> Bools:
    """Return where the answer fails its own condition, and where numbers overflow, (n,)."""
    is_off = ~(np.abs(meeting.residual) <= TOLERANCE)
    if not some(is_off):
        return is_off
    is_failed: Bools = is_off & meeting.is_found & ~meeting.is_jump
    return is_failed | np.isnan(standing.quantity)


def _search(batch: Batch, standing: Standing, has_gaps: bool) -> Meeting:
    """Return the only value at which the requirement, taken as continuous, is met.

    Source: docs/formulas.md#one-search.
    """
    rate, amount = _find_line(batch, standing)
    direction, quantity = standing.direction, standing.quantity
    pull = rate + batch.fee_rate
    value = (standing.rest + amount) / (quantity * (pull - direction))
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
    return Meeting(
        value=value,
        residual=residual,
        residual_before=residual,
        is_found=(value > 0) & (value < np.inf),
        is_breached=_find_breached(batch, standing, has_gaps),
        is_jump=np.False_,
    )


def _find_breached(batch: Batch, standing: Standing, has_gaps: bool) -> Bools:
    is_breached: Bools = standing.equity <= standing.required
    if some(batch.is_strict):
        is_breached &= ~batch.is_strict | (standing.equity < standing.required)
    if has_gaps:
        # Should no price meet the requirement, equity that shrinks with the value lacks at all.
        is_breached |= np.isnan(standing.value) & (standing.direction < 0)
    return is_breached


def _find_line(batch: Batch, standing: Standing) -> tuple[Floats, Floats]:
    """Return rate and amount of the tier in which the requirement is met."""
    tables = batch.tables
    is_fixed = batch.is_entry_basis | batch.is_tier_fixed
    fixed = np.count_nonzero(is_fixed)
    if tables.depth == 1 or fixed == len(batch):
        return standing.line_rate, standing.line_amount
    has_fees = np.count_nonzero(batch.fee_rate)
    tilt = (-standing.direction * batch.fee_rate, tables.floor_levels) if has_fees else None
    row = batch.table + len(tables) * (standing.direction < 0)
    key = -standing.direction * standing.rest
    place = find(levels=tables.edge_levels, row=row, key=key, tilt=tilt)
    rate, amount = tables.rate.ravel().take(place), tables.amount.ravel().take(place)
    if fixed:
        np.copyto(rate, standing.line_rate, where=is_fixed)
        np.copyto(amount, standing.line_amount, where=is_fixed)
    return rate, amount


def _walk_some(batch: Batch, standing: Standing, meeting: Meeting) -> Meeting:
    """Return the meeting with the rows that must be walked put right."""
    rows = np.flatnonzero(batch.is_walked)
    part = batch.take(rows)
    lines = draw_lines(batch=part, standing=standing.take(rows))
    is_breached = find_breached(lines=lines, is_strict=part.is_strict)
    crossing = walk(lines=lines, is_breached=is_breached)
    own, before, is_jump = _residuals(lines, crossing)
    walked = Meeting(
        value=crossing.value,
        residual=own,
        residual_before=before,
        is_found=(crossing.value > 0) & (crossing.value < np.inf),
        is_breached=is_breached,
        is_jump=is_jump,
    )
    count = len(batch)
    whole = {name: np.array(np.broadcast_to(getattr(meeting, name), count)) for name in _NAMES}
    for name, column in whole.items():
        column[rows] = getattr(walked, name)
    return Meeting(**whole)


def _residuals(lines: Lines, crossing: Crossing) -> tuple[Floats, Floats, Bools]:
    """Return the residual in the crossing's tier, in the tier before it, and where it jumps."""
    scale = lines.quantity * np.maximum(crossing.value, lines.entry)
    own = lines.buffer_at(crossing.value, crossing.tier) / scale
    before = lines.buffer_at(crossing.value, crossing.before) / scale
    is_jump = crossing.is_edge & (np.abs(own) > TOLERANCE) & (own * before <= 0)
    return own, np.where(is_jump, before, own), is_jump
