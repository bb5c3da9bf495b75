"""What Bybit says to everybody of its contracts: prices, risk limits and listings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from positions.engine.tiers import with_amounts
from positions.engine.types import ContractKind, Tier
from venues.base import AssetPriceReading, PriceReading, QuoteReading, VenueClient
from venues.errors import VenueError
from venues.figures import Row, RowError
from venues.market_data import Listing, TierReading
from venues.rows import (
    ask_each_or_all,
    list_symbols,
    read_each,
    read_instant,
    split_symbol,
    take_instant,
    take_rows,
)

CATEGORIES = {ContractKind.LINEAR: "linear", ContractKind.INVERSE: "inverse"}
BITCOIN = {ContractKind.LINEAR: "BTC/USDT:USDT", ContractKind.INVERSE: "BTC/USD:BTC"}

# 480 minutes are the usual interval. None pays more often than each hour: a smaller number is in
# another unit, as in some of Bybit's own samples.
SHORTEST_FUNDING_MIN = 60
MINUTES_AN_HOUR = 60
OPEN_STATUS = "Trading"
# 1 / maximum leverage is the initial margin: as a fraction, or in percent as older answers have it.
PERCENT = 100.0
_TOLERANCE = 0.05


async def read_prices(*, client: VenueClient, symbols: Sequence[str]) -> PriceReading:
    """Return the quotes of `symbols`, and what Bybit's indices say coins are worth in USD.

    Raises VenueError when a category that is asked for cannot be read.
    """
    quotes: list[QuoteReading] = []
    for kind in CATEGORIES:
        names = _of_kind(symbols, kind)
        if names:
            quotes += await read_quotes(client=client, kind=kind, symbols=names)
    assets = await read_asset_prices(client=client, quotes=quotes)
    return PriceReading(quotes=tuple(quotes), asset_prices=tuple(assets))


async def read_quotes(
    *, client: VenueClient, kind: ContractKind, symbols: Sequence[str]
) -> list[QuoteReading]:
    """Return the quotes of `symbols`, without those that the venue does not answer for."""
    times: list[datetime | None] = []

    async def ask(name: str | None) -> list[Any]:
        params = {"category": CATEGORIES[kind]} | ({"symbol": name} if name else {})
        answer = await client.call("publicGetV5MarketTickers", params)
        times.append(take_instant(answer, "time"))
        return take_rows(answer, "result", "list")

    names = list_symbols(client=client, symbols=symbols)
    rows = await ask_each_or_all(names=list(names), ask=ask)
    # The oldest of the answers' times is true of every row.
    at = min((each for each in times if each), default=None)

    def read_row(row: Row) -> QuoteReading | None:
        symbol = names.get(row.text("symbol"))
        return read_quote(row, symbol=symbol, at=at) if symbol else None

    return read_each(rows, read_row)


def read_quote(row: Row, *, symbol: str, at: datetime | None) -> QuoteReading:
    """Return the reading of a ticker row; raises RowError."""
    return QuoteReading(
        symbol=symbol,
        mark_price=row.positive("markPrice"),
        index_price=row.positive("indexPrice"),
        last_price=row.positive("lastPrice"),
        # Dated contracts have no funding: the venue sends "".
        funding_rate=row.number("fundingRate", none=("",), reason="no funding"),
        next_funding_at=read_instant(row, "nextFundingTime"),
        venue_time=at,
    )


async def read_asset_prices(
    *, client: VenueClient, quotes: Sequence[QuoteReading]
) -> list[AssetPriceReading]:
    """Return what coins are worth: a coin by its USD index, USDT by Bitcoin's two indices."""
    known = {quote.symbol: quote for quote in quotes}
    if any(split_symbol(symbol).settle == "USDT" for symbol in known):
        for kind, symbol in BITCOIN.items():
            if symbol not in known:
                known |= await _read_yardstick(client=client, kind=kind, symbol=symbol)
    coins = [
        AssetPriceReading(split_symbol(quote.symbol).base, quote.index_price, quote.venue_time)
        for quote in known.values()
        if split_symbol(quote.symbol).kind is ContractKind.INVERSE and quote.index_price.is_known
    ]
    return [*{coin.asset: coin for coin in coins}.values(), *_price_tether(known)]


async def _read_yardstick(
    *, client: VenueClient, kind: ContractKind, symbol: str
) -> dict[str, QuoteReading]:
    try:
        found = await read_quotes(client=client, kind=kind, symbols=[symbol])
    except VenueError:
        return {}
    return {quote.symbol: quote for quote in found}


