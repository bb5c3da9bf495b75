"""Every switch of a rule does what it says, by hand."""

import numpy as np
import pytest

from positions.engine.rulebook import RULES, find_rule
from positions.engine.rules import Basis, Charged, ClosingFee, TierKey, Trigger
from positions.engine.solution import State
from positions.engine.tiers import with_amounts, with_minimum
from positions.engine.types import ContractKind, Tier
from tests.engine.build import FLAT_JUMP, LONG, SHORT, solve_one

CAPPED = "none: beyond the venue's cap"


# --- basis -------------------------------------------------------------------------------------


def test_at_mark_the_requirement_moves_with_the_price_at_entry_it_does_not():
    # 10 - (100 - p) = 0.01 p, and = 0.01 x 100.
    at_mark, at_entry = solve_one("linear-mark"), solve_one("linear-entry")

    assert at_mark.liquidation_price[0] == pytest.approx(90 / 0.99)
    assert at_entry.liquidation_price[0] == 91.0


# --- the closing fee ---------------------------------------------------------------------------


@pytest.mark.parametrize("key", sorted(RULES))
def test_the_closing_fee_counts_only_where_the_rule_says_so(key):
    rule = find_rule(key=key)
    held = {"quantity": 100.0, "collateral": 0.2 if rule.is_inverse else 1000.0}

    free, charged = (solve_one(key, **held, fee_rate=fee) for fee in (0.0, 0.001))

    is_counted = rule.closing_fee is ClosingFee.MARK
    assert bool(free.liquidation_price[0] != charged.liquidation_price[0]) is is_counted
    assert bool(free.required[0] != charged.required[0]) is is_counted
    assert free.maintenance_margin[0] == charged.maintenance_margin[0]


# --- tiers -------------------------------------------------------------------------------------


def test_cumulative_tiers_deduct_and_flat_ones_do_not():
    tiers = with_amounts(tiers=FLAT_JUMP)
    held = {"quantity": 20.0, "collateral": 300.0, "tiers": tiers}

    summed, flat = solve_one("linear-mark", **held), solve_one("linear-mark-flat", **held)

    # 5 % of 2,000 less 40; the flat one has no use for the 40.
    assert tiers[1].amount == pytest.approx(40.0)
    assert summed.maintenance_margin[0] == pytest.approx(60.0)
    assert flat.maintenance_margin[0] == pytest.approx(100.0)


def test_a_tier_keyed_by_quantity_is_not_moved_by_the_price():
    # The table's floor of 8 is a number of coins: 10 are above it at every price.
    tiers = (Tier(0.0, 0.01), Tier(8.0, 0.05))
    held = {"quantity": 10.0, "collateral": 400.0, "tiers": tiers}
    assert find_rule(key="coinex-linear").tier_key is TierKey.QUANTITY

    prices = [
        solve_one("coinex-linear", trigger_price=price, **held) for price in (70.0, 100.0, 1e4)
    ]

    # 400 - 10 (100 - p) = 0.05 x 10 p
    assert {solution.liquidation_price[0] for solution in prices} == {600 / 9.5}
    assert prices[1].maintenance_margin[0] == 50.0
    assert prices[2].maintenance_margin[0] == 5000.0


def test_a_quantity_below_the_floor_bears_the_lower_rate_and_on_it_the_higher():
    tiers = (Tier(0.0, 0.01), Tier(8.0, 0.05))

    below, on_it = (
        solve_one("coinex-linear", quantity=quantity, collateral=100.0, tiers=tiers)
        for quantity in (np.nextafter(8.0, 0), 8.0)
    )

    assert below.maintenance_margin[0] == pytest.approx(8.0)
    assert on_it.maintenance_margin[0] == pytest.approx(40.0)


def test_a_minimum_stands_below_the_price_at_which_the_rate_asks_for_more():
    # 2 % of the notional, but never less than 5: they meet at a notional of 250.
    tiers = with_minimum(tiers=(Tier(0.0, 0.02),), minimum=5.0)
    held = {"quantity": 1.0, "entry_price": 300.0, "trigger_price": 300.0, "tiers": tiers}

    above = solve_one("linear-mark", collateral=20.0, **held)
    below = solve_one("linear-mark", collateral=100.0, **held)

    assert tiers == (Tier(0.0, 0.0, -5.0), Tier(250.0, 0.02, 0.0))
    # 20 - (300 - p) = 0.02 p, and 100 - (300 - p) = 5.
    assert above.liquidation_price[0] == pytest.approx(280 / 0.98)
    assert below.liquidation_price[0] == pytest.approx(205.0)
    assert not below.has(State.AT_JUMP)[0]


@pytest.mark.parametrize(
    ("minimum", "expected"),
    [
        (0.0, FLAT_JUMP),
        # Reached inside the first tier.
        (2.0, (Tier(0.0, 0.0, -2.0), Tier(200.0, 0.01), FLAT_JUMP[1])),
        # More than the first tier ever asks, less than the second begins with.
        (30.0, (Tier(0.0, 0.0, -30.0), FLAT_JUMP[1])),
        # Reached inside the second.
        (80.0, (Tier(0.0, 0.0, -80.0), Tier(1600.0, 0.05))),
    ],
)
def test_a_minimum_is_a_tier_of_its_own(minimum, expected):
    assert with_minimum(tiers=FLAT_JUMP, minimum=minimum) == expected


def test_a_minimum_over_a_table_without_a_rate_is_all_there_is():
    assert with_minimum(tiers=(Tier(0.0, 0.0),), minimum=3.0) == (Tier(0.0, 0.0, -3.0),)


# --- what else is required ---------------------------------------------------------------------


