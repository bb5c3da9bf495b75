"""What holds for whole columns: the same bytes alone or together, duality, moved inputs."""

from dataclasses import fields, replace

import numpy as np

from positions.engine.batch import build_batch
from positions.engine.solution import Solution, State
from positions.engine.solver import CHUNK, solve
from positions.engine.types import Side
from tests.engine.build import make_positions, make_terms

NAMES = [field.name for field in fields(Solution)]


def test_a_batch_of_one_gives_the_bytes_of_a_batch_of_many():
    terms = make_positions(400, seed=7)
    many = solve(build_batch(terms=terms))

    alone = [solve(build_batch(terms=[each])) for each in terms]

    for name in NAMES:
        together = getattr(many, name).tobytes()
        assert b"".join(getattr(one, name).tobytes() for one in alone) == together, name


def test_rows_beyond_one_chunk_are_the_same_rows():
    terms = make_positions(50, seed=8)
    copies = -(-(CHUNK + 10) // 50)

    few, many = solve(build_batch(terms=terms)), solve(build_batch(terms=terms * copies))

    assert len(many) == 50 * copies
    for name in NAMES:
        assert getattr(many, name).tobytes() == getattr(few, name).tobytes() * copies, name


def test_an_inverse_position_is_the_linear_one_of_the_other_side_at_one_over_the_price():
    inverse = [t for t in make_positions(1400, seed=9) if t.rule.startswith("inverse-")]
    linear = [
        replace(
            terms,
            rule=terms.rule.replace("inverse", "linear"),
            side=Side.SHORT if terms.side is Side.LONG else Side.LONG,
            entry_price=1 / terms.entry_price,
            trigger_price=terms.trigger_price and 1 / terms.trigger_price,
        )
        for terms in inverse
    ]

    one, other = solve(build_batch(terms=inverse)), solve(build_batch(terms=linear))

    assert len(inverse) == 300
    np.testing.assert_allclose(one.liquidation_price, 1 / other.liquidation_price, rtol=1e-13)
    np.testing.assert_allclose(one.bankruptcy_price, 1 / other.bankruptcy_price, rtol=1e-13)
    np.testing.assert_allclose(one.margin_ratio, other.margin_ratio, rtol=1e-9)


def test_other_trigger_prices_and_collateral_are_other_positions():
    batch = build_batch(terms=[make_terms(), make_terms(side=Side.SHORT)])

    moved = solve(batch.change(trigger_price=np.array([90.0, 90.0])))
    funded = solve(batch.change(collateral=np.array([20.0, 20.0])))

    assert moved.has(State.BREACHED).tolist() == [True, False]
    assert funded.liquidation_price.tolist() == [80 / 0.99, 120 / 1.01]


def test_adding_margin_never_brings_liquidation_nearer():
    batch = build_batch(terms=make_positions(900, seed=10))
    more = batch.change(collateral=batch.collateral * 1.05)

    before, after = solve(batch), solve(more)

    alive = ~before.has(State.BREACHED)
    gone = np.isnan(after.liquidation_distance[alive])
    gained = after.liquidation_distance[alive] - before.liquidation_distance[alive]
    assert (gone | (gained >= 0)).all()
    assert (~gone).sum() > 300
