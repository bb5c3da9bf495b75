"""Bitget's two APIs, classic and unified, and which of them answers for an account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from positions.engine.types import ContractKind, MarginMode
from venues.base import VenueClient
from venues.errors import VenueError

# "You are in Unified Account mode, and the Classic Account API is not supported": said of every
# classic request, before the signature is looked at.
IS_UNIFIED = "40085"
API_AGE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Scope:
    """One product type of an account."""

    product: str
    kind: ContractKind
    settle: str = ""


@dataclass(frozen=True, slots=True)
class Api:
    """One of Bitget's two APIs: its methods, its parameter for the product, its field names.

    is_coin_sized  inverse positions are counted in coins; otherwise in contracts of 1 USD
    """

    product: str
    positions: str
    rows: tuple[str, ...]
    history: str
    fills: str
    fill_rows: str
    side: str
    hold_mode: str
    margin: str
    entry: str
    profit: str
    rate: str
    updated: str
    fill_time: str
    close_price: tuple[str, ...]
    history_times: tuple[str, ...]
    is_coin_sized: bool


CLASSIC = Api(
    product="productType",
    positions="privateMixGetV2MixPositionAllPosition",
    rows=("data",),
    history="privateMixGetV2MixPositionHistoryPosition",
    fills="privateMixGetV2MixOrderFillHistory",
    fill_rows="fillList",
    side="holdSide",
    hold_mode="posMode",
    margin="marginSize",
    entry="openPriceAvg",
    profit="unrealizedPL",
    rate="keepMarginRate",
    updated="uTime",
    fill_time="cTime",
    close_price=("closeAvgPrice",),
    # Written in both ways, by the documentation and by the venue.
    history_times=("utime", "uTime"),
    is_coin_sized=True,
)
UNIFIED = Api(
    product="category",
    positions="privateUtaGetV3PositionCurrentPosition",
    rows=("data", "list"),
    history="privateUtaGetV3PositionHistoryPosition",
    fills="privateUtaGetV3TradeFills",
    fill_rows="list",
    side="posSide",
    hold_mode="holdMode",
    margin="positionBalance",
    entry="avgPrice",
    profit="unrealisedPnl",
    rate="mmr",
    updated="updatedTime",
    fill_time="createdTime",
    close_price=("closePriceAvg", "closeAvgPrice"),
    history_times=("updatedTime",),
    is_coin_sized=False,
)

SCOPES = {
    "linear:USDT": Scope("USDT-FUTURES", ContractKind.LINEAR, "USDT"),
    "linear:USDC": Scope("USDC-FUTURES", ContractKind.LINEAR, "USDC"),
    "inverse": Scope("COIN-FUTURES", ContractKind.INVERSE),
}
MODES = {
    "isolated": MarginMode.ISOLATED,
    "crossed": MarginMode.CROSS,
    "cross": MarginMode.CROSS,
}


async def choose_api(*, client: VenueClient) -> Api:
    """Return the API that the account's options name, or that answered last; else the classic."""
    told = str(client.request.options.get("uta", "")).lower()
    if told:
        return UNIFIED if told == "true" else CLASSIC
    try:
        return await client.recall("api", about=(), max_age_s=API_AGE_S, ask=_nobody_knows)
    except LookupError:
        return CLASSIC


async def ask_positions(*, client: VenueClient, part: Scope) -> tuple[Api, Any]:
    """Return the answer of the account's own API, and which of the two it is.

    A unified account refuses the classic one in so many words; that is remembered, so that the
    next polls are one request again. Raises VenueError.
    """
    api = await choose_api(client=client)
    try:
        return api, await client.call(api.positions, {api.product: part.product})
    except VenueError as error:
        if api is UNIFIED or not says_unified(error):
            raise
    answer = await client.call(UNIFIED.positions, {UNIFIED.product: part.product})
    return await client.recall("api", about=(), max_age_s=API_AGE_S, ask=_unified), answer


def says_unified(error: VenueError) -> bool:
    """Tell whether the venue refused a classic request because the account is a unified one."""
    return f" {IS_UNIFIED} " in f"{error} "


async def _nobody_knows() -> Api:
    raise LookupError


async def _unified() -> Api:
    return UNIFIED
