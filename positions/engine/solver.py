"""Where a position dies: the price at which equity meets the requirement, for n positions at once.

Works in value space (positions.engine.rules): a position's equity is a straight line over the
value of a unit, its requirement a straight line inside each tier. The solver walks the tiers
outward from the trigger price and answers the first value at which the two meet: a root inside a
tier, or a tier's edge where the requirement jumps. See docs/formulas.md#the-walk.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from positions.engine.batch import Batch, Bools
from positions.engine.rules import Floats, equity, requirement
from positions.engine.solution import Solution, State, States
from positions.engine.tiers import Indices, find_tier

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
        parts = [_solve_rows(_Lines.draw(batch, rows), batch, rows) for rows in _chunks(batch)]
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
        stop = np.where(price > 0, _flip(price, batch.is_inverse), np.nan)
        parts = [_shortfall(_Lines.draw(batch, rows), stop[rows]) for rows in _chunks(batch)]
    return np.concatenate(parts)


@dataclass(frozen=True, slots=True, eq=False)
class _Lines:
    """Positions in value space: (n,) columns, and tier lines of shape (k, n)."""

    direction: Floats
    quantity: Floats
    entry: Floats
    value: Floats
    collateral: Floats
    fee: Floats
    edges: Floats
    rate: Floats
    amount: Floats

    @classmethod
    def draw(cls, batch: Batch, rows: slice) -> _Lines:
        is_inverse, quantity = batch.is_inverse[rows], batch.quantity[rows]
        sign, tiers = batch.sign[rows], batch.tiers
        lines = cls(
            direction=np.where(is_inverse, -sign, sign),
            quantity=quantity,
            entry=_flip(batch.entry_price[rows], is_inverse),
            value=_flip(batch.trigger_price[rows], is_inverse),
            collateral=batch.collateral[rows],
            fee=batch.fee_rate[rows],
            edges=tiers.floor[rows].T / quantity,
            rate=tiers.rate[rows].T,
            amount=tiers.amount[rows].T,
        )
        is_entry = batch.is_entry_basis[rows]
        return lines.fixed_at_entry(is_entry) if is_entry.any() else lines

    def fixed_at_entry(self, is_entry: Bools) -> _Lines:
        """Give entry-basis rows one tier without rate, its amount minus their maintenance."""
        fixed = self.maintenance_at(self.entry, find_tier(edges=self.edges, at=self.entry))
        only = np.where(np.arange(len(self.edges)) == 0, 0.0, np.inf)[:, None]
        return replace(
            self,
            edges=np.where(is_entry, only, self.edges),
            rate=np.where(is_entry, 0.0, self.rate),
            amount=np.where(is_entry, -fixed, self.amount),
        )

    def equity_at(self, value: Floats) -> Floats:
        return equity(
            direction=self.direction,
            quantity=self.quantity,
            value=value,
            entry_value=self.entry,
            collateral=self.collateral,
        )

    def maintenance_at(self, value: Floats, tier: Indices) -> Floats:
        rate, amount = _pick(self.rate, tier), _pick(self.amount, tier)
        return requirement(rate=rate, amount=amount, quantity=self.quantity, value=value)

    def required_at(self, value: Floats, tier: Indices) -> Floats:
        return self.maintenance_at(value, tier) + self.fee * self.quantity * value

    def buffer_at(self, value: Floats, tier: Indices) -> Floats:
        return self.equity_at(value) - self.required_at(value, tier)

    def buffer_lines(self) -> tuple[Floats, Floats]:
        """Return intercept and slope of equity - required over the value, each (k, n)."""
        intercept = self.amount + (self.collateral - self.direction * self.quantity * self.entry)
        slope = self.quantity * (self.direction - (self.rate + self.fee))
        return intercept, slope

    def tier_at(self, value: Floats) -> Indices:
        return find_tier(edges=self.edges, at=value)

    def stretches(self, start: Floats, stop: Floats) -> tuple[Floats, Floats]:
        """Return what each tier holds of the way from start to stop, near end and far end.

        Both (k, n). They are the same value in a tier the way does not cross.
        """
        upper = np.concatenate([self.edges[1:], np.full((1, len(start)), np.inf)])
        near = np.minimum(np.maximum(start, self.edges), upper)
        far = np.minimum(np.maximum(stop, self.edges), upper)
        return near, far


@dataclass(frozen=True, slots=True, eq=False)
class _Crossing:
    """Where the walk ended: the value (inf: nowhere), its tier, the tier before, whether an edge.

    All (n,).
    """

    value: Floats
    tier: Indices
    before: Indices
    is_edge: Bools


def _solve_rows(lines: _Lines, batch: Batch, rows: slice) -> Solution:
    start = np.where(np.isnan(lines.value), lines.entry, lines.value)
    tier = lines.tier_at(start)
    is_breached = _is_breached(lines, start, tier, batch.is_strict[rows])
    crossing = _walk(lines, start, is_breached)
    own, before, is_jump = _residuals(lines, crossing)
    bankruptcy = lines.entry - lines.direction * lines.collateral / lines.quantity
    held, missing = lines.equity_at(lines.value), _missing(lines, batch.tiers.rate[rows])
    has_crossing, is_known = np.isfinite(crossing.value), (missing & ~State.NO_TRIGGER) == 0
    is_overflow = is_known & ~np.isfinite(lines.buffer_at(start, tier) + bankruptcy)
    is_wrong = (has_crossing & (np.abs(own) > TOLERANCE) & ~is_jump) | is_overflow
    is_solved = has_crossing & ~is_wrong
    state = missing | _flags(
        (
            (State.BREACHED, is_breached & ~np.isnan(lines.value)),
            (State.BANKRUPT, held <= 0),
            (State.AT_JUMP, is_jump),
            (State.NO_CROSSING, is_known & ~has_crossing & ~is_breached),
            (State.NO_RECOVERY, is_known & ~has_crossing & is_breached),
            (State.NO_BANKRUPTCY, bankruptcy <= 0),
            (State.UNSOLVED, is_wrong),
        )
    )
    found = _Found(
        tier=tier,
        liquidation=np.where(is_solved, crossing.value, np.nan),
        bankruptcy=np.where((bankruptcy > 0) & ~is_overflow, bankruptcy, np.nan),
        residual=np.where(is_solved, own, np.nan),
        residual_before=np.where(is_solved, before, np.nan),
    )
def _walk(lines: _Lines, start: Floats, is_breached: Bools) -> _Crossing:
    """Walk towards the loss until breached, or, from a breach, towards the gain until safe."""
    heading = np.where(is_breached, lines.direction, -lines.direction)
    near, far = lines.stretches(start, np.where(heading > 0, np.inf, 0.0))
    intercept, slope = lines.buffer_lines()
    # Turned so that reaching the goal is a fall to zero or below, from either side of it.
    goal = np.where(is_breached, -1.0, 1.0)
    is_at_near = goal * (intercept + slope * near) <= 0
    is_at_far = goal * (intercept + slope * far) <= 0
    root = np.minimum(np.maximum(-intercept / slope, np.minimum(near, far)), np.maximum(near, far))
    found = np.where(is_at_near, near, root)
    # A unit's value of zero is no price: a root must lie above it.
    is_hit = (near != far) & (is_at_near | is_at_far) & (found > 0)
    ahead = np.where(is_hit, heading * found, np.inf)
    tier = ahead.argmin(axis=0)
    nearest = _pick(ahead, tier)
    return _Crossing(
        value=np.where(np.isfinite(nearest), heading * nearest, np.inf),
        tier=tier,
        before=np.clip(tier - heading.astype(np.intp), 0, len(lines.edges) - 1),
        is_edge=_pick(is_at_near, tier),
    )


def _residuals(lines: _Lines, crossing: _Crossing) -> tuple[Floats, Floats, Bools]:
    """Return the residual in the crossing's tier, in the tier before it, and where it jumps."""
    scale = lines.quantity * np.maximum(crossing.value, lines.entry)
    own = lines.buffer_at(crossing.value, crossing.tier) / scale
    before = lines.buffer_at(crossing.value, crossing.before) / scale
    is_jump = crossing.is_edge & (np.abs(own) > TOLERANCE) & (own * before <= 0)
    return own, np.where(is_jump, before, own), is_jump


