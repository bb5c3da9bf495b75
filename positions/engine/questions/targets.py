"""What a position is to reach: a distance, a margin ratio, or to live through a move."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from positions.engine.batch import Batch
from positions.engine.questions.answers import Note, mark, spread
from positions.engine.rules import Floats
from positions.engine.solution import States
from positions.engine.standing import flip


class Aim(StrEnum):
    """The figure that a target is about."""

    DISTANCE = "liquidation distance"
    RATIO = "margin ratio at the trigger price"
    MOVE = "a move against the position"


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """What is to be reached.

    level  a fraction, scalar or shape (n,), NaN where not known.
           DISTANCE: not liquidated before the price that lies so far on the losing side
           RATIO:    required / equity at the trigger price is at most this
           MOVE:     not liquidated anywhere on the way of such a move, nor at its end

    Raises ValueError on a negative distance or move, and on a ratio that is not positive.
    """

    aim: Aim
    level: float | Floats

    def __post_init__(self) -> None:
        level = np.asarray(self.level, dtype=np.float64)
        if self.aim is Aim.RATIO and np.any(level <= 0):
            raise ValueError("a target margin ratio must be positive")
        if np.any(level < 0):
            raise ValueError(f"a target must not be negative: {self.aim.value}")

    def levels(self, *, batch: Batch) -> Floats:
        """Return the level of each position, (n,)."""
        return spread(self.level, len(batch))

    def stop_value(self, *, batch: Batch) -> Floats:
        """Return the value of a unit up to which a position must live, (n,); NaN: no price.

        Nothing liquidates beyond the venue's cap, so the way ends there.
        """
        trigger = batch.trigger_price
        price = trigger * (1.0 - batch.sign * self.levels(batch=batch))
        price = np.where(
            batch.sign < 0, np.minimum(price, np.maximum(batch.price_cap, trigger)), price
        )
        is_price = (price > 0) & (price < np.inf)
        return flip(np.where(is_price, price, np.nan), batch.is_inverse)

    def notes(self, *, batch: Batch) -> States:
        """Return which targets are not known, or no price, (n,)."""
        levels = self.levels(batch=batch)
        state = mark(Note.NO_TARGET, np.isnan(levels))
        if self.aim is Aim.RATIO:
            return state
        is_beyond = np.isnan(self.stop_value(batch=batch)) & ~np.isnan(batch.trigger_price)
        return state | mark(Note.NO_PRICE, is_beyond)
