"""The next tier edges, and the fee of a liquidation."""

from dataclasses import replace

import numpy as np
import pytest

from positions.engine.batch import build_batch
from positions.engine.questions.edges import find_edges
from positions.engine.questions.fees import liquidation_fee
from positions.engine.rulebook import RULES
from positions.engine.rules import FeeBase, LiquidationFee
from positions.engine.solver import solve
from positions.engine.tiers import with_amounts
from positions.engine.types import Tier
from tests.engine.build import LONG, SHORT, make_terms
from tests.engine.questions import make_marked

FLAT = (Tier(0.0, 0.01), Tier(500.0, 0.02), Tier(2000.0, 0.05))
TEN = {"quantity": 10.0, "collateral": 100.0, "tiers": FLAT}
FIGURES = ("floor", "price", "quantity", "required_before", "required_after")


def _edges(*args, **changes):
    return find_edges(batch=build_batch(terms=[make_terms(*args, **changes)]))


def _figures(edge):
    return [float(getattr(edge, name)[0]) for name in FIGURES]


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_edges_of_a_linear_position_lie_at_prices(side):
    edges = _edges("linear-mark-flat", side, **TEN)

    assert _figures(edges.up) == pytest.approx([2000.0, 200.0, 20.0, 40.0, 100.0])
    assert _figures(edges.down) == pytest.approx([500.0, 50.0, 5.0, 10.0, 5.0])


def test_a_table_with_deductions_asks_for_the_same_on_both_sides():
    edges = _edges("linear-mark", LONG, **TEN | {"tiers": with_amounts(tiers=FLAT)})

    assert _figures(edges.up) == pytest.approx([2000.0, 200.0, 20.0, 35.0, 35.0])


def test_an_inverse_position_goes_up_as_the_price_falls():
    tiers = (Tier(0.0, 0.01), Tier(2.0, 0.02), Tier(4.0, 0.05))

    edges = _edges("inverse-mark", LONG, quantity=300.0, tiers=tiers)

    assert _figures(edges.up)[:3] == pytest.approx([4.0, 75.0, 400.0])
    assert _figures(edges.down)[:3] == pytest.approx([2.0, 150.0, 200.0])


def test_maintenance_fixed_at_entry_is_moved_by_no_price():
    # 20 at 100 would stand on the next edge, whatever the mark.
    edges = _edges("linear-entry", LONG, **TEN | {"trigger_price": 90.0})

    assert _figures(edges.up) == pytest.approx([2000.0, np.nan, 20.0, 40.0, 100.0], nan_ok=True)
    assert edges.up.reason(figure="price", index=0) == "none: no price moves it"


def test_a_tier_chosen_by_quantity_is_moved_by_no_price():
    tiers = (Tier(0.0, 0.01), Tier(8.0, 0.02), Tier(16.0, 0.05))

    edges = _edges("coinex-linear", LONG, **TEN | {"tiers": tiers, "trigger_price": 90.0})

    # 16 at 90 are 1,440.
    assert _figures(edges.up) == pytest.approx([16.0, np.nan, 16.0, 28.8, 72.0], nan_ok=True)
    assert edges.down.floor[0] == 8.0


def test_what_is_required_holds_fee_funding_and_orders():
    fee = _edges("linear-mark-fee-flat", LONG, fee_rate=0.001, **TEN)
    funding = _edges("bitmex-linear", LONG, next_funding_rate=0.001, **TEN)
    orders = _edges("htx-linear", LONG, fixed_requirement=7.0, **TEN)

    assert _figures(fee.up)[3:] == pytest.approx([42.0, 102.0])
    assert _figures(funding.up)[3:] == pytest.approx([42.0, 102.0])
    assert _figures(orders.up)[3:] == pytest.approx([47.0, 107.0])


def test_the_last_tier_has_none_above_and_the_first_none_below():
    top = _edges("linear-mark-flat", LONG, **TEN | {"trigger_price": 300.0})
    bottom = _edges("linear-mark-flat", LONG, **TEN | {"trigger_price": 10.0})

    assert np.isnan(_figures(top.up)).all()
    assert np.isnan(_figures(bottom.down)).all()
    for figure in FIGURES:
        assert top.up.reason(figure=figure, index=0) == "none: no tier that way"
        assert bottom.down.reason(figure=figure, index=0) == "none: no tier that way"
    assert top.down.floor[0] == 2000.0


