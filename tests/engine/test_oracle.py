"""The solver against the exact oracle, over random positions of every rule."""

import numpy as np

from positions.engine.batch import build_batch
from positions.engine.solution import State
from positions.engine.solver import solve
from tests.engine.build import make_positions
from tests.engine.oracle import Oracle

POSITIONS = make_positions(3500, seed=20261122)
ORACLES = [Oracle(terms) for terms in POSITIONS]
MARKED = [index for index, terms in enumerate(POSITIONS) if terms.trigger_price is not None]
SOLUTION = solve(build_batch(terms=POSITIONS))


def test_every_price_is_the_oracles():
    found = SOLUTION.liquidation_price.tolist()

    judged = [o.liquidation_price(guess=price) for o, price in zip(ORACLES, found, strict=True)]

    differing = [
        (terms, exact and float(exact), price)
        for terms, exact, price in zip(POSITIONS, judged, found, strict=True)
        if not _is_alike(exact, price, terms.entry_price)
    ]
    assert differing == []
    assert sum(price is None for price in judged) > 60


def test_breached_and_bankrupt_are_the_oracles():
    dead = {index: ORACLES[index].is_dead(ORACLES[index].start) for index in MARKED}
    broke = {index: ORACLES[index].equity(ORACLES[index].start) <= 0 for index in MARKED}

    breached, bankrupt = SOLUTION.has(State.BREACHED), SOLUTION.has(State.BANKRUPT)

    assert {index: bool(breached[index]) for index in MARKED} == dead
    assert {index: bool(bankrupt[index]) for index in MARKED} == broke
    assert sum(dead.values()) > 200


def test_required_and_equity_are_the_oracles():
    for index in MARKED:
        oracle = ORACLES[index]

        required, equity = oracle.required(oracle.start), oracle.equity(oracle.start)

        allowed = 1e-14 * float(oracle.notional(oracle.start) + oracle.notional(oracle.entry))
        assert abs(SOLUTION.required[index] - float(required)) < allowed
        assert abs(SOLUTION.equity[index] - float(equity)) < allowed


def test_residual_is_nothing_except_at_a_jump():
    jumps = SOLUTION.has(State.AT_JUMP)
    priced = ~np.isnan(SOLUTION.liquidation_price)

    assert np.abs(SOLUTION.residual[priced & ~jumps]).max() < 1e-14
    assert (SOLUTION.residual[jumps] * SOLUTION.residual_before[jumps] <= 0).all()
    assert jumps.sum() > 20
    assert not SOLUTION.has(State.UNSOLVED).any()


def _is_alike(exact, found, entry):
    if exact is None:
        return np.isnan(found)
    # Near 1x a price is a small difference of large numbers: as good as its parts, no better.
    price = float(exact)
    condition = max(price / entry, entry / price)
    return abs(found - price) <= 1e-13 * condition * max(price, entry)
