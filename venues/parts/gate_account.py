"""What a Gate account says of itself: the balance behind cross positions, and the key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from positions.engine.types import MarginMode
from venues.base import Standing, VenueClient
from venues.errors import PermissionRefused, VenueError
from venues.figures import NOT_GIVEN, Figure, Row, RowError
from venues.key_facts import KeyFacts
from venues.parts.gate_api import Scope
from venues.rows import BANKRUPT, read_each

NO_STANDING = "the account's balance could not be read"
NOT_DATED = "Gate does not tell it for dated contracts"
SINGLE_CURRENCY = "Gate tells no ratio in single-currency margin mode"
# margin_mode of a futures account; in the others the balance is elsewhere.
OWN_BALANCE = ("", "0")
SINGLE = "3"

READ_ONLY, READ_WRITE = "read only", "read and write"
# What the permissions of a key are for. Others, such as earn and loan, are not judged.
WITHDRAWS = frozenset({"withdraw", "withdrawal"})
MOVES_MONEY = WITHDRAWS | {"wallet"}
TRADES = frozenset(
    {"spot", "margin", "futures", "delivery", "options", "unified", "copy", "alpha", "pilot"}
)
HARMLESS = frozenset({"account"})


async def read_standing(*, client: VenueClient, part: Scope) -> Standing:
    """Return what backs the cross positions of a scope; a failure hides no position."""
    coin = part.settle.upper()
    if part.is_dated:
        return Standing(MarginMode.CROSS, Figure.unknown(NOT_DATED), coin)
    try:
        answer = await client.call("privateFuturesGetSettleAccounts", {"settle": part.settle})
        row = Row(answer)
        mode = row.text_or("margin_mode")
        if mode in OWN_BALANCE:
            return _weigh(row, coin, "cross_maintenance_margin", "cross_margin_balance")
        if mode == SINGLE:
            return Standing(MarginMode.CROSS, Figure.unknown(SINGLE_CURRENCY), coin)
        row = Row(await client.call("privateUnifiedGetAccounts"))
        return _weigh(row, "", "total_maintenance_margin", "total_margin_balance")
    except (VenueError, RowError):
        return Standing(MarginMode.CROSS, Figure.unknown(NO_STANDING), coin)


async def read_facts(*, client: VenueClient) -> KeyFacts:
    """Return what the key may do; what it may not ask is unknown. Raises VenueError."""
    detail = await _ask(client, "privateAccountGetDetail")
    keys = await _ask(client, "privateAccountGetMainKeys")
    own = _find_own(keys, key=str(client.request.credentials.get("apiKey", "")))
    addresses = detail.get("ip_whitelist") if isinstance(detail, Mapping) else None
    if not isinstance(addresses, list):
        addresses = own.get("ip_whitelist")
    is_told = isinstance(addresses, list)
    return _judge(own, is_address_bound=bool(addresses) if is_told else None)


def _judge(own: Mapping[str, Any], *, is_address_bound: bool | None) -> KeyFacts:
    perms = own.get("perms")
    rights = read_each(perms if isinstance(perms, list) else [], _read_right)
    writes = {name for name, is_read_only in rights if not is_read_only}
    no = False if rights and writes <= MOVES_MONEY | TRADES | HARMLESS else None
    can_transfer = True if writes & MOVES_MONEY else no
    # Who may write to the wallet moves money; whether out of Gate too is not said.
    can_withdraw = True if writes & WITHDRAWS else (None if can_transfer else no)
    return KeyFacts(
        can_withdraw=can_withdraw,
        can_transfer=can_transfer,
        can_trade=True if writes & TRADES else no,
        is_address_bound=is_address_bound,
        told=tuple((name, READ_ONLY if is_read else READ_WRITE) for name, is_read in rights),
    )


def _find_own(keys: Any, *, key: str) -> Mapping[str, Any]:
    """Return the row of the key itself: the one there is, or that with its masked beginning."""
    if isinstance(keys, Mapping):
        return keys
    rows = [each for each in keys if isinstance(each, Mapping)] if isinstance(keys, list) else []
    masks = [(str(row.get("key", "")).rstrip("*"), row) for row in rows]
    fitting = [row for mask, row in masks if mask and key.startswith(mask)]
    return fitting[0] if len(fitting) == 1 else {}


def _read_right(row: Row) -> tuple[str, bool]:
    return row.text("name").lower(), row.flag("read_only") is True


async def _ask(client: VenueClient, method: str) -> Any:
    try:
        return await client.call(method)
    except PermissionRefused:
        return None


def _weigh(row: Row, coin: str, required_field: str, equity_field: str) -> Standing:
    required = row.number(required_field, none=("",))
    equity = row.number(equity_field, none=("",))
    ratio = required.over(equity)
    if equity.value is not None and equity.value <= 0:
        ratio = Figure.unknown(BANKRUPT if equity.value < 0 or required.value else NOT_GIVEN)
    return Standing(MarginMode.CROSS, ratio, coin, equity, required)
