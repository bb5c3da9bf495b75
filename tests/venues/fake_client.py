"""A VenueClient without a venue: answers by method name, and markets by name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from positions.engine.types import ContractKind
from venues import registry
from venues.base import AccountRequest, MarketSpec, PriceReading, ScopeReading
from venues.errors import VenueError

Answer = Callable[[Mapping[str, Any]], Any]

BTC = MarketSpec(
    symbol="BTC/USDT:USDT",
    venue_symbol="BTCUSDT",
    kind=ContractKind.LINEAR,
    asset="BTC",
    quote="USDT",
    settle="USDT",
    contract_size=1.0,
    tick_size=0.1,
)


class FakeClient:
    """Answers calls from a table; an answer may be a value, an error, or made from the params."""

    def __init__(
        self,
        answers: Mapping[str, Any],
        *,
        markets: Sequence[MarketSpec] = (BTC,),
        options: Mapping[str, Any] | None = None,
        wallet: str = "0x" + "ab" * 20,
    ) -> None:
        self.answers = answers
        self.markets = {name: each for each in markets for name in (each.symbol, each.venue_symbol)}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.request = AccountRequest(
            account_id=1,
            venue="fake",
            environment="",
            label="main",
            wallet=wallet,
            options=options or {},
        )

    async def call(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        return self._answer(method, dict(params or {}))

    async def fetch(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._answer(method, {"args": args, **kwargs})

    async def recall(
        self, name: str, *, about: Collection[str], max_age_s: float, ask: Callable[[], Any]
    ) -> Any:
        return await ask()

    def market(self, venue_symbol: str, *, kind: ContractKind | None = None) -> MarketSpec:
        return self.markets.get(venue_symbol, MarketSpec(venue_symbol, venue_symbol))

    def symbols(self) -> Sequence[str]:
        return tuple(dict.fromkeys(each.symbol for each in self.markets.values()))

    def _answer(self, method: str, params: dict[str, Any]) -> Any:
        self.asked.append((method, params))
        answer = self.answers.get(method, VenueError(f"{method} has no answer"))
        result = answer(params) if callable(answer) else answer
        if isinstance(result, VenueError):
            raise result
        return result


def read_scope(venue: str, scope: str, client: FakeClient) -> ScopeReading:
    """Read a scope with a fake client."""
    return asyncio.run(registry.get(venue).read_scope(client=client, scope=scope))


def read_prices(venue: str, symbols: Sequence[str], client: FakeClient) -> PriceReading:
    """Read prices with a fake client."""
    return asyncio.run(registry.get(venue).read_prices(client=client, symbols=symbols))
