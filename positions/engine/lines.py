"""Positions whose requirement jumps: straight lines tier by tier, and the walk along them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from positions.engine.batch import Batch
from positions.engine.rules import Floats, equity, requirement
from positions.engine.solution import Bools
from positions.engine.standing import Standing
from positions.engine.tiers import Indices


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Positions in value space: (n,) columns, and tier lines of shape (k, n).

    direction  +1 where equity grows with the value of a unit, -1 where it shrinks
    entry, value
               value of a unit at entry and at the trigger price; NaN where not known
    added      what is required at every price beside maintenance and fee, settle units
    edges      value at which each tier begins
    """

    direction: Floats
    quantity: Floats
    entry: Floats
    value: Floats
    collateral: Floats
    fee: Floats
    added: Floats
    edges: Floats
    rate: Floats
    amount: Floats

    @property
    def start(self) -> Floats:
        """Return where a walk begins: at the trigger price, or at entry where that is unknown."""
        return np.where(np.isnan(self.value), self.entry, self.value)

    def tier_at(self, value: Floats) -> Indices:
        """Return the tier at that value, an edge belonging to the tier it opens, (n,)."""
        tier: Indices = np.sum(self.edges[1:] <= value, axis=0, dtype=np.intp)
        return tier

    def equity_at(self, value: Floats) -> Floats:
        """Return collateral plus unrealised profit at that value, (n,)."""
        return equity(
            direction=self.direction,
            quantity=self.quantity,
            value=value,
            entry_value=self.entry,
            collateral=self.collateral,
        )

    def maintenance_at(self, value: Floats, tier: Indices) -> Floats:
        """Return the maintenance margin at that value by the line of that tier, (n,)."""
        rate, amount = pick(self.rate, tier), pick(self.amount, tier)
        return requirement(rate=rate, amount=amount, notional=self.quantity * value)

    def required_at(self, value: Floats, tier: Indices) -> Floats:
        """Return maintenance, the closing fee where it is counted and what is added, (n,)."""
        return self.maintenance_at(value, tier) + self.fee * self.quantity * value + self.added

    def buffer_at(self, value: Floats, tier: Indices) -> Floats:
        """Return equity less requirement, (n,)."""
        return self.equity_at(value) - self.required_at(value, tier)

    def buffer_lines(self) -> tuple[Floats, Floats]:
        """Return intercept and slope of equity less requirement in every tier, each (k, n)."""
        rest = self.collateral - self.added - self.direction * self.quantity * self.entry
        intercept = self.amount + rest
        slope = self.quantity * (self.direction - (self.rate + self.fee))
        return intercept, slope

    def stretches(self, start: Floats, stop: Floats) -> tuple[Floats, Floats]:
        """Return what each tier holds of the way from start to stop: near end, far end, (k, n).

        Both ends are the same value in a tier that the way does not cross.
        """
        upper = np.concatenate([self.edges[1:], np.full((1, len(start)), np.inf)])
        near = np.minimum(np.maximum(start, self.edges), upper)
        far = np.minimum(np.maximum(stop, self.edges), upper)
        return near, far


@dataclass(frozen=True, slots=True, eq=False)
class Crossing:
    """Where a walk ended, (n,): the value (inf when nowhere), its tier and the tier before.

    is_edge  the goal was reached at a tier's near end, without a root inside it
    """

    value: Floats
    tier: Indices
    before: Indices
    is_edge: Bools


def draw_lines(*, batch: Batch, standing: Standing) -> Lines:
    """Return the batch in value space, requirements and tiers fixed where the rule fixes them."""
    tables, quantity = batch.tables, standing.quantity
    lines = Lines(
        direction=standing.direction,
        quantity=quantity,
        entry=standing.entry,
        value=standing.value,
        collateral=batch.collateral,
        fee=batch.fee_rate,
        added=standing.added,
        edges=tables.floor[batch.table].T / quantity,
        rate=tables.rate[batch.table].T,
        amount=tables.amount[batch.table].T,
    )
    is_fixed = batch.is_entry_basis | batch.is_tier_fixed
    return _fix(lines, is_fixed, standing) if is_fixed.any() else lines


def find_breached(*, lines: Lines, is_strict: Bools) -> Bools:
    """Return which positions meet the condition where a walk begins, (n,)."""
    start = lines.start
    held, required = lines.equity_at(start), lines.required_at(start, lines.tier_at(start))
    is_met: Bools = held == required
    return (held < required) | (~is_strict & is_met)


def walk(*, lines: Lines, is_breached: Bools) -> Crossing:
    """Walk towards the loss until breached or, from a breach, towards the gain until safe.

    Source: docs/formulas.md#the-walk.
    """
    heading = np.where(is_breached, lines.direction, -lines.direction)
    near, far = lines.stretches(lines.start, np.where(heading > 0, np.inf, 0.0))
    intercept, slope = lines.buffer_lines()
    # Turned so that the goal is a fall to zero or below, whichever side the walk comes from.
    turn = np.where(is_breached, -1.0, 1.0)
    is_at_near = turn * (intercept + slope * near) <= 0
    is_at_far = turn * (intercept + slope * far) <= 0
    lower, upper = np.minimum(near, far), np.maximum(near, far)
    root = np.minimum(np.maximum(-intercept / slope, lower), upper)
    found = np.where(is_at_near, near, root)
    # A value of zero is no price: a root must lie above it.
    is_hit = (near != far) & (is_at_near | is_at_far) & (found > 0)
    ahead = np.where(is_hit, heading * found, np.inf)
    tier = ahead.argmin(axis=0)
    nearest = pick(ahead, tier)
    return Crossing(
        value=np.where(np.isfinite(nearest), heading * nearest, np.inf),
        tier=tier,
        before=np.clip(tier - heading.astype(np.intp), 0, len(lines.edges) - 1),
        is_edge=pick(is_at_near, tier),
    )


def shortfall(*, lines: Lines, stop: Floats) -> Floats:
    """Return the largest lack of equity on the way from the trigger value to `stop`, (n,).

    Negative where the way is safe throughout; NaN where either end is unknown.
    """
    near, far = lines.stretches(lines.value, stop)
    intercept, slope = lines.buffer_lines()
    least = np.minimum(intercept + slope * near, intercept + slope * far)
    on_the_way = np.where(near != far, least, np.inf).min(axis=0)
    here = lines.buffer_at(lines.value, lines.tier_at(lines.value))
    lack: Floats = -np.minimum(on_the_way, here)
    return lack


def pick(table: npt.NDArray[Any], tier: Indices) -> npt.NDArray[Any]:
    """Return one row's entry per column of a (k, n) table, (n,)."""
    picked: npt.NDArray[Any] = np.take_along_axis(table, tier[None, :], axis=0)[0]
    return picked


def _fix(lines: Lines, is_fixed: Bools, standing: Standing) -> Lines:
    """Give rows whose requirement stays on one line that line alone."""
    only = np.where(np.arange(len(lines.edges)) == 0, 0.0, np.inf)[:, None]
    return replace(
        lines,
        edges=np.where(is_fixed, only, lines.edges),
        rate=np.where(is_fixed, standing.line_rate, lines.rate),
        amount=np.where(is_fixed, standing.line_amount, lines.amount),
    )
