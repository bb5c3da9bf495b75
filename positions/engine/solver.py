"""Where each position dies, and how it stands at its trigger price: n positions at once.

The one condition is `equity <= required`. The solver walks the tiers outward from the trigger
price on the losing side and answers the first price at which the two meet: a root inside a tier,
or a tier's edge where the requirement jumps. See docs/formulas.md#the-walk.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from positions.engine.batch import Batch, Bools
from positions.engine.lines import Crossing, Lines, draw_lines, flip, shortfall, walk
from positions.engine.rules import Floats
from positions.engine.solution import Solution, State, States
from positions.engine.tiers import Indices

# A residual above this share of the notional is a failure of the solver, not an answer.
TOLERANCE = 1e-9
# Rows worked on together: the temporaries of one chunk stay in the processor's cache.
CHUNK = 4096


def solve(batch: Batch) -> Solution:
    """Return where each position dies and how it stands at its trigger price.

    The walk starts at the trigger price, or at entry where that is not known. Rows do not
    influence each other: a batch of one gives the same bytes as a batch of many.

    Source: docs/formulas.md#the-walk.
    """
    with np.errstate(all="ignore"):
        parts = [_solve_rows(batch, rows) for rows in _chunks(batch)]
    if len(parts) == 1:
        return parts[0]
    names = [field.name for field in fields(Solution)]
    return Solution(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in names})


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
        parts = [
            shortfall(lines=draw_lines(batch=batch, rows=rows), stop=stop[rows])
            for rows in _chunks(batch)
        ]
    return np.concatenate(parts)


def _chunks(batch: Batch) -> list[slice]:
    return [slice(start, start + CHUNK) for start in range(0, max(len(batch), 1), CHUNK)]


def _solve_rows(batch: Batch, rows: slice) -> Solution:
    lines = draw_lines(batch=batch, rows=rows)
    is_inverse, price = batch.is_inverse[rows], batch.trigger_price[rows]
    tier = lines.tier_at(lines.start)
    is_breached = _find_breached(lines, tier, batch.is_strict[rows])
    crossing = walk(lines=lines, is_breached=is_breached)
    own, before, is_jump = _residuals(lines, crossing)
    missing = _find_missing(batch, rows)
    is_known: Bools = (missing & ~np.int16(State.NO_TRIGGER)) == 0
    is_wrong = is_known & _find_unsolved(lines, crossing, own, is_jump)
    is_solved = np.isfinite(crossing.value) & ~is_wrong
    is_nowhere = is_known & ~is_wrong & ~is_solved
    liquidation = np.where(is_solved, flip(crossing.value, is_inverse), np.nan)
    return Solution(
        liquidation_price=liquidation,
        bankruptcy_price=np.where(lines.bankruptcy > 0, flip(lines.bankruptcy, is_inverse), np.nan),
        liquidation_distance=batch.sign[rows] * (price - liquidation) / price + 0.0,
        residual=np.where(is_solved, own, np.nan),
        residual_before=np.where(is_solved, before, np.nan),
        state=missing
        | _combine(
            (
                (State.BREACHED, is_breached & ~np.isnan(price)),
                (State.BANKRUPT, lines.equity_at(lines.value) <= 0),
                (State.AT_JUMP, is_jump),
                (State.NO_CROSSING, is_nowhere & ~is_breached),
                (State.NO_RECOVERY, is_nowhere & is_breached),
                (State.NO_BANKRUPTCY, lines.bankruptcy <= 0),
                (State.UNSOLVED, is_wrong),
            )
        ),
        **_figures_at_trigger(lines, tier, batch.is_entry_basis[rows]),
    )


# Adding 0.0 turns the -0.0 of a short that stands at its entry into 0.0.
def _figures_at_trigger(lines: Lines, tier: Indices, is_entry: Bools) -> dict[str, Floats]:
    equity, required = lines.equity_at(lines.value), lines.required_at(lines.value, tier)
    notional = lines.quantity * lines.value
    alive = np.where(equity > 0, equity, np.nan)
    # Maintenance fixed at entry is known without a trigger price.
    measured_at = np.where(is_entry, lines.start, lines.value)
    return {
        "notional": notional,
        "unrealized_pnl": lines.direction * lines.quantity * (lines.value - lines.entry) + 0.0,
        "equity": equity,
        "maintenance_margin": lines.maintenance_at(measured_at, tier),
        "required": required,
        "margin_ratio": required / alive,
        "effective_leverage": notional / alive,
    }


def _find_breached(lines: Lines, tier: Indices, is_strict: Bools) -> Bools:
    equity, required = lines.equity_at(lines.start), lines.required_at(lines.start, tier)
    is_met: Bools = equity == required
    return (equity < required) | (~is_strict & is_met)


def _residuals(lines: Lines, crossing: Crossing) -> tuple[Floats, Floats, Bools]:
    """Return the residual in the crossing's tier, in the tier before it, and where it jumps."""
    scale = lines.quantity * np.maximum(crossing.value, lines.entry)
    own = lines.buffer_at(crossing.value, crossing.tier) / scale
    before = lines.buffer_at(crossing.value, crossing.before) / scale
    is_jump = crossing.is_edge & (np.abs(own) > TOLERANCE) & (own * before <= 0)
    return own, np.where(is_jump, before, own), is_jump


def _find_unsolved(lines: Lines, crossing: Crossing, residual: Floats, is_jump: Bools) -> Bools:
    is_off: Bools = np.isfinite(crossing.value) & ~is_jump & ~(np.abs(residual) <= TOLERANCE)
    return is_off | np.isnan(lines.quantity)


def _find_missing(batch: Batch, rows: slice) -> States:
    return _combine(
        (
            (State.NO_TRIGGER, np.isnan(batch.trigger_price[rows])),
            (State.NO_QUANTITY, np.isnan(batch.quantity[rows])),
            (State.NO_ENTRY, np.isnan(batch.entry_price[rows])),
            (State.NO_COLLATERAL, np.isnan(batch.collateral[rows])),
            (State.NO_FEE, np.isnan(batch.fee_rate[rows])),
            (State.NO_TIERS, np.logical_or.reduce(np.isnan(batch.tiers.rate[rows]), axis=1)),
        )
    )


def _combine(marks: tuple[tuple[State, Bools], ...]) -> States:
    return np.asarray(np.bitwise_or.reduce([mark * np.int16(flag) for flag, mark in marks]))
