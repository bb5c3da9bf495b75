"""The state machine of one compartment: each step by hand, then any sequence of steps."""

import json
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from positions.engine import machine
from positions.engine.batch import build_batch
from positions.engine.compartment import Compartment, RefusedError
from positions.engine.machine import LedgerEntry, Purse, Reason
from positions.engine.rulebook import RULES
from positions.engine.solver import solve
from positions.engine.tiers import with_amounts
from positions.engine.types import PositionState, Side, Tier

F = Fraction
LONG, SHORT = Side.LONG, Side.SHORT
FIVE_PERCENT = (Tier(floor=0.0, rate=0.05),)
STEPPED = with_amounts(tiers=(Tier(0.0, 0.01), Tier(500.0, 0.02), Tier(2000.0, 0.05)))


def _open(**changes):
    """Open 1 at 100 with leverage 10, cents as the smallest unit, unless changed."""
    asked = {
        "rule": "linear-mark",
        "side": LONG,
        "quantity": F(1),
        "price": F(100),
        "leverage": F(10),
        "tiers": FIVE_PERCENT,
        "scale": 2,
    }
    return machine.open_compartment(**(asked | changes))


def _balances(entries):
    held = Counter()
    for entry in entries:
        held[entry.payer] -= entry.amount
        held[entry.payee] += entry.amount
    return held


def test_opening_takes_the_initial_margin_and_a_fee_beside_it():
    step = _open(fee_rate=F("0.001"))

    assert step.compartment.state is PositionState.OPEN
    assert step.compartment.collateral == 1000
    assert step.compartment.entry_price == 100
    assert step.entries == (
        LedgerEntry(Reason.MARGIN, Purse.OWNER, Purse.COMPARTMENT, 1000),
        LedgerEntry(Reason.FEE, Purse.OWNER, Purse.VENUE, 10),
    )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"margin": 999}, "below the initial margin"),
        ({"leverage": F(20)}, "liquidated at once"),
        ({"quantity": F(0)}, "must be positive"),
        ({"quantity": F(1, 10**9), "side": SHORT}, "smallest unit"),
    ],
)
def test_an_opening_that_the_venue_would_refuse(changes, why):
    with pytest.raises(RefusedError, match=why):
        _open(**changes)


def test_increasing_blends_the_entry_and_adds_margin():
    opened = _open().compartment

    step = machine.increase(compartment=opened, quantity=F(3), price=F(110))

    assert step.compartment.quantity == 4
    assert step.compartment.entry_price == F("107.5")
    assert step.compartment.collateral == 1000 + 3300


def test_an_inverse_entry_blends_harmonically():
    opened = _open(rule="inverse-mark", quantity=F(100), scale=8).compartment

    step = machine.increase(compartment=opened, quantity=F(100), price=F(125))

    # 100/100 and 100/125 are 1.8 base units for 200.
    assert step.compartment.entry_price == F(1000, 9)
    assert step.compartment.cost == 180_000_000


def test_reducing_pays_out_its_share_of_margin_and_profit():
    opened = _open(quantity=F(4)).compartment

    step = machine.reduce(compartment=opened, quantity=F(1), price=F(104))

    assert step.compartment.quantity == 3
    assert step.compartment.entry_price == 100
    assert step.compartment.collateral == 3000
    assert _balances(step.entries)[Purse.OWNER] == 1000 + 400


def test_reducing_at_a_loss_leaves_the_same_leverage():
    opened = _open(quantity=F(4)).compartment

    step = machine.reduce(compartment=opened, quantity=F(1), price=F(97))

    assert step.compartment.collateral == 3000
    assert _balances(step.entries)[Purse.OWNER] == 1000 - 300


def test_reducing_by_the_whole_is_refused():
    with pytest.raises(RefusedError, match="less than the position"):
        machine.reduce(compartment=_open().compartment, quantity=F(1), price=F(100))


def test_margin_comes_and_goes_down_to_the_initial_margin():
    opened = _open().compartment

    added = machine.add_margin(compartment=opened, amount=500).compartment
    removed = machine.remove_margin(compartment=added, amount=500, price=F(100)).compartment

    assert (added.collateral, removed.collateral) == (1500, 1000)
    with pytest.raises(RefusedError, match="initial margin"):
        machine.remove_margin(compartment=removed, amount=1, price=F(100))


def test_profit_that_is_not_realised_cannot_be_removed():
    opened = _open().compartment

    with pytest.raises(RefusedError, match="initial margin"):
        machine.remove_margin(compartment=opened, amount=1, price=F(150))


def test_a_long_pays_positive_funding_and_a_short_receives_it():
    long, short = _open().compartment, _open(side=SHORT).compartment

    paid = machine.settle_funding(compartment=long, rate=F("0.001"), price=F(100))
    received = machine.settle_funding(compartment=short, rate=F("0.001"), price=F(100))

    assert paid.compartment.collateral == 990
    assert paid.entries == (LedgerEntry(Reason.FUNDING, Purse.COMPARTMENT, Purse.FUNDING, 10),)
    assert received.compartment.collateral == 1010


