"""Aster perpetuals, whose API is a fork of Binance's; see docs/venues/aster.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from positions.engine.types import ContractKind
from venues import ethereum
from venues.base import (
    AccountRequest,
    Held,
    PositionEnd,
    PriceReading,
    ScopeReading,
    VenueAdapter,
    VenueClient,
)
from venues.errors import BadCredentials, VenueRefused
from venues.figures import Row
from venues.key_facts import KeyFacts
from venues.market_data import FundingReading, Listing, RateBudget, TierReading
from venues.options import scopes_option
from venues.parts import binance_ends, binance_markets, binance_pools, binance_rows
from venues.parts.binance_rows import Product
from venues.rows import check_scope, choose_scopes, read_each, read_instant, take_rows

SCOPE = "linear"
PRODUCT = Product(
    kind=ContractKind.LINEAR,
    positions="fapiPrivateGetV3PositionRisk",
    prices="fapiPublicGetV3PremiumIndex",
    brackets="fapiPrivateGetV3LeverageBracket",
    account="fapiPrivateGetV3AccountWithJoinMargin",
    force_orders="fapiPrivateGetV3ForceOrders",
    trades="fapiPrivateGetV3UserTrades",
    income="fapiPrivateGetV3Income",
    funding="fapiPublicGetV3FundingInfo",
    multi_assets="fapiPrivateGetV3MultiAssetsMargin",
)
AGENTS = "fapiPrivateGetV3Agent"
AGENTS_AGE_S = 300.0
REFUSED_SIGNATURE = (
    "Aster refuses the signature: enter the private key of an API wallet that the main wallet has "
    "approved, and that wallet's address."
)
# The venue sends them with its code for "unknown error".
_SIGNATURE_WORDS = ("signature check failed", "no agent found", "agent not found")


class Aster(VenueAdapter):
    """Perpetuals of one account, read with the key of an API wallet."""

    slug = "aster"
    label = "Aster"
    ccxt_id = "aster"
    margin_rules = {ContractKind.LINEAR: "aster-usdm"}
    reads = (
        "GET /fapi/v3/time",
        "GET /fapi/v3/exchangeInfo",
        "GET /fapi/v3/positionRisk",
        "GET /fapi/v3/agent",
        "GET /fapi/v3/accountWithJoinMargin",
        "GET /fapi/v3/multiAssetsMargin",
        "GET /fapi/v3/leverageBracket",
        "GET /fapi/v3/forceOrders",
        "GET /fapi/v3/userTrades",
        "GET /fapi/v3/income",
        "GET /fapi/v3/premiumIndex",
        "GET /fapi/v3/fundingInfo",
        "GET /fapi/v3/klines",
        "GET /fapi/v3/depth",
    )
    credentials = ("privateKey", "walletAddress")
    account_options = (scopes_option((SCOPE,)),)
    # So that the venue's time is asked of the futures host.
    ccxt_options = {"defaultType": "swap"}
    is_tier_private = True
    rate = RateBudget(
        requests=1_600,
        window_s=60.0,
        source="2,400 of request weight a minute and address; reading positions weighs 5.",
        weights={
            "GET /fapi/v3/positionRisk": 5,
            "GET /fapi/v3/accountWithJoinMargin": 5,
            "GET /fapi/v3/multiAssetsMargin": 30,
            "GET /fapi/v3/forceOrders": 50,
            "GET /fapi/v3/forceOrders?symbol": 20,
            "GET /fapi/v3/userTrades": 5,
            "GET /fapi/v3/income": 30,
            "GET /fapi/v3/premiumIndex": 10,
            "GET /fapi/v3/premiumIndex?symbol": 1,
            "GET /fapi/v3/klines": 2,
            "GET /fapi/v3/depth": 5,
        },
    )
    permission = (
        "The private key of an API wallet (Pro API) that may neither trade nor withdraw, and the "
        "address of the main wallet. Never the main wallet's own key: it can do everything."
    )
    quirks = (
        "Requests are signed with the private key of an API wallet and name the main wallet that "
        "it reads; a key that is the main wallet's own is refused, because it can withdraw.",
        "No builder's fee is ever approved, although the library that signs would do so by itself.",
        "Some requests are answered with an empty account when the signature is wrong. So an empty "
        "book is believed only after the list of API wallets, which checks it, was read.",
        "The collateral of an isolated position is its isolated wallet, where the row has one; "
        "else it is the isolated margin less the unrealised profit.",
        "Rows hold no maintenance margin; it follows from the brackets, which are read hourly.",
        "Aster does not tell how a position of a delisted contract was settled: it stays "
        "unexplained.",
    )

    def scopes(self, request: AccountRequest) -> Sequence[str]:
        """Return the one scope there is."""
        return choose_scopes(request=request, available=(SCOPE,))

    async def read_scope(self, *, client: VenueClient, scope: str) -> ScopeReading:
        """Read the positions, and what backs the cross ones. Raises VenueError."""
        check_scope(adapter=self, request=client.request, scope=scope)
        asked = as_user(client)
        reading = await binance_rows.read_positions(client=asked, product=PRODUCT, scope=scope)
        if not reading.positions and not reading.refusals:
            await asked.recall(
                AGENTS, about=(), max_age_s=AGENTS_AGE_S, ask=lambda: read_agents(asked)
            )
        standings = await binance_pools.read_standings(
            client=asked, product=PRODUCT, positions=reading.positions
        )
        return replace(reading, standings=standings)

    async def read_ends(
        self, *, client: VenueClient, scope: str, missing: Sequence[Held]
    ) -> Sequence[PositionEnd]:
        """Return how positions ended: by force orders or by trades. Raises VenueError."""
        return await binance_ends.read_ends(
            client=as_user(client), product=PRODUCT, missing=missing
        )

    async def read_key(self, *, client: VenueClient) -> KeyFacts | None:
        """Return what the API wallet may do, as its owner approved it.

        Raises VenueError, BadAccount for a key that is none.
        """
        own = ethereum.address_of(client.request.credentials.get("privateKey", ""))
        user = _user(client.request)
        if user.lower() in ("", own):
            told = (("key", "the main wallet's own private key"),)
            return KeyFacts(can_withdraw=True, can_transfer=True, can_trade=True, told=told)
        agents = await read_agents(as_user(client))
        facts = read_each(agents, lambda row: _facts(row) if _is(row, own) else None)
        return facts[0] if facts else KeyFacts()

    def read_listing(self, row: Row) -> Listing:
        """Return what a row of exchangeInfo says; raises RowError."""
        return binance_markets.read_listing(row)

    async def read_tiers(
        self, *, client: VenueClient, symbols: Sequence[str]
    ) -> Sequence[TierReading]:
        """Return the maintenance brackets of contracts. Raises VenueError."""
        return await binance_markets.read_tiers(
            client=as_user(client), product=PRODUCT, symbols=symbols
        )

    async def read_funding(
        self, *, client: VenueClient, symbols: Sequence[str]
    ) -> Sequence[FundingReading]:
        """Return funding rates with their intervals. Raises VenueError."""
        return await binance_markets.read_funding(client=client, product=PRODUCT, symbols=symbols)

    async def read_prices(self, *, client: VenueClient, symbols: Sequence[str]) -> PriceReading:
        """Read mark and index prices and funding. Raises VenueError."""
        quotes = await binance_markets.read_quotes(client=client, product=PRODUCT, symbols=symbols)
        return PriceReading(quotes=tuple(quotes))


class AsUser:
    """A client that names, in each signed request, the wallet whose account is read."""

    def __init__(self, client: VenueClient) -> None:
        self._client = client
        self._user = _user(client.request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def call(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """Call an implicit method; a refused signature is BadCredentials. Raises VenueError."""
        own = {"user": self._user} if self._user else {}
        try:
            return await self._client.call(method, {**own, **(params or {})})
        except VenueRefused as error:
            if any(words in str(error).lower() for words in _SIGNATURE_WORDS):
                raise BadCredentials(REFUSED_SIGNATURE) from None
            raise


def as_user(client: VenueClient) -> VenueClient:
    """Return a client for signed requests; in all but these it is `client` itself."""
    return cast(VenueClient, AsUser(client))


async def read_agents(client: VenueClient) -> list[Any]:
    """Return the rows of the API wallets that the main wallet approved. Raises VenueError."""
    return take_rows(await client.call(AGENTS))


def _user(request: AccountRequest) -> str:
    return request.credentials.get("walletAddress", "") or request.wallet


def _is(row: Row, address: str) -> bool:
    return row.text("agentAddress").lower() == address


def _facts(row: Row) -> KeyFacts:
    can_withdraw = row.flag("canWithdraw")
    trades = [row.flag("canSpotTrade"), row.flag("canPerpTrade")]
    names = ("canRead", "canSpotTrade", "canPerpTrade", "canWithdraw", "ipWhitelist")
    return KeyFacts(
        can_withdraw=can_withdraw,
        # Moving assets to another wallet asks for the right to withdraw.
        can_transfer=can_withdraw,
        can_trade=True if any(trades) else None if None in trades else False,
        is_address_bound=bool(row.text_or("ipWhitelist")) if "ipWhitelist" in row.fields else None,
        expires_at=read_instant(row, "expired"),
        told=tuple((name, str(row.fields[name])) for name in names if name in row.fields),
    )
