"""Prices on a tick: as venues printed them, exactly."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from positions.engine.batch import build_batch
from positions.engine.rulebook import find_rule
from positions.engine.rules import Rounding
from positions.engine.solver import solve
from positions.engine.ticks import round_price
from positions.engine.types import Tier
from tests.engine.build import LONG, SHORT, make_terms

D = Decimal
PRICES = st.decimals(min_value="0.0001", max_value="1000000", places=9)
TICKS = st.sampled_from([D("0.0001"), D("0.05"), D("0.5"), D("1"), D("25")])
SIDES = st.sampled_from([LONG, SHORT])


@pytest.mark.parametrize(
    ("rule", "side", "exact", "tick", "printed"),
    [
        # Bybit API sample: 1198.45 (1 - 1/4.2 + 0.005) and 1198.45 (1 - 1/4.2).
        ("bybit-linear", LONG, "919.0970238", "0.05", "919.10"),
        ("bybit-linear", LONG, "913.1047619", "0.05", "913.15"),
        # Bybit help, inverse, cross for contrast.
        ("bybit-inverse", LONG, "5739.0835", "0.5", "5739.5"),
        # Bybit 360039261334: on a tick already.
        ("bybit-linear", LONG, "19700", "0.5", "19700"),
        # KuCoin and BitMEX API samples, the next funding counted.
        ("kucoin-linear", LONG, "32210.4408", "1", "32211"),
        ("bitmex-linear", LONG, "1308.666667", "0.05", "1308.70"),
        # Delta API sample, a short: 238.0234579 + (4012.99 - 168.6 x 238.0234579 x 0.005) / 168.6.
        ("delta-linear", SHORT, "260.63518", "0.01", "260.63"),
        # OKX API sample: the formula and one tick.
        ("okx-inverse", LONG, "2352.8396681818233", "0.01", "2352.8496681818233"),
        # Where a venue says nothing: the nearest.
        ("binance-usdm", SHORT, "0.190592044", "0.00001", "0.19059"),
        ("binance-usdm", LONG, "0.190596", "0.00001", "0.19060"),
    ],
)
def test_a_published_price_is_printed_as_the_venue_does(rule, side, exact, tick, printed):
    rounding = find_rule(key=rule).rounding

    price = round_price(price=D(exact), tick=D(tick), side=side, rounding=rounding)

    assert price == D(printed)


def test_the_solvers_price_becomes_the_printed_one():
    terms = make_terms(
        "bybit-linear",
        quantity=0.1,
        entry_price=1198.45,
        collateral=119.845 / 4.2,
        tiers=(Tier(0.0, 0.005),),
    )
    found = solve(build_batch(terms=[terms])).liquidation_price[0]

    price = round_price(
        price=D(f"{found:.15g}"), tick=D("0.05"), side=LONG, rounding=Rounding.AGAINST_OWNER
    )

    assert price == D("919.10")


@pytest.mark.parametrize(
    ("rounding", "side", "printed"),
    [
        (Rounding.NEAREST, LONG, "100.5"),
        (Rounding.NEAREST, SHORT, "100.5"),
        (Rounding.AGAINST_OWNER, LONG, "100.5"),
        (Rounding.AGAINST_OWNER, SHORT, "100.0"),
        (Rounding.TICK_BEYOND, LONG, "100.75"),
        (Rounding.TICK_BEYOND, SHORT, "99.75"),
    ],
)
def test_a_price_between_two_ticks(rounding, side, printed):
    price = round_price(price=D("100.25"), tick=D("0.5"), side=side, rounding=rounding)

    assert price == D(printed)


@given(PRICES, TICKS, SIDES)
def test_against_its_owner_a_price_moves_less_than_a_tick_and_never_away(price, tick, side):
    printed = round_price(price=price, tick=tick, side=side, rounding=Rounding.AGAINST_OWNER)

    assert 0 <= side.sign * (printed - price) < tick
    assert (Fraction(printed) / Fraction(tick)).denominator == 1


@given(PRICES, TICKS, SIDES)
def test_the_nearest_is_at_most_half_a_tick_away(price, tick, side):
    printed = round_price(price=price, tick=tick, side=side, rounding=Rounding.NEAREST)

    assert abs(printed - price) <= tick / 2
    assert (Fraction(printed) / Fraction(tick)).denominator == 1


@given(st.integers(1, 10**9), TICKS, SIDES, st.sampled_from(list(Rounding)[:2]))
def test_a_price_on_a_tick_stays(steps, tick, side, rounding):
    assert round_price(price=steps * tick, tick=tick, side=side, rounding=rounding) == steps * tick


def test_many_digits_are_kept():
    long_price = D("123456789012345678901234567890.123456789012345678901234567891")

    printed = round_price(
        price=long_price, tick=D("1E-30"), side=LONG, rounding=Rounding.AGAINST_OWNER
    )

    assert printed == long_price


@pytest.mark.parametrize("tick", ["0", "-0.1", "NaN", "Infinity"])
def test_a_tick_that_is_none_is_refused(tick):
    with pytest.raises(ValueError, match="tick must be positive"):
        round_price(price=D(1), tick=D(tick), side=LONG, rounding=Rounding.NEAREST)


@pytest.mark.parametrize("price", ["NaN", "Infinity", "-Infinity"])
def test_no_price_has_no_tick(price):
    with pytest.raises(ValueError, match="price must be finite"):
        round_price(price=D(price), tick=D(1), side=LONG, rounding=Rounding.NEAREST)
