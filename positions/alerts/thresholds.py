"""Measures to breaches, vectorised, with hysteresis. Unknown neither breaches nor resolves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from positions.alerts.rules import Level
from positions.models import Position
from positions.risk import registry as measures
from positions.risk.base import Floats

Ints = NDArray[np.int64]


def next_ranks(
    *, values: Floats, ranks: Ints, ladder: Sequence[Level], is_worse_high: bool
) -> Ints:
    """Return the level each subject is on now, counted from 1; 0 is none.

    values  the measure, shape (n,); NaN where it is not known: the rank stays as it was
    ranks   the level each subject was on, shape (n,)

    A level is reached beyond `level` and left at or past `rearm`.
    """
    sign = 1.0 if is_worse_high else -1.0
    danger = sign * values
    reached = np.zeros_like(ranks)
    for number, step in enumerate(ladder, start=1):
        limit, rearm = sign * float(step.level or 0), sign * float(step.rearm or 0)
        is_on = (danger > limit) | ((ranks >= number) & (danger > rearm))
        reached[is_on] = number
    return np.where(np.isnan(values), np.minimum(ranks, len(ladder)), reached)


def measure_positions(
    *, names: Iterable[str], positions: Sequence[Position], now: datetime
) -> dict[str, Floats]:
    """Return each named measure for the positions, shape (n,) each, NaN where it is unknown."""
    wanted = {name: measures.get(name) for name in names}
    columns = {
        column: _column(column, positions, now)
        for column in {each for measure in wanted.values() for each in measure.columns}
    }
    return {name: measure.compute(columns) for name, measure in wanted.items()}


def _column(name: str, positions: Sequence[Position], now: datetime) -> Floats:
    if name == "now":
        return np.full(len(positions), now.timestamp())
    values = (_number(getattr(position, name)) for position in positions)
    return np.fromiter(values, np.float64, len(positions))


def _number(value: Any) -> float:
    if value is None:
        return float("nan")
    return value.timestamp() if isinstance(value, datetime) else float(value)
