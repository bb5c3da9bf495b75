"""Maintenance tables of the venues of the generic adapter: only what the venue's rows say."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

import pytest

from positions.engine.types import Tier
from tests.venues.fake_client import BTC, FakeClient
from venues import ccxt_facts, registry
from venues.adapters.generic import VENUES
from venues.base import REGISTRY
from venues.errors import Unreachable, VenueRefused

registry.load()

NAME = BTC.symbol


def read_tiers(venue: str, fake: FakeClient, *symbols: str) -> Any:
    adapter = registry.get(venue)
    return asyncio.run(adapter.read_tiers(client=fake, symbols=symbols or (NAME,)))


def per_market(*infos: Any) -> FakeClient:
    # What ccxt adds is not believed: its maxNotional and rate are wrong here.
    rows = [{"maintenanceMarginRate": 0.9, "minNotional": 7, "info": info} for info in infos]
    return FakeClient({"fetch_market_leverage_tiers": rows})


def listed(info: Any) -> FakeClient:
    return FakeClient({"fetch_markets": [{"symbol": NAME, "info": info}]})


def test_a_ladder_is_read_from_the_venues_rows() -> None:
    fake = per_market(
        {"minPositionVal": "0", "maintMarginRatio": "0.0033", "maintAmount": "0.000000"},
        {"minPositionVal": "900000", "maintMarginRatio": "0.005", "maintAmount": "1530.000000"},
    )

    [table] = read_tiers("bingx", fake)

    assert table.symbol == NAME
    assert table.tiers == (Tier(0.0, 0.0033), Tier(900_000.0, 0.005, 1530.0))


def test_leverages_of_a_ladder() -> None:
    fake = per_market(
        {"minRiskLimit": "300000", "maintainMargin": "0.01", "maxLeverage": "50"},
        {"minRiskLimit": "0", "maintainMargin": "0.005", "maxLeverage": "100"},
    )

    [table] = read_tiers("kucoinfutures", fake)

    assert table.tiers == (Tier(0.0, 0.005), Tier(300_000.0, 0.01))
    assert table.max_leverages == (100.0, 50.0)


@pytest.mark.parametrize(
    "info",
    [
        # Another account type counts contracts under other names.
        {"minSize": "0", "maintainMarginRate": "0.004"},
        {"minRiskLimit": "5", "maintainMargin": "0.005"},
        {"minRiskLimit": "0", "maintainMargin": "0"},
        {"minRiskLimit": "0", "maintainMargin": "1.5"},
        {"minRiskLimit": "0", "maintainMargin": "NaN"},
        "text",
        None,
    ],
)
def test_a_table_that_does_not_say_it_all_is_not_read(info: Any) -> None:
    assert read_tiers("kucoinfutures", per_market(info)) == []


def test_a_market_that_the_venue_refuses_leaves_the_others() -> None:
    other = type(BTC)(symbol="ETH/USDT:USDT", venue_symbol="ETHUSDT", kind=BTC.kind)

    def answer(params: Any) -> Any:
        row = {"info": {"minRiskLimit": "0", "maintainMargin": "0.005"}}
        return VenueRefused("no") if params["args"][0] == NAME else [row]

    fake = FakeClient({"fetch_market_leverage_tiers": answer}, markets=[BTC, other])

    tables = read_tiers("kucoinfutures", fake, NAME, other.symbol)

    assert [table.symbol for table in tables] == [other.symbol]


@pytest.mark.parametrize("error", [VenueRefused("no"), Unreachable("no")])
def test_tables_that_nobody_tells_are_a_failure(error: Exception) -> None:
    with pytest.raises(type(error)):
        read_tiers("kucoinfutures", FakeClient({"fetch_market_leverage_tiers": error}))


def test_one_rate_in_ten_thousandths() -> None:
    info = {"maintenance_margin_fraction": "120", "min_initial_margin_fraction": "200"}

    [table] = read_tiers("lighter", listed(info))

    assert (table.tiers, table.max_leverages) == ((Tier(0.0, 0.012),), (50.0,))


def test_one_rate_from_a_weight() -> None:
    [table] = read_tiers("nado", listed({"long_weight_maintenance_x18": "970000000000000000"}))

    assert table.tiers == (Tier(0.0, 0.03),)


def test_one_rate_as_it_is_said() -> None:
    [table] = read_tiers("hibachi", listed({"maintenanceFactorForPositions": "0.030000"}))

    assert table.tiers == (Tier(0.0, 0.03),)


def test_levels_that_count_quote_units_are_read() -> None:
    levels = [
        {"numNonContractUnits": "0", "initialMargin": "0.02", "maintenanceMargin": "0.01"},
        {"numNonContractUnits": "500000", "initialMargin": "0.04", "maintenanceMargin": "0.02"},
    ]

    [table] = read_tiers("krakenfutures", listed({"marginLevels": levels}))

    assert table.tiers == (Tier(0.0, 0.01), Tier(500_000.0, 0.02))
    assert table.max_leverages == (50.0, 25.0)


def test_levels_that_count_contracts_are_not_read() -> None:
    levels = [{"contracts": "0", "initialMargin": "0.02", "maintenanceMargin": "0.01"}]

    assert read_tiers("krakenfutures", listed({"marginLevels": levels})) == []


STAIRS = {
    "maintenanceMarginRate": "0.005", "baselinePositionValue": "50000.0000",
    "incrementalPositionValue": "50000.0000", "incrementalMaintenanceMarginRate": "0.00100",
    "maxMaintenanceMarginRate": "0.0070", "maxPositionValue": "250000.0000",
}  # fmt: skip


def test_stairs_rise_step_by_step_to_the_highest_rate() -> None:
    [table] = read_tiers("apex", listed(STAIRS))

    assert table.tiers == (
        Tier(0.0, 0.005), Tier(50_000.0, 0.006), Tier(100_000.0, 0.007), Tier(150_000.0, 0.007),
        Tier(200_000.0, 0.007),
    )  # fmt: skip


@pytest.mark.parametrize("step", ["0", "-1", "0.0001", "", None])
def test_stairs_without_an_end_are_no_table(step: Any) -> None:
    assert read_tiers("apex", listed({**STAIRS, "incrementalPositionValue": step})) == []


def test_a_venue_whose_units_are_not_known_is_not_asked() -> None:
    fake = FakeClient({})

    assert read_tiers("htx", fake) == ()
    assert fake.asked == []


def test_a_market_that_is_not_listed_is_not_asked_for() -> None:
    fake = FakeClient({})

    assert read_tiers("kucoinfutures", fake, "NEW/USDT:USDT") == ()
    assert fake.asked == []


@pytest.mark.parametrize("slug", sorted(VENUES))
def test_a_budget_stays_below_what_ccxt_allows(slug: str) -> None:
    ccxt = importlib.import_module("ccxt")
    spacing_ms = getattr(ccxt, slug)().rateLimit

    budget = REGISTRY[slug].rate

    assert ccxt_facts.REQUEST_MS[slug] == pytest.approx(spacing_ms, rel=1e-3)
    assert budget.requests / budget.window_s <= 0.8 * 1000 / max(spacing_ms, 100) + 1e-9
    assert budget.requests >= 1
    assert "ccxt" in budget.source


def test_a_contract_that_ccxt_sizes_by_its_smallest_order_is_put_right() -> None:
    markets = [{"contract": True, "contractSize": 0.001}, {"contract": False}]

    ccxt_facts.correct_markets("apex", markets)
    ccxt_facts.correct_markets("htx", markets)

    assert markets == [{"contract": True, "contractSize": 1.0}, {"contract": False}]
