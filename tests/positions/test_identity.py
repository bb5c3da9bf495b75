"""One position stays one position: margin modes unread, scopes renamed, cross legs."""

from __future__ import annotations

import pytest

from positions.engine.types import MarginMode, Side
from positions.models import Position
from positions.selectors import coverage_of
from tests.factories import make_account, make_asset_price
from tests.positions.readings import SIGHTED, at, end, outcome, prices, reading
from tests.positions.test_ingest import kinds, store
from tests.positions.test_pricing import refresh
from venues.figures import Figure

pytestmark = pytest.mark.django_db

MODELESS = {"margin_mode": None, "collateral": Figure.unknown("the margin mode is not known")}
CROSS = {"margin_mode": MarginMode.CROSS, "collateral": Figure.unknown("cross margin")}


def test_a_mode_that_could_not_be_read_once_is_no_new_position():
    account = make_account()
    store(outcome(account, reading()))

    store(outcome(account, reading(**MODELESS), seconds=30))

    position = Position.objects.get()
    assert kinds(position) == ["opened"]
    assert position.margin_mode == "isolated"
    assert position.margin_ratio is None
    assert position.provenance.reasons["collateral"] == "the margin mode is not known"


def test_a_position_first_seen_without_its_mode_gets_it_later():
    account = make_account()
    store(outcome(account, reading(**MODELESS)))

    store(outcome(account, reading(), seconds=30))

    position = Position.objects.get()
    assert kinds(position) == ["opened"]
    assert position.margin_mode == "isolated"


def test_isolated_and_cross_of_one_symbol_stay_two_positions():
    account = make_account()
    store(outcome(account, reading(), reading(**CROSS)))

    store(outcome(account, reading(**MODELESS), reading(**CROSS), seconds=30))

    assert sorted(Position.objects.values_list("margin_mode", "state")) == [
        ("cross", "open"),
        ("isolated", "open"),
    ]


def test_both_legs_of_a_cross_hedge_may_share_one_liquidation_price_and_none_is_breached():
    account = make_account()
    shared = {**CROSS, "liquidation_price": SIGHTED("90000")}
    legs = (
        reading(slot="long", **shared),
        reading(slot="short", side=Side.SHORT, **shared),
    )

    store(outcome(account, *legs))
    refresh(prices(account, seconds=2, BTC="60000"))

    rows = Position.objects.order_by("side").values_list("state", "liquidation_distance")
    assert list(rows) == [("open", 0.5), ("open", 0.5)]


def test_a_scope_that_holds_only_flat_rows_is_forgotten_with_their_history_kept():
    account = make_account()
    store(outcome(account, reading(), scope="linear"))
    store(outcome(account, scope="linear", seconds=30, ends=[end(seconds=20)]))

    store(outcome(account, scope="all", seconds=60))

    (covered,) = coverage_of(team=account.team, now=at(61))
    assert [entry.scope for entry in covered.entries] == ["all"]
    assert kinds(Position.objects.get()) == ["opened", "liquidated"]


def test_prices_of_a_testnet_never_value_a_real_position():
    real = make_account()
    test = make_account(environment="https://testnet.example")
    make_asset_price("USDT", usd=5.0, environment=test.environment, received_at=at(0))

    store(outcome(real, reading()), outcome(test, reading()))

    values = dict(Position.objects.values_list("account__environment", "notional_usd"))
    assert values == {"": None, test.environment: 300_000.0}
