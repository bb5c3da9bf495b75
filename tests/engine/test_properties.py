"""What holds for every position, whatever its numbers: scale, duality, order, continuity, bytes."""

import hashlib
import subprocess
import sys
from dataclasses import fields, replace
from fractions import Fraction

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from positions.engine.batch import build_batch
from positions.engine.rulebook import RULES
from positions.engine.solution import Solution, State
from positions.engine.solver import solve
from positions.engine.types import Side, Terms, Tier
from tests.engine.build import make_positions
from tests.engine.oracle import Oracle
from tests.engine.strategies import AT_MARK, CUMULATIVE, INVERSE, UNCAPPED, positions
from tests.paths import PROJECT

steady = settings(max_examples=100, deadline=None, derandomize=True)
NAMES = tuple(field.name for field in fields(Solution))
PRICES = ("liquidation_price", "bankruptcy_price")
SHARES = ("margin_ratio", "effective_leverage", "liquidation_distance", "residual", "state")
POWERS = st.integers(-20, 20).map(lambda power: 2.0**power)


def _solve(*terms: Terms) -> Solution:
    return solve(build_batch(terms=terms))


def _scale(terms: Terms, *, price: float = 1.0, quantity: float = 1.0) -> Terms:
    """Return the same position in other units, its table with it."""
    rule = RULES[terms.rule]
    money = quantity / price if rule.is_inverse else quantity * price
    size = quantity if rule.is_tier_fixed else money
    return replace(
        terms,
        quantity=terms.quantity * quantity,
        entry_price=terms.entry_price * price,
        trigger_price=terms.trigger_price and terms.trigger_price * price,
        collateral=terms.collateral * money,
        fixed_requirement=terms.fixed_requirement * money,
        tiers=tuple(Tier(t.floor * size, t.rate, t.amount * money) for t in terms.tiers),
    )


@steady
@given(positions(rules=UNCAPPED), POWERS)
def test_other_units_of_price_scale_prices_and_nothing_else(terms, factor):
    # Powers of two move no digit of a binary number, so that all must be equal, not just alike.
    one, other = _solve(terms), _solve(_scale(terms, price=factor))

    for name in PRICES:
        np.testing.assert_array_equal(getattr(other, name), getattr(one, name) * factor)
    for name in SHARES:
        np.testing.assert_array_equal(getattr(other, name), getattr(one, name))


@steady
@given(positions(), POWERS)
def test_other_units_of_quantity_scale_money_and_no_price(terms, factor):
    one, other = _solve(terms), _solve(_scale(terms, quantity=factor))

    for name in ("notional", "unrealized_pnl", "equity", "maintenance_margin", "required"):
        np.testing.assert_array_equal(getattr(other, name), getattr(one, name) * factor)
    for name in (*PRICES, *SHARES):
        np.testing.assert_array_equal(getattr(other, name), getattr(one, name))


@steady
@given(positions(rules=INVERSE))
def test_an_inverse_position_is_the_linear_one_of_the_other_side_at_one_over_the_price(terms):
    mirrored = replace(
        terms,
        rule=terms.rule.replace("inverse", "linear"),
        side=Side.SHORT if terms.side is Side.LONG else Side.LONG,
        entry_price=1 / terms.entry_price,
        trigger_price=terms.trigger_price and 1 / terms.trigger_price,
    )

    one, other = _solve(terms), _solve(mirrored)

    price, value = one.liquidation_price[0], other.liquidation_price[0]
    assert np.isnan(price) == np.isnan(value)
    if not np.isnan(price):
        allowed = 1e-14 * float(Oracle(terms).condition_at(Fraction(price)))
        assert abs(price * value - 1) <= allowed
    np.testing.assert_allclose(one.required, other.required, rtol=1e-13)


@steady
@given(positions(is_marked=True), st.floats(1e-3, 2))
def test_adding_margin_never_brings_liquidation_nearer(terms, share):
    before = _solve(terms)
    assume(not before.has(State.BREACHED)[0])

    after = _solve(replace(terms, collateral=terms.collateral * (1 + share)))

    assert not after.has(State.BREACHED)[0]
    nearer = before.liquidation_distance[0] - after.liquidation_distance[0]
    assert np.isnan(after.liquidation_distance[0]) or nearer <= 0
    # Nobody who could not be liquidated can be with more.
    assert np.isnan(after.liquidation_price[0]) or not np.isnan(before.liquidation_price[0])


