"""Bybit derivatives, API v5, classic and unified accounts; see docs/venues/bybit.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from positions.engine.types import ContractKind, MarginMode, Side
from venues.base import (
    AccountRequest,
    AssetPriceReading,
    MarketSpec,
    PositionReading,
    PriceReading,
    QuoteReading,
    ScopeReading,
    VenueAdapter,
    VenueClient,
)
from venues.errors import UnreadableAnswer, VenueError
from venues.figures import NOT_GIVEN, Figure, Row, RowError
from venues.options import scopes_option
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
    require,
    split_symbol,
    take_instant,
    take_rows,
    value_at,
)


@dataclass(frozen=True, slots=True)
class Scope:
    """One part of an account: what position/list is asked for, and what it may answer."""

    category: str
    kind: ContractKind
    settle: str = ""


SCOPES = {
    "linear:USDT": Scope(category="linear", kind=ContractKind.LINEAR, settle="USDT"),
    "linear:USDC": Scope(category="linear", kind=ContractKind.LINEAR, settle="USDC"),
    "inverse": Scope(category="inverse", kind=ContractKind.INVERSE),
}
CATEGORIES = {ContractKind.LINEAR: "linear", ContractKind.INVERSE: "inverse"}

SLOTS = {"0": "net", "1": "long", "2": "short"}
MODES = {
    "ISOLATED_MARGIN": MarginMode.ISOLATED,
    "REGULAR_MARGIN": MarginMode.CROSS,
    "PORTFOLIO_MARGIN": MarginMode.PORTFOLIO,
}
BITCOIN = {ContractKind.LINEAR: "BTC/USDT:USDT", ContractKind.INVERSE: "BTC/USD:BTC"}
# unifiedMarginStatus: 1 is a classic account; in 3 and 4 inverse contracts stay classic.
CLASSIC = "1"
LINEAR_ONLY = ("3", "4")

PAGE_SIZE = 200
MOST_PAGES = 20
# Printed where no price liquidates the position.
NO_LIQUIDATION = 999_999


class Bybit(VenueAdapter):
    """USDT, USDC and coin-settled contracts of one account."""

    slug = "bybit"
    label = "Bybit"
    ccxt_id = "bybit"
    margin_rules = {
        ContractKind.LINEAR: "bybit-linear",
        ContractKind.INVERSE: "bybit-inverse",
    }
    reads = (
        "GET /v5/market/time",
        "GET /v5/market/instruments-info",
        "GET /v5/market/tickers",
        "GET /v5/account/info",
        "GET /v5/position/list",
    )
    account_options = (scopes_option(SCOPES),)

    def scopes(self, request: AccountRequest) -> Sequence[str]:
        """Return the three scopes, or those that the option "scopes" names."""
        return choose_scopes(request=request, available=tuple(SCOPES))

    async def read_scope(self, *, client: VenueClient, scope: str) -> ScopeReading:
        """Read all pages of one scope. Raises VenueError when one of them is missing."""
        check_scope(adapter=self, request=client.request, scope=scope)
        part = SCOPES[scope]
        rows, at = await read_pages(client=client, part=part)
        mode = await read_account_mode(client=client, part=part, rows=rows)

        def read_row(row: Row) -> PositionReading | None:
            return read_position(row, client=client, part=part, account_mode=mode, at=at)

        return read_rows(scope=scope, rows=rows, read_row=read_row)

    async def read_prices(self, *, client: VenueClient, symbols: Sequence[str]) -> PriceReading:
        """Read mark, index and funding, and what Bybit's indices say coins are worth in USD.

        Raises VenueError when a category that is asked for cannot be read.
        """
        quotes: list[QuoteReading] = []
        for kind in CATEGORIES:
            names = [name for name in symbols if split_symbol(name).kind is kind]
            if names:
                quotes += await read_quotes(client=client, kind=kind, symbols=names)
        assets = await read_asset_prices(client=client, quotes=quotes)
        return PriceReading(quotes=tuple(quotes), asset_prices=tuple(assets))


class BybitEu(Bybit):
    """The European venue: the same API on another host."""

    slug = "bybiteu"
    label = "Bybit EU"
    ccxt_id = "bybiteu"


class BybitIndonesia(Bybit):
    """The Indonesian venue: the same API on another host."""

    slug = "bybitid"
    label = "Bybit Indonesia"
    ccxt_id = "bybitid"


async def read_pages(*, client: VenueClient, part: Scope) -> tuple[Sequence[Any], datetime | None]:
    """Return the rows of all pages and the venue's time of the last.

    Bybit hands out a cursor on the last page too: a page without news is the end.
    Raises UnreadableAnswer on an answer for another category or on pages that do not end.
    """
    params: dict[str, Any] = {"category": part.category, "limit": PAGE_SIZE}
    if part.settle:
        params["settleCoin"] = part.settle
    rows: list[Any] = []
    cursors: set[str] = set()
    for _ in range(MOST_PAGES):
        answer = await client.call("privateGetV5PositionList", dict(params))
        page = take_rows(answer, "result", "list")
        result = Row(answer["result"])
        _check_category(result, part=part)
        rows += page
        cursor = result.text_or("nextPageCursor")
        if not page or not cursor:
            return rows, take_instant(answer, "time")
        if cursor in cursors:
            _check_end(page)
            return rows, take_instant(answer, "time")
        cursors.add(cursor)
        params["cursor"] = cursor
    raise UnreadableAnswer(f"Bybit's list of positions does not end after {MOST_PAGES} pages.")


async def read_account_mode(
    *, client: VenueClient, part: Scope, rows: Sequence[Any]
) -> MarginMode | None:
    """Return the margin mode of rows whose tradeMode does not say "isolated".

    None where account/info cannot be read: then it is not known, whatever tradeMode 0 suggests.
    """
    if not any(read_each(rows, _needs_account_mode)):
        return None
    try:
        answer = await client.call("privateGetV5AccountInfo")
        info = Row(answer).row("result")
        status = info.text("unifiedMarginStatus")
        is_classic = status == CLASSIC or (
            status in LINEAR_ONLY and part.kind is ContractKind.INVERSE
        )
        return MarginMode.CROSS if is_classic else MODES.get(info.text("marginMode"))
    except (VenueError, RowError):
        return None


def read_position(
    row: Row,
    *,
    client: VenueClient,
    part: Scope,
    account_mode: MarginMode | None,
    at: datetime | None,
) -> PositionReading | None:
    """Return the reading of a position/list row; None when it is flat or of another scope.

    Raises RowError.
    """
    contracts = require(row, "size")
    if contracts.value == 0:
        return None
    market = client.market(row.text("symbol"), kind=part.kind)
    if _is_foreign(market, part=part):
        return None
    slot = _read_slot(row)
    side = row.choice("side", buy=Side.LONG, sell=Side.SHORT)
    _check_sides(contracts, slot=slot, side=side)
    mode = MarginMode.ISOLATED if row.text_or("tradeMode") == "1" else account_mode
    entry = row.positive("avgPrice")
    mark = row.positive("markPrice")
    maintenance = row.number("positionMM", none=("",))
    return PositionReading(
        market=market,
        slot=slot,
        side=side,
        margin_mode=mode,
        contracts=contracts,
        entry_price=entry,
        mark_price=mark,
        collateral=read_collateral(row, mode=mode),
        liquidation_price=read_liquidation_price(row),
        unrealized_pnl=row.number("unrealisedPnl", none=("",)),
        leverage=row.positive("leverage"),
        notional=value_at(market=market, contracts=contracts, price=mark),
        maintenance_margin=maintenance,
        # Fixed at entry. It holds tier, deduction and the reserved closing fee together.
        maintenance_rate=maintenance.over(
            value_at(market=market, contracts=contracts, price=entry)
        ),
        maintenance_amount=Figure.derived(0),
        adl_rank=row.number("adlRankIndicator", none=("",)),
        auto_add_margin={"0": False, "1": True}.get(row.text_or("autoAddMargin")),
        venue_time=at or read_instant(row, "updatedTime"),
        raw=row.fields,
    )


def read_collateral(row: Row, *, mode: MarginMode | None) -> Figure:
    """Return positionBalance: initial and added margin and the reserved closing fee, no PnL."""
    if mode is not MarginMode.ISOLATED:
        return Figure.unknown(CROSS if mode else MODE_UNKNOWN)
    return row.positive("positionBalance")


def read_liquidation_price(row: Row) -> Figure:
    """Return liqPrice; "" and 999999 both say that no price liquidates the position."""
    price = row.positive("liqPrice")
    return Figure.unknown(NOT_GIVEN) if price.value == NO_LIQUIDATION else price


async def read_quotes(
    *, client: VenueClient, kind: ContractKind, symbols: Sequence[str]
) -> list[QuoteReading]:
    """Return the quotes of `symbols`, without those that the venue does not answer for."""
    times: list[datetime | None] = []

    async def ask(name: str | None) -> list[Any]:
        params = {"category": CATEGORIES[kind]} | ({"symbol": name} if name else {})
        answer = await client.call("publicGetV5MarketTickers", params)
        times.append(take_instant(answer, "time"))
        return take_rows(answer, "result", "list")

    names = list_symbols(client=client, symbols=symbols)
    rows = await ask_each_or_all(names=list(names), ask=ask)
    # The oldest of the answers' times is true of every row.
    at = min((each for each in times if each), default=None)

    def read_row(row: Row) -> QuoteReading | None:
        symbol = names.get(row.text("symbol"))
        return read_quote(row, symbol=symbol, at=at) if symbol else None

    return read_each(rows, read_row)


def read_quote(row: Row, *, symbol: str, at: datetime | None) -> QuoteReading:
    """Return the reading of a ticker row; raises RowError."""
    return QuoteReading(
        symbol=symbol,
        mark_price=row.positive("markPrice"),
        index_price=row.positive("indexPrice"),
        last_price=row.positive("lastPrice"),
        # Dated contracts have no funding: the venue sends "".
        funding_rate=row.number("fundingRate", none=("",), reason="no funding"),
        next_funding_at=read_instant(row, "nextFundingTime"),
        venue_time=at,
    )


async def read_asset_prices(
    *, client: VenueClient, quotes: Sequence[QuoteReading]
) -> list[AssetPriceReading]:
    """Return what coins are worth: a coin by its USD index, USDT by Bitcoin's two indices."""
    known = {quote.symbol: quote for quote in quotes}
    if any(split_symbol(symbol).settle == "USDT" for symbol in known):
        for kind, symbol in BITCOIN.items():
            if symbol not in known:
                known |= await _read_yardstick(client=client, kind=kind, symbol=symbol)
    coins = [
        AssetPriceReading(split_symbol(quote.symbol).base, quote.index_price, quote.venue_time)
        for quote in known.values()
        if split_symbol(quote.symbol).kind is ContractKind.INVERSE and quote.index_price.is_known
    ]
    return [*{coin.asset: coin for coin in coins}.values(), *_price_tether(known)]


