"""What a venue's own indices say coins are worth in US dollars."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

from positions.engine.types import ContractKind
from venues.base import AssetPriceReading, QuoteReading
from venues.errors import VenueError
from venues.rows import split_symbol

ReadQuotes = Callable[[Sequence[str]], Awaitable[Sequence[QuoteReading]]]


async def price_assets(
    *, quotes: Sequence[QuoteReading], yardsticks: Mapping[str, str], read_quotes: ReadQuotes
) -> list[AssetPriceReading]:
    """Return a coin's worth by its USD index, and a stablecoin's by two indices of one coin.

    yardsticks   stablecoin -> a coin's contract in it, and "" -> that coin's in US dollars
    read_quotes  asks for the yardsticks that `quotes` lacks; what cannot be read prices nothing
    """
    known = {quote.symbol: quote for quote in quotes}
    settled = {split_symbol(symbol).settle for symbol in known}
    stable = sorted(settled & {coin for coin in yardsticks if coin})
    if stable:
        wanted = [yardsticks[coin] for coin in ("", *stable) if yardsticks[coin] not in known]
        known |= {quote.symbol: quote for quote in await _ask(read_quotes, wanted)}
    coins = {each.asset: each for each in map(_price_coin, known.values()) if each is not None}
    return [*coins.values(), *_price_stable(stable, known, yardsticks)]


async def _ask(read_quotes: ReadQuotes, symbols: Sequence[str]) -> Sequence[QuoteReading]:
    try:
        return await read_quotes(symbols) if symbols else ()
    except VenueError:
        return ()


def _price_coin(quote: QuoteReading) -> AssetPriceReading | None:
    parts = split_symbol(quote.symbol)
    if parts.kind is not ContractKind.INVERSE or not quote.index_price.is_known:
        return None
    return AssetPriceReading(parts.base, quote.index_price, quote.venue_time)


def _price_stable(
    coins: Sequence[str], quotes: Mapping[str, QuoteReading], yardsticks: Mapping[str, str]
) -> Iterator[AssetPriceReading]:
    in_usd = quotes.get(yardsticks[""])
    for coin in coins:
        in_coin = quotes.get(yardsticks[coin])
        if in_usd is None or in_coin is None:
            continue
        price = in_usd.index_price.over(in_coin.index_price)
        if price.is_known:
            yield AssetPriceReading(coin, price, in_usd.venue_time)
