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
from venues.base import Standing
from venues.figures import Figure

NOT_TOLD = "the venue's adapter reads no ratio of the account that backs the position"
_POOLED = {MarginMode.CROSS, MarginMode.PORTFOLIO}


def is_pooled(position: Position) -> bool:
    """Tell whether an account, and not the position's own collateral, backs it."""
    return position.margin_mode in _POOLED


def store_standing(standing: Standing) -> dict[str, Any]:
    """Return a standing as the coverage entry keeps it."""
    return {
        "margin_mode": str(standing.margin_mode),
        "settle": standing.settle,
        "ratio": _number(standing.ratio),
        "source": str(standing.ratio.source),
        "reason": standing.ratio.reason,
        "equity": _number(standing.equity),
        "required": _number(standing.required),
    }


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
        if pool is None or pool["ratio"] is None:
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
        if pool is None or pool["ratio"] is None or position.rank_distance is None:
            position.rank_distance = position.liquidation_distance


def _key(position: Position, pool: Mapping[str, Any]) -> tuple[object, ...]:
    # A pool may span the parts of an account; then each part tells the same of it.
    told = (pool["equity"], pool["required"])
    part = position.coverage_id if None in told else told
    return (position.account_id, position.margin_mode, pool["settle"], part)


def _distance(rows: Sequence[Position]) -> float | None:
    pool = pool_of(rows[0]) or {}
    ratio = pool["ratio"]
    name = "notional" if pool["settle"] else "notional_usd"
    gross = _total(rows, name)
    required = pool["required"]
    if required is None and pool["settle"]:
        required = _total(rows, "maintenance_margin")
    if not gross or required is None or not ratio:
        return None
    equity = pool["equity"] if pool["equity"] is not None else required / ratio
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