def test_the_next_funding_stands_in_the_requirement_where_the_rule_says_so():
    # 10 - (100 - p) = 1 + 0.1
    counted = solve_one("kucoin-linear", next_funding_rate=0.001)
    received = solve_one("kucoin-linear", next_funding_rate=-0.001)
    ignored = solve_one("linear-entry", next_funding_rate=0.001)

    assert counted.liquidation_price[0] == pytest.approx(91.1)
    assert counted.required[0] == pytest.approx(1.1)
    assert counted.maintenance_margin[0] == pytest.approx(1.0)
    assert received.liquidation_price[0] == pytest.approx(90.9)
    assert ignored.liquidation_price[0] == 91.0


def test_the_next_funding_of_an_inverse_position_is_of_its_value_at_entry():
    held = {"quantity": 100.0, "collateral": 0.1, "next_funding_rate": 0.001}

    counted = solve_one("bitmex-inverse", LONG, **held)

    # 0.1 + 1 - 100/p = 0.01 + 0.001
    assert counted.liquidation_price[0] == pytest.approx(100 / 1.089)


@pytest.mark.parametrize("key", ["linear-mark", "linear-entry", "inverse-mark", "htx-linear"])
def test_a_fixed_requirement_stands_at_every_price(key):
    is_inverse = find_rule(key=key).is_inverse
    held = {"quantity": 100.0, "collateral": 0.1} if is_inverse else {}
    fixed = 0.02 if is_inverse else 2.0

    added = solve_one(key, **held, fixed_requirement=fixed)
    less = solve_one(key, **held | {"collateral": (0.1 if is_inverse else 10.0) - fixed})

    # It weighs like margin that is not there.
    assert added.liquidation_price[0] == pytest.approx(less.liquidation_price[0], rel=1e-14)
    assert added.required[0] == pytest.approx(less.required[0] + fixed)
    assert added.maintenance_margin[0] == less.maintenance_margin[0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"next_funding_rate": np.nan}, "unknown: no next funding rate"),
        ({"fixed_requirement": np.nan}, "unknown: no margin of open orders"),
    ],
)
def test_what_is_required_beside_maintenance_may_be_unknown_and_is_named(changes, reason):
    solution = solve_one("kucoin-linear", **changes)

    assert solution.reason(figure="liquidation_price", index=0) == reason
    assert solution.reason(figure="required", index=0) == reason
    assert solution.maintenance_margin[0] == 1.0


# --- the cap -----------------------------------------------------------------------------------


def test_beyond_its_cap_the_venue_knows_no_price():
    # A short of a million at 1 with half as much: p = 1.5 / 1.01 and far below any cap.
    held = {"quantity": 1.0, "entry_price": 600_000.0, "trigger_price": 600_000.0}
    near, far = (
        solve_one("bybit-linear", SHORT, collateral=margin, **held)
        for margin in (300_000.0, 500_000.0)
    )

    assert near.liquidation_price[0] == pytest.approx(894_000.0)
    assert near.state[0] == 0
    assert np.isnan(far.liquidation_price[0])
    assert far.has(State.BEYOND_CAP)[0]
    for figure in ("liquidation_price", "liquidation_distance", "residual", "residual_before"):
        assert far.reason(figure=figure, index=0) == CAPPED
    # 600,000 + 500,000: where equity is nothing is no venue's print.
    assert far.bankruptcy_price[0] == 1_100_000.0


@pytest.mark.parametrize("key", sorted(key for key, rule in RULES.items() if rule.price_cap))
def test_every_cap_is_kept(key):
    rule = find_rule(key=key)
    entry = rule.price_cap / 2
    value = 1e6 if rule.is_inverse else 1.0
    notional = value / entry if rule.is_inverse else value * entry
    held = {"quantity": value, "entry_price": entry, "trigger_price": entry}
    # Both die between the cap and what a fully backed short would reach.
    margin = 0.9 * notional if rule.is_inverse else 3 * notional

    solution = solve_one(key, SHORT, collateral=margin, **held)

    assert solution.reason(figure="liquidation_price", index=0) == CAPPED
    assert not solution.has(State.NO_CROSSING)[0]


# --- strictness --------------------------------------------------------------------------------


@pytest.mark.parametrize("key", sorted(RULES))
def test_meeting_the_requirement_exactly_liquidates_unless_the_rule_is_strict(key):
    rule = find_rule(key=key)
    if rule.is_inverse:
        # 0.5 + 128 (1/256 - 1/128) = 0, with no requirement at all.
        held = {"quantity": 128.0, "entry_price": 256.0, "collateral": 0.5, "trigger_price": 128.0}
    else:
        held = {"quantity": 1.0, "entry_price": 256.0, "collateral": 128.0, "trigger_price": 128.0}

    met = solve_one(key, LONG, tiers=(Tier(0.0, 0.0),), **held)

    assert met.equity[0] == met.required[0] == 0.0
    assert bool(met.has(State.BREACHED)[0]) is not rule.is_strict


# --- what no formula uses, but people are told -------------------------------------------------


@pytest.mark.parametrize("key", sorted(RULES))
def test_switches_that_are_not_algebra_are_stated_and_coherent(key):
    rule = find_rule(key=key)

    assert isinstance(rule.trigger, Trigger)
    assert isinstance(rule.basis, Basis)
    assert rule.funding.interval_h is None or rule.funding.interval_h > 0
    assert rule.funding.sign in {-1, 1}
    assert rule.liquidation_fee.rate is None or 0 <= rule.liquidation_fee.rate < 1
    if rule.kind is ContractKind.LENDING:
        assert rule.funding.charged is Charged.NEVER
