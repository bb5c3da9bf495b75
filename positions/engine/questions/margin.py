"""How much margin reaches a target, or could go without missing it."""

from __future__ import annotations

import numpy as np

from positions.engine.batch import Batch
from positions.engine.lines import Lines, draw_lines, shortfall
from positions.engine.meeting import TOLERANCE
from positions.engine.questions.answers import (
    EVERYTHING,
    Answer,
    Note,
    answer,
    find_missing,
    mark,
)
from positions.engine.questions.targets import Aim, Target
from positions.engine.rules import Floats
from positions.engine.solution import States
from positions.engine.standing import stand


def margin_to_add(*, batch: Batch, target: Target) -> Answer:
    """Return the least margin with which each position reaches the target, settle units, (n,).

    Negative where the position holds more than the target needs: so much could be withdrawn. A
    venue may keep more than that back, such as its initial margin.

    With exactly this margin equity meets the requirement at the target price, or, AT_EDGE, at a
    tier's edge before it where the requirement jumps. A rule that liquidates when the requirement
    is just met lives through a move with any more.

    NaN where an input is unknown, where the target is no price (a long's distance of 1 or more),
    or where nothing is required, so that margin does not move the ratio.

    Source: docs/formulas.md#margin-to-add.
    """
    with np.errstate(all="ignore"):
        missing = find_missing(batch=batch, needed=EVERYTHING) | target.notes(batch=batch)
        if target.aim is Aim.RATIO:
            return _for_ratio(batch, target, missing)
        standing = stand(batch)
        lines = draw_lines(batch=batch, standing=standing)
        stop = target.stop_value(batch=batch)
        at_stop = -lines.buffer_at(stop, lines.tier_at(stop))
        lack = _lack(lines, stop, at_stop, target.aim)
        scale = np.maximum(standing.notional, standing.cost)
        is_before = lack - at_stop > TOLERANCE * scale
        return answer(amount=lack, state=missing | mark(Note.AT_EDGE, is_before))


def _lack(lines: Lines, stop: Floats, at_stop: Floats, aim: Aim) -> Floats:
    before = shortfall(lines=lines, stop=stop)
    # An edge exactly at the end asks for its jump only of those who must live there too.
    return np.maximum(before, at_stop) if aim is Aim.MOVE else before


def _for_ratio(batch: Batch, target: Target, missing: States) -> Answer:
    standing = stand(batch)
    amount = standing.required / target.levels(batch=batch) - standing.equity
    is_idle = standing.required <= 0
    return answer(amount=amount, state=missing | mark(Note.NOTHING_REQUIRED, is_idle))
