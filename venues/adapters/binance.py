"""Binance futures, USD-M and COIN-M, and portfolio margin; see docs/venues/binance.md."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from positions.engine.types import ContractKind, MarginMode
from venues.base import (
    AccountRequest,
    AssetPriceReading,
    Held,
    PositionEnd,
    PriceReading,
    ScopeReading,
    VenueAdapter,
    VenueClient,
)
from venues.errors import BadCredentials, KeyRejected, VenueError
from venues.figures import Row
from venues.key_facts import KeyFacts
from venues.market_data import FundingReading, Listing, RateBudget, TierReading
from venues.options import AccountOption, scopes_option
from venues.parts import binance_ends, binance_markets, binance_pools, binance_rows
from venues.parts.binance_rows import Product, listed
from venues.rows import (
    ask_each_or_all,
    check_scope,
    choose_scopes,
    read_each,
    read_instant,
    split_symbol,
)

_Told = TypeVar("_Told")

PRODUCTS = {
    "linear": Product(
        kind=ContractKind.LINEAR,
        positions="fapiPrivateV3GetPositionRisk",
        prices="fapiPublicGetPremiumIndex",
        brackets="fapiPrivateGetLeverageBracket",
        account="fapiPrivateV3GetAccount",
        force_orders="fapiPrivateGetForceOrders",
        trades="fapiPrivateGetUserTrades",
        income="fapiPrivateGetIncome",
        funding="fapiPublicGetFundingInfo",
        settings="fapiPrivateGetSymbolConfig",
        multi_assets="fapiPrivateGetAccountConfig",
        # The list of intervals names only contracts whose funding was adjusted.
        usual_funding_h=8.0,
    ),
    "inverse": Product(
        kind=ContractKind.INVERSE,
        positions="dapiPrivateGetPositionRisk",
        prices="dapiPublicGetPremiumIndex",
        brackets="dapiPrivateV2GetLeverageBracket",
        account="dapiPrivateGetAccount",
        force_orders="dapiPrivateGetForceOrders",
        trades="dapiPrivateGetUserTrades",
        income="dapiPrivateGetIncome",
        funding="dapiPublicGetFundingInfo",
        notional="notionalValue",
        floor="qtyFloor",
        usual_funding_h=8.0,
    ),
}
PORTFOLIO = {
    "linear": replace(
        PRODUCTS["linear"],
        positions="papiGetUmPositionRisk",
        brackets="papiGetUmLeverageBracket",
        account="papiGetAccount",
        force_orders="papiGetUmForceOrders",
        trades="papiGetUmUserTrades",
        income="papiGetUmIncome",
        settings="",
        multi_assets="",
        pool=MarginMode.PORTFOLIO,
    ),
    "inverse": replace(
        PRODUCTS["inverse"],
        positions="papiGetCmPositionRisk",
        brackets="papiGetCmLeverageBracket",
        account="papiGetAccount",
        force_orders="papiGetCmForceOrders",
        trades="papiGetCmUserTrades",
        income="papiGetCmIncome",
        pool=MarginMode.PORTFOLIO,
    ),
}
# What a key may be allowed to, in the venue's words.
WITHDRAWS = ("enableWithdrawals",)
TRANSFERS = ("enableInternalTransfer", "permitsUniversalTransfer")
TRADES = (
    "enableFutures",
    "enablePortfolioMarginTrading",
    "enableSpotAndMarginTrading",
    "enableMargin",
    "enableVanillaOptions",
    "enableFixApiTrade",
)
PORTFOLIO_HINT = (
    " Or it is a portfolio margin account: those are read with the option account_type=portfolio."
)


class Binance(VenueAdapter):
    """USD-M ("linear") and COIN-M ("inverse") futures of one account."""

    slug = "binance"
    label = "Binance"
    ccxt_id = "binance"
    margin_rules = {
        ContractKind.LINEAR: "binance-usdm",
        ContractKind.INVERSE: "binance-coinm",
    }
    reads = (
        "GET /fapi/v1/time",
        "GET /dapi/v1/time",
        "GET /fapi/v1/exchangeInfo",
        "GET /dapi/v1/exchangeInfo",
        "GET /fapi/v3/positionRisk",
        "GET /fapi/v2/positionRisk",
        "GET /dapi/v1/positionRisk",
        "GET /papi/v1/um/positionRisk",
        "GET /papi/v1/cm/positionRisk",
        "GET /fapi/v1/symbolConfig",
        "GET /fapi/v1/accountConfig",
        "GET /fapi/v3/account",
        "GET /dapi/v1/account",
        "GET /papi/v1/account",
        "GET /fapi/v1/leverageBracket",
        "GET /dapi/v2/leverageBracket",
        "GET /papi/v1/um/leverageBracket",
        "GET /papi/v1/cm/leverageBracket",
        "GET /fapi/v1/forceOrders",
        "GET /dapi/v1/forceOrders",
        "GET /papi/v1/um/forceOrders",
        "GET /papi/v1/cm/forceOrders",
        "GET /fapi/v1/userTrades",
        "GET /dapi/v1/userTrades",
        "GET /papi/v1/um/userTrades",
        "GET /papi/v1/cm/userTrades",
        "GET /fapi/v1/income",
        "GET /dapi/v1/income",
        "GET /papi/v1/um/income",
        "GET /papi/v1/cm/income",
        "GET /sapi/v1/account/apiRestrictions",
        "GET /fapi/v1/premiumIndex",
        "GET /dapi/v1/premiumIndex",
        "GET /fapi/v1/klines",
        "GET /dapi/v1/klines",
        "GET /fapi/v1/depth",
        "GET /dapi/v1/depth",
        "GET /fapi/v1/fundingInfo",
        "GET /dapi/v1/fundingInfo",
        "GET /fapi/v1/assetIndex",
    )
    account_options = (
        scopes_option(PRODUCTS),
        AccountOption("position_risk", "version of the linear request", ("v2", "v3")),
        AccountOption("account_type", "which API holds the account", ("classic", "portfolio")),
    )
    is_tier_private = True
    rate = RateBudget(
        requests=1_600,
        window_s=60.0,
        source="2,400 of request weight a minute and address, for USD-M and COIN-M each; reading "
        "positions of USD-M weighs 5.",
        # Klines and order books for as many hours and levels as are asked for here.
        weights={
            "GET /fapi/v3/positionRisk": 5,
            "GET /fapi/v2/positionRisk": 5,
            "GET /papi/v1/um/positionRisk": 5,
            "GET /fapi/v1/accountConfig": 5,
            "GET /fapi/v1/symbolConfig": 5,
            "GET /fapi/v3/account": 5,
            "GET /dapi/v1/account": 5,
            "GET /papi/v1/account": 20,
            "GET /fapi/v1/leverageBracket": 2,
            "GET /dapi/v2/leverageBracket": 2,
            "GET /fapi/v1/forceOrders": 50,
            "GET /fapi/v1/forceOrders?symbol": 20,
            "GET /dapi/v1/forceOrders": 50,
            "GET /dapi/v1/forceOrders?symbol": 20,
            "GET /papi/v1/um/forceOrders": 50,
            "GET /papi/v1/um/forceOrders?symbol": 20,
            "GET /papi/v1/cm/forceOrders": 50,
            "GET /papi/v1/cm/forceOrders?symbol": 20,
            "GET /fapi/v1/userTrades": 5,
            "GET /dapi/v1/userTrades": 20,
            "GET /papi/v1/um/userTrades": 5,
            "GET /papi/v1/cm/userTrades": 20,
            "GET /fapi/v1/income": 30,
            "GET /dapi/v1/income": 20,
            "GET /papi/v1/um/income": 30,
            "GET /papi/v1/cm/income": 30,
            "GET /fapi/v1/premiumIndex": 10,
            "GET /fapi/v1/premiumIndex?symbol": 1,
            "GET /dapi/v1/premiumIndex": 10,
            "GET /fapi/v1/assetIndex": 10,
            "GET /fapi/v1/assetIndex?symbol": 1,
            "GET /fapi/v1/klines": 2,
            "GET /dapi/v1/klines": 2,
            "GET /fapi/v1/depth": 5,
            "GET /dapi/v1/depth": 5,
        },
    )
    permission = (
        "An API key with “Enable Reading” alone, made after the futures account was opened, and "
        "bound to this machine's address."
    )
    quirks = (
        "USD-M rows hold neither leverage nor the auto-add switch: both come from the settings of "
        "the contracts held and may be five minutes old.",
        "The collateral of an isolated position is its isolated wallet; the isolated margin that "
        "Binance shows holds the unrealised profit too.",
        "Where the rows do not say whether a position is isolated (USD-M), its isolated wallet "
        "does: it is 0 for cross positions.",
        "Maintenance brackets are read hourly with an account's key; a table with a multiplier of "
        "that account alone (notionalCoef) is left out, because it holds for no other account.",
        "In multi-assets mode one pool in US dollars backs all cross positions of USD-M; otherwise "
        "each coin's own balance backs the positions that settle in it.",
        "COIN-M lists only positions of contracts that still trade: while a contract is being "
        "delivered or delisted its position is missing, until its settlement is told.",
        "A portfolio margin account is read with the option account_type=portfolio. Its positions "
        "share one pool, which is liquidated at a uniMMR of 105 %.",
        "The list of funding intervals names only contracts that differ from 8 hours.",
        "A key without an address lock loses its right to trade after a while, not its right to "
        "read; that date is no end of the key.",
    )

    def scopes(self, request: AccountRequest) -> Sequence[str]:
        """Return "linear" and "inverse", or those that the option "scopes" names."""
        return choose_scopes(request=request, available=tuple(PRODUCTS))

    async def read_scope(self, *, client: VenueClient, scope: str) -> ScopeReading:
        """Read the positions of one product, and what backs its cross positions.

        Raises VenueError.
        """
        check_scope(adapter=self, request=client.request, scope=scope)
        product = product_of(client.request, scope=scope)
        try:
            reading = await binance_rows.read_positions(client=client, product=product, scope=scope)
        except KeyRejected:
            raise
        except BadCredentials as error:
            # -2015: the futures APIs say it of a key of a portfolio margin account too.
            hint = "" if product.pool else PORTFOLIO_HINT
            raise BadCredentials(f"{error}{hint}") from None
        standings = await binance_pools.read_standings(
            client=client, product=product, positions=reading.positions
        )
        return replace(reading, standings=standings)

    async def read_ends(
        self, *, client: VenueClient, scope: str, missing: Sequence[Held]
    ) -> Sequence[PositionEnd]:
        """Return how positions ended: by force orders, by trades, or by delivery.

        Raises VenueError.
        """
        product = product_of(client.request, scope=scope)
        return await binance_ends.read_ends(client=client, product=product, missing=missing)

    async def read_key(self, *, client: VenueClient) -> KeyFacts | None:
        """Return the restrictions of the key. Raises VenueError or RowError."""
        row = Row(await client.call("sapiGetAccountApiRestrictions"))
        names = ("ipRestrict", "enableReading", *WITHDRAWS, *TRANSFERS, *TRADES)
        return KeyFacts(
            can_withdraw=_any(row, WITHDRAWS),
            can_transfer=_any(row, TRANSFERS),
            can_trade=_any(row, TRADES),
            is_address_bound=row.flag("ipRestrict"),
            told=tuple(
                (name, str(row.fields[name]).lower()) for name in names if name in row.fields
            ),
        )

    def read_listing(self, row: Row) -> Listing:
        """Return what a row of exchangeInfo says; raises RowError."""
        return binance_markets.read_listing(row)

    async def read_tiers(
        self, *, client: VenueClient, symbols: Sequence[str]
    ) -> Sequence[TierReading]:
        """Return the maintenance brackets of contracts. Raises VenueError."""
        return await _of_products(binance_markets.read_tiers, client=client, symbols=symbols)

    async def read_funding(
        self, *, client: VenueClient, symbols: Sequence[str]
    ) -> Sequence[FundingReading]:
        """Return funding rates with their intervals. Raises VenueError."""
        return await _of_products(binance_markets.read_funding, client=client, symbols=symbols)

    async def read_prices(self, *, client: VenueClient, symbols: Sequence[str]) -> PriceReading:
        """Read mark, index and funding, and what Binance's indices say assets are worth in USD.

        Raises VenueError when no product that is asked for can be read.
        """
        quotes = await _of_products(binance_markets.read_quotes, client=client, symbols=symbols)
        assets = await read_asset_prices(client=client, symbols=symbols)
        return PriceReading(quotes=tuple(quotes), asset_prices=tuple(assets))


def product_of(request: AccountRequest, *, scope: str) -> Product:
    """Return how a scope of an account is read."""
    if request.options.get("account_type") == "portfolio":
        return PORTFOLIO[scope]
    product = PRODUCTS[scope]
    if scope == "linear" and request.options.get("position_risk") == "v2":
        return replace(product, positions="fapiPrivateV2GetPositionRisk")
    return product


async def read_asset_prices(
    *, client: VenueClient, symbols: Sequence[str]
) -> list[AssetPriceReading]:
    """Return the USD index of each coin that settles one of `symbols`; none if unreadable."""

    async def ask(name: str | None) -> list[Any]:
        params = {"symbol": name} if name else {}
        return listed(await client.call("fapiPublicGetAssetIndex", params))

    coins = {f"{split_symbol(symbol).settle}USD" for symbol in symbols}
    try:
        rows = await ask_each_or_all(names=sorted(coins), ask=ask)
    except VenueError:
        return []
    return read_each(rows, lambda row: _read_asset(row) if row.text("symbol") in coins else None)


async def _of_products(
    read: Callable[..., Awaitable[list[_Told]]], *, client: VenueClient, symbols: Sequence[str]
) -> list[_Told]:
    """Return what each product says of its own symbols; one that fails leaves the other's.

    Raises the first VenueError when every product that is asked fails.
    """
    found: list[_Told] = []
    errors: list[VenueError] = []
    asked = 0
    for scope, product in PRODUCTS.items():
        own = [name for name in symbols if split_symbol(name).kind is product.kind]
        asked += bool(own)
        try:
            chosen = product_of(client.request, scope=scope)
            found += await read(client=client, product=chosen, symbols=own) if own else []
        except VenueError as error:
            errors.append(error)
    if errors and len(errors) == asked:
        raise errors[0]
    return found


def _read_asset(row: Row) -> AssetPriceReading:
    return AssetPriceReading(
        asset=row.text("symbol").removesuffix("USD"),
        usd=row.positive("index"),
        venue_time=read_instant(row, "time"),
    )


def _any(row: Row, names: Sequence[str]) -> bool | None:
    """Tell whether one of the switches is on; None where none is and one is not told."""
    flags = [row.flag(name) for name in names]
    if any(flags):
        return True
    return None if all(flag is None for flag in flags) else False
