"""What backs cross and portfolio positions: the venue's word on their pool, and how near it ends.

The isolated formula never runs on such a row. Its margin ratio is that of the pool, and it is
ranked by the smallest move that ends the pool if every position in it moves against its owner at
once, at constant requirement: (equity - required) / gross notional. Legs that hedge one another
make the true move larger, so that a cross row is never ranked too late for being hedged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from positions.engine.types import MarginMode, Source
from positions.models import Position
from positions.risk.assess import BANKRUPT
from venues.base import Standing
from venues.figures import Figure

NOT_TOLD = "the venue's adapter reads no ratio of the account that backs the position"
# Something is required while a position is open: a zero is an account that was not told.
NO_REQUIREMENT = "the venue says that nothing is required while positions are open"
# The rank of a pool that has lost everything, where its distance cannot be worked out.
_LOST = -1.0
_POOLED = {MarginMode.CROSS, MarginMode.PORTFOLIO}


def is_pooled(position: Position) -> bool:
    """Tell whether an account, and not the position's own collateral, backs it."""
    return position.margin_mode in _POOLED


def store_standing(standing: Standing) -> dict[str, Any]:
    """Return a standing as the coverage entry keeps it; a ratio of 0 or less is none.

    Whatever ratio a venue prints of it, a pool whose equity is 0 or less is bankrupt.
    """
    ratio = _judged(standing)
    return {
        "margin_mode": str(standing.margin_mode),
        "settle": standing.settle,
        "ratio": _number(ratio),
        "source": str(ratio.source),
        "reason": ratio.reason,
        "equity": _number(standing.equity),
        "required": _number(standing.required),
        "is_shared": standing.is_shared,
    }


def _judged(standing: Standing) -> Figure:
    if standing.equity.value is not None and standing.equity.value <= 0:
        return Figure.unknown(BANKRUPT)
    if standing.ratio.value is not None and standing.ratio.value <= 0:
        return Figure.unknown(NO_REQUIREMENT)
    return standing.ratio


def pool_of(position: Position) -> Mapping[str, Any] | None:
    """Return what the venue said of the pool behind a position; None where it said nothing."""
    if not is_pooled(position):
        return None
    fitting = [
        standing
        for standing in position.coverage.standings
        if standing["margin_mode"] == position.margin_mode
        and standing["settle"] in {"", position.market.settle}
    ]
    # The coin's own pool before one that spans all coins.
    return max(fitting, key=lambda standing: bool(standing["settle"]), default=None)


def rank(positions: Iterable[Position]) -> None:
    """Write what each position is ranked by; `positions` hold all of each account concerned.

    Fraction of the price, as liquidation_distance; None where nothing is known.
    """
    pools: dict[tuple[object, ...], list[Position]] = {}
    for position in positions:
        pool = pool_of(position)
        if pool is None or not _is_told(pool):
            position.rank_distance = position.liquidation_distance
        elif not position.is_ended:
            pools.setdefault(_key(position, pool), []).append(position)
    for rows in pools.values():
        distance = _distance(rows)
        for position in rows:
            position.rank_distance = position.liquidation_distance if distance is None else distance


def rank_moved(positions: Iterable[Position]) -> None:
    """Rank again what a price moved; a pool's distance stays as of the last poll."""
    for position in positions:
        pool = pool_of(position)
        if pool is None or not _is_told(pool) or position.rank_distance is None:
            position.rank_distance = position.liquidation_distance


def _is_told(pool: Mapping[str, Any]) -> bool:
    return pool["ratio"] is not None or pool["reason"] == BANKRUPT


def _key(position: Position, pool: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what positions of one and the same pool have in common.

    The parts of an account are asked one after the other, so that their figures of a pool that
    spans them differ a little; a pool without a settle coin always spans them.
    """
    is_shared = pool.get("is_shared") or not pool["settle"]
    part = None if is_shared else position.coverage_id
    return (position.account_id, position.margin_mode, pool["settle"], part)


def _distance(rows: Sequence[Position]) -> float | None:
    """Return the smallest distance that one of the parts of a pool tells of all of it."""
    parts = {row.coverage_id: pool_of(row) or {} for row in rows}
    told = [_distance_of(pool, rows) for pool in parts.values()]
    return min((each for each in told if each is not None), default=None)


def _distance_of(pool: Mapping[str, Any], rows: Sequence[Position]) -> float | None:
    gross = _total(rows, "notional" if pool["settle"] else "notional_usd")
    required, equity = pool["required"], pool["equity"]
    if required is None and pool["settle"]:
        required = _total(rows, "maintenance_margin")
    if equity is None and required is not None and pool["ratio"]:
        equity = required / pool["ratio"]
    if not gross or required is None or equity is None:
        return _LOST if pool["reason"] == BANKRUPT else None
    distance = (equity - required) / gross
    return distance if math.isfinite(distance) else None


def _total(rows: Sequence[Position], name: str) -> float | None:
    values = [getattr(row, name) for row in rows]
    return None if None in values else float(sum(abs(value) for value in values))


def _number(figure: Figure) -> float | None:
    number = figure.number
    return number if number is not None and math.isfinite(number) else None


def ratio_cell(position: Position) -> tuple[float | None, Source, str]:
    """Return the pool's ratio of a pooled position: value, whose word, and why it is unknown."""
    pool = pool_of(position)
    if pool is None:
        return None, Source.UNKNOWN, NOT_TOLD
    if pool["ratio"] is None:
        return None, Source.UNKNOWN, pool["reason"] or NOT_TOLD
    return pool["ratio"], Source(pool["source"]), ""
