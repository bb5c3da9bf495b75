"""What the list of contracts says: limits, leverage, the end of trading, the venue's own row."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from venues.base import MarketSpec
from venues.figures import Row, RowError
from venues.listing import MarketIndex
from venues.market_data import Listing

MARCH = datetime(2027, 3, 26, 8, tzinfo=UTC)


def listed(read_listing: Any = None, **fields: Any) -> MarketSpec:
    """Return how the one contract of a list is found."""
    market = {
        "id": "BTCUSDT",
        "symbol": "BTC/USDT:USDT",
        "base": "BTC",
        "quote": "USDT",
        "settle": "USDT",
        "contract": True,
        "linear": True,
        "active": True,
        "contractSize": 1.0,
        "taker": 0.0005,
        "precision": {"price": 0.1},
        "limits": {
            "amount": {"min": 0.001, "max": 1000.0},
            "cost": {"min": 5.0, "max": None},
            "leverage": {"min": 1.0, "max": 125.0},
        },
        "info": {"symbol": "BTCUSDT"},
        **fields,
    }
    index = MarketIndex([market], precision_mode=4, read_listing=read_listing)
    return index.find("BTC/USDT:USDT")


def test_limits_are_those_that_ccxt_maps() -> None:
    spec = listed()

    assert (spec.min_contracts, spec.max_contracts) == (0.001, 1000.0)
    assert (spec.min_notional, spec.max_leverage) == (5.0, 125.0)
    assert (spec.is_active, spec.delists_at, spec.is_listing_read) == (True, None, False)


@pytest.mark.parametrize("limits", [None, {}, {"amount": None}, {"amount": {"min": 0.0}}])
def test_a_limit_that_is_not_told_is_unknown(limits: Any) -> None:
    spec = listed(limits=limits)

    assert (spec.min_contracts, spec.max_leverage) == (None, None)


def test_a_dated_contract_ends_at_its_expiry() -> None:
    milliseconds = int(MARCH.timestamp() * 1000)

    assert listed(future=True, expiry=milliseconds).delists_at == MARCH


@pytest.mark.parametrize(
    "fields",
    [
        {"future": False, "expiry": 4_133_404_800_000},
        {"future": True, "expiry": 4_133_404_800_000},
        {"future": True, "expiry": None},
        {"future": True, "expiry": 0},
    ],
)
def test_never_is_no_end(fields: dict[str, Any]) -> None:
    assert listed(**fields).delists_at is None


def test_the_venues_own_row_says_the_rest() -> None:
    told = Listing(delists_at=MARCH, funding_interval_h=4.0, is_active=False)

    spec = listed(lambda row: told if row.text("symbol") == "BTCUSDT" else Listing())

    assert (spec.delists_at, spec.funding_interval_h) == (MARCH, 4.0)
    assert (spec.is_active, spec.is_listing_read) == (False, True)


@pytest.mark.parametrize("error", [RowError("odd"), KeyError("odder")])
def test_a_row_that_cannot_be_read_tells_nothing_and_hides_no_contract(error: Exception) -> None:
    def read(row: Row) -> Listing:
        raise error

    spec = listed(read)

    assert spec.is_known
    assert not spec.is_listing_read


def test_a_contract_that_is_paused_takes_no_new_positions() -> None:
    assert not listed(active=False).is_active
    assert listed(active=None).is_active