def test_funding_alone_can_liquidate():
    # At 95 it holds 5.00 and needs 4.75; 0.285 of funding is too much.
    step = machine.settle_funding(compartment=_open().compartment, rate=F("0.003"), price=F(95))

    assert step.compartment.state is PositionState.LIQUIDATED
    assert step.entries[0].reason is Reason.FUNDING


def test_it_is_liquidated_at_the_first_mark_where_equity_meets_the_requirement():
    # 1900 + 100 (p - 10000)/100: equity 900 at 90, requirement 10 % of 90.
    opened = _open(tiers=(Tier(0.0, 0.1),), margin=1900).compartment

    before = machine.mark(compartment=opened, price=F("90.01"))
    at = machine.mark(compartment=opened, price=F(90))

    assert before == machine.Step(opened)
    assert at.compartment.state is PositionState.LIQUIDATED
    assert at.compartment.quantity == at.compartment.collateral == at.compartment.cost == 0


def test_a_strict_rule_waits_for_less_than_the_requirement():
    opened = _open(rule="linear-mark-strict", tiers=(Tier(0.0, 0.1),), margin=1900).compartment

    assert not machine.mark(compartment=opened, price=F(90)).is_ended
    assert machine.mark(compartment=opened, price=F("89.99")).is_ended


def test_a_liquidation_pays_its_fee_and_returns_the_rest():
    opened = _open(liquidation_fee_rate=F("0.01")).compartment

    step = machine.mark(compartment=opened, price=F(94))

    assert step.entries == (
        LedgerEntry(Reason.PROFIT, Purse.COMPARTMENT, Purse.MARKET, 600),
        LedgerEntry(Reason.LIQUIDATION_FEE, Purse.COMPARTMENT, Purse.INSURANCE, 94),
        LedgerEntry(Reason.LEFTOVER, Purse.COMPARTMENT, Purse.OWNER, 306),
    )


def test_what_is_left_goes_to_the_insurance_fund_where_the_rule_says_so():
    opened = _open(rule="linear-entry").compartment

    step = machine.mark(compartment=opened, price=F(95))

    assert _balances(step.entries) == {
        Purse.COMPARTMENT: -1000,
        Purse.MARKET: 500,
        Purse.INSURANCE: 500,
    }


def test_a_gap_beyond_bankruptcy_is_borne_by_the_insurance_fund():
    opened = _open(liquidation_fee_rate=F("0.01")).compartment

    step = machine.mark(compartment=opened, price=F(80))

    assert step.compartment.collateral == 0
    assert _balances(step.entries) == {
        Purse.COMPARTMENT: -1000,
        Purse.MARKET: 2000,
        Purse.INSURANCE: -1000,
    }


def test_an_order_on_a_dead_compartment_is_void():
    opened = _open().compartment

    step = machine.increase(compartment=opened, quantity=F(1), price=F(94))

    assert step == machine.mark(compartment=opened, price=F(94))


def test_closing_returns_margin_and_profit_less_the_fee():
    opened = _open(fee_rate=F("0.001"), side=SHORT).compartment

    step = machine.close(compartment=opened, price=F(90))

    assert step.compartment.state is PositionState.CLOSED
    assert _balances(step.entries) == {
        Purse.MARKET: -1000,
        Purse.VENUE: 9,
        Purse.COMPARTMENT: -1000,
        Purse.OWNER: 1991,
    }


def test_an_ended_compartment_refuses_every_step():
    ended = machine.close(compartment=_open().compartment, price=F(100)).compartment

    for step in (
        lambda: machine.mark(compartment=ended, price=F(100)),
        lambda: machine.close(compartment=ended, price=F(100)),
        lambda: machine.add_margin(compartment=ended, amount=1),
        lambda: machine.reduce(compartment=ended, quantity=F(1), price=F(100)),
        lambda: ended.terms(trigger_price=None),
    ):
        with pytest.raises(RefusedError, match="closed"):
            step()
    assert ended.entry_price is None


def test_a_record_is_plain_json_and_comes_back_the_same():
    opened = _open(tiers=STEPPED, quantity=F(1, 3), fee_rate=F("0.0005")).compartment

    record = json.loads(json.dumps(opened.to_record()))

    assert Compartment.from_record(record) == opened


@pytest.mark.parametrize("rule", sorted(RULES))
@pytest.mark.parametrize("side", [LONG, SHORT])
def test_it_dies_where_the_solver_says(rule, side):
    opened = _open(
        rule=rule,
        side=side,
        quantity=F(100) if rule.startswith("inverse") else F(7),
        tiers=(Tier(0.0, 0.01), Tier(650.0, 0.02, 6.5)),
        fee_rate=F("0.0005"),
        scale=10,
    ).compartment
    terms = opened.terms(trigger_price=F(100))

    price = F(float(solve(build_batch(terms=[terms])).liquidation_price[0]))

    nearer, farther = price * (1 + side.sign * F(1, 10**9)), price * (1 - side.sign * F(1, 10**9))
    assert not machine.mark(compartment=opened, price=nearer).is_ended
    assert machine.mark(compartment=opened, price=farther).is_ended


