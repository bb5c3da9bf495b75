"""Our own answers add up: each row obeys the margin rule that its venue is said to follow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from positions.engine.batch import build_batch
from positions.engine.solver import solve
from positions.engine.types import ContractKind, MarginMode, Terms, Tier
from tests.venues import corpus
from tests.venues.probe import use
from tests.venues.reading_checks import account_of, read_account
from tests.venues.replay import Replay
from venues import registry
from venues.base import PositionReading, ScopeReading
from venues.client import CcxtClient
from venues.market_data import TierReading

registry.load()

CASES = [
    (path.parent.name, path.stem)
    for path in sorted(corpus.OWN.glob("*/positions_*.json"))
    if path.stem not in ("positions_empty", "positions_mixed")
]


def isolated_positions(replay: Replay, venue: str, name: str) -> list[PositionReading]:
    expected = json.loads((corpus.OWN / venue / f"{name}.json").read_text())["expected"]
    options = {"scopes": list(expected["scopes"]), **expected.get("options", {})}
    found = read_account(venue, replay.url(venue, name), options)
    return [
        position
        for reading in found.values()
        if isinstance(reading, ScopeReading)
        for position in reading.positions
        if position.margin_mode is MarginMode.ISOLATED
    ]


def tiers_of(replay: Replay, venue: str, position: PositionReading) -> tuple[Tier, ...]:
    """Return the rate of the row itself, else the table that the venue's "tiers" scenario holds."""
    rate = position.maintenance_rate.number
    if rate is not None:
        return (Tier(0.0, rate, position.maintenance_amount.number or 0.0),)
    adapter, symbol = registry.get(venue), position.market.symbol

    async def work(client: CcxtClient) -> Sequence[TierReading]:
        return await adapter.read_tiers(client=client, symbols=[symbol])

    base = replay.url(venue, "tiers")
    [table] = use(base, work, adapter=adapter, **account_of(adapter, {}))
    return table.tiers


def terms_of(position: PositionReading, rule: str, tiers: tuple[Tier, ...]) -> Terms:
    size = position.market.contract_size
    assert size is not None
    return Terms(
        rule=rule,
        side=position.side,
        quantity=position.contracts.number * size,
        entry_price=position.entry_price.number,
        collateral=position.collateral.number,
        trigger_price=position.mark_price.number,
        tiers=tiers,
        fee_rate=position.market.taker_fee_rate or 0.0,
    )


@pytest.mark.parametrize(("venue", "name"), CASES)
def test_the_engine_meets_the_venues_liquidation_price(
    replay: Replay, venue: str, name: str
) -> None:
    positions = isolated_positions(replay, venue, name)
    adapter = registry.get(venue)

    for position in positions:
        if not position.liquidation_price.is_known:
            # dYdX tells none; tests/venues/test_dydx.py holds its rows to the venue's condition.
            continue
        rule = adapter.rule_for(kind=position.market.kind, options={})
        assert rule is not None
        terms = terms_of(position, rule, tiers_of(replay, venue, position))
        solved = solve(build_batch(terms=[terms]))
        told = position.liquidation_price.number
        # Bybit rounds to the tick against the owner, OKX adds one.
        tolerance = 2 * (position.market.tick_size or 0.0) + 1e-9 * told
        assert solved.liquidation_price[0] == pytest.approx(told, abs=tolerance), position.identity


@pytest.mark.parametrize(("venue", "name"), CASES)
def test_profit_is_what_size_and_prices_make_it(replay: Replay, venue: str, name: str) -> None:
    positions = isolated_positions(replay, venue, name)

    for position in positions:
        worth = profit_of(position)
        assert float(position.unrealized_pnl.value) == pytest.approx(float(worth), rel=1e-5)


def profit_of(position: PositionReading) -> Decimal:
    size = position.contracts.value * Decimal(str(position.market.contract_size))
    entry, mark = position.entry_price.value, position.mark_price.value
    if position.market.kind is ContractKind.INVERSE:
        return position.side.sign * size * (1 / entry - 1 / mark)
    return position.side.sign * size * (mark - entry)


def test_every_folder_with_positions_is_checked() -> None:
    venues: set[Any] = {venue for venue, _ in CASES}

    assert {"binance", "bybit", "okx", "hyperliquid", "bitget", "gate", "dydx"} <= venues
