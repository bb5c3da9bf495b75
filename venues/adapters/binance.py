"""Binance futures, USD-M and COIN-M: positions from positionRisk; see docs/venues/binance.md."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from positions.engine.types import ContractKind, MarginMode
from venues.base import (
    AccountRequest,
    AssetPriceReading,
    PositionReading,
    PriceReading,
    QuoteReading,
    ScopeReading,
    VenueAdapter,
    VenueClient,
)
from venues.errors import VenueError
from venues.figures import Figure, Row, RowError
from venues.options import AccountOption, scopes_option
from venues.rows import (
    CROSS,
    MODE_UNKNOWN,
    ask_each_or_all,
    check_scope,
    choose_scopes,
    list_symbols,
    read_each,
    read_instant,
    read_rows,
    read_signed_size,
    require,
    split_symbol,
    take_rows,
)


@dataclass(frozen=True, slots=True)
class Product:
    """One futures product: the ccxt methods that read it, and how its rows spell things.

    notional   field of a position row: its value in settle units
    floor      field of a maintenance bracket: quote units (linear), base coins (inverse)
    settings   "" where position rows already carry leverage and the auto-add switch
    """

    kind: ContractKind
    positions: str
    brackets: str
    settings: str
    prices: str
    notional: str
    floor: str


PRODUCTS = {
    "linear": Product(
        kind=ContractKind.LINEAR,
        positions="fapiPrivateV3GetPositionRisk",
        brackets="fapiPrivateGetLeverageBracket",
        settings="fapiPrivateGetSymbolConfig",
        prices="fapiPublicGetPremiumIndex",
        notional="notional",
        floor="notionalFloor",
    ),
    "inverse": Product(
        kind=ContractKind.INVERSE,
        positions="dapiPrivateGetPositionRisk",
        brackets="dapiPrivateV2GetLeverageBracket",
        settings="",
        prices="dapiPublicGetPremiumIndex",
        notional="notionalValue",
        floor="qtyFloor",
    ),
}

MODES = {
    "isolated": MarginMode.ISOLATED,
    "cross": MarginMode.CROSS,
    "crossed": MarginMode.CROSS,
}
NO_ROW = Row({})
NO_SETTING = "the position row does not carry it and symbolConfig could not be read"
NO_BRACKET = "the venue's maintenance brackets were not read"


@dataclass(frozen=True, slots=True)
class Extras:
    """What other endpoints say of the open symbols; empty where they could not be read.

    settings   symbol -> its symbolConfig row
    brackets   symbol -> its row of maintenance brackets
    """

    settings: Mapping[str, Row] = field(default_factory=dict)
    brackets: Mapping[str, Row] = field(default_factory=dict)


class Binance(VenueAdapter):
    """USD-M ("linear") and COIN-M ("inverse") futures of one account."""

    slug = "binance"
    label = "Binance"
    ccxt_id = "binance"
    margin_rules = {
        ContractKind.LINEAR: "binance-usdm",
        ContractKind.INVERSE: "binance-coinm",
    }
    reads = (
        "GET /fapi/v1/time",
        "GET /dapi/v1/time",
        "GET /fapi/v1/exchangeInfo",
        "GET /dapi/v1/exchangeInfo",
        "GET /fapi/v3/positionRisk",
        "GET /fapi/v2/positionRisk",
        "GET /dapi/v1/positionRisk",
        "GET /fapi/v1/leverageBracket",
        "GET /dapi/v2/leverageBracket",
        "GET /fapi/v1/symbolConfig",
        "GET /fapi/v1/premiumIndex",
        "GET /dapi/v1/premiumIndex",
        "GET /fapi/v1/assetIndex",
    )
    account_options = (
        scopes_option(PRODUCTS),
        AccountOption("position_risk", "version of the linear request", ("v2", "v3")),
    )

    def scopes(self, request: AccountRequest) -> Sequence[str]:
        """Return "linear" and "inverse", or those that the option "scopes" names."""
        return choose_scopes(request=request, available=tuple(PRODUCTS))

    async def read_scope(self, *, client: VenueClient, scope: str) -> ScopeReading:
        """Read the positions of one product. Raises VenueError."""
        check_scope(adapter=self, request=client.request, scope=scope)
        product = PRODUCTS[scope]
        method = product.positions
        if scope == "linear" and client.request.options.get("position_risk") == "v2":
            method = "fapiPrivateV2GetPositionRisk"
        rows = take_rows(await client.call(method))
        extras = await read_extras(client=client, product=product, rows=rows)

        def read_row(row: Row) -> PositionReading | None:
            return read_position(row, client=client, product=product, extras=extras)

        return read_rows(scope=scope, rows=rows, read_row=read_row)

    async def read_prices(self, *, client: VenueClient, symbols: Sequence[str]) -> PriceReading:
        """Read mark, index and funding, and what Binance's indices say assets are worth in USD.

        Raises VenueError when a product that is asked for cannot be read.
        """
        quotes: list[QuoteReading] = []
        for product in PRODUCTS.values():
            names = [name for name in symbols if split_symbol(name).kind is product.kind]
            if names:
                quotes += await read_quotes(client=client, product=product, symbols=names)
        assets = await read_asset_prices(client=client, symbols=symbols)
        return PriceReading(quotes=tuple(quotes), asset_prices=tuple(assets))


async def read_extras(*, client: VenueClient, product: Product, rows: Sequence[Any]) -> Extras:
    """Return what positionRisk leaves out; a failure here never hides the positions."""
    held = dict(read_each(rows, _read_held))
    bare = [name for name, row in held.items() if not row.text_or("leverage")]
    isolated = [name for name, row in held.items() if _may_be_isolated(row)]
    settings, brackets = await asyncio.gather(
        read_table(client, product.settings, names=bare if product.settings else [], few=2),
        read_table(client, product.brackets, names=isolated, few=8),
    )
    return Extras(settings=settings, brackets=brackets)


async def read_table(
    client: VenueClient, method: str, *, names: Sequence[str], few: int
) -> Mapping[str, Row]:
    """Return rows by symbol, for the symbols that could be read."""

    async def ask(name: str | None) -> list[Any]:
        return _listed(await client.call(method, {"symbol": name} if name else {}))

    if not names:
        return {}
    try:
        rows = await ask_each_or_all(names=names, ask=ask, few=few)
    except VenueError:
        return {}
    return dict(read_each(rows, lambda row: (row.text("symbol"), row)))


def read_position(
    row: Row, *, client: VenueClient, product: Product, extras: Extras
) -> PositionReading | None:
    """Return the reading of a positionRisk row (v3, v2 or COIN-M); None when it is flat.

    Raises RowError.
    """
    name = row.text("symbol")
    size = require(row, "positionAmt")
    if size.value == 0:
        return None
    slot = row.choice("positionSide", both="net", long="long", short="short")
    side, contracts = read_signed_size(size, slot=slot)
    settings = extras.settings.get(name, NO_ROW)
    mode = read_mode(row, settings=settings)
    notional = row.number(product.notional).magnitude()
    rate, amount = find_bracket(extras.brackets.get(name), floor=product.floor, notional=notional)
    return PositionReading(
        market=client.market(name, kind=product.kind),
        slot=slot,
        side=side,
        margin_mode=mode,
        contracts=contracts,
        entry_price=row.positive("entryPrice"),
        mark_price=row.positive("markPrice"),
        collateral=read_collateral(row, mode=mode),
        liquidation_price=row.positive("liquidationPrice"),
        unrealized_pnl=row.number("unRealizedProfit"),
        leverage=row.positive("leverage").otherwise(
            settings.positive("leverage", reason=NO_SETTING)
        ),
        notional=notional,
        maintenance_margin=row.number("maintMargin").otherwise(rate.times(notional).minus(amount)),
        maintenance_rate=rate,
        maintenance_amount=amount,
        adl_rank=row.number("adl"),
        auto_add_margin=read_auto_add(row, settings=settings),
        venue_time=read_instant(row, "updateTime"),
        raw=row.fields,
    )


def read_mode(row: Row, *, settings: Row) -> MarginMode | None:
    """Return the margin mode: as told (v2, COIN-M, symbolConfig), else by the wallet (v3).

    A v3 row has no marginType; its isolatedWallet and isolatedMargin are 0 for cross positions.
    """
    told = row.text_or("marginType") or settings.text_or("marginType")
    if told:
        return MODES.get(told.lower())
    wallets = [row.number("isolatedWallet").value, row.number("isolatedMargin").value]
    if any(wallets):
        return MarginMode.ISOLATED
    return None if wallets == [None, None] else MarginMode.CROSS


def read_collateral(row: Row, *, mode: MarginMode | None) -> Figure:
    """Return the isolated wallet, which holds no unrealised PnL (isolatedMargin does)."""
    if mode is not MarginMode.ISOLATED:
        return Figure.unknown(CROSS if mode else MODE_UNKNOWN)
    wallet = row.number("isolatedWallet")
    if wallet.value:
        return wallet
    return row.number("isolatedMargin").minus(row.number("unRealizedProfit"))


def read_auto_add(row: Row, *, settings: Row) -> bool | None:
    """Return the switch that lets a loss draw on the account; None when it was not read."""
    told = row.flag("isAutoAddMargin")
    return settings.flag("isAutoAddMargin") if told is None else told


def find_bracket(table: Row | None, *, floor: str, notional: Figure) -> tuple[Figure, Figure]:
    """Return maintenance rate and deduction of the bracket that holds `notional`, derived.

    Both are unknown when the table was not read, or is not as documented.
    """
    unknown = Figure.unknown(NO_BRACKET)
    if table is None or notional.value is None:
        return unknown, unknown
    try:
        steps = [_read_step(Row(each), floor=floor) for each in take_rows(table.fields, "brackets")]
    except (RowError, VenueError):
        return unknown, unknown
    reached = [step for step in steps if step[0] <= notional.value]
    if not reached:
        return unknown, unknown
    _, rate, amount = max(reached, key=lambda step: step[0])
    return Figure.derived(rate), Figure.derived(amount)


async def read_quotes(
    *, client: VenueClient, product: Product, symbols: Sequence[str]
) -> list[QuoteReading]:
    """Return the quotes of `symbols`, without those that the venue does not answer for."""

    async def ask(name: str | None) -> list[Any]:
        return _listed(await client.call(product.prices, {"symbol": name} if name else {}))

    names = list_symbols(client=client, symbols=symbols)
    rows = await ask_each_or_all(names=list(names), ask=ask)

    def read_row(row: Row) -> QuoteReading | None:
        symbol = names.get(row.text("symbol"))
        return read_quote(row, symbol=symbol) if symbol else None

    return read_each(rows, read_row)


def read_quote(row: Row, *, symbol: str) -> QuoteReading:
    """Return the reading of a premiumIndex row; raises RowError."""
    return QuoteReading(
        symbol=symbol,
        mark_price=row.positive("markPrice"),
        index_price=row.positive("indexPrice"),
        # Dated contracts have no funding: the venue sends "".
        funding_rate=row.number("lastFundingRate", none=("",), reason="no funding"),
        next_funding_at=read_instant(row, "nextFundingTime"),
        venue_time=read_instant(row, "time"),
    )


async def read_asset_prices(
    *, client: VenueClient, symbols: Sequence[str]
) -> list[AssetPriceReading]:
    """Return the USD index of each coin that settles one of `symbols`; none if unreadable."""

    async def ask(name: str | None) -> list[Any]:
        params = {"symbol": name} if name else {}
        return _listed(await client.call("fapiPublicGetAssetIndex", params))

    coins = {f"{split_symbol(symbol).settle}USD" for symbol in symbols}
    try:
        rows = await ask_each_or_all(names=sorted(coins), ask=ask)
    except VenueError:
        return []
    return read_each(rows, lambda row: _read_asset(row) if row.text("symbol") in coins else None)


def _read_asset(row: Row) -> AssetPriceReading:
    return AssetPriceReading(
        asset=row.text("symbol").removesuffix("USD"),
        usd=row.positive("index"),
        venue_time=read_instant(row, "time"),
    )


def _read_step(row: Row, *, floor: str) -> tuple[Any, Any, Any]:
    # The documentation of COIN-M misspells its own field.
    start = row.number(floor).otherwise(row.number("qtylFloor"))
    step = (start.value, row.number("maintMarginRatio").value, row.number("cum").value)
    if None in step:
        raise RowError("a maintenance bracket is not complete")
    return step


def _read_held(row: Row) -> tuple[str, Row] | None:
    return (row.text("symbol"), row) if row.number("positionAmt").value else None


def _may_be_isolated(row: Row) -> bool:
    try:
        return read_mode(row, settings=NO_ROW) is not MarginMode.CROSS
    except RowError:
        return False


def _listed(answer: Any) -> list[Any]:
    # With a symbol these endpoints may send its object alone.
    return [answer] if isinstance(answer, Mapping) else take_rows(answer)
