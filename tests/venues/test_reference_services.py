from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from positions.engine.compartment import RefusedError
from positions.engine.types import PositionState, Side
from tests.venues.reference_book import START, at, make_paper_account, open_long, purse, state
from venues.reference import services
from venues.reference.catalogue import STYLES
from venues.reference.models import ReferencePosition

pytestmark = pytest.mark.django_db
UNIT = 10**8


def test_opening_takes_margin_and_fee_from_the_balance() -> None:
    account = make_paper_account(USDT="2000")

    position = open_long(account)

    # 0.1 BTC at 97,220.8: 972.208 margin at 10x and 0.05 % of 9,722.08 as the fee.
    assert position.compartment.collateral == 97_220_800_000
    assert purse("venue", position=position) == 486_104_000
    free = services.find_balance(account=account, unit="USDT")
    assert free == 2_000 * UNIT - 97_220_800_000 - 486_104_000


def test_inverse_contracts_are_collateralised_in_their_coin() -> None:
    account = make_paper_account(BTC="1")

    position = open_long(account, "BTC/USD:BTC", contracts=Decimal(80), leverage=4)

    assert position.compartment.quantity == 8_000
    assert position.compartment.rule == "inverse-mark"
    # A quarter of 8,000 / 97,250 BTC, rounded up to the unit.
    assert position.compartment.collateral == 2_056_556


def test_a_position_is_increased_and_reduced() -> None:
    account = make_paper_account()
    position = open_long(account)

    grown = services.change_position(position=position, contracts=Decimal("0.05"), now=START)
    shrunk = services.change_position(position=position, contracts=Decimal("-0.12"), now=START)

    assert grown.compartment.quantity == Fraction("0.15")
    assert shrunk.compartment.quantity == Fraction("0.03")
    assert shrunk.compartment.entry_price == Fraction("97220.8")


def test_margin_is_added_and_taken_back_down_to_the_initial_margin() -> None:
    position = open_long(make_paper_account())
    before = position.compartment.collateral

    added = services.add_margin(position=position, amount=Decimal(100), now=START)
    taken = services.remove_margin(position=position, amount=Decimal(100), now=START)

    assert added.compartment.collateral == before + 100 * UNIT
    assert taken.compartment.collateral == before
    with pytest.raises(RefusedError, match="initial margin"):
        services.remove_margin(position=position, amount=Decimal("0.00000001"), now=START)


def test_closing_returns_the_collateral_less_the_fee() -> None:
    account = make_paper_account(USDT="2000")
    position = open_long(account)

    closed = services.close_position(position=position, now=at(0))

    assert closed.state == PositionState.CLOSED
    assert (closed.ended_step, closed.ended_at, closed.end_ticks) == (0, START, 972_208)
    free = services.find_balance(account=account, unit="USDT")
    assert free == 2_000 * UNIT - 2 * 486_104_000


def test_a_closed_slot_can_be_opened_again() -> None:
    account = make_paper_account()
    services.close_position(position=open_long(account), now=START)

    again = open_long(account, side=Side.SHORT)

    assert ReferencePosition.objects.filter(ended_step=None).get() == again


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ({"contracts": Decimal("0.0005")}, "lots of 0.001"),
        ({"contracts": Decimal(0)}, "lots"),
        ({"contracts": Decimal(-1)}, "lots"),
        ({"leverage": 250}, "liquidated at once"),
        ({"leverage": 0}, "leverage"),
        ({"contracts": Decimal(500)}, "not enough free USDT"),
        ({"margin": Decimal("10")}, "below the initial margin"),
        ({"margin": Decimal("2000.000000001")}, "at most 8 decimals"),
        ({"symbol": "ABC/USDT:USDT"}, "does not list"),
    ],
)
def test_an_order_that_cannot_be_is_refused_and_changes_nothing(
    order: dict[str, Any], why: str
) -> None:
    account = make_paper_account()
    before = state()

    with pytest.raises(RefusedError, match=why):
        open_long(account, **order)

    assert state() == before


def test_a_slot_holds_one_position() -> None:
    account = make_paper_account()
    open_long(account)

    with pytest.raises(RefusedError, match="open already"):
        open_long(account)


def test_a_hedged_account_holds_both_sides_apart() -> None:
    account = make_paper_account(style="bybit")

    open_long(account, slot="long")
    open_long(account, side=Side.SHORT, slot="short")

    assert ReferencePosition.objects.filter(ended_step=None).count() == 2


def test_an_account_of_another_venue_is_refused() -> None:
    account = make_paper_account()
    account.venue = "binance"

    with pytest.raises(RefusedError, match="cannot trade"):
        open_long(account)


@pytest.mark.parametrize("options", [{}, {"style_of": "nowhere"}, {"style_of": "hyperliquid"}])
def test_an_account_without_a_rule_for_the_contract_is_refused(options: dict[str, str]) -> None:
    account = make_paper_account(BTC="1")
    account.options = options

    with pytest.raises(RefusedError, match="cannot trade"):
        open_long(account, "BTC/USD:BTC", contracts=Decimal(10))


def test_an_ended_position_cannot_be_changed() -> None:
    position = open_long(make_paper_account())
    services.close_position(position=position, now=START)

    with pytest.raises(RefusedError, match="no longer open"):
        services.add_margin(position=position, amount=Decimal(1), now=START)


@pytest.mark.parametrize("style", sorted(STYLES))
def test_every_style_opens_what_it_has_rules_for(style: str) -> None:
    account = make_paper_account(style=style, USDT="100000", BTC="1")

    linear = open_long(account, leverage=5)

    assert linear.compartment.rule == STYLES[style].rules["linear"]
    if "inverse" in STYLES[style].rules:
        inverse = open_long(account, "BTC/USD:BTC", contracts=Decimal(10), leverage=5)
        assert inverse.compartment.rule == STYLES[style].rules["inverse"]
    else:
        with pytest.raises(RefusedError, match="cannot trade"):
            open_long(account, "BTC/USD:BTC", contracts=Decimal(10), leverage=5)
