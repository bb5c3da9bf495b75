"""Builders of what a venue says of its markets, for tests of rules and of market data."""

from __future__ import annotations

from typing import Any

from positions.engine.types import Tier
from tests.positions.readings import at, spec
from venues.feeds import FeedOutcome
from venues.market_data import TierReading
from venues.models import FeedKind

BTC = "BTC/USDT:USDT"
# The maintenance rate that the readings of these tests imply, and steps beyond it.
STEPS = ((0.0, 0.005, 0.0), (100_000.0, 0.01, 500.0))


def table(*steps: tuple[float, ...], symbol: str = BTC, **columns: Any) -> TierReading:
    """Return a maintenance table: (floor, rate, amount) steps."""
    return TierReading(symbol, tuple(Tier(*step) for step in steps), **columns)


def told(kind: FeedKind = FeedKind.RULES, *, seconds: float = 1.0, **columns: Any) -> FeedOutcome:
    """Return one answer of Binance's feed."""
    return FeedOutcome(kind, "binance", "", at(seconds), **columns)


def listed(**columns: Any) -> Any:
    """Return how the venue lists BTC, its own row read."""
    return spec(BTC, **{"is_listing_read": True, **columns})
