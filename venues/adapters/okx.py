"""OKX swaps and futures, linear and inverse; see docs/venues/okx.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from positions.engine.types import ContractKind, MarginMode
from venues.base import (
    AccountRequest,
    AssetPriceReading,
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
from venues.options import scopes_option
from venues.parts import okx_account, okx_markets
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
        "GET /api/v5/public/position-tiers",
        "GET /api/v5/market/index-tickers",
        "GET /api/v5/market/candles",
        "GET /api/v5/market/history-candles",
        "GET /api/v5/market/books",
        "GET /api/v5/account/positions",
        "GET /api/v5/account/positions-history",
        "GET /api/v5/account/balance",
        "GET /api/v5/account/config",
    )
    account_options = (scopes_option([SCOPE]),)
    rate = RateBudget(
        requests=200,
        window_s=2.0,
        source="10 requests in 2 s for each user's positions, 20 in 2 s and address for public "
        "data; no limit of an address over all users is documented",
    )
    permission = 'An API key with the permission "Read" alone, and its passphrase.'
    quirks = (
        "A sub-account has keys of its own: add each as an account of its own.",
        "Sizes count contracts; a contract is ctVal times ctMult of its coin, or of US dollars in "
        "coin-margined ones.",
        "One contract may be held isolated and cross at once, and long and short in hedge mode: "
        "each is a position of its own. A short of the hedge mode is printed without sign.",
        "OKX's mgnRatio is equity / required, so that larger is safer; it is shown as printed and "
        "turned over where accounts are compared.",
        "Cross positions are ranked by the margin ratio of what backs them: the coin's pool in "
        "futures mode, the whole account in multi-currency and portfolio margin mode.",
        "Cross rows of an account in portfolio margin mode (acctLv 4) are called portfolio.",
        "The printed liquidation price lies one tick beyond the formula's.",
        "Maintenance tiers count contracts, and the whole position bears the rate of its tier.",
        "Margin loans and options are no contracts of this kind; they are counted as refused rows.",
        "Margin in another coin than the contract's settle coin is shown as unknown.",
        "The time of a row is when the position was last changed, not when it was read.",
    )

    def scopes(self, request: AccountRequest) -> Sequence[str]:
        """Return the one scope: OKX answers for all products and coins at once."""
        return choose_scopes(request=request, available=(SCOPE,))

    async def read_scope(self, *, client: VenueClient, scope: str) -> ScopeReading:
        """Read all open positions. Raises VenueError."""
        check_scope(adapter=self, request=client.request, scope=scope)
        rows = take_rows(await client.call("privateGetAccountPositions"), "data")
        about = read_each(rows, _name_of_cross)
        pooled = MarginMode.CROSS
        if about:
            pooled = await okx_account.read_pooled_mode(client=client, about=about)
        reading = read_rows(
            scope=scope,
            rows=rows,
            read_row=lambda row: read_position(row, client=client, pooled=pooled),
            symbol_field="instId",
        )
        standings = await okx_account.read_standings(client=client, positions=reading.positions)
        return replace(reading, standings=standings) if standings else reading

    async def read_ends(
        self, *, client: VenueClient, scope: str, missing: Sequence[Held]
    ) -> Sequence[PositionEnd]:
        """Read how missing positions ended, by the positions' history. Raises VenueError."""
        found: list[PositionEnd] = []
        for symbol in sorted({held.symbol for held in missing}):
            lost = [held for held in missing if held.symbol == symbol]
            found += await okx_account.read_lost(client=client, symbol=symbol, lost=lost)
        return found

    async def read_key(self, *, client: VenueClient) -> KeyFacts | None:
        """Read what the key may do. Raises VenueError."""
        return await okx_account.read_key(client=client)

    def read_listing(self, row: Row) -> Listing:
        """Read when a contract ends and whether it is open."""
        return okx_markets.read_listing(row)

    async def read_tiers(
        self, *, client: VenueClient, symbols: Sequence[str]
    ) -> Sequence[TierReading]:
        """Read the position tiers of contracts. Raises VenueError."""
        return await okx_markets.read_tables(client=client, symbols=symbols)

    async def read_funding(
        self, *, client: VenueClient, symbols: Sequence[str]
    ) -> Sequence[FundingReading]:
        """Read funding and its interval, which prices do not carry. Raises VenueError."""
        names = list_symbols(client=client, symbols=symbols)
        return tuple((await okx_markets.ask_funding(client=client, names=names)).values())

    async def read_prices(self, *, client: VenueClient, symbols: Sequence[str]) -> PriceReading:
        """Read mark prices, funding, and what OKX's indices say coins are worth in USD.

        Raises VenueError when mark prices cannot be read.
        """
        names = list_symbols(client=client, symbols=symbols)
        coins = await read_coins(client=client, symbols=symbols)
        funding = await okx_markets.find_funding(client=client, names=names)
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


def read_position(
    row: Row, *, client: VenueClient, pooled: MarginMode = MarginMode.CROSS
) -> PositionReading | None:
    """Return the reading of a position row; None when it is flat.

    pooled  what "cross" means in this account: cross, or portfolio
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
    mode = row.choice("mgnMode", isolated=MarginMode.ISOLATED, cross=pooled)
    mark = row.positive("markPx")
    notional = value_at(market=market, contracts=contracts, price=mark)
    maintenance = _in_settle_coin(row, row.number("mmr", none=("",)), market=market)
    rate = maintenance.over(notional)
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
        maintenance_rate=rate,
        # The rate is that of the whole position: a tier's deduction is in it already.
        maintenance_amount=Figure.derived(0) if rate.is_known else rate,
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
    funding: Mapping[str, FundingReading],
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
    row: Row,
    symbol: str,
    coins: Mapping[str, AssetPriceReading],
    funding: FundingReading | None,
) -> QuoteReading:
    """Return the reading of a mark-price row, with its index and funding; raises RowError."""
    parts = split_symbol(symbol)
    index = coins.get(parts.base) if parts.quote == "USD" else None
    no_rate = Figure.unknown("no funding" if parts.is_dated else "funding could not be read")
    return QuoteReading(
        symbol=symbol,
        mark_price=row.positive("markPx"),
        index_price=index.usd if index else Figure.unknown("read for USD quotes alone"),
        funding_rate=funding.rate if funding else no_rate,
        next_funding_at=funding.next_at if funding else None,
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


def _name_of_cross(row: Row) -> str | None:
    is_contract = row.text("instType") in CONTRACTS
    return row.text("instId") if is_contract and row.text("mgnMode") == "cross" else None


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