def test_on_its_floor_a_position_stands_at_its_own_edge_down():
    edges = _edges("linear-mark-flat", LONG, **TEN | {"trigger_price": 50.0})

    assert edges.down.price[0] == 50.0
    assert edges.up.floor[0] == 2000.0


@pytest.mark.parametrize(
    ("changes", "figure", "reason"),
    [
        ({"trigger_price": None}, "price", "unknown: no trigger price"),
        ({"tiers": ()}, "floor", "unknown: no maintenance tiers"),
        ({"quantity": np.nan}, "price", "unknown: no quantity"),
        ({"fixed_requirement": np.nan}, "required_after", "unknown: no margin of open orders"),
    ],
)
def test_without_a_figure_there_is_a_reason(changes, figure, reason):
    edges = _edges("linear-mark-flat", LONG, **TEN | changes)

    assert np.isnan(getattr(edges.up, figure)[0])
    assert edges.up.reason(figure=figure, index=0) == reason


def test_without_a_trigger_price_maintenance_at_entry_still_has_its_edge():
    edges = _edges("linear-entry", LONG, **TEN | {"trigger_price": None})

    assert edges.up.floor[0] == 2000.0
    assert edges.up.reason(figure="price", index=0) == "none: no price moves it"
    assert edges.up.reason(figure="floor", index=0) is None


def test_marked_a_hair_to_either_side_every_position_is_asked_for_what_the_edge_says():
    batch = build_batch(terms=make_marked(700, seed=71))
    toward = np.where(batch.is_inverse, -1.0, 1.0)
    edges = find_edges(batch=batch)

    checked = 0
    for edge, way in ((edges.up, 1.0), (edges.down, -1.0)):
        rows = ~np.isnan(edge.price)
        sides = [
            solve(batch.change(trigger_price=edge.price * (1 + way * hair * toward))).required
            for hair in (-1e-12, 1e-12)
        ]
        for found, expected in zip(sides, (edge.required_before, edge.required_after), strict=True):
            np.testing.assert_allclose(found[rows], expected[rows], rtol=1e-9)
        checked += rows.sum()
    assert checked > 300


def _fee(rule, price=90.0, **changes):
    batch = build_batch(terms=[make_terms(rule, **changes)])
    return liquidation_fee(batch=batch, rules=[rule], price=price)


def test_a_fee_is_a_share_of_the_notional_at_the_price_of_liquidation():
    assert _fee("dydx-v4").amount[0] == pytest.approx(0.015 * 90)


def test_no_fee_is_nothing_and_a_fee_that_nobody_states_is_not():
    free, unstated = _fee("hyperliquid-perp"), _fee("linear-mark")

    assert free.amount[0] == 0.0
    assert free.reason(index=0) is None
    assert np.isnan(unstated.amount[0])
    assert unstated.reason(index=0) == "unknown: the rule does not say"


@pytest.mark.parametrize(
    ("base", "rate", "amount"),
    [
        (FeeBase.NOTIONAL, 0.01, 0.01 * 100 / 90),
        # 2 % of 100 / 90.
        (FeeBase.MAINTENANCE, 0.5, 0.5 * 0.02 * 100 / 90),
        (FeeBase.FIXED, 5.0, 5.0),
    ],
)
def test_each_base_of_a_fee_for_an_inverse_position(monkeypatch, base, rate, amount):
    rule = replace(
        RULES["inverse-mark"], key="inverse-fee", liquidation_fee=LiquidationFee(base, rate)
    )
    monkeypatch.setitem(RULES, rule.key, rule)

    asked = _fee(rule.key, quantity=100.0, tiers=(Tier(0.0, 0.02),))

    assert asked.amount[0] == pytest.approx(amount, rel=1e-15)


def test_without_a_price_of_liquidation_there_is_no_fee():
    asked = _fee("dydx-v4", price=np.nan)

    assert np.isnan(asked.amount[0])
    assert asked.reason(index=0) == "none: there is no such price"
