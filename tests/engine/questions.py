"""What an inverse question is judged by: the oracle's condition on fractions, point by point."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from positions.engine.questions.changes import Release
from positions.engine.questions.targets import Aim
from positions.engine.types import Terms
from tests.engine.build import FLAT_JUMP, LONG, SHORT, SWITCHES, make_positions, make_terms
from tests.engine.oracle import HAIR, Oracle

F = Fraction
# Kinds that no family of the random positions has, and the rule they are drawn as.
KINDS = {"linear-mark-strict": "lending", "linear-entry": "bitmex-quanto"}
LEVELS = {
    Aim.DISTANCE: (0.0, 0.01, 0.05, 0.2, 0.6),
    Aim.MOVE: (0.0, 0.01, 0.05, 0.2, 0.6),
    Aim.RATIO: (0.05, 0.2, 0.5, 0.9, 1.0),
}

# A notional of 1,000, where the table jumps, lies in the middle of them.
ANY_TERMS = st.builds(
    make_terms,
    rule=st.sampled_from([*SWITCHES, *KINDS.values()]),
    side=st.sampled_from([LONG, SHORT]),
    quantity=st.floats(0.1, 100.0),
    collateral=st.floats(0.0, 2000.0),
    trigger_price=st.floats(50.0, 200.0),
    tiers=st.just(FLAT_JUMP),
    fee_rate=st.sampled_from([0.0, 0.001]),
)


def make_marked(count: int, seed: int) -> list[Terms]:
    """Return random positions with a trigger price, a fifth of them marked next to a tier edge."""
    rng = np.random.default_rng(seed)
    drawn = [each for each in make_positions(count, seed=seed) if each.trigger_price is not None]
    return [_near_edge(_of_any_kind(each, rng), rng) for each in drawn]


def _of_any_kind(terms: Terms, rng) -> Terms:
    other = KINDS.get(terms.rule)
    return replace(terms, rule=other) if other and rng.random() < 0.5 else terms


def _near_edge(terms: Terms, rng) -> Terms:
    oracle = Oracle(terms)
    edges = [float(edge) for edge in edge_prices(oracle)]
    near = [edge for edge in edges if 0.4 < edge / terms.entry_price < 2.5]
    if not near or rng.random() > 0.3:
        return terms
    price = float(rng.choice(near)) * (1 + rng.uniform(-1e-6, 1e-6))
    return replace(terms, trigger_price=price)


def edge_prices(oracle: Oracle) -> list[Fraction]:
    """Return the prices at which the notional meets a floor."""
    floors = [floor for floor, _, _ in oracle.tiers if floor]
    return [
        oracle.quantity / floor if oracle.is_inverse else floor / oracle.quantity
        for floor in floors
    ]


def lack_of(terms: Terms, aim: Aim, level: float) -> Fraction:
    """Return exactly what is lacking for the target: on the way, or for the ratio."""
    oracle = Oracle(terms)
    if aim is Aim.RATIO:
        return oracle.required(oracle.start) - F(level) * oracle.equity(oracle.start)
    return max(oracle.required(price) - oracle.equity(price) for price in _way(oracle, aim, level))


def margin_for(terms: Terms, aim: Aim, level: float) -> Fraction:
    """Return exactly the margin to add."""
    if aim is not Aim.RATIO:
        return lack_of(terms, aim, level)
    oracle = Oracle(terms)
    return oracle.required(oracle.start) / F(level) - oracle.equity(oracle.start)


def is_price(terms: Terms, aim: Aim, level: float) -> bool:
    """Tell whether the target is a price, or a ratio."""
    return aim is Aim.RATIO or terms.side.sign * level < 1


def scale_of(terms: Terms, aim: Aim, level: float) -> float:
    """Return the size of the numbers that the answer is a difference of, settle units."""
    oracle = Oracle(terms)
    size = oracle.notional(oracle.start) + oracle.notional(oracle.entry) + abs(oracle.collateral)
    if aim is Aim.RATIO:
        return float(size / F(level))
    return float(size + oracle.notional(_way(oracle, aim, level)[-1]))


def after_cut(terms: Terms, cut: Fraction, release: Release, charge: float) -> Terms:
    """Return the position after selling, in words: profit, fee, and the part's margin."""
    oracle = Oracle(terms)
    sold = replace(terms, quantity=cut, collateral=F(0))
    made = Oracle(sold).equity(oracle.start) - F(charge) * Oracle(sold).notional(oracle.start)
    margin = oracle.collateral + made
    if release is Release.PRO_RATA:
        leaving = max(oracle.collateral * cut / oracle.quantity + made, F(0))
        margin -= leaving
    return replace(terms, quantity=oracle.quantity - cut, collateral=margin)


def _way(oracle: Oracle, aim: Aim, level: float) -> list[Fraction]:
    start = oracle.start
    stop = start * (1 - oracle.sign * F(level))
    cap = oracle.rule.price_cap
    if cap is not None and oracle.sign < 0:
        stop = min(stop, max(start, F(cap)))
    low, high = min(start, stop), max(start, stop)
    inside = [edge for edge in edge_prices(oracle) if low < edge < high]
    around = [edge * (1 + side * HAIR) for edge in inside for side in (-1, 0, 1)]
    near_end = stop + (start - stop) * HAIR
    last = [stop] if aim is Aim.MOVE or stop == start else [near_end]
    return [start, start + (stop - start) * HAIR, *around, near_end, *last]