async def _read_yardstick(
    *, client: VenueClient, kind: ContractKind, symbol: str
) -> dict[str, QuoteReading]:
    try:
        found = await read_quotes(client=client, kind=kind, symbols=[symbol])
    except VenueError:
        return {}
    return {quote.symbol: quote for quote in found}


def _price_tether(quotes: Mapping[str, QuoteReading]) -> list[AssetPriceReading]:
    in_usd = quotes.get(BITCOIN[ContractKind.INVERSE])
    in_tether = quotes.get(BITCOIN[ContractKind.LINEAR])
    if in_usd is None or in_tether is None:
        return []
    price = in_usd.index_price.over(in_tether.index_price)
    return [AssetPriceReading("USDT", price, in_usd.venue_time)] if price.is_known else []


def _check_category(result: Row, *, part: Scope) -> None:
    got = result.text_or("category")
    if got != part.category:
        raise UnreadableAnswer(f"Bybit was asked for {part.category} and answered {got!r}.")


def _check_end(page: Sequence[Any]) -> None:
    if len(page) >= PAGE_SIZE:
        raise UnreadableAnswer("Bybit's list of positions goes round in a circle.")


def _needs_account_mode(row: Row) -> bool | None:
    return True if row.number("size").value and row.text_or("tradeMode") != "1" else None


def _is_foreign(market: MarketSpec, *, part: Scope) -> bool:
    return bool(part.settle and market.is_known and market.settle != part.settle)


def _read_slot(row: Row) -> str:
    slot = SLOTS.get(row.text("positionIdx"))
    if slot is None:
        raise RowError(f"positionIdx is {row.text('positionIdx')[:20]!r}, not 0, 1 or 2")
    return slot


def _check_sides(contracts: Figure, *, slot: str, side: Side) -> None:
    if contracts.value is not None and contracts.value < 0:
        raise RowError(f"size {contracts.value} is negative beside a side")
    if slot not in ("net", side):
        raise RowError(f"side {side} contradicts the slot {slot}")
