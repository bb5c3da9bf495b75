"""Builders of what venues say, for tests of ingest: small, coherent, linear by default."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from positions.engine.types import ContractKind, MarginMode, PositionState, Side
from venues.base import (
    AccountOutcome,
    MarketSpec,
    PositionEnd,
    PositionReading,
    PriceOutcome,
    PriceReading,
    QuoteReading,
    Refusal,
    ScopeFailure,
    ScopeReading,
)
from venues.errors import VenueError
from venues.figures import Figure
from venues.models import Account

T0 = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SIGHTED = Figure.reported


def at(seconds: float) -> datetime:
    """Return the instant so many seconds after T0."""
    return T0 + timedelta(seconds=seconds)


def spec(symbol: str = "BTC/USDT:USDT", **columns: Any) -> MarketSpec:
    """Return a listed linear market."""
    base, rest = symbol.split("/")
    values = {
        "venue_symbol": symbol.replace("/", "").split(":")[0],
        "kind": ContractKind.LINEAR,
        "asset": base,
        "quote": rest.split(":")[0],
        "settle": rest.split(":")[1],
        "contract_size": 1.0,
        "tick_size": 0.1,
        "taker_fee_rate": 0.0005,
    }
    return MarketSpec(symbol=symbol, **{**values, **columns})


def reading(symbol: str = "BTC/USDT:USDT", **columns: Any) -> PositionReading:
    """Return an isolated 10x long of 1 at 60,000, marked 60,000, liquidated at 54,271.36."""
    values: dict[str, Any] = {
        "market": spec(symbol),
        "slot": "net",
        "side": Side.LONG,
        "margin_mode": MarginMode.ISOLATED,
        "contracts": SIGHTED("1"),
        "entry_price": SIGHTED("60000"),
        "mark_price": SIGHTED("60000"),
        "collateral": SIGHTED("6000"),
        "liquidation_price": SIGHTED("54271.36"),
        "unrealized_pnl": SIGHTED("0"),
        "maintenance_margin": SIGHTED("300"),
        "auto_add_margin": False,
        "raw": {"symbol": symbol},
    }
    return PositionReading(**{**values, **columns})


def outcome(
    account: Account,
    *readings: PositionReading,
    seconds: float = 0.0,
    scope: str = "linear",
    refusals: Iterable[Refusal] = (),
    ends: Iterable[PositionEnd] = (),
) -> AccountOutcome:
    """Return a complete answer for one scope."""
    return AccountOutcome(
        account_id=account.pk,
        poll_id="0" * 32,
        started_at=at(seconds) - timedelta(milliseconds=100),
        received_at=at(seconds),
        scopes=(ScopeReading(scope, tuple(readings), tuple(refusals)),),
        ends=tuple(ends),
    )


def failure(
    account: Account, error: VenueError, *, seconds: float = 0.0, scope: str = "linear"
) -> AccountOutcome:
    """Return a poll that saw nothing."""
    return AccountOutcome(
        account_id=account.pk,
        poll_id="0" * 32,
        started_at=at(seconds),
        received_at=at(seconds),
        failures=(ScopeFailure(scope, error),),
    )


def end(
    symbol: str = "BTC/USDT:USDT",
    *,
    seconds: float,
    state: str = PositionState.LIQUIDATED,
    price: str = "54271.3",
) -> PositionEnd:
    """Return the venue's word that a life ended."""
    return PositionEnd(symbol, "net", state, at(seconds), SIGHTED(price), f"end-{seconds}")


def prices(
    account: Account, *, seconds: float, venue_time: datetime | None = None, **marks: str
) -> PriceOutcome:
    """Return a price refresh; keywords are assets: BTC="59000"."""
    quotes = tuple(
        QuoteReading(f"{asset}/USDT:USDT", SIGHTED(mark), venue_time=venue_time or at(seconds))
        for asset, mark in marks.items()
    )
    return PriceOutcome(account.venue, account.environment, at(seconds), PriceReading(quotes))
