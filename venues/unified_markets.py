"""Candles and order books through ccxt's unified calls, for venues whose adapter has no own way.

Both are lists of numbers that ccxt passes on as they stand; what is not a sound row is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from riskhub import clock
from venues.base import VenueClient
from venues.errors import UnreadableAnswer
from venues.market_data import CandleReading, DepthReading

_HOUR = timedelta(hours=1)
_COLUMNS = 5


async def read_candles(
    *, client: VenueClient, symbol: str, count: int
) -> tuple[CandleReading, ...]:
    """Return the last `count` hours of a market, oldest first. Raises VenueError."""
    rows = await client.fetch("fetch_ohlcv", symbol, "1h", limit=count)
    if not isinstance(rows, list):
        raise UnreadableAnswer("The answer is not the documented one: there is no list of hours.")
    found = {candle.opened_at: candle for candle in map(_candle, rows) if candle is not None}
    return tuple(found[at] for at in sorted(found))[-count:]


async def read_depth(*, client: VenueClient, symbol: str, levels: int) -> DepthReading:
    """Return the order book of a market, best first. Raises VenueError."""
    book = await client.fetch("fetch_order_book", symbol, limit=levels)
    if not isinstance(book, dict):
        raise UnreadableAnswer("The answer is not the documented one: there is no order book.")
    return DepthReading(
        symbol=symbol,
        bids=_levels(book.get("bids"), levels),
        asks=_levels(book.get("asks"), levels),
        venue_time=_instant(book.get("timestamp")),
    )


def is_sound_candle(candle: CandleReading) -> bool:
    """Tell whether an hour's prices are prices, and the highest is the highest."""
    prices = (candle.open, candle.high, candle.low, candle.close)
    if not all(math.isfinite(price) and price > 0 for price in prices):
        return False
    return candle.high == max(prices) and candle.low == min(prices)


def is_sound_depth(depth: DepthReading) -> bool:
    """Tell whether a book is ordered, best first, and its two sides do not cross."""
    bids, asks = ([price for price, _ in side] for side in (depth.bids, depth.asks))
    is_ordered = bids == sorted(set(bids), reverse=True) and asks == sorted(set(asks))
    sizes = [*depth.bids, *depth.asks]
    is_positive = all(_is_positive(price) and _is_positive(size) for price, size in sizes)
    is_apart = not bids or not asks or bids[0] < asks[0]
    return bool(sizes) and is_ordered and is_positive and is_apart


def _candle(row: Any) -> CandleReading | None:
    if not isinstance(row, Sequence) or len(row) < _COLUMNS:
        return None
    opened_at, numbers = _instant(row[0]), [_number(value) for value in row[1:6]]
    first, high, low, last = numbers[:4]
    if opened_at is None or None in (first, high, low, last):
        return None
    volume = numbers[4] if len(numbers) > _COLUMNS - 1 else None
    candle = CandleReading(opened_at, first, high, low, last, volume)  # type: ignore[arg-type]
    return candle if is_sound_candle(candle) and _is_full_hour(opened_at) else None


def _is_full_hour(instant: datetime) -> bool:
    return instant.timestamp() % _HOUR.total_seconds() == 0


def _levels(rows: Any, most: int) -> tuple[tuple[float, float], ...]:
    if not isinstance(rows, Iterable):
        return ()
    pairs = ((_number(row[0]), _number(row[1])) for row in rows)
    # A level of size 0 is one that has just gone.
    return tuple((price, size) for price, size in pairs if price and size)[:most]


def _instant(value: Any) -> datetime | None:
    milliseconds = _number(value)
    if milliseconds is None or not 0 < milliseconds < 1e14:  # noqa: PLR2004
        return None
    return clock.from_milliseconds(int(milliseconds))


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _is_positive(value: float) -> bool:
    return math.isfinite(value) and value > 0
