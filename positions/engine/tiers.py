"""Maintenance tables: deductions, the tier of a notional, and tables padded to columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from positions.engine.rules import Floats
from positions.engine.types import Tier

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class TierColumns:
    """Tier tables of n positions, padded to the longest of k tiers; every array is (n, k).

    floor   where the tier begins; 0 in the first column, inf in padding
    rate    maintenance rate, a fraction; NaN in the first column of an empty table
    amount  deduction
    """

    floor: Floats
    rate: Floats
    amount: Floats


def with_amounts(*, tiers: Sequence[Tier]) -> tuple[Tier, ...]:
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


def pad_tables(*, tables: Sequence[tuple[Tier, ...]]) -> TierColumns:
    """Return the tables as (n, k) columns, one row a position.

    Positions of one market share one tuple, so each tuple is converted once.
    Raises ValueError when floors do not ascend. An empty table gets a NaN rate.
    """
    distinct = {id(table): table for table in tables}
    place = {key: index for index, key in enumerate(distinct)}
    rows = np.fromiter((place[id(table)] for table in tables), dtype=np.intp, count=len(tables))
    depth = max((len(table) for table in distinct.values()), default=1) or 1
    padded = np.array(
        [_padded_rows(table, depth) for table in distinct.values()], dtype=np.float64
    ).reshape(len(distinct), 3, depth)
    # Positions last in memory: the solver works column by column, whatever the depth.
    floor, rate, amount = (np.take(padded[:, field].T, rows, axis=1).T for field in range(3))
    return TierColumns(floor=floor, rate=rate, amount=amount)


def find_tier(*, edges: Floats, at: Floats) -> Indices:
    """Return the index of the tier that holds `at`, a floor belonging to the tier it opens.

    edges  shape (k, n), ascending along the first axis, the first row being the lowest tier
    at     shape (n,); below the first edge the first tier holds
    """
    tier: Indices = np.sum(edges[1:] <= at, axis=0, dtype=np.intp)
    return tier


def _padded_rows(table: tuple[Tier, ...], depth: int) -> list[list[float]]:
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
