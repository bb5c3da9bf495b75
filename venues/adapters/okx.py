"""OKX swaps and futures, linear and inverse; see docs/venues/okx.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from positions.engine.types import ContractKind, MarginMode
from venues.base import (
    AccountRequest,
    AssetPriceReading,
    MarketSpec,
    PositionReading,
    PriceReading,
    QuoteReading,
    ScopeReading,
    VenueAdapter,
    VenueClient,
)
from venues.errors import VenueError
from venues.figures import Figure, Row, RowError
from venues.options import scopes_option
from venues.rows import (
    CROSS,
    ask_each_or_all,
    check_scope,
    choose_scopes,
    list_symbols,
    read_each,
    read_instant,
    read_rows,
    read_signed_size,
    require,
    split_symbol,
    take_rows,
    value_at,
)

SCOPE = "all"
CONTRACTS = ("SWAP", "FUTURES")
# Worth knowing whatever is held: most collateral is one of these.
COMMON_COINS = {"BTC", "ETH", "USDC", "USDT"}


class Okx(VenueAdapter):
    """Swaps and dated futures of one account, in one answer."""

    slug = "okx"
    label = "OKX"
    ccxt_id = "okx"
    credentials = ("apiKey", "secret", "password")
    margin_rules = {
        ContractKind.LINEAR: "okx-linear",
        ContractKind.INVERSE: "okx-inverse",
    }
    reads = (
        "GET /api/v5/public/time",
        "GET /api/v5/public/instruments",
        "GET /api/v5/public/mark-price",
        "GET /api/v5/public/funding-rate",
        "GET /api/v5/market/index-tickers",
        "GET /api/v5/account/positions",
    )
    account_options = (scopes_option([SCOPE]),)

    def scopes(self, request: AccountRequest) -> Sequence[str]:
        """Return the one scope: OKX answers for all products and coins at once."""
        return choose_scopes(request=request, available=(SCOPE,))

    async def read_scope(self, *, client: VenueClient, scope: str) -> ScopeReading:
        """Read all open positions. Raises VenueError."""
        check_scope(adapter=self, request=client.request, scope=scope)
        rows = take_rows(await client.call("privateGetAccountPositions"), "data")
        return read_rows(
            scope=scope,
            rows=rows,
            read_row=lambda row: read_position(row, client=client),
            symbol_field="instId",
        )

    async def read_prices(self, *, client: VenueClient, symbols: Sequence[str]) -> PriceReading:
        """Read mark prices, funding, and what OKX's indices say coins are worth in USD.

        Raises VenueError when mark prices cannot be read.
        """
        names = list_symbols(client=client, symbols=symbols)
        coins = await read_coins(client=client, symbols=symbols)
        funding = await read_funding(client=client, names=names)
        quotes: list[QuoteReading] = []
        for product in CONTRACTS:
            quotes += await read_quotes(
                client=client, product=product, names=names, coins=coins, funding=funding
            )
        return PriceReading(quotes=tuple(quotes), asset_prices=tuple(coins.values()))


class MyOkx(Okx):
    """The European venue: the same API on another host."""

    slug = "myokx"
    label = "OKX EEA"
    ccxt_id = "myokx"


class OkxUs(Okx):
    """The venue of the United States: the same API on another host."""

    slug = "okxus"
    label = "OKX US"
    ccxt_id = "okxus"


def read_position(row: Row, *, client: VenueClient) -> PositionReading | None:
    """Return the reading of a position row; None when it is flat.

    Raises RowError, also for margin loans and options: they are no contracts of this kind.
    """
    product = row.text("instType")
    if product not in CONTRACTS:
        raise RowError(f"{product[:20]} positions are not read: only swaps and futures are")
    size = require(row, "pos")
    if size.value == 0:
        return None
    slot = row.choice("posSide", net="net", long="long", short="short")
    # A short of the hedge mode is printed without sign.
    side, contracts = read_signed_size(_hedged(size, slot=slot), slot=slot)
    market = client.market(row.text("instId"))
    mode = row.choice("mgnMode", isolated=MarginMode.ISOLATED, cross=MarginMode.CROSS)
    mark = row.positive("markPx")
    notional = value_at(market=market, contracts=contracts, price=mark)
    maintenance = _in_settle_coin(row, row.number("mmr", none=("",)), market=market)
    return PositionReading(
        market=market,
        slot=slot,
        side=side,
        margin_mode=mode,
        contracts=contracts,
        entry_price=row.positive("avgPx"),
        mark_price=mark,
        collateral=read_collateral(row, mode=mode, market=market),
        liquidation_price=row.positive("liqPx"),
        unrealized_pnl=row.number("upl", none=("",)),
        leverage=row.positive("lever"),
        index_price=row.positive("idxPx"),
        notional=notional,
        maintenance_margin=maintenance,
        maintenance_rate=maintenance.over(notional),
        maintenance_amount=Figure.derived(0),
        venue_margin_ratio=row.number("mgnRatio", none=("",)),
        adl_rank=row.number("adl", none=("",)),
        venue_time=read_instant(row, "uTime"),
        raw=row.fields,
    )


def read_collateral(row: Row, *, mode: MarginMode, market: MarketSpec) -> Figure:
    """Return the margin of an isolated position, which holds no unrealised PnL."""
    if mode is not MarginMode.ISOLATED:
        return Figure.unknown(CROSS)
    return _in_settle_coin(row, row.positive("margin"), market=market)


async def read_quotes(
    *,
    client: VenueClient,
    product: str,
    names: Mapping[str, str],
    coins: Mapping[str, AssetPriceReading],
    funding: Mapping[str, Row],
) -> list[QuoteReading]:
    """Return the quotes of one product, without those that the venue does not answer for."""
    is_dated = product == "FUTURES"
    wanted = {name: each for name, each in names.items() if split_symbol(each).is_dated is is_dated}

    async def ask(name: str | None) -> list[Any]:
        params = {"instType": product} | ({"instId": name} if name else {})
        return take_rows(await client.call("publicGetPublicMarkPrice", params), "data")

    if not wanted:
        return []
    rows = await ask_each_or_all(names=list(wanted), ask=ask, few=1)

    def read_row(row: Row) -> QuoteReading | None:
        name = row.text("instId")
        return read_quote(row, wanted[name], coins, funding.get(name)) if name in wanted else None

    return read_each(rows, read_row)


def read_quote(
    row: Row, symbol: str, coins: Mapping[str, AssetPriceReading], funding: Row | None
) -> QuoteReading:
    """Return the reading of a mark-price row, with its index and funding; raises RowError."""
    parts = split_symbol(symbol)
    index = coins.get(parts.base) if parts.quote == "USD" else None
    no_rate = Figure.unknown("no funding" if parts.is_dated else "funding could not be read")
    return QuoteReading(
        symbol=symbol,
        mark_price=row.positive("markPx"),
        index_price=index.usd if index else Figure.unknown("read for USD quotes alone"),
        funding_rate=funding.number("fundingRate", none=("",)) if funding else no_rate,
        # OKX names the coming settlement fundingTime, and the one after it nextFundingTime.
        next_funding_at=read_instant(funding, "fundingTime") if funding else None,
        venue_time=read_instant(row, "ts"),
    )


async def read_coins(
    *, client: VenueClient, symbols: Sequence[str]
) -> dict[str, AssetPriceReading]:
    """Return the USD index by coin, for coins that matter to `symbols`; none if unreadable."""
    parts = [split_symbol(symbol) for symbol in symbols]
    wanted = COMMON_COINS | {each.base for each in parts} | {each.settle for each in parts}
    try:
        answer = await client.call("publicGetMarketIndexTickers", {"quoteCcy": "USD"})
        rows = take_rows(answer, "data")
    except VenueError:
        return {}
    coins = read_each(rows, _read_coin)
    return {coin.asset: coin for coin in coins if coin.asset in wanted and coin.usd.is_known}


async def read_funding(*, client: VenueClient, names: Mapping[str, str]) -> dict[str, Row]:
    """Return the funding row of each swap; without those that could not be read."""

    async def ask(name: str | None) -> list[Any]:
        answer = await client.call("publicGetPublicFundingRate", {"instId": name or "ANY"})
        return take_rows(answer, "data")

    swaps = [name for name, symbol in names.items() if not split_symbol(symbol).is_dated]
    try:
        rows = await ask_each_or_all(names=swaps, ask=ask, few=2)
    except VenueError:
        return {}
    return dict(read_each(rows, lambda row: (row.text("instId"), row)))


def _read_coin(row: Row) -> AssetPriceReading | None:
    coin, _, quote = row.text("instId").partition("-")
    if quote != "USD":
        return None
    return AssetPriceReading(coin, row.positive("idxPx"), read_instant(row, "ts"))


def _hedged(size: Figure, *, slot: str) -> Figure:
    if slot != "short" or size.value is None or size.value < 0:
        return size
    return Figure(value=-size.value, source=size.source, text=size.text)


def _in_settle_coin(row: Row, figure: Figure, *, market: MarketSpec) -> Figure:
    coin = row.text_or("ccy", market.settle)
    if figure.is_known and market.is_known and coin != market.settle:
        return Figure.unknown(f"held in {coin}, while the contract settles in {market.settle}")
    return figure
