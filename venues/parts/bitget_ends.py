"""How a position at Bitget ended: its history says that it did, the fills say how."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from positions.engine.types import PositionState
from riskhub import clock
from venues.base import Held, PositionEnd, VenueClient
from venues.figures import NOT_GIVEN, Figure, Row
from venues.parts.bitget_api import MODES, Api, Scope
from venues.rows import read_each, read_instant, take_rows

# Between the last fill and the end, and how far our clock may be from the venue's.
SLACK = timedelta(seconds=5)
PAGE_SIZE = 100

# Parts of a fill's tradeSide (classic) or execType (unified) that name a force.
FORCES = (
    ("adl", PositionState.DELEVERAGED),
    ("burst", PositionState.LIQUIDATED),
    ("reduce", PositionState.LIQUIDATED),
    ("offset", PositionState.LIQUIDATED),
    ("liquidation", PositionState.LIQUIDATED),
    ("delivery", PositionState.SETTLED),
)
OWN_CLOSES = frozenset({"close", "close_long", "close_short", "buy_single", "sell_single"})


async def read_end(*, client: VenueClient, part: Scope, api: Api, held: Held) -> PositionEnd | None:
    """Return the end of one position; None where history or fills do not tell of it."""
    named = {api.product: part.product, "symbol": client.market(held.symbol).venue_symbol}
    since = {"startTime": clock.to_milliseconds(held.seen_at - SLACK), "limit": PAGE_SIZE}
    rows = take_rows(await client.call(api.history, {**named, **since}), "data", "list")
    told = read_each(rows, lambda row: _read_life(row, api=api, held=held))
    if not told:
        return None
    at, price, reference = max(told, key=lambda life: life[0])
    around = {
        "startTime": clock.to_milliseconds(at - SLACK),
        "endTime": clock.to_milliseconds(at + SLACK),
        "limit": PAGE_SIZE,
    }
    fills = take_rows(await client.call(api.fills, {**named, **around}), "data", api.fill_rows)
    state = judge_end(read_each(fills, lambda row: _read_fill(row, api=api)), at=at, held=held)
    if state is None:
        return None
    return PositionEnd(
        symbol=held.symbol,
        slot=held.slot,
        state=state,
        at=at,
        price=price,
        reference=reference,
        margin_mode=held.margin_mode,
    )


def judge_end(
    fills: Iterable[tuple[datetime, str]], *, at: datetime, held: Held
) -> PositionState | None:
    """Return how a life ended at `at`, by the fills around that moment; None if none tells."""
    other = {"long": "_short", "short": "_long"}.get(held.slot, "\0")
    words = [word for when, word in fills if abs(when - at) <= SLACK and not word.endswith(other)]
    forced = [state for part, state in FORCES for word in words if part in word]
    if forced:
        return forced[0]
    return PositionState.CLOSED if OWN_CLOSES.intersection(words) else None


def _read_life(row: Row, *, api: Api, held: Held) -> tuple[datetime, Figure, str] | None:
    """Return end, price and id of a life in the history; None where it is not the one held."""
    times = (read_instant(row, name) for name in api.history_times)
    at = next((each for each in times if each), None)
    is_side = held.slot in ("net", row.text(api.side))
    is_mode = MODES.get(row.text_or("marginMode").lower()) in (None, held.margin_mode)
    if at is None or at < held.seen_at - SLACK or not (is_side and is_mode):
        return None
    prices = [row.positive(name) for name in api.close_price]
    price = next((each for each in prices if each.is_known), Figure.unknown(NOT_GIVEN))
    made_up = f"{row.text('symbol')}-{clock.to_milliseconds(at)}"
    return at, price, f"bitget-{row.text_or('positionId', made_up)}"[:80]


def _read_fill(row: Row, *, api: Api) -> tuple[datetime, str] | None:
    at = read_instant(row, api.fill_time)
    word = row.text_or("tradeSide") or row.text_or("execType")
    return (at, word.lower()) if at and word else None
