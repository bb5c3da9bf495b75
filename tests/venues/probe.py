"""Small adapters and helpers: drive the client and the reading layer without a real adapter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from positions.engine.types import MarginMode, Side
from tests.venues.corpus import Call, answering
from tests.venues.replay import Asked, Replay
from venues import client, loop
from venues.base import (
    AccountRequest,
    MarketSpec,
    PositionReading,
    PriceReading,
    QuoteReading,
    ScopeReading,
    VenueAdapter,
    VenueClient,
)
from venues.client import CcxtClient
from venues.figures import Figure
from venues.jobs import Job
from venues.market_data import RateBudget

_Result = TypeVar("_Result")
RISK = "/fapi/v3/positionRisk"
BRACKETS = "/dapi/v2/leverageBracket"
PREMIUM = "/fapi/v1/premiumIndex"
CALL_RISK = "fapiPrivateV3GetPositionRisk"
CALL_BRACKETS = "dapiPrivateV2GetLeverageBracket"
API_KEY = "canary-api-key-0123456789"
SECRET = "canary-secret-9876543210"
WALLET = "0x" + "ab" * 20


class Probe(VenueAdapter):
    """Reads Binance's position rows as they are; `slug` is set late, so it is not registered."""

    label = "Probe"
    ccxt_id = "binance"
    # What the tests send at once is no question of theirs; tests/venues/test_rates.py asks it.
    rate = RateBudget(requests=10_000, window_s=1.0)
    reads = (f"GET {RISK}", f"GET {BRACKETS}", f"GET {PREMIUM}")

    def scopes(self, request: AccountRequest) -> Sequence[str]:
        return tuple(request.options.get("scopes", ("linear",)))

    async def read_scope(self, *, client: VenueClient, scope: str) -> ScopeReading:
        rows = await client.call(CALL_BRACKETS if scope == "inverse" else CALL_RISK)
        return ScopeReading(
            scope=scope,
            positions=tuple(read_row(row, client.market(row["symbol"])) for row in rows),
        )

    async def read_prices(self, *, client: VenueClient, symbols: Sequence[str]) -> PriceReading:
        rows = await client.call("fapiPublicGetPremiumIndex")
        quotes = [
            QuoteReading(symbol=name, mark_price=Figure.reported(rows[0]["markPrice"]))
            for name in symbols
        ]
        return PriceReading(quotes=tuple(quotes))


def make_adapter(
    ccxt_id: str = "binance",
    *,
    reads: tuple[str, ...] = Probe.reads,
    credentials: tuple[str, ...] = ("apiKey", "secret"),
    base: type[Probe] = Probe,
) -> Probe:
    """Return a probe of a ccxt class."""
    kind = type("MadeProbe", (base,), {})
    kind.ccxt_id, kind.reads, kind.credentials = ccxt_id, reads, credentials
    kind.slug = f"probe-{ccxt_id}"
    return kind()


def read_row(row: Mapping[str, Any], market: MarketSpec) -> PositionReading:
    """Return a position of a row that has a few fields."""
    return PositionReading(
        market=market,
        slot="net",
        side=Side.LONG,
        margin_mode=MarginMode.ISOLATED,
        contracts=Figure.reported(row["positionAmt"]),
        entry_price=Figure.reported(row["entryPrice"]),
        mark_price=Figure.reported(row["markPrice"]),
        collateral=Figure.reported(row["isolatedWallet"]),
        liquidation_price=Figure.reported(row["liquidationPrice"]),
        raw=row,
    )


def risk_row(**fields: Any) -> dict[str, Any]:
    """Return a row in the shape of Binance's positionRisk."""
    return {
        "symbol": "BTCUSDT",
        "positionAmt": "0.500",
        "entryPrice": "60000.0",
        "markPrice": "62000.00000000",
        "isolatedWallet": "3000.0",
        "liquidationPrice": "54271.35678391",
        **fields,
    }


def risk_call(*rows: Any, **more: Any) -> Call:
    """Return what positionRisk answers."""
    return answering(RISK, list(rows) or [risk_row()], **more)


def premium_call() -> Call:
    """Return what premiumIndex answers."""
    return answering(PREMIUM, [{"symbol": "BTCUSDT", "markPrice": "62000.00000000"}])


def make_request(environment: str, *, account_id: int = 1, **fields: Any) -> AccountRequest:
    """Return an account with canary secrets."""
    given = {"credentials": {"apiKey": API_KEY, "secret": SECRET}, **fields}
    return AccountRequest(
        account_id=account_id, venue="probe", environment=environment, label="main", **given
    )


def make_job(environment: str, *, adapter: VenueAdapter | None = None, **fields: Any) -> Job:
    """Return a job of a probe account."""
    return Job(adapter or make_adapter(), make_request(environment, **fields))


def use(
    environment: str,
    work: Callable[[CcxtClient], Awaitable[_Result]],
    *,
    adapter: VenueAdapter | None = None,
    timeout_s: float = 5.0,
    **fields: Any,
) -> _Result:
    """Connect an account on the loop, let `work` use its client, and return what that returns."""

    async def run() -> _Result:
        connected = await client.connect(
            adapter=adapter or make_adapter(),
            request=make_request(environment, **fields),
            timeout_s=timeout_s,
        )
        assert isinstance(connected, CcxtClient)
        return await work(connected)

    return loop.submit(run()).result(30)


def ask_risk(environment: str, **fields: Any) -> Any:
    """Call positionRisk once, as one account."""
    return use(environment, lambda asked: asked.call(CALL_RISK), **fields)


def asked_of(replay: Replay, path: str) -> list[Asked]:
    """Return what was asked of one path."""
    return [asked for asked in replay.asked() if asked.path == path]
