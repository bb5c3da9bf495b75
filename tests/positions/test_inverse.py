"""Inverse contracts: coins, dollars and prices, the same by a poll and by a price refresh."""

from __future__ import annotations

import pytest

from positions.engine.types import ContractKind
from positions.live_cells import FORMS, MOVED_BY_PRICE
from positions.models import Position
from tests.factories import make_account, make_asset_price
from tests.positions.readings import SIGHTED, at, outcome, reading, spec
from tests.positions.test_ingest import store
from tests.positions.test_pricing import refresh
from venues.base import PriceOutcome, PriceReading, QuoteReading

pytestmark = pytest.mark.django_db

SYMBOL = "BTC/USD:BTC"
MARKET = spec(SYMBOL, kind=ContractKind.INVERSE, contract_size=100.0)


def held(**columns):
    values = {
        "market": MARKET,
        "contracts": SIGHTED("600"),
        "collateral": SIGHTED("0.1"),
        "liquidation_price": SIGHTED("54818.2"),
        "unrealized_pnl": SIGHTED("0"),
        "maintenance_margin": SIGHTED("0.005"),
    }
    return reading(SYMBOL, **{**values, **columns})


def test_an_inverse_position_is_the_same_by_poll_and_by_price():
    account = make_account()
    make_asset_price("BTC", usd=58_000.0, received_at=at(0))
    store(outcome(account, held()))
    quote = QuoteReading(SYMBOL, SIGHTED("57000"), venue_time=at(2))
    refresh(PriceOutcome(account.venue, "", at(2), PriceReading((quote,))))
    by_price = Position.objects.get()
    profit = 60_000 * (1 / 60_000 - 1 / 57_000)
    told = held(
        mark_price=SIGHTED("57000"),
        unrealized_pnl=SIGHTED(repr(profit)),
        maintenance_margin=SIGHTED(repr(0.005 * 60_000 / 57_000)),
    )
    store(outcome(account, told, seconds=30))
    by_poll = Position.objects.get()

    assert by_price.quantity == by_price.notional == pytest.approx(60_000 / 57_000)
    assert by_price.notional_usd == pytest.approx(60_000 / 57_000 * 58_000)
    assert by_price.unrealized_pnl == pytest.approx(profit)
    # Dollars with their maintenance, over coins at entry with the collateral.
    assert by_price.engine_liquidation_price == pytest.approx(60_000 * 1.005 / 1.1)
    for name in ("quantity", "notional", "notional_usd", "unrealized_pnl", "unrealized_pnl_usd"):
        assert getattr(by_poll, name) == pytest.approx(getattr(by_price, name), rel=1e-12)
    for name in ("margin_ratio", "maintenance_margin", "engine_liquidation_price"):
        assert getattr(by_poll, name) == pytest.approx(getattr(by_price, name), rel=1e-12)


def test_browsers_are_told_of_every_figure_that_a_price_moves():
    account = make_account()
    make_asset_price("BTC", usd=58_000.0, received_at=at(0))
    store(outcome(account, held()))
    before = Position.objects.get()
    prices = {"mark_price": SIGHTED("57000"), "index_price": SIGHTED("57010")}
    quote = QuoteReading(SYMBOL, **prices, funding_rate=SIGHTED("0.0003"), venue_time=at(2))

    refresh(PriceOutcome(account.venue, "", at(2), PriceReading((quote,))))

    after = Position.objects.get()
    moved = {name for name in FORMS if getattr(before, name) != getattr(after, name)}
    # Sent beside the distance where it is another, and else the same number.
    moved.discard("rank_distance")
    assert moved <= set(MOVED_BY_PRICE)
    assert {"quantity", "notional", "unrealized_pnl_usd", "funding_rate"} <= moved
