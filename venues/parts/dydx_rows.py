"""What rows of dYdX's indexer say: subaccounts, positions, markets, fills."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from positions.engine.types import ContractKind, MarginMode, PositionState, Side, Tier
from venues.base import (
    AssetPriceReading,
    Held,
    PositionEnd,
    PositionReading,
    QuoteReading,
    Standing,
    VenueClient,
)
from venues.errors import BadAccount, UnreadableAnswer
from venues.figures import NOT_GIVEN, Figure, Row, RowError
from venues.market_data import TierReading
from venues.rows import BANKRUPT, CROSS, read_signed_size, require

# Subaccounts below are parents, of which each backs several positions; subaccount n above is the
# child of n % 128, where the venue's own pages open each isolated position.
PARENTS = 128
USDC = "USDC"
NO_SETTING = "dYdX keeps no leverage of a position: what backs it may be more than its margin"
SEVERAL_POOLS = "several subaccounts back the cross positions of this part"
FINAL_SETTLEMENT = "FINAL_SETTLEMENT"
# A fill and the end of its position bear the time of one block.
_SAME_BLOCK = timedelta(seconds=2)

_ADDRESS = re.compile(r"dydx1[02-9ac-hj-np-z]{38}")
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_SECRET = re.compile(r"(0x)?[0-9a-fA-F]{64}|[a-z]+( [a-z]+){11,23}")

_ENDS = {
    # Sold by the protocol, or taken over at the bankruptcy price: either way for lack of margin.
    "LIQUIDATED": PositionState.LIQUIDATED,
    "DELEVERAGED": PositionState.LIQUIDATED,
    # Closed to offset somebody else's bankrupt position.
    "OFFSETTING": PositionState.DELEVERAGED,
    # The other side of somebody's liquidation is a trade like any other.
    "LIQUIDATION": PositionState.CLOSED,
    "LIMIT": PositionState.CLOSED,
    "MARKET": PositionState.CLOSED,
    "TWAP_SUBORDER": PositionState.CLOSED,
}
SETTLING = ("DELEVERAGED", "OFFSETTING")


@dataclass(frozen=True, slots=True)
class Pool:
    """One subaccount: what backs the positions in it.

    quote   USDC without any position, negative when owed; funding to this moment is in it
    equity  quote and the value of all positions at the oracle's prices
    """

    number: int
    quote: Figure
    equity: Figure
    rows: tuple[Any, ...]

    @property
    def mode(self) -> MarginMode:
        """Return isolated for a child with a single position, which alone draws on it."""
        is_alone = self.number >= PARENTS and len(self.rows) == 1
        return MarginMode.ISOLATED if is_alone else MarginMode.CROSS

    @property
    def slot(self) -> str:
        """Return the position index: the same market may be held in several subaccounts."""
        return slot_of(self.number)


def slot_of(number: int) -> str:
    """Return the slot of positions in a subaccount."""
    return "net" if number == 0 else str(number)


def number_of(slot: str) -> int:
    """Return the subaccount whose positions have this slot; raises RowError."""
    if slot != "net" and not slot.isdecimal():
        raise RowError(f"{slot!r} is no subaccount")
    return 0 if slot == "net" else int(slot)


def read_pool(child: Any) -> Pool:
    """Return a subaccount; raises RowError, for without it no position in it means anything."""
    row = Row(child)
    positions = row.fields.get("openPerpetualPositions")
    number = row.text("subaccountNumber")
    if not isinstance(positions, Mapping) or not number.isdecimal():
        raise RowError("a subaccount without number or list of positions")
    rows = tuple(each for each in positions.values() if not _is_flat(each))
    return Pool(int(number), _read_quote(row), require(row, "equity"), rows)


def read_pools(children: Sequence[Any]) -> list[Pool]:
    """Return the subaccounts of an answer; raises UnreadableAnswer."""
    try:
        return [read_pool(child) for child in children]
    except RowError as error:
        raise UnreadableAnswer(f"dYdX’s answer is not the documented one: {error}.") from None


def _is_flat(each: Any) -> bool:
    try:
        return Row(each).number("size").value == 0
    except RowError:
        # It is refused as a row, and counts among what draws on its subaccount.
        return False


def _read_quote(row: Row) -> Figure:
    assets = row.fields.get("assetPositions")
    if not isinstance(assets, Mapping):
        raise RowError("a subaccount without list of assets")
    if USDC not in assets:
        # The indexer lists no asset of size 0.
        return Figure.derived(0)
    asset = Row(assets[USDC])
    size = require(asset, "size").magnitude()
    return size.times(Figure.derived(asset.choice("side", long=1, short=-1)))


def read_position(
    row: Row, *, pool: Pool, client: VenueClient, rates: Mapping[str, Figure]
) -> PositionReading:
    """Return the reading of a position in a subaccount; raises RowError.

    rates   maintenance fraction by the venue's id of the market
    """
    size = require(row, "size")
    side, contracts = read_signed_size(size, slot="net")
    if row.choice("side", long=Side.LONG, short=Side.SHORT) is not side:
        raise RowError(f"size {size.value} contradicts the side {row.text('side')}")
    entry, profit = row.positive("entryPrice"), row.number("unrealizedPnl")
    # The row carries no price; its profit is that at the oracle's.
    mark = entry.plus(profit.over(size))
    notional = contracts.times(mark)
    name = row.text("market")
    rate = rates.get(name, Figure.unknown("dYdX’s list of markets does not hold it"))
    is_isolated = pool.mode is MarginMode.ISOLATED
    return PositionReading(
        market=client.market(name, kind=ContractKind.LINEAR),
        slot=pool.slot,
        side=side,
        margin_mode=pool.mode,
        contracts=contracts,
        entry_price=entry,
        mark_price=mark,
        collateral=pool.quote.plus(size.times(entry)) if is_isolated else Figure.unknown(CROSS),
        liquidation_price=Figure.unknown(NOT_GIVEN),
        unrealized_pnl=profit,
        leverage=Figure.unknown(NO_SETTING),
        notional=notional,
        maintenance_margin=rate.times(notional),
        maintenance_rate=rate,
        maintenance_amount=Figure.derived(0) if rate.is_known else rate,
        # Only the owner moves collateral between subaccounts.
        auto_add_margin=False if is_isolated else None,
        raw=row.fields,
    )


def read_standing(
    *, pools: Sequence[Pool], positions: Sequence[PositionReading]
) -> Standing | None:
    """Return the ratio of the subaccount that backs the cross positions; None without any."""
    crossed = [pool for pool in pools if pool.rows and pool.mode is MarginMode.CROSS]
    if not crossed:
        return None
    if len(crossed) > 1:
        return Standing(MarginMode.CROSS, Figure.unknown(SEVERAL_POOLS), settle=USDC)
    [pool] = crossed
    held = [position for position in positions if position.slot == pool.slot]
    required = Figure.derived(0)
    for position in held:
        required = required.plus(position.maintenance_margin)
    if len(held) < len(pool.rows):
        required = Figure.unknown("a position that it backs could not be read")
    ratio = required.over(pool.equity)
    if pool.equity.value is not None and pool.equity.value <= 0:
        ratio = Figure.unknown(BANKRUPT)
    return Standing(
        MarginMode.CROSS, ratio=ratio, settle=USDC, equity=pool.equity, required=required
    )


def read_quote(row: Row, *, client: VenueClient, symbols: Sequence[str]) -> QuoteReading | None:
    """Return the prices of a market if it is wanted; raises RowError.

    The oracle's price is the trigger; the rate of the next hour's funding is an estimate.
    """
    symbol = client.market(row.text("ticker"), kind=ContractKind.LINEAR).symbol
    if symbol not in symbols:
        return None
    oracle = row.positive("oraclePrice")
    return QuoteReading(
        symbol=symbol,
        mark_price=oracle,
        index_price=oracle,
        funding_rate=row.number("nextFundingRate"),
    )


def read_asset_price(
    row: Row, *, client: VenueClient, symbols: Sequence[str]
) -> AssetPriceReading | None:
    """Return what the oracle says an asset is worth in US dollars; raises RowError."""
    market = client.market(row.text("ticker"), kind=ContractKind.LINEAR)
    if market.symbol not in symbols:
        return None
    return AssetPriceReading(asset=market.asset, usd=row.positive("oraclePrice"))


def read_table(row: Row, *, client: VenueClient, symbols: Sequence[str]) -> TierReading | None:
    """Return the one maintenance tier of a market if it is wanted; raises RowError.

    Open interest raises the initial fraction, never the maintenance fraction.
    """
    symbol = client.market(row.text("ticker"), kind=ContractKind.LINEAR).symbol
    if symbol not in symbols:
        return None
    rate = row.positive("maintenanceMarginFraction").number
    initial = row.positive("initialMarginFraction").number
    if rate is None:
        raise RowError("maintenanceMarginFraction is missing")
    return TierReading(
        symbol=symbol,
        tiers=(Tier(floor=0.0, rate=rate),),
        max_leverages=(1 / initial if initial else None,),
    )


def find_end(
    held: Held, *, market: str, ended: Sequence[Any], fills: Sequence[Any]
) -> tuple[Row, Row] | None:
    """Return the newest ended position of a missing one and the fill that ended it, if told."""
    number = number_of(held.slot)
    since = held.seen_at - timedelta(minutes=1)
    closed = [
        row
        for row in _rows_of(ended, market=market, number=number, at="closedAt")
        if instant_of(row, "closedAt") >= since
    ]
    if not closed:
        return None
    last = max(closed, key=lambda row: instant_of(row, "closedAt"))
    until = instant_of(last, "closedAt") + _SAME_BLOCK
    told = [
        row
        for row in _rows_of(fills, market=market, number=number, at="createdAt")
        if since <= instant_of(row, "createdAt") <= until
    ]
    if not told:
        return None
    return last, max(told, key=lambda row: instant_of(row, "createdAt"))


def _rows_of(rows: Sequence[Any], *, market: str, number: int, at: str) -> list[Row]:
    found = [Row(each) for each in rows if isinstance(each, Mapping)]
    return [
        row
        for row in found
        if row.text_or("market") == market
        and row.text_or("subaccountNumber") == str(number)
        and row.text_or(at)
    ]


def read_end(held: Held, *, closed: Row, fill: Row, is_settled: bool) -> PositionEnd | None:
    """Return how a missing position ended; None where the kind of its last fill is not known.

    is_settled   the market is in final settlement, whose fills look like deleveraging
    Raises RowError.
    """
    kind = fill.text("type")
    state = PositionState.SETTLED if is_settled and kind in SETTLING else _ENDS.get(kind)
    if closed.text_or("status") == "LIQUIDATED":
        state = PositionState.LIQUIDATED
    if state is None:
        return None
    return PositionEnd(
        symbol=held.symbol,
        slot=held.slot,
        state=state,
        at=instant_of(closed, "closedAt"),
        price=fill.positive("price"),
        reference=fill.text_or("id"),
    )


def instant_of(row: Row, name: str) -> datetime:
    """Return an instant that a row writes in ISO 8601 with its zone; raises RowError."""
    try:
        instant = datetime.fromisoformat(row.text(name))
    except ValueError:
        raise RowError(f"{name} is no instant") from None
    if instant.tzinfo is None:
        raise RowError(f"{name} names no zone")
    return instant


def read_address(wallet: str) -> str:
    """Return a dYdX address in lower case; raises BadAccount, which repeats nothing."""
    address = wallet.strip().lower()
    if _SECRET.fullmatch(wallet.strip()):
        raise BadAccount(
            "This is a private key or a seed phrase, not a wallet address. Reading needs the"
            " address alone: dydx1 and 38 signs. Nothing was kept; treat the secret as exposed."
        )
    if address.startswith("0x"):
        raise BadAccount(
            "This is an Ethereum address. dYdX gives each wallet an address of its own, dydx1 and"
            " 38 signs; its pages show it in the account menu."
        )
    if not _ADDRESS.fullmatch(address):
        raise BadAccount("A dYdX wallet address is dydx1 followed by 38 letters and digits.")
    if not _is_checked(address):
        raise BadAccount("This dYdX address has a mistake in it: its check digits do not fit.")
    return address


def _is_checked(address: str) -> bool:
    """Tell whether the last six signs fit the others (bech32, BIP 173)."""
    prefix, _, data = address.partition("1")
    values = [ord(sign) >> 5 for sign in prefix] + [0] + [ord(sign) & 31 for sign in prefix]
    check = 1
    for value in [*values, *(_BECH32.index(sign) for sign in data)]:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            check ^= generator if top >> bit & 1 else 0
    return check == 1