def _missing(lines: _Lines, tier_rate: Floats) -> States:
    columns = (
        (State.NO_TRIGGER, lines.value),
        (State.NO_QUANTITY, lines.quantity),
        (State.NO_ENTRY, lines.entry),
        (State.NO_COLLATERAL, lines.collateral),
        (State.NO_FEE, lines.fee),
        (State.NO_TIERS, tier_rate.sum(axis=1)),
    )
    return _flags((flag, np.isnan(column)) for flag, column in columns)


def _flags(marks: Iterable[tuple[State, Bools]]) -> States:
    """Return the sum of the flags whose mark is set, shape (n,)."""
    return np.bitwise_or.reduce([mark * np.int16(flag) for flag, mark in marks])


def _shortfall(lines: _Lines, stop: Floats) -> Floats:
    start = lines.value
    near, far = lines.stretches(start, stop)
    intercept, slope = lines.buffer_lines()
    least = np.minimum(intercept + slope * near, intercept + slope * far)
    on_the_way = np.where(near != far, least, np.inf).min(axis=0)
    return -np.minimum(on_the_way, lines.buffer_at(start, lines.tier_at(start)))


def _pick(table: npt.NDArray[Any], tier: Indices) -> npt.NDArray[Any]:
    return np.take_along_axis(table, tier[None, :], axis=0)[0]


def _flip(price: Floats, is_inverse: Bools) -> Floats:
    """Turn prices into values of a unit, or back."""
    return np.where(is_inverse, 1.0 / price, price)


def _chunks(batch: Batch) -> list[slice]:
    return [slice(start, start + CHUNK) for start in range(0, max(len(batch), 1), CHUNK)]
