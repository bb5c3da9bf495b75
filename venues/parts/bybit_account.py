"""What Bybit says of an account beside its positions: its mode, its standing, its key, ends."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from positions.engine.types import MarginMode, PositionState
from riskhub import clock
from venues.base import Held, PositionEnd, PositionReading, Standing, VenueClient
from venues.errors import VenueError
from venues.figures import Figure, Row, RowError
from venues.key_facts import KeyFacts
from venues.rows import BANKRUPT, read_each, read_instant, take_instant, take_rows

MODES = {
    "ISOLATED_MARGIN": MarginMode.ISOLATED,
    "REGULAR_MARGIN": MarginMode.CROSS,
    "PORTFOLIO_MARGIN": MarginMode.PORTFOLIO,
}
# unifiedMarginStatus: 1 is a classic account; in 3 and 4 inverse contracts stay classic.
CLASSIC = "1"
LINEAR_ONLY = ("3", "4")
# How long a switch of the account's mode may go unnoticed while the same contracts are held.
MODE_AGE_S = 300.0
# The parts of an account are read at nearly the same time and have one wallet.
WALLET_AGE_S = 2.0
POOLED = (MarginMode.CROSS, MarginMode.PORTFOLIO)
NO_CLASSIC_RATIO = "Bybit tells no ratio of a classic account"
NO_WALLET = "the wallet of the account could not be read"

ENDS = {
    "Trade": PositionState.CLOSED,
    # To another account of the owner: here it is over.
    "MovePosition": PositionState.CLOSED,
    "BustTrade": PositionState.LIQUIDATED,
    "AdlTrade": PositionState.DELEVERAGED,
    "Settle": PositionState.SETTLED,
    "Delivery": PositionState.SETTLED,
}
# A record carries the side of the order that closed: a sale ended a long.
CLOSED_SLOTS = {"Sell": "long", "Buy": "short"}
# Our clock and the venue's may differ, and a row is older than its arrival.
ENDS_SLACK = timedelta(seconds=15)
ENDS_LIMIT = 100


@dataclass(frozen=True, slots=True)
class AccountKind:
    """What an account is: `mode` None where it is not known, whatever tradeMode 0 suggests."""

    mode: MarginMode | None = None
    is_unified: bool = False


async def read_kind(
    *, client: VenueClient, scope: str, is_inverse: bool, about: Collection[str]
) -> AccountKind:
    """Return the account's kind, asked anew when other contracts are held or it is old.

    Raises a transient VenueError: an unknown mode for one poll would look like another position.
    Where the key may not ask, the mode stays unknown.
    """

    async def ask() -> tuple[str, str]:
        answer = await client.call("privateGetV5AccountInfo")
        info = Row(answer).row("result")
        return info.text("unifiedMarginStatus"), info.text_or("marginMode")

    try:
        status, mode = await client.recall(
            f"account {scope}", about=about, max_age_s=MODE_AGE_S, ask=ask
        )
    except RowError:
        return AccountKind()
    except VenueError as error:
        if error.is_transient:
            raise
        return AccountKind()
    if status == CLASSIC or (status in LINEAR_ONLY and is_inverse):
        return AccountKind(mode=MarginMode.CROSS)
    return AccountKind(mode=MODES.get(mode), is_unified=True)


async def read_standings(
    *, client: VenueClient, kind: AccountKind, positions: Iterable[PositionReading]
) -> tuple[Standing, ...]:
    """Return the standing of the unified wallet where it backs positions; it never raises."""
    modes = {position.margin_mode for position in positions} & set(POOLED)
    if not modes:
        return ()
    if not kind.is_unified:
        return (Standing(margin_mode=MarginMode.CROSS, ratio=Figure.unknown(NO_CLASSIC_RATIO)),)

    async def ask() -> Row:
        answer = await client.call("privateGetV5AccountWalletBalance", {"accountType": "UNIFIED"})
        rows = take_rows(answer, "result", "list")
        return Row(rows[0] if rows else None)

    try:
        wallet = await client.recall("wallet", about=(), max_age_s=WALLET_AGE_S, ask=ask)
        return tuple(read_standing(wallet, mode=mode) for mode in POOLED if mode in modes)
    except (VenueError, RowError):
        return tuple(
            Standing(margin_mode=mode, ratio=Figure.unknown(NO_WALLET))
            for mode in POOLED
            if mode in modes
        )


def read_standing(row: Row, *, mode: MarginMode) -> Standing:
    """Return the standing that a row of wallet-balance tells, in US dollars; raises RowError.

    Bybit's accountMMRate is required / equity already; 1 is liquidation. It has four decimals, so
    that a small one prints 0: then the ratio is that of the two amounts.
    """
    equity = row.number("totalMarginBalance", none=("",))
    required = row.number("totalMaintenanceMargin", none=("",))
    ratio = row.positive("accountMMRate").otherwise(required.over(equity))
    if equity.value is not None and equity.value <= 0:
        ratio = Figure.unknown(BANKRUPT)
    return Standing(margin_mode=mode, ratio=ratio, equity=equity, required=required)


async def read_lost(
    *, client: VenueClient, category: str, symbol: str, lost: Sequence[Held]
) -> list[PositionEnd]:
    """Return how the lost positions of one contract ended, by the closed-pnl records since.

    Raises VenueError.
    """
    since = min(held.seen_at for held in lost) - ENDS_SLACK
    params = {
        "category": category,
        "symbol": client.market(symbol).venue_symbol,
        "startTime": clock.to_milliseconds(since),
        "limit": ENDS_LIMIT,
    }
    answer = await client.call("privateGetV5PositionClosedPnl", params)
    told = read_each(take_rows(answer, "result", "list"), _read_end)
    found = []
    for held in lost:
        fitting = [
            end
            for end in told
            if held.slot in ("net", end.slot) and end.at >= held.seen_at - ENDS_SLACK
        ]
        if fitting:
            last = max(fitting, key=lambda end: end.at)
            found.append(_as_end_of(held, last))
    return found


def read_key(answer: Any) -> KeyFacts:
    """Return what query-api says of the key that asks; raises RowError."""
    row = Row(answer).row("result")
    rights = _rights(row)
    wallet = rights.get("Wallet", ())
    is_read_only = row.text("readOnly") == "1"
    is_moving = any(right.endswith("Transfer") for right in wallet)
    addresses = row.fields.get("ips")
    return KeyFacts(
        can_withdraw="Withdraw" in wallet,
        # A read-only key lists the transfers that it may look at.
        can_transfer=is_moving and not is_read_only,
        can_trade=not is_read_only,
        is_address_bound=_is_bound(addresses) if isinstance(addresses, list) else None,
        expires_at=_read_expiry(row, at=take_instant(answer, "time")),
        told=(
            ("readOnly", row.text("readOnly")),
            *((f"permissions.{name}", ", ".join(each)) for name, each in rights.items() if each),
            ("deadlineDay", row.text_or("deadlineDay")),
            ("expiredAt", row.text_or("expiredAt")),
        ),
    )


def _read_end(row: Row) -> PositionEnd | None:
    state = ENDS.get(row.text("execType"))
    at = read_instant(row, "updatedTime")
    if state is None or at is None:
        return None
    return PositionEnd(
        symbol=row.text("symbol"),
        slot=CLOSED_SLOTS.get(row.text("side"), ""),
        state=state,
        at=at,
        price=row.positive("avgExitPrice"),
        reference=f"bybit-{row.text('orderId')}",
    )


def _as_end_of(held: Held, end: PositionEnd) -> PositionEnd:
    return PositionEnd(
        symbol=held.symbol,
        slot=held.slot,
        state=end.state,
        at=end.at,
        price=end.price,
        reference=end.reference,
    )


def _rights(row: Row) -> dict[str, tuple[str, ...]]:
    told = row.row("permissions").fields
    return {
        str(name): tuple(str(each) for each in rights) if isinstance(rights, list) else ()
        for name, rights in sorted(told.items())
    }


def _is_bound(addresses: Sequence[Any]) -> bool:
    return bool(addresses) and "*" not in addresses


def _read_expiry(row: Row, *, at: datetime | None) -> datetime | None:
    """Return when the key ends; keys that are bound to addresses have no end, or one in 1970."""
    ends = _parse(row.text_or("expiredAt"))
    if ends is not None and clock.to_milliseconds(ends) > 0:
        return ends
    days = row.positive("deadlineDay").number
    return at + timedelta(days=days) if at and days else None


def _parse(told: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(told)
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
