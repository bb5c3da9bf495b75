"""Bitget futures of all product types, classic and unified accounts; see docs/venues/bitget.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from positions.engine.types import ContractKind, MarginMode, Side, Tier
from venues.base import (
    AccountRequest,
    Held,
    MarketSpec,
    PositionEnd,
    PositionReading,
    PriceReading,
    QuoteReading,
    ScopeReading,
    VenueAdapter,
    VenueClient,
)
from venues.errors import VenueError
from venues.figures import Figure, Row, RowError
from venues.key_facts import KeyFacts
from venues.market_data import FundingReading, Listing, RateBudget, TierReading
from venues.options import AccountOption, scopes_option
from venues.parts.bitget_account import judge_classic_key, judge_unified_key, read_standings
from venues.parts.bitget_api import (
    CLASSIC,
    MODES,
    SCOPES,
    Api,
    Scope,
    ask_positions,
    choose_api,
    says_unified,
)
from venues.parts.bitget_ends import read_end
from venues.rows import (
    CROSS,
    MODE_UNKNOWN,
    ask_each_or_all,
    check_scope,
    choose_scopes,
    list_symbols,
    read_each,
    read_instant,
    read_rows,
    require,
    split_symbol,
    take_instant,
    take_rows,
    value_at,
)
from venues.tables import needed, read_tables
from venues.worth import price_assets

SWITCHES = {"on": True, "off": False}
CLOSED_TO_NEW = ("listed", "maintain", "limit_open", "off")
BITCOIN = {"USDT": "BTC/USDT:USDT", "USDC": "BTC/USDC:USDC", "": "BTC/USD:BTC"}

RATE_ALONE = "the row tells a rate and not an amount"
FROM_TIERS = "it comes with the table of tiers"

# Up to so many tickers are asked for one by one.
FEW_TICKERS = 3


class Bitget(VenueAdapter):
    """USDT, USDC and coin-settled futures of one account."""

    slug = "bitget"
    label = "Bitget"
    ccxt_id = "bitget"
    credentials = ("apiKey", "secret", "password")
    # There is no published rule for the inverse contracts: their price is Bitget's word alone.
    margin_rules = {ContractKind.LINEAR: "bitget-linear"}
    reads = (
        "GET /api/v2/public/time",
        "GET /api/v2/mix/market/contracts",
        "GET /api/v2/mix/market/ticker",
        "GET /api/v2/mix/market/tickers",
        "GET /api/v2/mix/market/current-fund-rate",
        "GET /api/v2/mix/market/query-position-lever",
        "GET /api/v2/mix/market/candles",
        "GET /api/v2/mix/market/history-candles",
        "GET /api/v2/mix/market/merge-depth",
        "GET /api/v2/mix/position/all-position",
        "GET /api/v2/mix/position/history-position",
        "GET /api/v2/mix/order/fill-history",
        "GET /api/v2/mix/account/accounts",
        "GET /api/v2/spot/account/info",
        "GET /api/v3/position/current-position",
        "GET /api/v3/position/history-position",
        "GET /api/v3/trade/fills",
        "GET /api/v3/account/assets",
        "GET /api/v3/account/info",
    )
    rate = RateBudget(
        requests=50, window_s=1.0, source="Bitget allows an address 6,000 requests a minute"
    )
    permission = (
        "A read-only key: futures orders and holdings of a classic account, or management and "
        "trade of a unified account, both read-only."
    )
    quirks = (
        "Classic and unified accounts have different APIs; which of them an account has is found "
        "out by reading it, and the option uta says it beforehand.",
        "A liquidation price of 0 or below means that no price liquidates the position.",
        "Coin-settled positions of a classic account are counted in coins; they are shown as "
        "contracts of 1 USD, coins times entry price, because that is what their profit follows.",
        "Bitget publishes no liquidation formula for coin-settled futures, so RiskHub shows only "
        "Bitget's own price for them.",
        "Coin-settled perpetuals of a unified account (BTCUSD_CM) are not in the public list of "
        "contracts: their rows are shown without a value.",
        "The history of positions does not say how one ended; the fills of its last order do.",
        "The permission codes of a classic key are not documented: unless all of them are "
        "understood, it is not known whether the key can withdraw.",
        "Simulated products (SUSDT-FUTURES and the like) and copy-trading positions of other "
        "accounts are not read.",
    )
    account_options = (
        scopes_option(SCOPES),
        AccountOption("uta", "whether the account is a unified one", ("true", "false")),
    )

    def scopes(self, request: AccountRequest) -> Sequence[str]:
        """Return the three product types, or those that the option "scopes" names."""
        return choose_scopes(request=request, available=tuple(SCOPES))

    async def read_scope(self, *, client: VenueClient, scope: str) -> ScopeReading:
        """Read one product type, and the balance behind cross positions. Raises VenueError."""
        check_scope(adapter=self, request=client.request, scope=scope)
        part = SCOPES[scope]
        api, answer = await ask_positions(client=client, part=part)
        at = take_instant(answer, "requestTime")

        def read_row(row: Row) -> PositionReading | None:
            return read_position(row, client=client, part=part, api=api, at=at)

        reading = read_rows(scope=scope, rows=take_rows(answer, *api.rows), read_row=read_row)
        standings = await read_standings(client=client, part=part, api=api, reading=reading)
        return replace(reading, standings=standings)

    async def read_prices(self, *, client: VenueClient, symbols: Sequence[str]) -> PriceReading:
        """Read mark, index and funding, and what Bitget's indices say coins are worth in USD.

        Raises VenueError when a product type that is asked for cannot be read.
        """

        async def ask(wanted: Sequence[str]) -> list[QuoteReading]:
            found: list[QuoteReading] = []
            for part in SCOPES.values():
                found += await read_quotes(client=client, part=part, symbols=wanted)
            return found

        quotes = await ask(symbols)
        assets = await price_assets(quotes=quotes, yardsticks=BITCOIN, read_quotes=ask)
        return PriceReading(quotes=tuple(quotes), asset_prices=tuple(assets))

    async def read_funding(
        self, *, client: VenueClient, symbols: Sequence[str]
    ) -> Sequence[FundingReading]:
        """Return rate, interval and next settlement, which the tickers do not name."""
        found: list[FundingReading] = []
        for part in SCOPES.values():
            found += await read_part_funding(client=client, part=part, symbols=symbols)
        return found

    async def read_tiers(
        self, *, client: VenueClient, symbols: Sequence[str]
    ) -> Sequence[TierReading]:
        """Return the tables of linear contracts, with their deductions worked out.

        Bitget does not say in which unit the tables of coin-settled contracts count.
        """
        found: list[TierReading] = []
        for part in SCOPES.values():
            if part.kind is ContractKind.LINEAR:
                found += await read_part_tiers(client=client, part=part, symbols=symbols)
        return found

    def read_listing(self, row: Row) -> Listing:
        """Return end of trading, funding interval and whether new positions are taken."""
        return Listing(
            delists_at=read_instant(row, "offTime"),
            funding_interval_h=row.positive("fundInterval").number,
            is_active=row.text_or("symbolStatus") not in CLOSED_TO_NEW,
        )

    async def read_ends(
        self, *, client: VenueClient, scope: str, missing: Sequence[Held]
    ) -> Sequence[PositionEnd]:
        """Return how positions ended, where history and fills agree that they did."""
        part, api = SCOPES[scope], await choose_api(client=client)
        ends = [await read_end(client=client, part=part, api=api, held=held) for held in missing]
        return [end for end in ends if end is not None]

    async def read_key(self, *, client: VenueClient) -> KeyFacts | None:
        """Return what the key may do, as far as Bitget's words for it are known."""
        if await choose_api(client=client) is CLASSIC:
            try:
                return judge_classic_key(await client.call("privateSpotGetV2SpotAccountInfo"))
            except VenueError as error:
                if not says_unified(error):
                    raise
        return judge_unified_key(await client.call("privateUtaGetV3AccountInfo"))


