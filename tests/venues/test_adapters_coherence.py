"""Our own answers add up: each row obeys the margin rule that its venue is said to follow."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from positions.engine.batch import build_batch
from positions.engine.solver import solve
from positions.engine.types import ContractKind, MarginMode, Terms, Tier
from tests.venues import corpus
from tests.venues.reading_checks import read_account
from tests.venues.replay import Replay
from venues import registry
from venues.base import PositionReading, ScopeReading

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


def terms_of(position: PositionReading, rule: str) -> Terms:
    size = position.market.contract_size
    rate = position.maintenance_rate.number
    assert size is not None
    assert rate is not None
    return Terms(
        rule=rule,
        side=position.side,
        quantity=position.contracts.number * size,
        entry_price=position.entry_price.number,
        collateral=position.collateral.number,
        trigger_price=position.mark_price.number,
        tiers=(Tier(0.0, rate, position.maintenance_amount.number or 0.0),),
        fee_rate=position.market.taker_fee_rate or 0.0,
    )


@pytest.mark.parametrize(("venue", "name"), CASES)
def test_the_engine_meets_the_venues_liquidation_price(
    replay: Replay, venue: str, name: str
) -> None:
    positions = isolated_positions(replay, venue, name)
    adapter = registry.get(venue)

    for position in positions:
        rule = adapter.rule_for(kind=position.market.kind, options={})
        assert rule is not None
        solved = solve(build_batch(terms=[terms_of(position, rule)]))
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

    assert {"binance", "bybit", "okx", "hyperliquid", "bitget"} <= venues
