"""What a Bitget account says of itself: the balance behind cross positions, and the key."""

from __future__ import annotations

from typing import Any

from positions.engine.types import MarginMode
from venues.base import ScopeReading, Standing, VenueClient
from venues.errors import VenueError
from venues.figures import Figure, Row, RowError
from venues.key_facts import KeyFacts
from venues.parts.bitget_api import UNIFIED, Api, Scope
from venues.rows import BANKRUPT, read_each, take_rows

NO_STANDING = "the account's balance could not be read"
NO_UNIT = "Bitget does not name the currency of this sum"

# Of the codes of a classic key only these are understood; Bitget publishes no list of them.
TRADE_CODES = frozenset({"trade", "coow", "cpow", "stow", "smow"})
READ_CODES = frozenset({"readonly", "read_only", "coor", "cpor", "stor", "smor"})


async def read_standings(
    *, client: VenueClient, part: Scope, api: Api, reading: ScopeReading
) -> tuple[Standing, ...]:
    """Return what backs the cross positions of a scope; () when it holds none.

    A failure hides no position: the ratio is then unknown, with the reason.
    """
    coins = {
        held.market.settle for held in reading.positions if held.margin_mode is MarginMode.CROSS
    }
    if not coins:
        return ()
    try:
        if api is UNIFIED:
            return (read_unified_standing(await client.call("privateUtaGetV3AccountAssets")),)
        answer = await client.call(
            "privateMixGetV2MixAccountAccounts", {"productType": part.product}
        )
        found = read_each(take_rows(answer, "data"), read_classic_standing)
    except (VenueError, RowError):
        found = []
    told = [each for each in found if each.settle in coins or not each.settle]
    if any(not each.settle for each in told):
        return tuple(each for each in told if not each.settle)[:1]
    silent = coins - {each.settle for each in told}
    return (*told, *(_unknown_standing(coin) for coin in sorted(silent)))


def read_classic_standing(row: Row) -> Standing:
    """Return the standing of one margin coin, or of all together in multi-assets mode.

    crossedRiskRate is required / equity. The equity of the account holds the isolated positions
    too, so they are taken out. Raises RowError.
    """
    ratio = row.number("crossedRiskRate", none=("",))
    if row.text_or("assetMode") == "union":
        total = row.number("unionTotalMargin", none=("",)).otherwise(
            row.number("unionTotalMagin", none=("",))
        )
        worked_out = row.number("unionMm", none=("",)).over(total)
        unit = Figure.unknown(NO_UNIT)
        return Standing(MarginMode.CROSS, ratio.otherwise(worked_out), "", unit, unit)
    isolated = row.number("isolatedMargin", none=("",)).plus(
        row.number("isolatedUnrealizedPL", none=("",))
    )
    equity = row.number("accountEquity", none=("",)).minus(isolated)
    return Standing(MarginMode.CROSS, ratio, row.text("marginCoin"), equity, ratio.times(equity))


def read_unified_standing(answer: Any) -> Standing:
    """Return the standing of a unified account, in US dollars; raises RowError."""
    row = Row(answer).row("data")
    required = row.number("mmr", none=("",))
    equity = row.number("effEquity", none=("",))
    ratio = required.over(equity)
    if equity.value is not None and equity.value <= 0:
        ratio = Figure.unknown(BANKRUPT)
    return Standing(MarginMode.CROSS, ratio, "", equity, required)


def judge_classic_key(answer: Any) -> KeyFacts:
    """Return what a classic key's codes say; one unknown code leaves it unknown.

    Bitget binds some keys without naming an address here, so no address means nothing.
    Raises RowError.
    """
    row = Row(answer).row("data")
    codes = {str(code).strip().lower() for code in take_rows(row.fields, "authorities")}
    is_understood = bool(codes) and codes <= TRADE_CODES | READ_CODES
    may = {name: any(name in code for code in codes) for name in ("withdraw", "transfer")}
    return KeyFacts(
        can_withdraw=True if may["withdraw"] else _no(is_understood),
        can_transfer=True if may["transfer"] else _no(is_understood),
        can_trade=True if codes & TRADE_CODES else _no(is_understood),
        is_address_bound=True if row.text_or("ips") else None,
        told=(("authorities", ",".join(sorted(codes))), ("ips", row.text_or("ips"))),
    )


def judge_unified_key(answer: Any) -> KeyFacts:
    """Return what a unified key may do; raises RowError."""
    row = Row(answer).row("data")
    rights = {str(right).lower() for right in take_rows(row.fields, "permissions")}
    kind = row.text_or("permType").lower().replace("_", "-")
    is_read_only = kind == "read-only"
    is_told = is_read_only or kind in ("read-and-write", "read-write")
    return KeyFacts(
        can_withdraw="withdraw" in rights if is_told else None,
        can_transfer="transfer" in rights if is_told else None,
        can_trade=not is_read_only if is_told else None,
        is_address_bound=True if row.text_or("ips") else None,
        told=(
            ("permType", row.text_or("permType")),
            ("permissions", ",".join(sorted(rights))),
            ("ips", row.text_or("ips")),
        ),
    )


def _unknown_standing(coin: str) -> Standing:
    return Standing(MarginMode.CROSS, Figure.unknown(NO_STANDING), coin)


def _no(is_understood: bool) -> bool | None:
    return False if is_understood else None
