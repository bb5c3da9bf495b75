"""What Hyperliquid's rows say: positions, what backs them, fills, margin tables, contexts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from positions.engine.tiers import with_amounts
from positions.engine.types import ContractKind, MarginMode, PositionState, Tier
from venues.base import PositionEnd, PositionReading, QuoteReading, Standing, VenueClient
from venues.errors import UnreadableAnswer
from venues.figures import Figure, Row, RowError
from venues.key_facts import KeyFacts
from venues.market_data import TierReading
from venues.rows import (
    BANKRUPT,
    CROSS,
    read_each,
    read_instant,
    read_signed_size,
    require,
    take_rows,
)

# A margin table of a lower id is not listed: it is one tier, and the id its highest leverage.
LISTED_TABLES = 50
# An account in portfolio margin may be liquidated from this ratio of the venue's own on.
PORTFOLIO_LIMIT = Figure.derived(Decimal("0.95"))
# Sub-accounts and vaults hold positions themselves, as any wallet does.
ROLES = {
    "user": "main",
    "subAccount": "main",
    "vault": "main",
    "agent": "agent",
    "missing": "missing",
}

_ENDS = {
    "Close Long": PositionState.CLOSED,
    "Close Short": PositionState.CLOSED,
    "Auto-Deleveraging": PositionState.DELEVERAGED,
    "Settlement": PositionState.SETTLED,
}


@dataclass(frozen=True, slots=True)
class Margins:
    """What positions at one exchange draw on the balance of its coin, settle units.

    required   maintenance of the cross positions
    isolated   what isolated positions hold, with unrealised profit: it backs nothing else
    """

    required: Figure
    isolated: Figure


def read_position(row: Row, *, client: VenueClient, at: datetime | None) -> PositionReading | None:
    """Return the reading of a clearinghouse position; None when it is flat. Raises RowError."""
    size = require(row, "szi")
    if size.value == 0:
        return None
    side, contracts = read_signed_size(size, slot="net")
    leverage = row.row("leverage")
    mode = leverage.choice("type", isolated=MarginMode.ISOLATED, cross=MarginMode.CROSS)
    notional = row.number("positionValue")
    rate = read_maintenance_rate(row)
    return PositionReading(
        market=client.market(row.text("coin"), kind=ContractKind.LINEAR),
        slot="net",
        side=side,
        margin_mode=mode,
        contracts=contracts,
        entry_price=row.positive("entryPx"),
        mark_price=notional.over(contracts),
        collateral=read_collateral(row, leverage=leverage, mode=mode, size=size),
        liquidation_price=row.positive("liquidationPx", none=("",)),
        unrealized_pnl=row.number("unrealizedPnl"),
        leverage=leverage.positive("value"),
        notional=notional,
        maintenance_margin=rate.times(notional),
        maintenance_rate=rate,
        maintenance_amount=Figure.derived(0) if rate.is_known else rate,
        # There is no such switch: only the owner adds margin to an isolated position.
        auto_add_margin=False if mode is MarginMode.ISOLATED else None,
        venue_time=at,
        raw=row.fields,
    )


def read_collateral(row: Row, *, leverage: Row, mode: MarginMode, size: Figure) -> Figure:
    """Return the margin without PnL, derived: rawUsd is the margin less the signed cost.

    From rawUsd rather than marginUsed - unrealizedPnl: it carries no rounding of the mark, so
    the engine meets the venue's liquidation price to the last digit.
    """
    if mode is not MarginMode.ISOLATED:
        return Figure.unknown(CROSS)
    from_cost = leverage.number("rawUsd").plus(size.times(row.number("entryPx")))
    return from_cost.otherwise(row.number("marginUsed").minus(row.number("unrealizedPnl")))


def read_maintenance_rate(row: Row) -> Figure:
    """Return half the initial rate at the highest leverage, derived (Hyperliquid's own rule)."""
    highest = row.positive("maxLeverage")
    return Figure.derived(1).over(highest.times(Figure.derived(2)))


def read_margins(state: Any) -> Margins:
    """Return what the positions of an exchange draw on its coin; unknown where a row is bad."""
    isolated = Figure.derived(0)
    try:
        for each in take_rows(state, "assetPositions"):
            row = Row(unwrap(each))
            if row.row("leverage").text("type") == MarginMode.ISOLATED:
                isolated = isolated.plus(row.number("marginUsed"))
        return Margins(Row(state).number("crossMaintenanceMarginUsed"), isolated)
    except RowError as error:
        unknown = Figure.unknown(str(error))
        return Margins(unknown, unknown)


def read_own_standing(state: Any, *, settle: str) -> Standing:
    """Return the pool of an exchange that is an account of its own; raises RowError."""
    row = Row(state)
    return make_standing(
        required=row.number("crossMaintenanceMarginUsed"),
        equity=row.row("crossMarginSummary").number("accountValue"),
        settle=settle,
    )


def read_portfolio_standing(spot: Row) -> Standing:
    """Return the venue's own ratio of an account in portfolio margin; raises RowError.

    Its rows stay labelled cross, as the venue labels them. Equity and requirement are not told.
    """
    return Standing(MarginMode.CROSS, spot.number("portfolioMarginRatio").over(PORTFOLIO_LIMIT))


def read_balance(spot: Row, *, coin: str) -> Figure:
    """Return the spot balance of a coin with unrealised profit; raises RowError."""
    for row in read_each(take_rows(spot.fields, "balances"), lambda row: row):
        if row.text_or("coin") == coin:
            return row.number("total")
    return Figure.unknown(f"Hyperliquid lists no balance of {coin or 'the coin'}")


def read_end(
    rows: Sequence[Row], *, symbol: str, wallet: str, since: datetime
) -> PositionEnd | None:
    """Return the end that the newest fills of a contract tell of; None where they tell of none."""
    newest = max(row.milliseconds("time") or 0 for row in rows)
    for row in rows:
        at = read_instant(row, "time")
        if row.milliseconds("time") != newest or at is None or at < since or not _is_last(row):
            continue
        state = _end_state(row, wallet=wallet)
        if state:
            return PositionEnd(
                symbol=symbol,
                slot="net",
                state=state,
                at=at,
                price=row.positive("px"),
                reference=row.text_or("tid"),
            )
    return None


def _is_last(row: Row) -> bool:
    """Tell whether nothing was left of the position after this fill."""
    try:
        sign = row.choice("side", b=1, a=-1)
        left = require(row, "startPosition").plus(require(row, "sz").times(Figure.derived(sign)))
    except RowError:
        return False
    return left.value == 0


def _end_state(row: Row, *, wallet: str) -> PositionState | None:
    direction = row.text_or("dir")
    liquidation = row.fields.get("liquidation")
    if direction.startswith("Liquidated"):
        return PositionState.LIQUIDATED
    if isinstance(liquidation, Mapping):
        # The other side of somebody's liquidation is a trade like any other.
        who = str(liquidation.get("liquidatedUser") or "").lower()
        if who in {"", wallet}:
            return PositionState.LIQUIDATED if who else None
    return _ENDS.get(direction)


def read_table(
    row: Row, *, tables: Mapping[str, Any], client: VenueClient, symbols: Sequence[str]
) -> TierReading | None:
    """Return the maintenance table of a contract if it is wanted; raises RowError."""
    symbol = client.market(row.text("name"), kind=ContractKind.LINEAR).symbol
    if symbol not in symbols:
        return None
    tiers = [_tier(Row(each)) for each in _steps(row, tables)]
    floors = [floor for floor, _ in tiers]
    if not floors or floors[0] != 0 or floors != sorted(set(floors)):
        raise RowError("the margin table does not ascend from 0")
    rates = [Tier(floor=floor, rate=float(1 / (2 * highest))) for floor, highest in tiers]
    return TierReading(
        symbol=symbol,
        tiers=with_amounts(tiers=rates),
        max_leverages=tuple(float(highest) for _, highest in tiers),
    )


def _steps(row: Row, tables: Mapping[str, Any]) -> Sequence[Any]:
    table = row.text_or("marginTableId") or row.text("maxLeverage")
    if not table.isdigit():
        raise RowError("marginTableId is no number")
    if int(table) < LISTED_TABLES:
        return [{"lowerBound": "0", "maxLeverage": table}]
    return take_rows(tables.get(table), "marginTiers")


def _tier(row: Row) -> tuple[float, Decimal]:
    floor, highest = require(row, "lowerBound"), row.positive("maxLeverage")
    if floor.number is None or highest.value is None:
        raise RowError("maxLeverage is missing")
    return floor.number, highest.value


def list_tables(meta: Any) -> dict[str, Any]:
    """Return the listed margin tables by id; they come as pairs."""
    listed = meta.get("marginTables") if isinstance(meta, Mapping) else None
    pairs = listed if isinstance(listed, list) else []
    return {str(each[0]): each[1] for each in pairs if isinstance(each, list) and len(each) == 2}  # noqa: PLR2004


def pair_contexts(answer: Any) -> list[dict[str, Any]]:
    """Return one row a contract of [{universe}, [contexts]], which lists them side by side.

    Raises UnreadableAnswer when the two lists do not match.
    """
    if not isinstance(answer, list) or len(answer) != 2:  # noqa: PLR2004 - the pair itself
        raise UnreadableAnswer("The answer is not the documented one: no pair of lists.")
    universe, contexts = take_rows(answer[0], "universe"), take_rows(answer[1])
    if len(universe) != len(contexts):
        raise UnreadableAnswer("Hyperliquid lists more contracts than prices, or fewer.")
    pairs = zip(universe, contexts, strict=True)
    return [{**each, **context} for each, context in pairs if {type(each), type(context)} == {dict}]


def read_quote(row: Row, *, client: VenueClient, symbols: Sequence[str]) -> QuoteReading | None:
    """Return the reading of a contract's context if it is wanted; raises RowError."""
    symbol = client.market(row.text("name"), kind=ContractKind.LINEAR).symbol
    if symbol not in symbols:
        return None
    return QuoteReading(
        symbol=symbol,
        mark_price=row.positive("markPx"),
        index_price=row.positive("oraclePx"),
        funding_rate=row.number("funding"),
    )


def read_facts(row: Row, *, sub_accounts: Sequence[tuple[str, str]]) -> KeyFacts:
    """Return what a wallet is; an address by itself can do nothing. Raises RowError."""
    role, data = row.text("role"), row.fields.get("data")
    return KeyFacts(
        can_withdraw=False,
        can_transfer=False,
        can_trade=False,
        told=(("role", role), *sub_accounts),
        wallet_role=ROLES.get(role, ""),
        main_wallet=Row(data).text_or("user") if isinstance(data, Mapping) else "",
    )


def read_sub_account(row: Row) -> tuple[str, str]:
    """Return name and address of a sub-account; raises RowError."""
    return f"sub-account {row.text_or('name')}".strip(), row.text("subAccountUser")


def make_standing(*, required: Figure, equity: Figure, settle: str) -> Standing:
    """Return a pool with its ratio, worked out; none is left of an equity of 0 or less."""
    ratio = required.over(equity)
    if equity.value is not None and equity.value <= 0:
        ratio = Figure.unknown(BANKRUPT)
    return Standing(MarginMode.CROSS, ratio=ratio, settle=settle, equity=equity, required=required)


def unwrap(each: Any) -> Any:
    """Return the position of an entry of assetPositions; what is no object stays as it is."""
    return each.get("position") if isinstance(each, dict) else each
