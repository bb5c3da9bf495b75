"""Position rows in Binance's shape: its own futures, and Aster's, whose API is a fork of them.

The venues differ by the data of `Product`, not by code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from positions.engine.types import ContractKind, MarginMode
from venues.base import PositionReading, ScopeReading, VenueClient
from venues.errors import VenueError
from venues.figures import Figure, Row
from venues.rows import (
    CROSS,
    MODE_UNKNOWN,
    ask_each_or_all,
    read_each,
    read_instant,
    read_rows,
    read_signed_size,
    require,
    take_rows,
    value_at,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One futures product: the ccxt methods that read it, and how its rows spell things.

    settings      leverage and auto-add switch by symbol; "" where the position rows carry them
    account       the balance that backs cross positions
    multi_assets  whether one pool of all coins backs them; "" where each coin backs its own
    funding       funding intervals
    notional      field of a position row: its value in settle units
    floor         field of a maintenance bracket: quote units (linear), base coins (inverse)
    usual_funding_h  hours between payments of a contract that `funding` does not list
    pool          the margin mode of every position; None: the rows tell
    """

    kind: ContractKind
    positions: str
    prices: str
    brackets: str
    account: str
    force_orders: str
    trades: str
    income: str
    funding: str
    settings: str = ""
    multi_assets: str = ""
    notional: str = "notional"
    floor: str = "notionalFloor"
    usual_funding_h: float | None = None
    pool: MarginMode | None = None


MODES = {
    "isolated": MarginMode.ISOLATED,
    "cross": MarginMode.CROSS,
    "crossed": MarginMode.CROSS,
}
PORTFOLIO = "portfolio margin: the whole account backs it"
NO_SETTING = "the position row does not carry it and the symbol's settings could not be read"
IN_TABLE = "it stands in the maintenance table, not in the position row"
NOT_IN_ROW = "the position row does not carry it"
SETTINGS_AGE_S = 300.0

# Beyond so many contracts the whole list is the smaller answer; each request weighs five.
_FEW_SETTINGS = 2
_NO_ROW = Row({})
_IN_TABLE = Figure.unknown(IN_TABLE)
_NOT_IN_ROW = Figure.unknown(NOT_IN_ROW)


async def read_positions(*, client: VenueClient, product: Product, scope: str) -> ScopeReading:
    """Read the positions of one product, in one request while settings are known.

    Raises VenueError.
    """
    rows = take_rows(await client.call(product.positions))
    settings = await read_settings(client=client, product=product, rows=rows)

    def read_row(row: Row) -> PositionReading | None:
        return read_position(row, client=client, product=product, settings=settings)

    return read_rows(scope=scope, rows=rows, read_row=read_row)


async def read_settings(
    *, client: VenueClient, product: Product, rows: Sequence[Any]
) -> Mapping[str, Row]:
    """Return what v3 leaves out, by symbol; a failure here never hides the positions."""
    names = sorted(set(read_each(rows, _bare_name))) if product.settings else []
    if not names:
        return {}

    async def ask(name: str | None) -> list[Any]:
        return listed(await client.call(product.settings, {"symbol": name} if name else {}))

    async def ask_all() -> Mapping[str, Row]:
        told = await ask_each_or_all(names=names, ask=ask, few=_FEW_SETTINGS)
        found = read_each(told, lambda row: (row.text("symbol"), row))
        wanted = set(names)
        return {name: row for name, row in found if name in wanted}

    try:
        return await client.recall(
            product.settings, about=names, max_age_s=SETTINGS_AGE_S, ask=ask_all
        )
    except VenueError:
        return {}


def read_position(
    row: Row, *, client: VenueClient, product: Product, settings: Mapping[str, Row]
) -> PositionReading | None:
    """Return the reading of a positionRisk row (any version, or COIN-M); None when it is flat.

    Raises RowError.
    """
    name = row.text("symbol")
    size = require(row, "positionAmt")
    if not size.value:
        return None
    slot = row.choice("positionSide", both="net", long="long", short="short")
    side, contracts = read_signed_size(size, slot=slot)
    setting = settings.get(name, _NO_ROW)
    mode = product.pool or read_mode(row, setting=setting)
    market = client.market(name, kind=product.kind)
    mark = row.positive("markPrice")
    notional = row.number(product.notional).magnitude()
    return PositionReading(
        market=market,
        slot=slot,
        side=side,
        margin_mode=mode,
        contracts=contracts,
        entry_price=row.positive("entryPrice"),
        mark_price=mark,
        collateral=read_collateral(row, mode=mode),
        liquidation_price=row.positive("liquidationPrice"),
        unrealized_pnl=row.number("unRealizedProfit"),
        leverage=row.positive("leverage").otherwise(
            setting.positive("leverage", reason=NO_SETTING if product.settings else NOT_IN_ROW)
        ),
        index_price=_NOT_IN_ROW,
        notional=notional
        if notional.is_known
        else value_at(market=market, contracts=contracts, price=mark),
        maintenance_margin=row.number("maintMargin", reason=IN_TABLE),
        maintenance_rate=_IN_TABLE,
        maintenance_amount=_IN_TABLE,
        venue_margin_ratio=_NOT_IN_ROW,
        adl_rank=row.number("adl"),
        auto_add_margin=read_auto_add(row, setting=setting),
        venue_time=read_instant(row, "updateTime"),
        raw=row.fields,
    )


def read_mode(row: Row, *, setting: Row) -> MarginMode | None:
    """Return the margin mode: as the row tells it (v2, COIN-M), else by its wallet (v3).

    A v3 row has no marginType; its isolatedWallet and isolatedMargin are 0 for cross positions.
    Settings come last: they may be minutes old, from before the position was opened anew.
    """
    told = row.text_or("marginType")
    if told:
        return MODES.get(told.lower())
    wallets = [row.number("isolatedWallet").value, row.number("isolatedMargin").value]
    if any(wallets):
        return MarginMode.ISOLATED
    if wallets == [None, None]:
        return MODES.get(setting.text_or("marginType").lower())
    return MarginMode.CROSS


def read_collateral(row: Row, *, mode: MarginMode | None) -> Figure:
    """Return the isolated wallet, which holds no unrealised PnL (isolatedMargin does)."""
    if mode is MarginMode.ISOLATED:
        wallet, margin = row.number("isolatedWallet"), row.number("isolatedMargin")
        return wallet if wallet.value else margin.minus(row.number("unRealizedProfit"))
    if mode is MarginMode.PORTFOLIO:
        return Figure.unknown(PORTFOLIO)
    return Figure.unknown(CROSS if mode else MODE_UNKNOWN)


def read_auto_add(row: Row, *, setting: Row) -> bool | None:
    """Return the switch that lets a loss draw on the account; None when it was not read."""
    told = row.flag("isAutoAddMargin")
    return setting.flag("isAutoAddMargin") if told is None else told


def listed(answer: Any) -> list[Any]:
    """Return the rows of an answer; with a symbol an endpoint may send its object alone."""
    return [answer] if isinstance(answer, Mapping) else take_rows(answer)


def _bare_name(row: Row) -> str | None:
    """Return the symbol of an open position whose row has no leverage."""
    is_bare = row.number("positionAmt").value and not row.text_or("leverage")
    return row.text("symbol") if is_bare else None
