"""The smallest part of a position to sell at the trigger price so that the rest reaches a target.

Everything is a line of the share that stays, inside a tier: what is left of equity, requirement
and way shrinks with it. A line is "bad" where more is required than held. The walk starts at the
whole position and steps down over one bad stretch after the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from positions.engine.batch import Batch
from positions.engine.meeting import TOLERANCE
from positions.engine.questions.answers import (
    EVERYTHING,
    Answer,
    Note,
    answer,
    find_missing,
    mark,
    spread,
)
from positions.engine.questions.changes import Release
from positions.engine.questions.targets import Aim, Target
from positions.engine.rules import Floats
from positions.engine.solution import Bools, States, some
from positions.engine.standing import Standing, stand


def quantity_to_cut(
    *, batch: Batch, target: Target, release: Release, closing_fee_rate: float | Floats
) -> Answer:
    """Return the smallest quantity to sell at the trigger price to reach the target, (n,).

    release           what becomes of the sold part's margin, as in changes.reduce
    closing_fee_rate  charged on the notional sold, a fraction; scalar or (n,)

    Result: units of quantity. 0, marked REACHED, where nothing need be cut. AT_EDGE: at exactly
    this cut the notional stands at a tier's floor, and any more reaches the target. NaN where no
    part short of the whole is enough, and where an input is unknown.

    Source: docs/formulas.md#quantity-to-cut.
    """
    with np.errstate(all="ignore"):
        charge = spread(closing_fee_rate, len(batch))
        standing = stand(batch)
        missing = _find_missing(batch, standing, target, charge)
        sale = _sell(batch, standing, release, charge)
        pieces = _draw_pieces(batch, standing, sale, target)
        share = _walk_down(pieces)
        state = _describe(standing, sale, target, pieces, share)
        # What is unknown carries no remark of a walk that went over nothing.
        state = np.where(missing != 0, missing, state)
        return answer(amount=batch.quantity * (1 - share), state=state)


@dataclass(frozen=True, slots=True, eq=False)
class _Sale:
    """What selling does, (n,) each, settle units; what stays is kept + share * scaled.

    kept, scaled   of the equity at the trigger price
    fixed, funding required at every price: whatever the size, and in proportion to it
    solvent_share  the share above which equity at the trigger price is positive
    """

    kept: Floats
    scaled: Floats
    fixed: Floats
    funding: Floats
    solvent_share: Floats


def _sell(batch: Batch, standing: Standing, release: Release, charge: Floats) -> _Sale:
    fee = charge * standing.notional
    left = standing.equity - fee
    # A sold part whose equity does not pay its fee draws on the margin of the rest.
    is_released = (left >= 0) & (release is Release.PRO_RATA)
    funding = batch.next_funding_rate
    return _Sale(
        kept=np.where(is_released, 0.0, left),
        scaled=np.where(is_released, standing.equity, fee),
        fixed=batch.fixed_requirement,
        funding=np.where(funding == 0, 0.0, funding * standing.cost),
        solvent_share=np.where(is_released, 0.0, np.maximum(-left / fee, 0.0)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Pieces:
    """What is lacking as lines of the share that stays, (p, n) each: over (lower, upper]."""

    lower: Floats
    upper: Floats
    intercept: Floats
    slope: Floats

    def is_bad(self, share: Floats, slack: Floats | float = 0.0) -> Bools:
        """Return in which pieces that share lies and lacks more than the slack, (p, n)."""
        lack = self.intercept + self.slope * share
        bad: Bools = (self.lower < share) & (share <= self.upper) & (lack > slack)
        return bad

    def is_bad_at_ends(self, share: Floats, slack: Floats) -> Bools:
        """Return where a piece that begins at that very share lacks more than the slack, (n,)."""
        lack = self.intercept + self.slope * share
        bad: Bools = np.any((self.lower == share) & (lack > slack), axis=0)
        return bad

    def and_more(self, other: _Pieces) -> _Pieces:
        """Return both together."""
        return _Pieces(
            lower=np.concatenate([self.lower, other.lower]),
            upper=np.concatenate([self.upper, other.upper]),
            intercept=np.concatenate([self.intercept, other.intercept]),
            slope=np.concatenate([self.slope, other.slope]),
        )


def _walk_down(pieces: _Pieces) -> Floats:
    """Return the largest share, at most 1, that lies in no bad stretch, (n,); 0 where none does."""
    root = -pieces.intercept / pieces.slope
    root = np.minimum(np.maximum(root, pieces.lower), pieces.upper)
    # A line that falls with the share is bad down to its piece's lower end.
    end = np.where(pieces.slope > 0, root, pieces.lower)
    share = np.ones(pieces.lower.shape[1])
    for _ in range(len(pieces.lower) + 1):
        reached = np.where(pieces.is_bad(share), end, np.inf).min(axis=0)
        further = np.minimum(share, reached)
        if not some(further < share):
            break
        share = further
    return share


def _find_missing(batch: Batch, standing: Standing, target: Target, charge: Floats) -> States:
    missing = find_missing(batch=batch, needed=EVERYTHING) | target.notes(batch=batch)
    missing |= mark(Note.NO_FEE, np.isnan(charge))
    is_overflown = np.isnan(standing.equity + standing.required)
    return missing | mark(Note.UNSOLVED, is_overflown & (missing == 0))


def _describe(
    standing: Standing, sale: _Sale, target: Target, pieces: _Pieces, share: Floats
) -> States:
    # A ratio is one of equity that is there.
    least = sale.solvent_share if target.aim is Aim.RATIO else np.zeros_like(share)
    is_ratio = np.full(len(share), target.aim is Aim.RATIO)
    slack = TOLERANCE * np.maximum(standing.notional, standing.cost)
    is_nowhere = ~(share > least)
    is_broke = is_nowhere & is_ratio & (standing.equity <= 0)
    is_at_edge = ~is_nowhere & pieces.is_bad_at_ends(share, slack)
    return (
        mark(Note.NO_CUT, is_nowhere)
        | mark(Note.BANKRUPT, is_broke)
        | mark(Note.UNSOLVED, np.any(pieces.is_bad(share, slack), axis=0))
        | mark(Note.AT_EDGE, is_at_edge)
        | mark(Note.REACHED, (share == 1) & ~is_at_edge)
    )


def _draw_pieces(batch: Batch, standing: Standing, sale: _Sale, target: Target) -> _Pieces:
    if target.aim is Aim.RATIO:
        return _lack_of_ratio(batch, standing, sale, target.levels(batch=batch))
    return _lack_on_the_way(batch, standing, sale, target.stop_value(batch=batch))


def _lack_of_ratio(batch: Batch, standing: Standing, sale: _Sale, ratio: Floats) -> _Pieces:
    """Return required - ratio * equity at the trigger price."""
    base = sale.fixed - ratio * sale.kept
    slope = sale.funding - ratio * sale.scaled + batch.fee_rate * standing.notional
    return _pieces_at(batch, standing, standing.notional, base, slope)


def _lack_on_the_way(batch: Batch, standing: Standing, sale: _Sale, stop: Floats) -> _Pieces:
    """Return required - equity at both ends of the way, and at the tiers' edges on it."""
    direction, here = standing.direction, standing.notional
    there = standing.quantity * stop
    base = sale.fixed - sale.kept
    slope = sale.funding - sale.scaled + direction * here
    pull = batch.fee_rate - direction
    ends = (
        _pieces_at(batch, standing, notional, base, slope + pull * notional)
        for notional in (here, there)
    )
    both = next(ends).and_more(next(ends))
    if not some(batch.is_walked):
        return both
    return both.and_more(_pieces_at_edges(batch, (here, there), base, slope, pull))


