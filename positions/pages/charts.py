"""The price of a position against the prices that end it, as static/js/charts.js draws it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from positions.engine.types import PositionState
from positions.models import Position, Reading
from riskhub import formatting

RANGES: Mapping[str, timedelta] = {
    "1 h": timedelta(hours=1),
    "24 h": timedelta(hours=24),
    "7 d": timedelta(days=7),
}
DEFAULT_RANGE = "24 h"
# A hole in the readings is a hole in the line: so many times the usual distance, at least this.
_HOLE, _LEAST_HOLE_S = 6.0, 120.0
# Rows of the table beside the chart; static/js/chart-price.js refills it when it is opened.
_TABLE_ROWS = 24
_LINES = {
    "mark": "mark_price",
    "liquidation": "liquidation_price",
    "bankruptcy": "bankruptcy_price",
}


def price_chart(
    position: Position, *, readings: Sequence[Reading], range_name: str
) -> dict[str, Any]:
    """Return the chart's data, the rows of its table and its note."""
    points = [*_with_holes(readings), *_present(position, readings)]
    chart = {
        "symbol": position.market.symbol,
        "simulated": position.account.is_simulated,
        "entry": position.entry_price,
        "at": [formatting.iso(at) for at, _ in points],
        **{
            line: [None if reading is None else getattr(reading, name) for _, reading in points]
            for line, name in _LINES.items()
        },
    }
    return {
        "chart": chart,
        "chart_rows": [_table_row(reading) for reading in _thin(readings)],
        "chart_note": f"last {range_name}, mark price at each reading" if readings else "",
    }


def _present(
    position: Position, readings: Sequence[Reading]
) -> list[tuple[datetime, Position | None]]:
    """The price that the rest of the page shows, which is newer than the last reading kept."""
    at, state = position.price_received_at, PositionState(position.state)
    if at is None or state.is_ended or state is PositionState.GONE:
        return []
    last = readings[-1].received_at if readings else at
    if readings and at <= last:
        return []
    is_hole = (at - last).total_seconds() > _hole_s(readings)
    hole = [(last + timedelta(seconds=1), None)] if is_hole else []
    return [*hole, (at, position)]


def _with_holes(readings: Sequence[Reading]) -> list[tuple[datetime, Reading | None]]:
    """Put a gap where nothing was read for long, and between two lives."""
    limit_s = _hole_s(readings)
    points: list[tuple[datetime, Reading | None]] = []
    before: Reading | None = None
    for reading in readings:
        if before is not None and _is_hole(before, reading, limit_s):
            points.append((before.received_at + timedelta(seconds=1), None))
        points.append((reading.received_at, reading))
        before = reading
    return points


def _hole_s(readings: Sequence[Reading]) -> float:
    times = [reading.received_at.timestamp() for reading in readings]
    steps = [after - before for before, after in pairwise(times)]
    return max(_LEAST_HOLE_S, _HOLE * median(steps)) if steps else _LEAST_HOLE_S


def _is_hole(before: Reading, after: Reading, limit_s: float) -> bool:
    passed_s = (after.received_at - before.received_at).total_seconds()
    return passed_s > limit_s or before.life_id != after.life_id


def _thin(readings: Sequence[Reading]) -> Sequence[Reading]:
    newest = list(readings)[::-1]
    return newest[:: max(1, -(-len(newest) // _TABLE_ROWS))]


def _table_row(reading: Reading) -> dict[str, str]:
    prices = {line: formatting.price(getattr(reading, name)) for line, name in _LINES.items()}
    at = formatting.timestamp(reading.received_at).removesuffix(" UTC")
    return {"at": at, **prices}
