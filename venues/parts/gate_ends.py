"""How a position at Gate ended: closes say that it did; liquidations and deleveraging say how."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from positions.engine.types import PositionState
from riskhub import clock
from venues.base import Held, PositionEnd, VenueClient
from venues.figures import Figure, Row
from venues.parts.gate_api import Scope, read_seconds
from venues.rows import read_each, take_rows

# How far our clock may be from the venue's, and a close from the liquidation that made it.
SLACK = timedelta(seconds=5)
NEAR = timedelta(seconds=60)
PAGE_SIZE = 100

# The text of the order that closed a position, where Gate's own engine placed it.
FORCES = {
    "liquidat": PositionState.LIQUIDATED,
    "auto_deleverag": PositionState.DELEVERAGED,
    "adl": PositionState.DELEVERAGED,
    "settle": PositionState.SETTLED,
    "delist": PositionState.SETTLED,
}

_Event = tuple[datetime, Figure, str]


async def read_end(*, client: VenueClient, part: Scope, held: Held) -> PositionEnd | None:
    """Return the end of one position; None where no list tells of it. Raises VenueError.

    That nobody forced a close is only said after all lists that could tell otherwise were read.
    """
    closes = read_each(
        await _ask(client, part, held, "PositionClose"), lambda row: _read_close(row, held)
    )
    liquidations = read_each(
        await _ask(client, part, held, "Liquidates"), lambda row: _read_liquidation(row, held)
    )
    if not closes:
        last = max(liquidations, key=lambda each: each[0], default=None)
        return _end(held, PositionState.LIQUIDATED, last) if last else None
    last, text = max(closes, key=lambda close: close[0][0])
    if any(abs(each[0] - last[0]) <= NEAR for each in liquidations):
        return _end(held, PositionState.LIQUIDATED, last)
    if not part.is_dated:
        rows = await _ask(client, part, held, "AutoDeleverages")
        if any(abs(at - last[0]) <= NEAR for at in read_each(rows, _read_deleveraging)):
            return _end(held, PositionState.DELEVERAGED, last)
    forced = [state for word, state in FORCES.items() if text.lower().startswith(word)]
    return _end(held, forced[0] if forced else PositionState.CLOSED, last)


async def _ask(client: VenueClient, part: Scope, held: Held, what: str) -> list[Any]:
    params = {
        "settle": part.settle,
        "contract": client.market(held.symbol).venue_symbol,
        "from": clock.to_milliseconds(held.seen_at - SLACK) // 1000,
        "limit": PAGE_SIZE,
    }
    return take_rows(await client.call(part.method("private", what), params))


def _read_close(row: Row, held: Held) -> tuple[_Event, str] | None:
    at, side = read_seconds(row, "time"), row.text("side")
    if at is None or at < held.seen_at - SLACK or held.slot not in ("net", side):
        return None
    # A long is bought and then sold: what it was sold at is the price of its end.
    price = row.positive("short_price" if side == "long" else "long_price")
    name = f"gate-{row.text('contract')}-{side}-{clock.to_milliseconds(at)}"
    return (at, price, name[:80]), row.text_or("text")


def _read_liquidation(row: Row, held: Held) -> _Event | None:
    at, size = read_seconds(row, "time"), row.number("size", none=("",))
    is_other = {"long": (size.value or 0) < 0, "short": (size.value or 0) > 0}.get(held.slot, False)
    if at is None or at < held.seen_at - SLACK or is_other:
        return None
    name = f"gate-liquidation-{row.text_or('order_id') or clock.to_milliseconds(at)}"
    return at, row.positive("fill_price"), name[:80]


def _read_deleveraging(row: Row) -> datetime | None:
    is_whole = row.number("position_size", none=("",)).value in (0, None)
    return read_seconds(row, "time") if is_whole else None


def _end(held: Held, state: PositionState, event: _Event) -> PositionEnd:
    at, price, reference = event
    return PositionEnd(
        symbol=held.symbol, slot=held.slot, state=state, at=at, price=price, reference=reference
    )
