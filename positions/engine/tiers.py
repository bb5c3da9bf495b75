"""Maintenance tables: deductions, a least requirement, and the tables of n positions as columns."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from positions.engine.rules import Floats
from positions.engine.types import Tier

Indices = npt.NDArray[np.intp]
Table = tuple[Tier, ...]
Levels = tuple[Floats, ...]
Key = TypeVar("Key", bound=Hashable)

# A jump that is a smaller share of the requirement is the rounding of binary numbers.
_ROUNDING = 1e-13


def with_amounts(*, tiers: Sequence[Tier]) -> Table:
    """Return the table with its deductions computed from floors and rates.

    For venues that say "each slice bears its own rate" and print no amounts.
    Source: docs/formulas.md#tiers, D_n = D_(n-1) + floor_n (r_n - r_(n-1)).
    """
    result: list[Tier] = []
    for tier in tiers:
        amount = 0.0
        if result:
            amount = result[-1].amount + tier.floor * (tier.rate - result[-1].rate)
        result.append(Tier(floor=tier.floor, rate=tier.rate, amount=amount))
    return tuple(result)


def with_minimum(*, tiers: Sequence[Tier], minimum: float) -> Table:
    """Return the table of max(minimum, what the table asks for).

    The least requirement is a tier of its own, without a rate. Source: docs/formulas.md#a-minimum.
    """
    if minimum <= 0:
        return tuple(tiers)
    ends = [*(tier.floor for tier in tiers[1:]), math.inf]
    for index, (tier, end) in enumerate(zip(tiers, ends, strict=True)):
        reached = (minimum + tier.amount) / tier.rate if tier.rate > 0 else math.inf
        start = max(reached, tier.floor)
        if start < end:
            met = Tier(floor=start, rate=tier.rate, amount=tier.amount)
            least = Tier(floor=0.0, rate=0.0, amount=-minimum)
            return (met, *tiers[index + 1 :]) if start == 0 else (least, met, *tiers[index + 1 :])
    return (Tier(floor=0.0, rate=0.0, amount=-minimum),)


@dataclass(frozen=True, slots=True, eq=False)
class TierTables:
    """m different tables as (2 m, k), k a power of two; positions name their table by its row.

    Rows m to 2 m repeat the first m, for positions whose equity shrinks with the value of a unit.

    floor   where the tier begins; 0 in the first column, inf in padding
    rate    maintenance rate, a fraction; NaN in the first column of an unknown table
    amount  deduction
    floor_levels, edge_levels
            floors and edges as `find` takes them; an edge is what -direction times the rest of the
            equity is compared with, for equity that grows with the value in the first m rows and
            for equity that shrinks in the others
    top_rate
            (m,) the highest rate; inf where the requirement jumps at an edge
    """

    floor: Floats
    rate: Floats
    amount: Floats
    floor_levels: Levels
    edge_levels: Levels
    top_rate: Floats

    @property
    def depth(self) -> int:
        """Return the number of columns, k."""
        depth: int = self.floor.shape[1]
        return depth

    def __len__(self) -> int:
        return len(self.top_rate)


def stack_tables(*, tables: Sequence[Table]) -> TierTables:
    """Return the tables as columns, in order.

    Raises ValueError when floors do not ascend. An empty table gets a NaN rate.
    """
    longest = max((len(table) for table in tables), default=1) or 1
    depth = 1 << (longest - 1).bit_length()
    rows = [_padded_rows(table, depth) for table in tables]
    padded = np.array(rows, dtype=np.float64).reshape(len(tables), 3, depth)
    floor, rate, amount = (np.concatenate([padded[:, place]] * 2) for place in range(3))
    direction = np.repeat([1.0, -1.0], len(tables))[:, None]
    with np.errstate(invalid="ignore"):
        edges = floor - direction * (floor * rate - amount)
    return TierTables(
        floor=floor,
        rate=rate,
        amount=amount,
        floor_levels=spread_levels(edges=floor),
        edge_levels=spread_levels(edges=edges),
        top_rate=np.array([_top_rate(table) for table in tables], dtype=np.float64),
    )


def share(*, keys: Sequence[Key]) -> tuple[Indices, list[Key]]:
    """Return for each key the place of its first like, and the different keys in that order."""
    place: dict[Key, int] = {}
    rows = np.fromiter((place.setdefault(key, len(place)) for key in keys), np.intp, len(keys))
    return rows, list(place)


def find(
    *, levels: Levels, row: Indices, key: Floats, tilt: tuple[Floats, Levels] | None = None
) -> Indices:
    """Return flat indices into (m, k) tables: of each row's last edge that is not beyond the key.

    levels  the edges, as spread_levels has them; the first edge counts as not beyond anything
    row     (n,) which table
    key     (n,); NaN finds the first
    tilt    (n,) factors and the levels of another table: their product is added to the edges

    A binary search of all positions at once.
    """
    found = row
    for depth, level in enumerate(levels):
        edge = level.take(found)
        if tilt is not None:
            edge += tilt[0] * tilt[1][depth].take(found)
        # Doubled, a place in one level is the place of its lower half in the next.
        found = found + found
        found += edge <= key
    return found


def spread_levels(*, edges: Floats) -> Levels:
    """Return (m, k) edges, ascending along each row, in the order in which a search asks.

    One flat array a step: the middles of the rows, then the middles of both halves, and so on.
    """
    depth = edges.shape[1]
    steps = [depth >> level for level in range(depth.bit_length() - 1)]
    return tuple(edges[:, step // 2 :: step].flatten() for step in steps)


def _top_rate(table: Table) -> float:
    jumps = (
        abs(_asked(lower, upper.floor) - _asked(upper, upper.floor))
        > _ROUNDING * abs(_asked(upper, upper.floor))
        for lower, upper in pairwise(table)
    )
    return math.inf if any(jumps) else max((tier.rate for tier in table), default=math.nan)


def _asked(tier: Tier, notional: float) -> float:
    return tier.rate * notional - tier.amount


def _padded_rows(table: Table, depth: int) -> list[list[float]]:
    known = table or (Tier(floor=0.0, rate=math.nan),)
    floors = [tier.floor for tier in known]
    if any(upper <= lower for lower, upper in pairwise(floors)):
        raise ValueError(f"tier floors must ascend: {floors}")
    missing = depth - len(known)
    # Below the first printed floor a venue still applies its first tier.
    return [
        [0.0, *floors[1:], *[math.inf] * missing],
        [*[tier.rate for tier in known], *[0.0] * missing],
        [*[tier.amount for tier in known], *[0.0] * missing],
    ]
