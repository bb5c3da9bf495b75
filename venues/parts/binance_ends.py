"""How a position ended, in the words of Binance and of Aster, whose API is a fork of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from positions.engine.types import PositionState
from riskhub import clock
from venues.base import Held, PositionEnd, VenueClient
from venues.errors import VenueError, VenueRefused
from venues.figures import NOT_GIVEN, Figure, Row, RowError
from venues.parts.binance_rows import Product
from venues.rows import ask_each_or_all, read_each, read_instant, take_rows

# An answer is a little older than the moment at which we saw it, and clocks differ.
SLACK = timedelta(seconds=10)
# How the ids of orders that the venue itself places begin; any other forced order liquidates.
FORCED = (
    ("adl_", PositionState.DELEVERAGED),
    ("settlement_", PositionState.SETTLED),
    ("", PositionState.LIQUIDATED),
)
# The venue's own spelling.
SETTLEMENT = "DELIVERED_SETTELMENT"
ANY_SLOT = ""
_MOST_ROWS = 1000
_MOST_FORCED = 100
# Without a symbol the request weighs as much as two and a half with one.
_FEW_FORCED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """What may have ended a position of one contract and slot.

    name   the venue's own name of the contract
    order  id of the order: the trades of a forced order are no end of their own
    """

    name: str
    slot: str
    state: PositionState
    at: datetime
    order: str
    price: Figure


async def read_ends(
    *, client: VenueClient, product: Product, missing: Sequence[Held]
) -> list[PositionEnd]:
    """Return how missing positions ended, as far as the venue says it. Raises VenueError.

    What is flat now and was not when it was last seen ended with its last deal since then.
    """
    if not missing:
        return []
    of_held = {held: client.market(held.symbol, kind=product.kind).venue_symbol for held in missing}
    names = sorted(set(of_held.values()))
    since = min(held.seen_at for held in missing) - SLACK
    try:
        deals = await _read_deals(client, product, names=names, since=since)
    except VenueRefused:
        # A contract that was just delivered may no longer be known; its settlement is.
        deals = []
    ends = {held: _last(deals, held=held, name=name) for held, name in of_held.items()}
    if None in ends.values():
        settled = await _read_settled(client, product, since=since)
        ends = {held: end or _last(settled, held=held, name=of_held[held])
                for held, end in ends.items()}  # fmt: skip
    return [end for end in ends.values() if end]


async def _read_deals(
    client: VenueClient, product: Product, *, names: Sequence[str], since: datetime
) -> list[Deal]:
    # Both or neither: without the forced orders their trades would look like plain closes.
    forced = await _read_forced(client, product, names=names, since=since)
    ids = {deal.order for deal in forced}
    trades = await _read_trades(client, product, names=names)
    return [*forced, *(deal for deal in trades if deal.order not in ids)]


async def _read_forced(
    client: VenueClient, product: Product, *, names: Sequence[str], since: datetime
) -> list[Deal]:
    span = {"startTime": clock.to_milliseconds(since), "limit": _MOST_FORCED}

    async def ask(name: str | None) -> list[Any]:
        params: Mapping[str, Any] = {**span, "symbol": name} if name else span
        return take_rows(await client.call(product.force_orders, params))

    return read_each(await ask_each_or_all(names=names, ask=ask, few=_FEW_FORCED), _read_order)


async def _read_trades(
    client: VenueClient, product: Product, *, names: Sequence[str]
) -> list[Deal]:
    async def ask(name: str | None) -> list[Any]:
        # Without a time the venue sends the latest trades; with one, the first after it.
        return take_rows(await client.call(product.trades, {"symbol": name, "limit": _MOST_ROWS}))

    rows = await ask_each_or_all(names=names, ask=ask, few=len(names))
    return read_each(rows, _read_trade)


async def _read_settled(client: VenueClient, product: Product, *, since: datetime) -> list[Deal]:
    params = {
        "incomeType": SETTLEMENT,
        "startTime": clock.to_milliseconds(since),
        "limit": _MOST_ROWS,
    }
    try:
        return read_each(take_rows(await client.call(product.income, params)), _read_settlement)
    except VenueError:
        # The ends that are known are worth more than the one that is not.
        return []


def _read_order(row: Row) -> Deal | None:
    if not row.number("executedQty").value:
        return None
    name = row.text_or("clientOrderId").lower()
    return Deal(
        name=row.text("symbol"),
        slot=_slot(row),
        state=next(state for start, state in FORCED if name.startswith(start)),
        at=_instant(row, "updateTime"),
        order=row.text("orderId"),
        price=row.positive("avgPrice"),
    )


def _read_trade(row: Row) -> Deal:
    return Deal(
        name=row.text("symbol"),
        slot=_slot(row),
        state=PositionState.CLOSED,
        at=_instant(row, "time"),
        order=row.text("orderId"),
        price=row.positive("price"),
    )


def _read_settlement(row: Row) -> Deal | None:
    if row.text_or("incomeType") != SETTLEMENT:
        return None
    return Deal(
        name=row.text("symbol"),
        slot=ANY_SLOT,
        state=PositionState.SETTLED,
        at=_instant(row, "time"),
        order=row.text("tranId"),
        price=Figure.unknown(NOT_GIVEN),
    )


def _slot(row: Row) -> str:
    return row.choice("positionSide", both="net", long="long", short="short")


def _instant(row: Row, name: str) -> datetime:
    instant = read_instant(row, name)
    if instant is None:
        raise RowError(f"{name} is missing")
    return instant


def _last(deals: Sequence[Deal], *, held: Held, name: str) -> PositionEnd | None:
    fitting = [
        deal
        for deal in deals
        if deal.name == name
        and deal.slot in (held.slot, ANY_SLOT)
        and deal.at >= held.seen_at - SLACK
    ]
    if not fitting:
        return None
    last = max(fitting, key=lambda deal: deal.at)
    return PositionEnd(
        symbol=held.symbol,
        slot=held.slot,
        state=last.state,
        at=last.at,
        price=last.price,
        reference=f"{last.state}:{last.order}",
    )
