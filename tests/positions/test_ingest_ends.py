"""How lives end, vanish and return, and what a refused row hides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from positions import ingest, pricing
from positions.engine.types import MarginMode, Side
from positions.models import Event, Life, Position
from tests.factories import make_account, make_market
from tests.positions.readings import (
    SIGHTED,
    at,
    end,
    failure,
    outcome,
    prices,
    reading,
    spec,
)
from venues.base import Refusal
from venues.errors import BadCredentials, Unreachable
from venues.figures import Figure
from venues.models import CoverageEntry

pytestmark = pytest.mark.django_db


def store(*outcomes, cycle=None):
    received = max(each.received_at for each in outcomes)
    cycle = cycle or int(received.timestamp() * 1000)
    return ingest.ingest_outcomes(outcomes=list(outcomes), cycle=cycle, now=received)


def kinds(position):
    return list(position.events.order_by("pk").values_list("kind", flat=True))


def test_vanished_position_is_gone_and_not_closed():
    account = make_account()
    store(outcome(account, reading()))

    store(outcome(account, seconds=30))

    position = Position.objects.get()
    assert position.state == "gone"
    assert position.life.ended_at is None
    assert kinds(position) == ["opened", "gone"]


def test_gone_position_that_returns_lives_on():
    account = make_account()
    store(outcome(account, reading()))
    store(outcome(account, seconds=30))

    store(outcome(account, reading(), seconds=60))

    position = Position.objects.get()
    assert position.state == "open"
    assert kinds(position) == ["opened", "gone", "returned"]
    assert Life.objects.count() == 1


def test_end_told_by_the_venue_ends_the_life():
    account = make_account()
    store(outcome(account, reading()))

    store(outcome(account, seconds=30, ends=[end(seconds=20)]))

    position = Position.objects.get()
    assert position.state == "liquidated"
    assert position.life.ended_at == at(20)
    assert position.life.end_price == 54_271.3
    assert kinds(position) == ["opened", "liquidated"]


def test_position_that_ended_and_opened_between_two_polls_begins_a_new_life():
    account = make_account()
    store(outcome(account, reading()))

    store(outcome(account, reading(), seconds=30, ends=[end(seconds=20)]))

    position = Position.objects.get()
    assert position.state == "open"
    assert position.lives.count() == 2
    assert kinds(position) == ["opened", "liquidated", "opened"]


def test_what_arrived_after_the_venues_date_of_an_end_is_told_before_it():
    account = make_account()
    store(outcome(account, reading()))
    pricing.ingest_prices(outcome=prices(account, seconds=21, BTC="54000"), now=at(21))

    store(outcome(account, seconds=30))
    store(outcome(account, seconds=60, ends=[end(seconds=20)]))

    told = Event.objects.order_by("at", "pk").values_list("kind", "at")
    assert list(told)[1:] == [
        ("breached", at(20)),
        ("gone", at(20)),
        ("liquidated", at(20)),
    ]


def test_the_same_end_told_again_ends_nothing():
    account = make_account()
    store(outcome(account, reading()))
    store(outcome(account, reading(), seconds=30, ends=[end(seconds=20)]))

    store(outcome(account, reading(), seconds=60, ends=[end(seconds=20)]))

    assert Position.objects.get().lives.count() == 2


def test_an_end_between_the_venues_snapshot_and_its_arrival_belongs_to_the_life():
    account = make_account(last_seen_at=None)
    store(outcome(account, reading(venue_time=at(-2)), seconds=0))

    store(outcome(account, seconds=30, ends=[end(seconds=-1)]))

    assert Position.objects.get().state == "liquidated"


def test_flipped_side_is_a_new_life():
    account = make_account()
    store(outcome(account, reading()))

    short = reading(side=Side.SHORT, liquidation_price=SIGHTED("65000"))
    store(outcome(account, short, seconds=30))

    position = Position.objects.get()
    assert position.side == "short"
    assert kinds(position) == ["opened", "closed", "opened"]


@pytest.mark.parametrize("error", [Unreachable("no connection"), BadCredentials("wrong key")])
def test_failed_poll_closes_nothing_and_says_why(error):
    account = make_account()
    store(outcome(account, reading()))

    store(failure(account, error, seconds=30))

    coverage = CoverageEntry.objects.get()
    assert Position.objects.get().state == "open"
    assert coverage.seen_at == at(0)
    assert coverage.rows == 1
    assert coverage.error == str(error)


def test_refused_row_keeps_the_position_it_may_be():
    account = make_account()
    store(outcome(account, reading(), reading("ETH/USDT:USDT")))

    refusal = Refusal("entryPrice: '1,5' is not a number", "ETHUSDT")
    store(outcome(account, reading(), seconds=30, refusals=[refusal]))

    states = dict(Position.objects.values_list("market__asset", "state"))
    assert states == {"BTC": "open", "ETH": "open"}
    assert CoverageEntry.objects.get().refused == 1


@pytest.mark.parametrize(
    ("symbol", "told"), [("ETH/USDC:USDC", "ETH"), ("FLX-TSLA/USDH:USDH", "flx:TSLA")]
)
def test_a_refused_row_that_names_the_coin_of_a_contract_listed_by_number(symbol, told):
    account = make_account()
    held = reading(symbol, market=spec(symbol, venue_symbol="1"))
    store(outcome(account, held))

    store(outcome(account, seconds=30, refusals=[Refusal("entryPx: 'NaN' is no number", told)]))

    assert Position.objects.get().state == "open"


def test_a_part_that_was_closed_does_not_end_a_position_whose_row_is_refused():
    account = make_account()
    store(outcome(account, reading("ETH/USDT:USDT")))

    refusal = Refusal("entryPrice: '1,5' is not a number", "ETHUSDT")
    closed = end("ETH/USDT:USDT", seconds=20, state="closed")
    store(outcome(account, seconds=30, refusals=[refusal], ends=[closed]))

    assert Position.objects.get().state == "open"


def test_a_refused_row_of_another_contract_hides_nothing_that_is_gone():
    account = make_account()
    store(outcome(account, reading(), reading("ETH/USDT:USDT")))

    loan = Refusal("MARGIN positions are not read", "SOL-USDT")
    store(outcome(account, reading(), seconds=30, refusals=[loan]))

    states = dict(Position.objects.values_list("market__asset", "state"))
    assert states == {"BTC": "open", "ETH": "gone"}


def test_an_end_of_the_cross_position_is_none_of_the_isolated_one_beside_it():
    account = make_account()
    other = reading(margin_mode=MarginMode.CROSS)
    store(outcome(account, reading(), other))

    told = replace(end(seconds=20, state="closed"), margin_mode="cross")
    store(outcome(account, reading(), seconds=30, ends=[told]))

    states = dict(Position.objects.values_list("margin_mode", "state"))
    assert states == {"isolated": "open", "cross": "closed"}
    assert Life.objects.count() == 2


@pytest.mark.parametrize(
    ("told", "value", "source"),
    [
        # The rate of the first tier, worked out from the row alone; the table says 0.5 %.
        (Figure.derived(200), 300, "derived"),
        (SIGHTED("200"), 200, "reported"),
    ],
)
def test_a_requirement_that_the_venue_did_not_print_is_that_of_the_table(told, value, source):
    account = make_account()
    make_market(venue=account.venue)

    store(outcome(account, reading(maintenance_margin=told)))

    held = Position.objects.get()
    assert held.maintenance_margin == pytest.approx(value)
    assert held.provenance.sources["maintenance_margin"] == source


def test_one_failed_scope_leaves_the_other_scope_alone():
    account = make_account()
    store(outcome(account, reading()))
    store(outcome(account, reading("ETH/USDT:USDT"), scope="inverse", seconds=1))

    store(outcome(account, scope="inverse", seconds=30))

    states = dict(Position.objects.values_list("market__asset", "state"))
    assert states == {"BTC": "open", "ETH": "gone"}


def test_a_scope_that_is_no_longer_read_is_forgotten_unless_it_holds_positions():
    account = make_account()
    store(outcome(account, reading(), scope="linear"))
    store(outcome(account, scope="inverse", seconds=1))

    store(outcome(account, scope="all", seconds=30))

    assert set(CoverageEntry.objects.values_list("scope", flat=True)) == {"linear", "all"}