def read_position(
    row: Row, *, client: VenueClient, part: Scope, api: Api, at: datetime | None
) -> PositionReading | None:
    """Return the reading of a position row; None when it is flat or of another scope.

    Raises RowError.
    """
    size = require(row, "total")
    if size.value == 0:
        return None
    market = client.market(row.text("symbol"), kind=part.kind)
    if part.settle and market.is_known and market.settle != part.settle:
        return None
    side = row.choice(api.side, long=Side.LONG, short=Side.SHORT)
    mode = MODES.get(row.text_or("marginMode").lower())
    entry, mark = row.positive(api.entry), row.positive("markPrice")
    contracts = read_contracts(size, entry=entry, market=market, api=api)
    return PositionReading(
        market=market,
        slot="net" if row.text_or(api.hold_mode) == "one_way_mode" else str(side),
        side=side,
        margin_mode=mode,
        contracts=contracts,
        entry_price=entry,
        mark_price=mark,
        collateral=read_collateral(row, mode=mode, api=api),
        liquidation_price=row.positive("liquidationPrice"),
        unrealized_pnl=row.number(api.profit, none=("",)),
        leverage=row.positive("leverage"),
        notional=value_at(market=market, contracts=contracts, price=mark),
        maintenance_margin=Figure.unknown(RATE_ALONE),
        maintenance_rate=row.positive(api.rate),
        maintenance_amount=Figure.unknown(FROM_TIERS),
        venue_margin_ratio=row.number("marginRatio", none=("",)),
        auto_add_margin=SWITCHES.get(row.text_or("autoMargin").lower()),
        venue_time=at or read_instant(row, api.updated),
        raw=row.fields,
    )


