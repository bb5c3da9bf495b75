"""What Binance says to everybody about its contracts, and Aster, whose API is a fork of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from positions.engine.types import Tier
from venues.base import QuoteReading, VenueClient
from venues.errors import VenueError
from venues.figures import Row, RowError
from venues.market_data import FundingReading, Listing, TierReading
from venues.parts.binance_rows import Product, listed
from venues.rows import ask_each_or_all, list_symbols, read_each, read_instant

# Deliveries of the year 2100 stand for "none is planned".
_NO_DELIVERY_MS = 4_000_000_000_000


async def read_tiers(
    *, client: VenueClient, product: Product, symbols: Sequence[str]
) -> list[TierReading]:
    """Return the maintenance brackets of the listed contracts among `symbols`.

    Brackets are cumulative: `cum` is the deduction from rate times notional. Raises VenueError.
    """

    async def ask(name: str | None) -> list[Any]:
        return listed(await client.call(product.brackets, {"symbol": name} if name else {}))

    names = list_symbols(client=client, symbols=symbols)
    rows = await ask_each_or_all(names=list(names), ask=ask)

    def read_row(row: Row) -> TierReading | None:
        symbol = names.get(row.text("symbol"))
        return read_table(row, symbol=symbol, floor=product.floor) if symbol else None

    return read_each(rows, read_row)


def read_table(row: Row, *, symbol: str, floor: str) -> TierReading:
    """Return the table of one contract; raises RowError unless it is as documented.

    A table with a multiplier of its own (notionalCoef) is refused: it is one account's, and the
    venue does not say whether the floors are before or after it.
    """
    own = row.number("notionalCoef", none=("",))
    if own.value not in (None, 1):
        raise RowError("the brackets are of this account alone")
    brackets = row.fields.get("brackets")
    if not isinstance(brackets, list) or not brackets:
        raise RowError("there are no brackets")
    steps = sorted((_read_step(Row(each), floor=floor) for each in brackets), key=_floor_of)
    tiers = tuple(tier for tier, _ in steps)
    if tiers[0].floor != 0 or len({tier.floor for tier in tiers}) != len(tiers):
        raise RowError("the brackets do not follow one another from 0")
    return TierReading(
        symbol=symbol, tiers=tiers, max_leverages=tuple(leverage for _, leverage in steps)
    )


async def read_quotes(
    *, client: VenueClient, product: Product, symbols: Sequence[str]
) -> list[QuoteReading]:
    """Return the quotes of `symbols`, without those that the venue does not answer for.

    Raises VenueError.
    """

    async def ask(name: str | None) -> list[Any]:
        return listed(await client.call(product.prices, {"symbol": name} if name else {}))

    names = list_symbols(client=client, symbols=symbols)
    rows = await ask_each_or_all(names=list(names), ask=ask)

    def read_row(row: Row) -> QuoteReading | None:
        symbol = names.get(row.text("symbol"))
        return read_quote(row, symbol=symbol) if symbol else None

    return read_each(rows, read_row)


def read_quote(row: Row, *, symbol: str) -> QuoteReading:
    """Return the reading of a premiumIndex row; raises RowError."""
    return QuoteReading(
        symbol=symbol,
        mark_price=row.positive("markPrice"),
        index_price=row.positive("indexPrice"),
        # Dated contracts have no funding: the venue sends "".
        funding_rate=row.number("lastFundingRate", none=("",), reason="no funding"),
        next_funding_at=read_instant(row, "nextFundingTime"),
        venue_time=read_instant(row, "time"),
    )


async def read_funding(
    *, client: VenueClient, product: Product, symbols: Sequence[str]
) -> list[FundingReading]:
    """Return funding with its interval, without contracts that have none. Raises VenueError.

    An interval is unknown where the list of intervals could not be read.
    """
    quotes = await read_quotes(client=client, product=product, symbols=symbols)
    try:
        rows = listed(await client.call(product.funding))
    except VenueError:
        rows, usual_h = [], None
    else:
        usual_h = product.usual_funding_h
    hours = dict(read_each(rows, _read_interval))
    return [
        FundingReading(
            symbol=quote.symbol,
            rate=quote.funding_rate,
            next_at=quote.next_funding_at,
            interval_h=hours.get(client.market(quote.symbol).venue_symbol, usual_h),
        )
        for quote in quotes
        if quote.funding_rate.is_known
    ]


def read_listing(row: Row) -> Listing:
    """Return what a row of exchangeInfo says; raises RowError.

    deliveryDate is when a dated contract is delivered, and when a perpetual is delisted.
    """
    status = row.text_or("status") or row.text_or("contractStatus")
    delivery_ms = row.milliseconds("deliveryDate") or _NO_DELIVERY_MS
    return Listing(
        delists_at=read_instant(row, "deliveryDate") if delivery_ms < _NO_DELIVERY_MS else None,
        is_active=status in ("", "TRADING"),
    )


def _read_step(row: Row, *, floor: str) -> tuple[Tier, float | None]:
    # The documentation of COIN-M misspells its own field.
    start = row.number(floor).otherwise(row.number("qtylFloor"))
    rate, amount = row.number("maintMarginRatio"), row.number("cum")
    if start.number is None or amount.number is None or not rate.number:
        raise RowError("a maintenance bracket is not complete")
    tier = Tier(floor=start.number, rate=rate.number, amount=amount.number)
    return tier, row.positive("initialLeverage").number


def _floor_of(step: tuple[Tier, float | None]) -> float:
    return step[0].floor


def _read_interval(row: Row) -> tuple[str, float] | None:
    hours = row.positive("fundingIntervalHours").number
    return (row.text("symbol"), hours) if hours else None
