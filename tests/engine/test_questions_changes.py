"""The position after a step: by hand, and against the reference venue's own steps."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from positions.engine import machine
from positions.engine.batch import build_batch
from positions.engine.questions.changes import (
    Release,
    add_margin,
    blended_entry,
    increase,
    reduce,
    settle_funding,
    turn,
)
from positions.engine.questions.cuts import quantity_to_cut
from positions.engine.questions.targets import Aim, Target
from positions.engine.rulebook import RULES
from positions.engine.rules import Charged, Funding
from positions.engine.solution import State
from positions.engine.solver import solve
from tests.engine.build import LONG, ONE_PERCENT, SHORT, make_positions, make_terms

KEPT, PRO_RATA = Release.KEPT, Release.PRO_RATA


def _one(*args, **changes):
    return build_batch(terms=[make_terms(*args, **changes)])


def _price(batch):
    return solve(batch).liquidation_price[0]


def test_margin_added_moves_the_price_away():
    assert _price(add_margin(batch=_one(), amount=5.0)) == pytest.approx(85 / 0.99)
    assert _price(add_margin(batch=_one(), amount=-5.0)) == pytest.approx(95 / 0.99)


@pytest.mark.parametrize(
    ("release", "charge", "price", "collateral"),
    [
        (KEPT, 0.0, 100.0, 10.0),
        (PRO_RATA, 0.0, 100.0, 7.5),
        # A quarter of the loss is real now.
        (KEPT, 0.0, 96.0, 9.0),
        (PRO_RATA, 0.0, 96.0, 7.5),
        # A quarter at 96 costs 0.24.
        (KEPT, 0.01, 96.0, 8.76),
        (PRO_RATA, 0.01, 96.0, 7.5),
        # The quarter's margin of 2.5 has lost 2.4 and owes 0.226: what stays pays 0.126.
        (PRO_RATA, 0.01, 90.4, 7.5 - 0.126),
        (KEPT, 0.0, 104.0, 11.0),
        (PRO_RATA, 0.0, 104.0, 7.5),
    ],
)
def test_reducing_by_a_quarter(release, charge, price, collateral):
    batch = _one(trigger_price=price)

    after = reduce(batch=batch, quantity=0.25, release=release, closing_fee_rate=charge)

    assert after.quantity[0] == 0.75
    assert after.entry_price[0] == 100.0
    assert after.collateral[0] == pytest.approx(collateral, rel=1e-14)


def test_reducing_leaves_the_liquidation_price_where_margin_goes_with_it():
    after = reduce(batch=_one(), quantity=0.5, release=PRO_RATA, closing_fee_rate=0.0)

    assert _price(after) == _price(_one())


@pytest.mark.parametrize("quantity", [-0.1, 1.0, 2.0])
def test_only_a_part_can_be_sold(quantity):
    with pytest.raises(ValueError, match="quantity to sell is out of range; position 0"):
        reduce(batch=_one(), quantity=quantity, release=KEPT, closing_fee_rate=0.0)


def test_what_no_cut_was_found_for_is_not_known_after_it():
    cut = quantity_to_cut(
        batch=_one(), target=Target(Aim.RATIO, 0.01), release=PRO_RATA, closing_fee_rate=0.0
    )

    after = reduce(batch=_one(), quantity=cut.amount, release=PRO_RATA, closing_fee_rate=0.0)

    assert solve(after).has(State.NO_QUANTITY)[0]


def test_increasing_blends_the_entry():
    after = increase(batch=_one(), quantity=3.0, price=120.0, margin=36.0)

    assert after.quantity[0] == 4.0
    assert after.entry_price[0] == 115.0
    assert after.collateral[0] == 46.0
    # 46 + 4 (p - 115) = 0.04 p
    assert _price(after) == pytest.approx(414 / 3.96)


def test_an_inverse_entry_blends_harmonically():
    # 100 at 100 and 300 at 150 are 1 + 2 base units for 400.
    entry = blended_entry(
        entry_price=np.array([100.0, 100.0]),
        quantity=np.array([100.0, 100.0]),
        added_price=150.0,
        added_quantity=np.array([300.0, 0.0]),
        is_inverse=np.array([True, True]),
    )

    assert entry.tolist() == [pytest.approx(400 / 3, rel=1e-15), 100.0]


@pytest.mark.parametrize(("quantity", "price"), [(-1.0, 100.0), (1.0, 0.0), (1.0, -5.0)])
def test_an_addition_out_of_range_is_refused(quantity, price):
    with pytest.raises(ValueError, match="out of range"):
        increase(batch=_one(), quantity=quantity, price=price, margin=0.0)


def test_turning_through_zero_is_a_new_position_of_the_other_side():
    batch = _one("kucoin-linear", LONG, next_funding_rate=0.001)

    after = turn(batch=batch, quantity=3.0, price=110.0, margin=20.0)

    assert (after.sign[0], after.quantity[0], after.entry_price[0]) == (-1.0, 2.0, 110.0)
    assert after.next_funding_rate[0] == -0.001
    # 20 - 2 (p - 110) = 2.2 - 0.22
    assert _price(after) == pytest.approx(110 + (20 - 1.98) / 2)


def test_an_order_that_does_not_go_through_zero_does_not_turn():
    with pytest.raises(ValueError, match="quantity of the order"):
        turn(batch=_one(), quantity=1.0, price=110.0, margin=20.0)


@pytest.mark.parametrize(
    ("rule", "side", "changes", "collateral"),
    [
        # Three times 0.1 % of 110.
        ("linear-mark", LONG, {}, 10 - 0.33),
        ("linear-mark", SHORT, {}, 10 + 0.33),
        # Three times 0.1 % of 100 / 110.
        ("inverse-mark", LONG, {"quantity": 100.0}, 10 - 0.3 / 110),
        ("mexc-linear", LONG, {}, 10.0),
        ("lending", LONG, {}, 10.0),
    ],
)
def test_funding_of_three_intervals(rule, side, changes, collateral):
    after = settle_funding(
        batch=_one(rule, side, **changes), rules=[rule], rate=0.001, intervals=3, price=110.0
    )

    assert after.collateral[0] == pytest.approx(collateral, rel=1e-14)


def test_funding_is_charged_at_the_trigger_price_unless_told_otherwise():
    after = settle_funding(batch=_one(), rules=["linear-mark"], rate=0.01, intervals=2)

    assert _price(after) == pytest.approx(92 / 0.99)


@pytest.mark.parametrize(
    ("sign", "free", "collateral"),
    [(1, 5.0, 10.0), (1, 0.5, 9.5), (1, 0.0, 9.0), (-1, 0.0, 10.0), (1, np.nan, np.nan)],
)
def test_the_free_balance_pays_first_where_the_rule_says_so(monkeypatch, sign, free, collateral):
    funding = Funding(charged=Charged.FREE_BALANCE_FIRST, sign=sign)
    rule = replace(RULES["linear-mark"], key="linear-free-first", funding=funding)
    monkeypatch.setitem(RULES, rule.key, rule)

    after = settle_funding(
        batch=_one(rule.key), rules=[rule.key], rate=0.01, intervals=1, free_balance=free
    )

    assert after.collateral[0] == pytest.approx(collateral, nan_ok=True)


def test_each_position_is_charged_by_its_own_rule():
    rules = ["linear-mark", "mexc-linear", "linear-mark"]
    batch = build_batch(terms=[make_terms(rule) for rule in rules])

    after = settle_funding(batch=batch, rules=rules, rate=np.array([0.01, 0.01, 0.02]), intervals=1)

    assert after.collateral.tolist() == [9.0, 10.0, 8.0]


def test_negative_intervals_are_refused():
    with pytest.raises(ValueError, match="intervals"):
        settle_funding(batch=_one(), rules=["linear-mark"], rate=0.01, intervals=-1)


@pytest.mark.parametrize("rule", ["linear-mark", "inverse-mark-fee", "linear-entry"])
@pytest.mark.parametrize("side", [LONG, SHORT])
def test_steps_are_those_of_the_reference_venue(rule, side):
    size = Fraction(300) if rule.startswith("inverse") else Fraction(3)
    fee, price = Fraction(1, 1000), Fraction(101)
    opened = machine.open_compartment(
        rule=rule,
        side=side,
        quantity=size,
        price=Fraction(100),
        leverage=Fraction(5),
        tiers=ONE_PERCENT,
        fee_rate=fee,
        scale=14,
    ).compartment
    batch = _batch_of(opened, price)

    sold = machine.reduce(compartment=opened, quantity=size / 3, price=price)
    more = machine.increase(compartment=opened, quantity=size / 3, price=price)
    paid = machine.settle_funding(compartment=opened, rate=fee, price=price)

    part = float(size / 3)
    reduced = reduce(batch=batch, quantity=part, release=PRO_RATA, closing_fee_rate=float(fee))
    margin = (more.compartment.collateral - opened.collateral) / opened.unit
    grown = increase(batch=batch, quantity=part, price=101.0, margin=margin)
    funded = settle_funding(batch=batch, rules=[rule], rate=0.001, intervals=1)
    for ours, theirs in ((reduced, sold), (grown, more), (funded, paid)):
        expected = _batch_of(theirs.compartment, price)
        for name in ("quantity", "entry_price", "collateral"):
            assert getattr(ours, name)[0] == pytest.approx(getattr(expected, name)[0], rel=1e-12)


def test_many_positions_change_as_each_does_alone():
    terms = [each for each in make_positions(60, seed=61) if each.trigger_price is not None]
    sold = np.array([each.quantity / 3 for each in terms])

    def ask(some, part):
        after = reduce(
            batch=build_batch(terms=some), quantity=part, release=KEPT, closing_fee_rate=0.001
        )
        return after.collateral

    many = ask(terms, sold)

    alone = [ask([each], part)[0] for each, part in zip(terms, sold, strict=True)]
    assert many.tolist() == alone


def _batch_of(compartment, price):
    return build_batch(terms=[compartment.terms(trigger_price=price)])
