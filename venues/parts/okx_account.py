"""What OKX says of an account beside its positions: its level, its standing, its key, ends."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from positions.engine.types import MarginMode, PositionState
from riskhub import clock
from venues.base import Held, PositionEnd, PositionReading, Standing, VenueClient
from venues.errors import UnreadableAnswer, VenueError
from venues.figures import Figure, Row, RowError
from venues.key_facts import KeyFacts
from venues.rows import BANKRUPT, read_each, read_instant, take_rows

# acctLv: 1 spot, 2 futures (each coin its own pool), 3 multi-currency, 4 portfolio margin.
PORTFOLIO_LEVEL = "4"
# How long a switch of the account's level may go unnoticed while the same contracts are held.
LEVEL_AGE_S = 300.0
POOLED = (MarginMode.CROSS, MarginMode.PORTFOLIO)
NO_BALANCE = "the balance of the account could not be read"
NO_RATIO = "OKX prints no margin ratio of what backs it"

# type of a closed position: the latest of what happened to it. 1 (partly closed) and 4 (partly
# liquidated) are no ends; 5 was every deleveraging before 6 told a whole one apart.
ENDS = {
    "2": PositionState.CLOSED,
    "3": PositionState.LIQUIDATED,
    "5": PositionState.DELEVERAGED,
    "6": PositionState.DELEVERAGED,
}
# Our clock and the venue's may differ, and a row is older than its arrival.
ENDS_SLACK = timedelta(seconds=15)
ENDS_LIMIT = 100
# "ETH-USD-261225" is delivered on that day at 8:00 UTC.
_EXPIRY = re.compile(r".*-(\d{6})")
_DELIVERED_AT = timedelta(hours=8)
_ONE = Figure.derived(1)


async def read_pooled_mode(*, client: VenueClient, about: Collection[str]) -> MarginMode:
    """Return how rows with mgnMode "cross" are backed: by coins, or by a whole portfolio.

    Raises a transient VenueError: another mode for one poll would look like another position.
    Where the key may not ask, the row's own word stays.
    """

    async def ask() -> str:
        return (await _config(client)).text("acctLv")

    try:
        level = await client.recall("account", about=about, max_age_s=LEVEL_AGE_S, ask=ask)
    except RowError:
        return MarginMode.CROSS
    except VenueError as error:
        if error.is_transient:
            raise
        return MarginMode.CROSS
    return MarginMode.PORTFOLIO if level == PORTFOLIO_LEVEL else MarginMode.CROSS


async def read_standings(
    *, client: VenueClient, positions: Iterable[PositionReading]
) -> tuple[Standing, ...]:
    """Return the standings of what backs cross and portfolio rows; it never raises."""
    pooled = [each for each in positions if each.margin_mode in POOLED]
    if not pooled:
        return ()
    mode = MarginMode(pooled[0].margin_mode or MarginMode.CROSS)
    coins = sorted({_coin_of(each) for each in pooled})
    try:
        rows = take_rows(await client.call("privateGetAccountBalance"), "data")
        return read_balance(Row(rows[0] if rows else None), mode=mode, coins=coins)
    except (VenueError, RowError):
        return (Standing(margin_mode=mode, ratio=Figure.unknown(NO_BALANCE)),)


def read_balance(row: Row, *, mode: MarginMode, coins: Sequence[str]) -> tuple[Standing, ...]:
    """Return one standing in US dollars where OKX pools the coins, else one a coin of `coins`.

    Raises RowError.
    """
    equity = row.number("adjEq", none=("",))
    required = row.number("mmr", none=("",))
    if row.positive("mgnRatio").is_known or mode is MarginMode.PORTFOLIO:
        return (_standing(row, mode=mode, equity=equity, required=required),)
    details = row.fields.get("details")
    told = read_each(details if isinstance(details, list) else [], _coin_row)
    by_coin = dict(told)
    return tuple(
        read_coin(by_coin[coin], mode=mode, coin=coin)
        if coin in by_coin
        else Standing(margin_mode=mode, ratio=Figure.unknown(NO_RATIO), settle=coin)
        for coin in coins
    )


def read_coin(row: Row, *, mode: MarginMode, coin: str) -> Standing:
    """Return the standing of one coin's pool, in that coin; raises RowError.

    eq holds the equity of isolated positions too, which backs nothing here.
    """
    isolated = row.number("isoEq", none=("",)).otherwise(Figure.derived(0))
    equity = row.number("eq", none=("",)).minus(isolated)
    required = row.number("mmr", none=("",))
    return _standing(row, mode=mode, equity=equity, required=required, settle=coin)


async def read_lost(*, client: VenueClient, symbol: str, lost: Sequence[Held]) -> list[PositionEnd]:
    """Return how the lost positions of one contract ended, by the positions' history since.

    Raises VenueError.
    """
    name = client.market(symbol).venue_symbol
    since = min(held.seen_at for held in lost) - ENDS_SLACK
    # "before" asks for what is newer.
    params = {
        "instId": name,
        "before": clock.to_milliseconds(since),
        "limit": ENDS_LIMIT,
    }
    rows = take_rows(await client.call("privateGetAccountPositionsHistory", params), "data")
    found = []
    for held in lost:
        ends = read_each(rows, partial(_read_end, name=name, held=held))
        if ends:
            found.append(max(ends, key=lambda end: end.at))
    return found


async def read_key(*, client: VenueClient) -> KeyFacts:
    """Return what account/config says of the key that asks. Raises VenueError."""
    try:
        row = await _config(client)
        rights = {right.strip() for right in row.text("perm").split(",")}
        addresses = row.fields.get("ip")
    except RowError as error:
        raise UnreadableAnswer(f"OKX's word on the key cannot be read: {error}.") from None
    can_withdraw, can_trade = "withdraw" in rights, "trade" in rights
    return KeyFacts(
        can_withdraw=can_withdraw,
        # Withdrawing moves money to other users, trading to sub-accounts of the same owner.
        can_transfer=True if can_withdraw else None if can_trade else False,
        can_trade=can_trade,
        is_address_bound=bool(addresses.strip()) if isinstance(addresses, str) else None,
        told=(
            ("perm", row.text("perm")),
            ("acctLv", row.text_or("acctLv")),
            ("posMode", row.text_or("posMode")),
        ),
    )


async def _config(client: VenueClient) -> Row:
    rows = take_rows(await client.call("privateGetAccountConfig"), "data")
    return Row(rows[0] if rows else None)


def _standing(
    row: Row, *, mode: MarginMode, equity: Figure, required: Figure, settle: str = ""
) -> Standing:
    """Return a standing by mgnRatio, which is equity / required: larger is safer."""
    printed = row.positive("mgnRatio", reason=NO_RATIO)
    ratio = _ONE.over(printed).otherwise(Figure.unknown(NO_RATIO))
    if equity.value is not None and equity.value <= 0:
        ratio = Figure.unknown(BANKRUPT)
    return Standing(margin_mode=mode, ratio=ratio, settle=settle, equity=equity, required=required)


def _coin_row(row: Row) -> tuple[str, Row]:
    return row.text("ccy"), row


def _coin_of(position: PositionReading) -> str:
    told: Any = position.raw.get("ccy")
    return position.market.settle or (told if isinstance(told, str) else "")


def _read_end(row: Row, *, name: str, held: Held) -> PositionEnd | None:
    state = ENDS.get(row.text("type"))
    at = read_instant(row, "uTime")
    mode = "isolated" if held.margin_mode == MarginMode.ISOLATED else "cross"
    is_its = (row.text("instId"), row.text("mgnMode")) == (name, mode)
    is_its = is_its and row.text_or("posSide", held.slot) == held.slot
    if state is None or at is None or not is_its or at < held.seen_at - ENDS_SLACK:
        return None
    if state is PositionState.CLOSED and _is_delivered(name, at=at):
        state = PositionState.SETTLED
    return PositionEnd(
        symbol=held.symbol,
        slot=held.slot,
        state=state,
        at=at,
        price=row.positive("closeAvgPx"),
        # A position id lives on for 30 days and may have several ends.
        reference=f"okx-{row.text('posId')}-{row.text('uTime')}",
        margin_mode=held.margin_mode,
    )


def _is_delivered(name: str, *, at: datetime) -> bool:
    dated = _EXPIRY.fullmatch(name)
    if dated is None:
        return False
    try:
        day = datetime.strptime(dated[1], "%y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return False
    return at >= day + _DELIVERED_AT