def _price_tether(quotes: Mapping[str, QuoteReading]) -> list[AssetPriceReading]:
    in_usd = quotes.get(BITCOIN[ContractKind.INVERSE])
    in_tether = quotes.get(BITCOIN[ContractKind.LINEAR])
    if in_usd is None or in_tether is None:
        return []
    price = in_usd.index_price.over(in_tether.index_price)
    return [AssetPriceReading("USDT", price, in_usd.venue_time)] if price.is_known else []


async def read_tiers(*, client: VenueClient, symbols: Sequence[str]) -> list[TierReading]:
    """Return the risk limits of contracts, without those that cannot be read.

    Raises VenueError.
    """
    found: list[TierReading] = []
    for kind, category in CATEGORIES.items():
        names = list_symbols(client=client, symbols=_of_kind(symbols, kind))
        found += await read_tables(client=client, category=category, names=names)
    return found


async def read_tables(
    *, client: VenueClient, category: str, names: Mapping[str, str]
) -> list[TierReading]:
    """Return the risk limits of contracts (venue's id -> unified symbol), without unreadable ones.

    Raises VenueError.
    """

    async def ask(name: str | None) -> list[Any]:
        params = {"category": category, "symbol": name}
        answer = await client.call("publicGetV5MarketRiskLimit", params)
        return take_rows(answer, "result", "list")

    rows = await ask_each_or_all(names=list(names), ask=ask, few=len(names))
    told: dict[str, list[Row]] = {name: [] for name in names}
    for name, row in read_each(rows, lambda row: (row.text("symbol"), row)):
        if name in told:
            told[name].append(row)
    found = []
    for name, limits in told.items():
        try:
            found.append(read_table(limits, symbol=names[name]))
        except RowError:
            continue
    return found


def read_table(rows: Sequence[Row], *, symbol: str) -> TierReading:
    """Return the maintenance table of one contract's risk limits; raises RowError.

    Floors in quote units (linear) or coins (inverse), as riskLimitValue. mmDeduction is what a
    slice-wise table deducts; where it is not told for every tier it is worked out.
    """
    if not rows:
        raise RowError("no risk limits")
    ordered = sorted(rows, key=lambda row: _needed(row, "riskLimitValue"))
    floors = [0.0, *(_needed(row, "riskLimitValue") for row in ordered[:-1])]
    if any(one >= other for one, other in pairwise(floors)):
        raise RowError("risk limits do not ascend")
    tiers = with_amounts(
        tiers=[
            Tier(floor=floor, rate=_rate(row)) for floor, row in zip(floors, ordered, strict=True)
        ]
    )
    told = [row.number("mmDeduction", none=("",)).number for row in ordered[1:]]
    if None not in told:
        amounts = [0.0, *(amount for amount in told if amount is not None)]
        tiers = tuple(
            Tier(floor=tier.floor, rate=tier.rate, amount=amount)
            for tier, amount in zip(tiers, amounts, strict=True)
        )
    leverages = tuple(row.positive("maxLeverage").number for row in ordered)
    return TierReading(symbol=symbol, tiers=tiers, max_leverages=leverages)


def read_listing(row: Row) -> Listing:
    """Return delisting, funding interval and state of a row of instruments-info; raises RowError.

    deliveryTime is the delivery of a dated contract and the delisting of a perpetual, "0" without.
    """
    minutes = row.number("fundingInterval", none=("",)).number
    is_dated = row.text_or("contractType").endswith("Futures")
    is_told = minutes is not None and minutes >= SHORTEST_FUNDING_MIN and not is_dated
    return Listing(
        delists_at=read_instant(row, "deliveryTime"),
        funding_interval_h=minutes / MINUTES_AN_HOUR if is_told and minutes else None,
        is_active=row.text_or("status", OPEN_STATUS) == OPEN_STATUS,
    )


def _of_kind(symbols: Sequence[str], kind: ContractKind) -> list[str]:
    return [name for name in symbols if split_symbol(name).kind is kind]


def _rate(row: Row) -> float:
    rate, initial = _needed(row, "maintenanceMargin"), _needed(row, "initialMargin")
    leverage = _needed(row, "maxLeverage")
    for scale in (1.0, PERCENT):
        if abs(initial * leverage / scale - 1.0) <= _TOLERANCE:
            return rate / scale
    raise RowError("initialMargin and maxLeverage contradict each other")


def _needed(row: Row, name: str) -> float:
    number = row.positive(name).number
    if number is None:
        raise RowError(f"{name} is missing")
    return number