@steady
@given(positions(rules=AT_MARK, is_marked=True), st.data())
def test_within_a_tier_the_buffer_moves_one_way_with_the_price(terms, data):
    rule = RULES[terms.rule]
    edges = [tier.floor for tier in terms.tiers]
    lower = data.draw(st.sampled_from(edges)) or edges[-1] / 10 or 1.0
    upper = min((edge for edge in edges if edge > lower), default=lower * 10)
    shares = sorted(data.draw(st.tuples(st.floats(0, 0.999), st.floats(0, 0.999))))
    assume(shares[1] - shares[0] > 1e-6)
    sizes = [lower + share * (upper - lower) for share in shares]
    if rule.is_tier_fixed:
        prices = [float(terms.entry_price) * (1 + share) for share in shares]
    else:
        prices = [_price_of(terms, size) for size in sizes]

    solution = _solve(*(replace(terms, trigger_price=price) for price in sorted(prices)))

    buffer = solution.equity - solution.required
    assert terms.side.sign * (buffer[1] - buffer[0]) > 0


@steady
@given(positions(rules=CUMULATIVE, is_marked=True), st.data())
def test_the_requirement_is_continuous_across_an_edge(terms, data):
    rule = RULES[terms.rule]
    assume(len(terms.tiers) > 1 and not rule.is_tier_fixed and not rule.is_entry_basis)
    price = _price_of(terms, data.draw(st.sampled_from(terms.tiers[1:])).floor)
    around = price * (1 + np.array([-1e-14, 1e-14]))

    solution = _solve(*(replace(terms, trigger_price=float(each)) for each in around))

    required = solution.required
    assert abs(required[1] - required[0]) <= 1e-13 * (solution.notional[0] + required[0])


@steady
@given(positions(rules=CUMULATIVE, is_marked=True), st.data())
def test_the_price_is_continuous_where_it_passes_an_edge(terms, data):
    rule = RULES[terms.rule]
    assume(len(terms.tiers) > 1 and not rule.is_tier_fixed and not rule.is_entry_basis)
    price = _price_of(terms, data.draw(st.sampled_from(terms.tiers[1:])).floor)
    oracle = Oracle(terms)
    # What makes it die at the edge, and a hair less and more.
    missing = float(oracle.required(Fraction(price)) - oracle.equity(Fraction(price)))
    notional = float(oracle.notional(Fraction(price)))
    hair = 1e-9 * notional
    held = [terms.collateral + missing - hair, terms.collateral + missing + hair]

    solution = _solve(*(replace(terms, collateral=each) for each in held))

    found = solution.liquidation_price
    # The slope of the buffer is 1 less the rate, which is at most 0.3, or 1 more.
    assert abs(found[1] - found[0]) <= 4 * hair / notional * price
    assert abs(found.mean() / price - 1) <= 1e-8


def test_every_run_gives_the_same_bytes():
    code = (
        "from tests.engine.test_properties import digest_of_many\nprint(digest_of_many(), end='')"
    )

    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT, check=True
    )

    assert other.stdout == digest_of_many() == digest_of_many()


@steady
@given(st.lists(positions(), min_size=1, max_size=4))
def test_a_batch_of_one_gives_the_bytes_of_a_batch_of_many(terms):
    many = _solve(*terms)

    alone = [_solve(each) for each in terms]

    for name in NAMES:
        together = getattr(many, name).tobytes()
        assert b"".join(getattr(one, name).tobytes() for one in alone) == together, name


def digest_of_many() -> str:
    """Return the hash of every figure of some hundred positions."""
    solution = _solve(*make_positions(300, seed=21))
    digest = hashlib.sha256()
    for name in NAMES:
        digest.update(getattr(solution, name).tobytes())
    return digest.hexdigest()


def _price_of(terms: Terms, size: float) -> float:
    """Return the price at which the position's notional is that size."""
    return terms.quantity / size if RULES[terms.rule].is_inverse else size / terms.quantity
