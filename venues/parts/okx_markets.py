"""What OKX says to everybody of its contracts: position tiers, listings, funding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from positions.engine.types import Tier
from venues.base import MarketSpec, VenueClient
from venues.errors import VenueError
from venues.figures import Row, RowError
from venues.market_data import FundingReading, Listing, TierReading
from venues.rows import ask_each_or_all, read_each, read_instant, split_symbol, take_rows

MILLISECONDS_AN_HOUR = 3_600_000
# Of the states of a contract only these take orders.
OPEN_STATES = ("live", "post_only")
CONTRACTS = {True: "FUTURES", False: "SWAP"}


async def read_tables(*, client: VenueClient, symbols: Sequence[str]) -> list[TierReading]:
    """Return the position tiers of contracts, without those that cannot be read.

    Raises VenueError.
    """
    markets = [client.market(symbol) for symbol in symbols]
    listed = [market for market in markets if market.is_known and market.contract_size]
    families = {_family_key(market) for market in listed}

    async def ask(key: str | None) -> list[Any]:
        product, _, family = (key or "").partition(" ")
        params = {"instType": product, "tdMode": "isolated", "instFamily": family}
        rows = take_rows(await client.call("publicGetPublicPositionTiers", params), "data")
        return [(key, rows)]

    told = await ask_each_or_all(names=sorted(families), ask=ask, few=len(families))
    by_family = dict(told)
    found = []
    for market in listed:
        try:
            found.append(read_table(by_family.get(_family_key(market), ()), market=market))
        except RowError:
            continue
    return found


def read_table(rows: Sequence[Any], *, market: MarketSpec) -> TierReading:
    """Return the maintenance table of a contract; raises RowError.

    OKX counts contracts: floors are quantities (base coins for linear, US dollars for inverse
    contracts), which no price moves, and the whole position bears the rate of its tier.
    """
    ordered = sorted((Row(row) for row in rows), key=lambda row: _needed(row, "minSz"))
    if not ordered:
        raise RowError("no position tiers")
    size = market.contract_size or 0.0
    floors = [0.0, *(_needed(row, "minSz") * size for row in ordered[1:])]
    if any(one >= other for one, other in pairwise(floors)):
        raise RowError("position tiers do not ascend")
    return TierReading(
        symbol=market.symbol,
        tiers=tuple(
            Tier(floor=floor, rate=_needed(row, "mmr"))
            for floor, row in zip(floors, ordered, strict=True)
        ),
        max_leverages=tuple(row.positive("maxLever").number for row in ordered),
    )


def read_listing(row: Row) -> Listing:
    """Return delisting, state and size of a row of instruments; raises RowError.

    expTime is the delivery of a future, and of a swap its delisting once that is announced. ccxt
    leaves ctMult out of the size.
    """
    size = row.positive("ctVal").times(row.positive("ctMult"))
    return Listing(
        delists_at=read_instant(row, "expTime"),
        is_active=row.text_or("state", OPEN_STATES[0]) in OPEN_STATES,
        contract_size=size.number,
    )


async def ask_funding(
    *, client: VenueClient, names: Mapping[str, str]
) -> dict[str, FundingReading]:
    """Return the funding of each swap by OKX's id (names: that id -> unified symbol).

    Raises VenueError.
    """

    async def ask(name: str | None) -> list[Any]:
        answer = await client.call("publicGetPublicFundingRate", {"instId": name or "ANY"})
        return take_rows(answer, "data")

    def read(row: Row) -> tuple[str, FundingReading] | None:
        name = row.text("instId")
        return (name, read_funding(row, symbol=names[name])) if name in names else None

    swaps = [name for name, symbol in names.items() if not split_symbol(symbol).is_dated]
    return dict(read_each(await ask_each_or_all(names=swaps, ask=ask, few=2), read))


async def find_funding(
    *, client: VenueClient, names: Mapping[str, str]
) -> dict[str, FundingReading]:
    """Return the funding of each swap; none where it could not be read."""
    try:
        return await ask_funding(client=client, names=names)
    except VenueError:
        return {}


def read_funding(row: Row, *, symbol: str) -> FundingReading:
    """Return the funding of a swap; raises RowError.

    OKX names the coming settlement fundingTime, and the one after it nextFundingTime.
    """
    begin, end = row.milliseconds("fundingTime"), row.milliseconds("nextFundingTime")
    interval_ms = end - begin if begin is not None and end is not None else 0
    return FundingReading(
        symbol=symbol,
        rate=row.number("fundingRate", none=("",)),
        next_at=read_instant(row, "fundingTime"),
        interval_h=interval_ms / MILLISECONDS_AN_HOUR if interval_ms > 0 else None,
    )


def _family_key(market: MarketSpec) -> str:
    """Return product and family: "FUTURES ETH-USD" of "ETH-USD-261225"."""
    product = CONTRACTS[split_symbol(market.symbol).is_dated]
    return f"{product} {'-'.join(market.venue_symbol.split('-')[:2])}"


def _needed(row: Row, name: str) -> float:
    number = row.number(name, none=("",)).number
    if number is None or number < 0:
        raise RowError(f"{name} is missing")
    return number
