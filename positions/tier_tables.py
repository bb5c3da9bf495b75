"""Maintenance tables in versions: which are sound, which differ, and how one is stored."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from django.db.models import Max

from positions.engine.types import Tier
from venues.models import Market, TierTable
from venues.models import Tier as TierRow

_MOST_STEPS = 500


@dataclass(frozen=True, slots=True)
class Table:
    """A sound table: steps, ascending, and the highest leverage of each (None: not told)."""

    tiers: tuple[Tier, ...]
    max_leverages: tuple[float | None, ...]

    @property
    def rows(self) -> list[list[float | None]]:
        """Return [floor, rate, amount, max leverage] of each step, as changes show them."""
        return [
            [tier.floor, tier.rate, tier.amount, leverage]
            for tier, leverage in zip(self.tiers, self.max_leverages, strict=True)
        ]

    @property
    def digest(self) -> str:
        """Return what two equal tables have in common."""
        return hashlib.sha1(json.dumps(self.rows).encode(), usedforsecurity=False).hexdigest()


def check_table(
    *, tiers: Sequence[Tier], max_leverages: Sequence[float | None] = ()
) -> tuple[Table | None, str]:
    """Return the table and "", or None and a sentence that says why it is none."""
    problem = _shape_problem(tiers, max_leverages) or _step_problem(tiers)
    if problem:
        return None, problem
    leverages = tuple(max_leverages) or (None,) * len(tiers)
    return Table(tuple(_exact(tier) for tier in tiers), leverages), ""


def _exact(tier: Tier) -> Tier:
    # One spelling of each number, so that 0 and -0.0, 1 and 1.0 have the same digest.
    return Tier(float(tier.floor) + 0.0, float(tier.rate) + 0.0, float(tier.amount) + 0.0)


def _shape_problem(tiers: Sequence[Tier], max_leverages: Sequence[float | None]) -> str:
    if not tiers:
        return "The table is empty."
    if len(tiers) > _MOST_STEPS:
        return f"The table has more than {_MOST_STEPS} steps."
    if max_leverages and len(max_leverages) != len(tiers):
        return "The table has not one highest leverage a step."
    told = [leverage for leverage in max_leverages if leverage is not None]
    is_sound = all(_is_number(leverage) and leverage > 0 for leverage in told)
    return "" if is_sound else "A highest leverage is not a number above 0."


def _step_problem(tiers: Sequence[Tier]) -> str:
    if not all(_is_number(each) for tier in tiers for each in (tier.floor, tier.rate, tier.amount)):
        return "A step holds something that is not a finite number."
    if tiers[0].floor != 0:
        return "The first step does not begin at 0."
    if any(low.floor >= high.floor for low, high in pairwise(tiers)):
        return "The steps do not ascend."
    if any(not 0 < tier.rate < 1 for tier in tiers):
        return "A maintenance rate is not between 0 and 1."
    return ""


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


def tables_in_force(*, markets: Iterable[Market]) -> dict[int, tuple[TierTable, Table]]:
    """Return market id -> the version in force and its steps, in two queries."""
    ids = [market.tier_table_id for market in markets if market.tier_table_id]
    versions = TierTable.objects.filter(pk__in=ids).prefetch_related("tiers")
    return {row.market_id: (row, read_table(row)) for row in versions}


def read_table(version: TierTable) -> Table:
    """Return the steps of a stored version; needs `tiers`."""
    rows = sorted(version.tiers.all(), key=lambda row: row.floor)
    return Table(
        tuple(Tier(row.floor, row.rate, row.amount) for row in rows),
        tuple(row.max_leverage for row in rows),
    )


def store_version(
    *, market: Market, table: Table, source: str, effective_at: datetime, now: datetime
) -> TierTable:
    """Store a table as the market's next version and put it in force on the row given.

    The market's row is not saved. The caller holds the feed of rules of the market's venue, so
    that versions are counted one at a time.
    """
    last = TierTable.objects.filter(market=market).aggregate(last=Max("version"))["last"]
    version = TierTable.objects.create(
        market=market,
        version=(last or 0) + 1,
        digest=table.digest,
        source=source,
        effective_at=effective_at,
        received_at=now,
    )
    TierRow.objects.bulk_create(
        [
            TierRow(
                table=version,
                floor=tier.floor,
                rate=tier.rate,
                amount=tier.amount,
                max_leverage=leverage,
            )
            for tier, leverage in zip(table.tiers, table.max_leverages, strict=True)
        ]
    )
    market.tier_table = version
    return version