def read_contracts(size: Figure, *, entry: Figure, market: MarketSpec, api: Api) -> Figure:
    """Return the number of contracts; inverse ones, counted in coins, as contracts of 1 USD.

    So many coins bought at the entry price are a fixed sum of dollars: their profit in coins is
    coins x (1 - entry / mark). Raises RowError on a negative size.
    """
    if size.value is not None and size.value < 0:
        raise RowError(f"total {size.value} is negative beside a side")
    if market.kind is not ContractKind.INVERSE or not api.is_coin_sized:
        return size
    if not entry.is_known:
        raise RowError(f"{api.entry} is missing, without which coins are no contracts")
    return size.times(entry)


def read_collateral(row: Row, *, mode: MarginMode | None, api: Api) -> Figure:
    """Return the margin of an isolated position, which holds no unrealised PnL."""
    if mode is not MarginMode.ISOLATED:
        return Figure.unknown(CROSS if mode else MODE_UNKNOWN)
    return row.positive(api.margin)


async def read_quotes(
    *, client: VenueClient, part: Scope, symbols: Sequence[str]
) -> list[QuoteReading]:
    """Return the quotes of one product type, without those that the venue does not answer for."""
    names = list_symbols(client=client, symbols=_of(part, symbols))

    async def ask(name: str | None) -> list[Any]:
        params = {"productType": part.product}
        if name is None:
            return take_rows(await client.call("publicMixGetV2MixMarketTickers", params), "data")
        answer = await client.call("publicMixGetV2MixMarketTicker", {**params, "symbol": name})
        return take_rows(answer, "data")

    def read_row(row: Row) -> QuoteReading | None:
        symbol = names.get(row.text("symbol"))
        return read_quote(row, symbol=symbol) if symbol else None

    return read_each(await ask_each_or_all(names=list(names), ask=ask, few=FEW_TICKERS), read_row)


def read_quote(row: Row, *, symbol: str) -> QuoteReading:
    """Return the reading of a ticker row; raises RowError."""
    return QuoteReading(
        symbol=symbol,
        mark_price=row.positive("markPrice"),
        index_price=row.positive("indexPrice"),
        last_price=row.positive("lastPr"),
        # Dated contracts have no funding: the venue sends "".
        funding_rate=row.number("fundingRate", none=("",), reason="no funding"),
        venue_time=read_instant(row, "ts"),
    )


async def read_part_funding(
    *, client: VenueClient, part: Scope, symbols: Sequence[str]
) -> list[FundingReading]:
    """Return the funding of one product type's perpetuals."""
    dated = [name for name in symbols if split_symbol(name).is_dated]
    wanted = [name for name in _of(part, symbols) if name not in dated]
    names = list_symbols(client=client, symbols=wanted)

    async def ask(name: str | None) -> list[Any]:
        params = {"productType": part.product} | ({"symbol": name} if name else {})
        answer = await client.call("publicMixGetV2MixMarketCurrentFundRate", params)
        return take_rows(answer, "data")

    def read_row(row: Row) -> FundingReading | None:
        symbol = names.get(row.text("symbol"))
        return _read_funding(row, symbol=symbol) if symbol else None

    return read_each(await ask_each_or_all(names=list(names), ask=ask), read_row)


async def read_part_tiers(
    *, client: VenueClient, part: Scope, symbols: Sequence[str]
) -> list[TierReading]:
    """Return the tables of one product type's contracts; one that cannot be read is left out."""

    async def ask(name: str) -> list[Any]:
        answer = await client.call(
            "publicMixGetV2MixMarketQueryPositionLever",
            {"productType": part.product, "symbol": name},
        )
        return take_rows(answer, "data")

    names = list_symbols(client=client, symbols=_of(part, symbols))
    return await read_tables(names=names, ask=ask, read_steps=_read_steps)


def _of(part: Scope, symbols: Iterable[str]) -> list[str]:
    """Return the unified symbols of one product type."""
    parts = ((name, split_symbol(name)) for name in symbols)
    return [
        name for name, each in parts if each.kind is part.kind and part.settle in ("", each.settle)
    ]


def _read_funding(row: Row, *, symbol: str) -> FundingReading:
    return FundingReading(
        symbol=symbol,
        rate=row.number("fundingRate", none=("",)),
        next_at=read_instant(row, "nextUpdate"),
        interval_h=row.positive("fundingRateInterval").number,
    )


def _read_steps(rows: Sequence[Row]) -> list[tuple[Tier, float | None]]:
    return [
        (
            Tier(
                floor=needed(row.number("startUnit"), name="startUnit"),
                rate=needed(row.number("keepMarginRate"), name="keepMarginRate"),
            ),
            row.positive("leverage").number,
        )
        for row in rows
    ]
