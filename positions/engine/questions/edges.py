"""The tier edges next to each position, and the price at which they bite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from positions.engine.batch import Batch
from positions.engine.lines import pick
from positions.engine.questions.answers import (
    RULE,
    SIZE,
    Note,
    explain,
    find_missing,
    mark,
)
from positions.engine.rules import Floats, requirement
from positions.engine.solution import Bools, States
from positions.engine.standing import Standing, flip, stand
from positions.engine.tiers import Indices

_PLACED = Note.NO_EDGE | Note.NO_TIERS | SIZE
_ASKED = _PLACED | RULE


@dataclass(frozen=True, slots=True, eq=False)
class Edge:
    """One edge of each position's tier, (n,) each; NaN where `reason` says why.

    floor     where the edge lies: settle units of notional, or units of quantity where the
              quantity chooses the tier
    price     quote per base at which this quantity stands on it; none where no price moves the
              tier: maintenance fixed at entry, or the tier chosen by quantity
    quantity  what stands on it at the trigger price (at the entry where that fixes the tier)
    required_before, required_after
              all that is required just on this side of the edge and just beyond it, settle units:
              at that price, or, where no price moves it, of that quantity at the trigger price
    state     Note flags
    """

    floor: Floats
    price: Floats
    quantity: Floats
    required_before: Floats
    required_after: Floats
    state: States

    def reason(self, *, figure: str, index: int) -> str | None:
        """Return why that figure is missing; None when it is known."""
        if not np.isnan(getattr(self, figure)[index]):
            return None
        if figure == "price" and not np.isnan(self.floor[index]):
            return explain(Note.UNMOVED)
        causes = _ASKED if figure.startswith("required") else _PLACED
        return explain(int(self.state[index]) & int(causes))


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """The edges above and below each position's tier."""

    up: Edge
    down: Edge


def find_edges(*, batch: Batch) -> Edges:
    """Return the next tier edge up and down from where each position stands.

    A notional equal to a floor stands in the tier that begins there, so that the edge down may be
    the price of the moment.

    Source: docs/formulas.md#the-next-tier-edge.
    """
    with np.errstate(all="ignore"):
        standing = stand(batch)
        measured = np.where(batch.is_entry_basis, standing.cost, standing.notional)
        key = np.where(batch.is_tier_fixed, standing.quantity, measured)
        floors = batch.tables.floor[batch.table].T
        tier: Indices = np.sum(floors[1:] <= key, axis=0, dtype=np.intp)
        last = len(floors) - 1
        above = np.minimum(tier + 1, last)
        is_top = (tier == last) | np.isinf(pick(floors, above))
        below = np.maximum(tier - 1, 0)
        missing = find_missing(batch=batch, needed=SIZE | RULE)
        missing |= mark(Note.UNSOLVED, np.isnan(standing.quantity) & (missing == 0))
        table = _Rows(batch, standing, key, missing)
        return Edges(
            up=table.edge(pick(floors, above), tier, above, is_top),
            down=table.edge(pick(floors, tier), tier, below, tier == 0),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    batch: Batch
    standing: Standing
    key: Floats
    missing: States

    def edge(self, floor: Floats, tier: Indices, beyond: Indices, is_none: Bools) -> Edge:
        batch, standing = self.batch, self.standing
        is_unmoved = batch.is_entry_basis | batch.is_tier_fixed
        floor = np.where(is_none | np.isnan(self.key) | self._is_untabled, np.nan, floor)
        unit = np.where(batch.is_entry_basis, standing.entry, standing.value)
        quantity = np.where(batch.is_tier_fixed, floor, floor / unit)
        price = flip(floor / standing.quantity, batch.is_inverse)
        return Edge(
            floor=floor,
            price=np.where(is_unmoved, np.nan, price),
            quantity=quantity,
            required_before=self._required(floor, quantity, unit, tier),
            required_after=self._required(floor, quantity, unit, beyond),
            state=self.missing | mark(Note.NO_EDGE, is_none) | mark(Note.UNMOVED, is_unmoved),
        )

    @property
    def _is_untabled(self) -> Bools:
        is_unknown: Bools = (self.missing & np.int32(Note.NO_TIERS)) != 0
        return is_unknown

    def _required(self, floor: Floats, quantity: Floats, unit: Floats, tier: Indices) -> Floats:
        """Return maintenance by the line of that tier, closing fee, and what is added."""
        batch, standing = self.batch, self.standing
        is_unmoved = batch.is_entry_basis | batch.is_tier_fixed
        maintenance = requirement(
            rate=self._pick(batch.tables.rate, tier),
            amount=self._pick(batch.tables.amount, tier),
            notional=np.where(batch.is_tier_fixed, floor * unit, floor),
        )
        traded = np.where(is_unmoved, quantity * standing.value, floor)
        cost = np.where(is_unmoved, quantity * standing.entry, standing.cost)
        return (
            maintenance
            + _times(batch.fee_rate, traded)
            + _times(batch.next_funding_rate, cost)
            + batch.fixed_requirement
        )

    def _pick(self, table: Floats, tier: Indices) -> npt.NDArray[Any]:
        return pick(table[self.batch.table].T, tier)


def _times(rate: Floats, notional: Floats) -> Floats:
    # Without a rate the notional is not asked for: it may be unknown.
    return np.where(rate == 0, 0.0, rate * notional)