# Near ones end in liquidations with something left, far ones in gaps beyond bankruptcy.
PRICES = st.one_of(
    *(
        st.integers(low, high).map(lambda cents: F(cents, 100))
        for low, high in ((9400, 10600), (6000, 16000))
    )
)
QUANTITIES = st.decimals("0.001", "8", places=3).map(F)
ORDERS = st.one_of(
    st.tuples(
        st.just(machine.increase), st.fixed_dictionaries({"quantity": QUANTITIES, "price": PRICES})
    ),
    st.tuples(
        st.just(machine.reduce), st.fixed_dictionaries({"quantity": QUANTITIES, "price": PRICES})
    ),
    st.tuples(st.just(machine.add_margin), st.fixed_dictionaries({"amount": st.integers(1, 5000)})),
    st.tuples(
        st.just(machine.remove_margin),
        st.fixed_dictionaries({"amount": st.integers(1, 5000), "price": PRICES}),
    ),
    st.tuples(
        st.just(machine.settle_funding),
        st.fixed_dictionaries(
            {"rate": st.decimals("-0.01", "0.01", places=4).map(F), "price": PRICES}
        ),
    ),
    st.tuples(st.just(machine.mark), st.fixed_dictionaries({"price": PRICES})),
    st.tuples(st.just(machine.close), st.fixed_dictionaries({"price": PRICES})),
)
OPENINGS = st.fixed_dictionaries(
    {
        "rule": st.sampled_from(sorted(RULES)),
        "side": st.sampled_from([LONG, SHORT]),
        "quantity": QUANTITIES,
        "leverage": st.sampled_from([F(1), F(3), F(12), F(16), F(19)]),
        "tiers": st.sampled_from([FIVE_PERCENT, STEPPED]),
        "fee_rate": st.sampled_from([F(0), F("0.0005"), F("0.01")]),
        "liquidation_fee_rate": st.sampled_from([F(0), F("0.005"), F("0.2")]),
        "scale": st.sampled_from([2, 6]),
    }
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(opening=OPENINGS, orders=st.lists(ORDERS, max_size=12))
def test_money_is_conserved_and_no_more_than_the_collateral_is_lost(opening, orders):
    try:
        step = _open(**opening)
    except RefusedError:
        return
    entries = list(step.entries)

    for order, asked in orders:
        try:
            step = order(compartment=step.compartment, **asked)
        except RefusedError:
            continue
        entries += step.entries
        _check_books(step.compartment, entries)
        if step.is_ended or order not in (machine.increase, machine.add_margin):
            assert all(entry.payer is not Purse.OWNER for entry in step.entries)

    if not step.is_ended:
        step = machine.close(compartment=step.compartment, price=F(100))
        entries += step.entries
        _check_books(step.compartment, entries)
    assert step.compartment.collateral == 0


def _check_books(compartment, entries):
    held = _balances(entries)
    assert sum(held.values()) == 0
    assert all(entry.amount > 0 and isinstance(entry.amount, int) for entry in entries)
    assert held[Purse.COMPARTMENT] == compartment.collateral
    if compartment.state.is_ended:
        assert compartment.collateral == compartment.quantity == compartment.cost == 0
    elif compartment.collateral < 0:
        # Only profit that stands behind it lets a balance fall below nothing.
        assert any(entry.reason is Reason.FUNDING for entry in entries)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    opening=OPENINGS,
    trades=st.lists(st.tuples(QUANTITIES, st.decimals("95", "105", places=2).map(F)), max_size=6),
    at=PRICES,
)
def test_the_market_pays_what_the_trades_were_worth(opening, trades, at):
    try:
        step = _open(**(opening | {"leverage": F(2)}))
        entries = list(step.entries)
        worth = -_worth(step.compartment, step.compartment.quantity, F(100))
        for quantity, price in trades:
            step = machine.increase(compartment=step.compartment, quantity=quantity, price=price)
            entries += step.entries
            worth -= _worth(step.compartment, quantity, price)
    except RefusedError:
        return

    open_at_last = step.compartment
    closed = machine.close(compartment=open_at_last, price=at)

    worth += _worth(open_at_last, open_at_last.quantity, at)
    direction = open_at_last.rules.direction(open_at_last.side)
    received = -_balances([*entries, *closed.entries])[Purse.MARKET]
    # Each rounding is less than a unit and never in the owner's favour.
    assert 0 <= direction * worth - received <= len(trades) + 2


def _worth(compartment, quantity, price):
    return replace(compartment, quantity=quantity).notional(price=price)
