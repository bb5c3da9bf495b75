"""What the tests of Binance and of Aster share: expectations field by field, and short calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from positions.engine.types import ContractKind
from tests.venues import corpus
from tests.venues.fake_client import FakeClient
from tests.venues.probe import use
from tests.venues.reading_checks import account_of
from venues import registry
from venues.base import (
    Held,
    MarketSpec,
    PositionEnd,
    PositionReading,
    ScopeReading,
    VenueClient,
)
from venues.client import CcxtClient
from venues.figures import Figure
from venues.key_facts import KeyFacts
from venues.market_data import FundingReading, TierReading
from venues.rows import split_symbol

# Every figure of a reading.
FIELDS = (
    "contracts",
    "entry_price",
    "mark_price",
    "collateral",
    "liquidation_price",
    "unrealized_pnl",
    "leverage",
    "index_price",
    "notional",
    "maintenance_margin",
    "maintenance_rate",
    "maintenance_amount",
    "venue_margin_ratio",
    "adl_rank",
)


def check_fields(position: PositionReading, expected: Mapping[str, Any]) -> None:
    """Assert that every field is as its row says: (source, text, number or reason)."""
    told = position.venue_time.isoformat() if position.venue_time else None

    assert position.identity == expected["identity"]
    assert position.side == expected["side"]
    assert position.auto_add_margin is expected["auto_add_margin"]
    assert told == expected["venue_time"]
    for name in FIELDS:
        source, text = expected[name]
        check_figure(getattr(position, name), source, text, name=name)


def check_figure(figure: Figure, source: str, text: str, *, name: str) -> None:
    """Assert a figure: its exact text, its derived value ("near": to 6 digits), or why not."""
    if source == "near":
        assert figure.number == pytest.approx(float(text), rel=1e-6), name
        return
    assert figure.source == source, name
    if source == "reported":
        assert figure.text == text, name
    elif source == "derived":
        assert figure.value == Decimal(text), name
    else:
        assert (figure.value, figure.reason) == (None, text), name


def check_standings(reading: ScopeReading, expected: Sequence[Mapping[str, Any]]) -> None:
    """Assert what backs the pooled positions of a scope."""
    told = [(each.margin_mode, each.settle) for each in reading.standings]

    assert told == [(each["margin_mode"], each["settle"]) for each in expected]
    for standing, wanted in zip(reading.standings, expected, strict=True):
        for name in ("ratio", "equity", "required"):
            source, text = wanted[name]
            check_figure(getattr(standing, name), source, text, name=name)


def own(venue: str, name: str) -> Any:
    """Return what a composed scenario says of itself."""
    return json.loads((corpus.OWN / venue / f"{name}.json").read_text())


def recorded_body(venue: str, name: str) -> Any:
    """Return the recorded answer of a scenario."""
    assert corpus.RECORDED is not None
    return json.loads((corpus.RECORDED / venue / f"{name}.json").read_text())["httpResponse"]


def market_of(symbol: str, **fields: Any) -> MarketSpec:
    """Return a listed market as Binance would name it."""
    parts = split_symbol(symbol)
    is_inverse = parts.kind is ContractKind.INVERSE
    return MarketSpec(
        symbol=symbol,
        venue_symbol=f"{parts.base}{parts.quote}{'_PERP' if is_inverse else ''}",
        kind=parts.kind,
        asset=parts.base,
        quote=parts.quote,
        settle=parts.settle,
        contract_size=100.0 if is_inverse else 1.0,
        **fields,
    )


def read_tiers(venue: str, symbols: Sequence[str], fake: FakeClient) -> Sequence[TierReading]:
    """Read tables with a fake client."""
    return asyncio.run(registry.get(venue).read_tiers(client=fake, symbols=symbols))


def read_ends(venue: str, missing: Sequence[Held], fake: FakeClient) -> Sequence[PositionEnd]:
    """Read ends with a fake client."""
    adapter = registry.get(venue)
    scope = missing[0].scope if missing else "linear"
    return asyncio.run(adapter.read_ends(client=fake, scope=scope, missing=missing))


def read_key(venue: str, base: str, **credentials: str) -> KeyFacts | None:
    """Read what a key may do, from a replayed venue."""
    adapter = registry.get(venue)
    account = account_of(adapter, {})

    async def work(client: CcxtClient) -> KeyFacts | None:
        return await adapter.read_key(client=client)

    account["credentials"] = {**account["credentials"], **credentials}
    return use(base, work, adapter=adapter, **account)


def ask(venue: str, base: str, what: str, **given: Any) -> Any:
    """Call one of the adapter's readers (`read_tiers`, `read_ends`, …) on a replayed venue."""
    adapter = registry.get(venue)

    async def work(client: VenueClient) -> Any:
        return await getattr(adapter, what)(client=client, **given)

    return use(base, work, adapter=adapter, **account_of(adapter, {}))


def read_funding(venue: str, base: str, symbols: Sequence[str]) -> Sequence[FundingReading]:
    """Read funding without credentials, as the feed reads it."""
    adapter = registry.get(venue)

    async def work(client: VenueClient) -> Sequence[FundingReading]:
        return await adapter.read_funding(client=client, symbols=symbols)

    return use(base, work, adapter=adapter, credentials={}, wallet="", options={})


def missing_of(expected: Mapping[str, Any]) -> list[Held]:
    """Return the missing positions that a composed scenario of ends names."""
    seen_at = datetime.fromisoformat(expected["seen_at"])
    return [Held(expected["scope"], *names, seen_at) for names in expected["missing"]]


def table_of(reading: TierReading) -> list[list[float | None]]:
    """Return a table as composed scenarios write it: floor, rate, deduction, most leverage."""
    return [
        [tier.floor, tier.rate, tier.amount, leverage]
        for tier, leverage in zip(reading.tiers, reading.max_leverages, strict=True)
    ]
