"""Bybit derivatives, API v5, classic and unified accounts; see docs/venues/bybit.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from positions.engine.types import ContractKind, MarginMode, Side
from venues.base import (
    AccountRequest,
    Held,
    MarketSpec,
    PositionEnd,
    PositionReading,
    PriceReading,
    ScopeReading,
    VenueAdapter,
    VenueClient,
)
from venues.closing_reserve import (
    NO_FEE,
    direction_of,
    reserve_in,
    without_reserve,
)
from venues.errors import UnreadableAnswer
from venues.figures import NOT_GIVEN, Figure, Row, RowError
from venues.key_facts import KeyFacts
from venues.market_data import Listing, RateBudget, TierReading
from venues.options import AccountOption, scopes_option
from venues.parts import bybit_account, bybit_markets
from venues.parts.bybit_account import AccountKind
from venues.rows import (
    CROSS,
    MODE_UNKNOWN,
    check_scope,
    choose_scopes,
    exact,
    read_each,
    read_instant,
    read_rows,
    require,
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
BASIS = "maintenance_at"
RULES_BY_BASIS: Mapping[str, Mapping[ContractKind, str]] = {
    "entry": {ContractKind.LINEAR: "bybit-linear", ContractKind.INVERSE: "bybit-inverse"},
    "mark": {ContractKind.LINEAR: "bybit-linear-2025", ContractKind.INVERSE: "bybit-inverse-2026"},
}
SLOTS = {"0": "net", "1": "long", "2": "short"}
SWITCH = {"0": False, "1": True}

PAGE_SIZE = 200
MOST_PAGES = 20
# How long it is believed that nothing follows a page that is not full.
PEEK_AGE_S = 300.0
# Mark and entry so near to each other, as a share of the value, that the row tells nothing.
_ALIKE = Decimal("1e-4")
# Printed where no price liquidates the position.
NO_LIQUIDATION = 999_999
_NO_AMOUNT = Figure.derived(0)


class Bybit(VenueAdapter):
    """USDT, USDC and coin-settled contracts of one account."""

    slug = "bybit"
    label = "Bybit"
    ccxt_id = "bybit"
    margin_rules = RULES_BY_BASIS["entry"]
    reads = (
        "GET /v5/market/time",
        "GET /v5/market/instruments-info",
        "GET /v5/market/tickers",
        "GET /v5/market/risk-limit",
        "GET /v5/market/kline",
        "GET /v5/market/orderbook",
        "GET /v5/account/info",
        "GET /v5/account/wallet-balance",
        "GET /v5/position/list",
        "GET /v5/position/closed-pnl",
        "GET /v5/user/query-api",
    )
    account_options = (
        scopes_option(SCOPES),
        AccountOption(
            BASIS,
            "the price at which maintenance is measured, where the row should not decide",
            tuple(RULES_BY_BASIS),
        ),
    )
    rate = RateBudget(
        requests=300, window_s=5.0, source="600 requests in 5 s from one address, then HTTP 403"
    )
    permission = (
        "A read-only API key with the permission to read contract positions and the account of "
        "unified trading."
    )
    quirks = (
        "A sub-account has keys of its own: add each as an account of its own.",
        "Whether margin is isolated is a switch of the whole unified account and not in the row; "
        "it is read from account/info and asked anew every 5 minutes or when other contracts "
        "are held. In a classic account the row says it (tradeMode 1).",
        "positionBalance and positionMM hold a reserve for the fee of closing at the bankruptcy "
        "price. Our collateral and maintenance rate are without it, worked out from the row's own "
        "initial margin; the maintenance margin is shown as Bybit prints it.",
        "Until September 2025 Bybit measured maintenance at the entry price, since then, in "
        "unified accounts, at the mark. Which of them holds is seen in the row: positionValue is "
        "at the one or at the other. Where both are alike, a unified account is taken to be at "
        "the mark. The option maintenance_at overrules it.",
        'A liquidation price of "" or 999999 means that there is none; that of a cross position '
        "is Bybit's estimate.",
        "Cross and portfolio positions are ranked by accountMMRate of the unified wallet. Of a "
        "classic account Bybit tells no such ratio.",
        "In hedge mode positionIdx says which side a row is of (1 long, 2 short); 0 is one-way.",
        "Positions come 200 a page, all pages are read; the last page has a cursor too.",
        "Contracts in USDC are settled each 8 hours: what was earned until then is no longer in "
        "unrealised profit.",
    )

    def scopes(self, request: AccountRequest) -> Sequence[str]:
        """Return the three scopes, or those that the option "scopes" names."""
        return choose_scopes(request=request, available=tuple(SCOPES))

    def rule_for(self, *, kind: ContractKind, options: Mapping[str, Any]) -> str | None:
        """Return the rule by the price at which the option says that maintenance is measured."""
        rules = RULES_BY_BASIS.get(str(options.get(BASIS, "")), self.margin_rules)
        return rules.get(kind)

    async def read_scope(self, *, client: VenueClient, scope: str) -> ScopeReading:
        """Read all pages of one scope. Raises VenueError when one of them is missing."""
        check_scope(adapter=self, request=client.request, scope=scope)
        part = SCOPES[scope]
        rows, at = await read_pages(client=client, scope=scope)
        kind = await _read_kind(client, scope, rows)

        def read_row(row: Row) -> PositionReading | None:
            return read_position(row, client=client, part=part, account=kind, at=at)

        reading = read_rows(scope=scope, rows=rows, read_row=read_row)
        standings = await bybit_account.read_standings(
            client=client, kind=kind, positions=reading.positions
        )
        return replace(reading, standings=standings) if standings else reading

    async def read_ends(
        self, *, client: VenueClient, scope: str, missing: Sequence[Held]
    ) -> Sequence[PositionEnd]:
        """Read how missing positions ended, by the records of closed orders. Raises VenueError."""
        found: list[PositionEnd] = []
        for symbol in sorted({held.symbol for held in missing}):
            found += await bybit_account.read_lost(
                client=client,
                category=SCOPES[scope].category,
                symbol=symbol,
                lost=[held for held in missing if held.symbol == symbol],
            )
        return found

    async def read_key(self, *, client: VenueClient) -> KeyFacts | None:
        """Read what the key may do. Raises VenueError."""
        answer = await client.call("privateGetV5UserQueryApi")
        try:
            return bybit_account.read_key(answer)
        except RowError as error:
            raise UnreadableAnswer(f"Bybit's word on the key cannot be read: {error}.") from None

    def read_listing(self, row: Row) -> Listing:
        """Read when a contract ends, how often it pays funding and whether it is open."""
        return bybit_markets.read_listing(row)

    async def read_tiers(
        self, *, client: VenueClient, symbols: Sequence[str]
    ) -> Sequence[TierReading]:
        """Read the risk limits of contracts. Raises VenueError."""
        return await bybit_markets.read_tiers(client=client, symbols=symbols)

    async def read_prices(self, *, client: VenueClient, symbols: Sequence[str]) -> PriceReading:
        """Read mark, index and funding, and what Bybit's indices say coins are worth in USD.

        Raises VenueError when a category that is asked for cannot be read.
        """
        return await bybit_markets.read_prices(client=client, symbols=symbols)


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


async def read_pages(*, client: VenueClient, scope: str) -> tuple[list[Any], datetime | None]:
    """Return the rows of all pages and the venue's time of the last.

    Bybit hands out a cursor on the last page too. That nothing follows a page that is not full is
    looked at when it changes, and every few minutes; so a usual poll is one request.
    Raises UnreadableAnswer on an answer for another category or on pages that do not end.
    """
    part = SCOPES[scope]
    rows: list[Any] = []
    cursors: list[str] = [""]
    while len(cursors) <= MOST_PAGES:
        answer, page = await _ask_page(client, part, cursors[-1])
        rows += page
        cursor = Row(answer["result"]).text_or("nextPageCursor")
        if cursor and cursor in cursors:
            _check_end(page)
        elif page and cursor and not await _is_end(client, scope, page=page, cursor=cursor):
            cursors.append(cursor)
            continue
        return rows, take_instant(answer, "time")
    raise UnreadableAnswer(f"Bybit's list of positions does not end after {MOST_PAGES} pages.")


def read_position(
    row: Row,
    *,
    client: VenueClient,
    part: Scope,
    account: AccountKind,
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
    mode = MarginMode.ISOLATED if row.text_or("tradeMode") == "1" else account.mode
    mark, entry = row.positive("markPrice"), row.positive("avgPrice")
    leverage, maintenance = row.positive("leverage"), row.number("positionMM", none=("",))
    at_mark = value_at(market=market, contracts=contracts, price=mark)
    at_entry = _value_at_entry(contracts, entry=entry, kind=part.kind)
    measured = row.positive("positionValue")
    collateral, rate = read_margins(
        row,
        maintenance=maintenance,
        at_entry=at_entry,
        measured=measured,
        leverage=leverage,
        direction=direction_of(kind=part.kind, side=side),
        mode=mode,
        market=market,
    )
    rule = _rule_shown(measured, at_entry=at_entry, at_mark=at_mark, kind=market.kind, of=account)
    return PositionReading(
        market=market,
        slot=slot,
        side=side,
        margin_mode=mode,
        contracts=contracts,
        entry_price=entry,
        mark_price=mark,
        collateral=collateral,
        liquidation_price=read_liquidation_price(row),
        unrealized_pnl=row.number("unrealisedPnl", none=("",)),
        leverage=leverage,
        notional=at_mark,
        maintenance_margin=maintenance,
        maintenance_rate=rate,
        # The rate is that of the whole position: a tier's deduction is in it already.
        maintenance_amount=_NO_AMOUNT if rate.is_known else rate,
        adl_rank=row.number("adlRankIndicator", none=("",)),
        auto_add_margin=SWITCH.get(row.text_or("autoAddMargin")),
        venue_time=at or read_instant(row, "updatedTime"),
        margin_rule="" if BASIS in client.request.options else rule,
        raw=row.fields,
    )


def read_margins(
    row: Row,
    *,
    maintenance: Figure,
    at_entry: Figure,
    measured: Figure,
    leverage: Figure,
    direction: int,
    mode: MarginMode | None,
    market: MarketSpec,
) -> tuple[Figure, Figure]:
    """Return collateral and maintenance rate of an isolated row, both without the closing fee.

    at_entry  value of the position at entry, settle units
    measured  positionValue, at the price that positionMM was measured at: entry until September
              2025, then the mark
    positionBalance is initial and added margin with the fee, without PnL. Whether positionMM holds
    the fee too is seen in positionIM beside it. Source: venues/closing_reserve.py.
    """
    held, initial = row.positive("positionBalance"), row.number("positionIM", none=("",))
    if mode is not MarginMode.ISOLATED:
        unknown = Figure.unknown(CROSS if mode else MODE_UNKNOWN)
        return unknown, unknown
    reserve = reserve_in(
        initial_margin=initial, value=at_entry, leverage=leverage, direction=direction
    )
    fee = _list_fee(market) if reserve.fee_rate is None else Figure.derived(reserve.fee_rate)
    collateral = without_reserve(held=held, value=at_entry, fee_rate=fee, direction=direction)
    net = maintenance.minus(Figure.derived(reserve.amount)) if reserve.amount else maintenance
    return collateral, net.over(measured.otherwise(at_entry))


def read_liquidation_price(row: Row) -> Figure:
    """Return liqPrice; "" and 999999 both say that no price liquidates the position."""
    price = row.positive("liqPrice")
    return Figure.unknown(NOT_GIVEN) if price.value == NO_LIQUIDATION else price


async def _ask_page(client: VenueClient, part: Scope, cursor: str) -> tuple[Any, list[Any]]:
    params: dict[str, Any] = {"category": part.category, "limit": PAGE_SIZE}
    params |= {"settleCoin": part.settle} if part.settle else {}
    params |= {"cursor": cursor} if cursor else {}
    answer = await client.call("privateGetV5PositionList", params)
    page = take_rows(answer, "result", "list")
    _check_category(Row(answer["result"]), part=part)
    return answer, page


async def _is_end(client: VenueClient, scope: str, *, page: Sequence[Any], cursor: str) -> bool:
    """Tell whether nothing follows a page that is not full."""
    if len(page) >= PAGE_SIZE:
        return False

    async def peek() -> bool:
        _, rows = await _ask_page(client, SCOPES[scope], cursor)
        return not rows

    about = read_each(page, lambda row: row.text("symbol") + row.text_or("positionIdx"))
    return await client.recall(f"end of {scope}", about=about, max_age_s=PEEK_AGE_S, ask=peek)


async def _read_kind(client: VenueClient, scope: str, rows: Sequence[Any]) -> AccountKind:
    about = read_each(rows, _name_without_mode)
    if not about:
        return AccountKind()
    is_inverse = SCOPES[scope].kind is ContractKind.INVERSE
    return await bybit_account.read_kind(
        client=client, scope=scope, is_inverse=is_inverse, about=about
    )


def _name_without_mode(row: Row) -> str | None:
    is_silent = row.text_or("tradeMode") != "1" and row.number("size").value
    return row.text("symbol") if is_silent else None


def _rule_shown(
    measured: Figure,
    *,
    at_entry: Figure,
    at_mark: Figure,
    kind: ContractKind | None,
    of: AccountKind,
) -> str:
    """Return the rule by the price at which the row's own value stands."""
    if kind is None:
        return ""
    basis = "mark" if of.is_unified else "entry"
    value, entry, mark = measured.value, at_entry.value, at_mark.value
    if value and entry and mark:
        off_entry, off_mark = abs(value - entry), abs(value - mark)
        if abs(off_entry - off_mark) > _ALIKE * value:
            basis = "entry" if off_entry < off_mark else "mark"
    return RULES_BY_BASIS[basis].get(kind, "")


def _value_at_entry(size: Figure, *, entry: Figure, kind: ContractKind) -> Figure:
    """Return the value at entry: a size counts base coins, or US dollars in inverse contracts."""
    return size.over(entry) if kind is ContractKind.INVERSE else size.times(entry)


def _list_fee(market: MarketSpec) -> Figure:
    rate = market.taker_fee_rate
    return Figure.unknown(NO_FEE) if rate is None else exact(rate)


def _check_category(result: Row, *, part: Scope) -> None:
    got = result.text_or("category")
    if got != part.category:
        raise UnreadableAnswer(f"Bybit was asked for {part.category} and answered {got!r}.")


def _check_end(page: Sequence[Any]) -> None:
    if len(page) >= PAGE_SIZE:
        raise UnreadableAnswer("Bybit's list of positions goes round in a circle.")


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