def _pieces_at(
    batch: Batch, standing: Standing, notional: Floats, base: Floats, slope: Floats
) -> _Pieces:
    """Return base + share * slope + maintenance at one price, a piece for each tier."""
    tables = batch.tables
    measured = np.where(batch.is_entry_basis, standing.cost, notional)
    key = np.where(batch.is_tier_fixed, batch.quantity, measured)
    lower = tables.floor[batch.table].T / key
    return _Pieces(
        lower=lower,
        upper=np.concatenate([lower[1:], np.full((1, len(batch)), np.inf)]),
        intercept=base - tables.amount[batch.table].T,
        slope=slope + tables.rate[batch.table].T * measured,
    )


def _pieces_at_edges(
    batch: Batch, ends: tuple[Floats, Floats], base: Floats, slope: Floats, pull: Floats
) -> _Pieces:
    """Return what is lacking at each edge, over the shares whose way crosses it.

    Only where the requirement jumps or outruns the notional: elsewhere the ends lack most.
    """
    tables = batch.tables
    floor, rate, amount = (
        each[batch.table].T for each in (tables.floor, tables.rate, tables.amount)
    )
    edge = floor[1:]
    asked = np.maximum(rate[1:] * edge - amount[1:], rate[:-1] * edge - amount[:-1])
    is_edge = np.isfinite(edge) & batch.is_walked
    return _Pieces(
        lower=np.where(is_edge, edge / np.maximum(*ends), np.inf),
        upper=np.where(is_edge, edge / np.minimum(*ends), np.inf),
        intercept=base + asked + pull * edge,
        slope=np.broadcast_to(slope, edge.shape),
    )
