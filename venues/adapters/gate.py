"""Gate futures settled in USDT and BTC, and dated contracts; see docs/venues/gate.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

from positions.engine.types import ContractKind, MarginMode, Side, Tier
from venues.base import (
    AccountRequest,
    Held,
    MarketSpec,
    PositionEnd,
    PositionReading,
    PriceReading,
    QuoteReading,
    ScopeReading,
    Standing,
    VenueAdapter,
    VenueClient,
)
from venues.errors import UnreadableAnswer, VenueError
from venues.figures import NOT_GIVEN, Figure, Row
from venues.key_facts import KeyFacts
from venues.market_data import FundingReading, Listing, RateBudget, TierReading
from venues.options import scopes_option
from venues.parts.gate_account import read_facts, read_standing
from venues.parts.gate_api import SCOPES, Scope, read_seconds
from venues.parts.gate_ends import read_end
from venues.rows import (
    CROSS,
    MODE_UNKNOWN,
    ask_each_or_all,
    check_scope,
    choose_scopes,
    list_symbols,
    read_each,
    read_rows,
    read_signed_size,
    require,
    split_symbol,
    take_rows,
    value_at,
)
from venues.tables import needed, read_tables
from venues.worth import price_assets

SLOTS = {"single": "net", "dual_long": "long", "dual_short": "short"}
MODES = {"isolated": MarginMode.ISOLATED, "cross": MarginMode.CROSS}
BITCOIN = {"USDT": "BTC/USDT:USDT", "": "BTC/USD:BTC"}
OPEN_TO_ALL = ("", "trading", "circuit_breaker")

PAGE_SIZE = 100
MOST_PAGES = 20
# Printed where no price liquidates the position.
NO_LIQUIDATION = Decimal(99_999_998)
# Printed as the queue's place of a position that is being liquidated, or of none.
NO_RANK = 6
# Up to so many tickers or contracts are asked for one by one.
FEW = 3
SECONDS_AN_HOUR = 3600.0
FROM_TIERS = "it comes with the table of tiers"
NO_ACCOUNT = "USER_NOT_FOUND"


class Gate(VenueAdapter):
    """Perpetuals settled in USDT and in BTC, and dated contracts settled in USDT."""

    slug = "gate"
    label = "Gate"
    ccxt_id = "gate"
    margin_rules = {
        ContractKind.LINEAR: "gate-linear",
        ContractKind.INVERSE: "gate-inverse",
    }
    reads = (
        "GET /api/v4/spot/time",
        "GET /api/v4/futures/{settle}/contracts",
        "GET /api/v4/futures/{settle}/contracts/{contract}",
        "GET /api/v4/futures/{settle}/tickers",
        "GET /api/v4/futures/{settle}/risk_limit_tiers",
        "GET /api/v4/futures/{settle}/candlesticks",
        "GET /api/v4/futures/{settle}/order_book",
        "GET /api/v4/futures/{settle}/positions",
        "GET /api/v4/futures/{settle}/accounts",
        "GET /api/v4/futures/{settle}/position_close",
        "GET /api/v4/futures/{settle}/liquidates",
        "GET /api/v4/futures/{settle}/auto_deleverages",
        "GET /api/v4/delivery/{settle}/contracts",
        "GET /api/v4/delivery/{settle}/tickers",
        "GET /api/v4/delivery/{settle}/risk_limit_tiers",
        "GET /api/v4/delivery/{settle}/candlesticks",
        "GET /api/v4/delivery/{settle}/order_book",
        "GET /api/v4/delivery/{settle}/positions",
        "GET /api/v4/delivery/{settle}/position_close",
        "GET /api/v4/delivery/{settle}/liquidates",
        "GET /api/v4/unified/accounts",
        "GET /api/v4/account/detail",
        "GET /api/v4/account/main_keys",
    )
    rate = RateBudget(
        requests=100,
        window_s=10.0,
        source="Gate allows 200 requests in 10 seconds to each endpoint",
    )
    permission = (
        "A read-only key for perpetual contracts; also for account and for unified, where key "
        "and unified account are to be checked, and for delivery, where dated contracts are held."
    )
    quirks: ClassVar[tuple[str, ...]] = (
        "A liquidation price of 0 or 99999999 means that no price liquidates the position.",
        "A leverage of 0 means cross margin; where the row also names a margin mode and the two "
        "contradict each other, the mode is shown as unknown.",
        "Where Gate tells the average maintenance rate, the deduction of the tier is worked out "
        "from it; it holds at the position's present value.",
        "A settle coin or dated contracts for which there is no account at Gate count as an empty "
        "book; the USDT account must exist.",
        "Several split positions (position mode dual_plus) on one side of a contract cannot be "
        "told apart; all but one of them are listed as refused.",
        "A cross position of a unified account is backed by the whole unified account; in its "
        "single-currency mode Gate tells no ratio of that.",
        "Gate does not say whether it adds margin to a position by itself.",
        "A key without the permission for account tells neither its rights nor its addresses.",
    )
    account_options = (scopes_option(SCOPES),)

    def scopes(self, request: AccountRequest) -> Sequence[str]:
        """Return the settle coins and products, or those that the option "scopes" names."""
        return choose_scopes(request=request, available=tuple(SCOPES))

    async def read_scope(self, *, client: VenueClient, scope: str) -> ScopeReading:
        """Read all pages of one scope, and the balance behind cross positions.

        Raises VenueError when a page is missing.
        """
        check_scope(adapter=self, request=client.request, scope=scope)
        part = SCOPES[scope]
        reading = read_rows(
            scope=scope,
            rows=await read_pages(client=client, part=part),
            read_row=lambda row: read_position(row, client=client, part=part),
            symbol_field="contract",
        )
        return replace(
            reading, standings=await read_standings(client=client, part=part, reading=reading)
        )

    async def read_prices(self, *, client: VenueClient, symbols: Sequence[str]) -> PriceReading:
        """Read mark, index and funding, and what Gate's indices say coins are worth in USD.

        Raises VenueError when a list that is asked for cannot be read.
        """

        async def ask(wanted: Sequence[str]) -> list[QuoteReading]:
            found: list[QuoteReading] = []
            for part in SCOPES.values():
                found += await read_quotes(client=client, part=part, symbols=wanted)
            return found

        quotes = await ask(symbols)
        assets = await price_assets(quotes=quotes, yardsticks=BITCOIN, read_quotes=ask)
        return PriceReading(quotes=tuple(quotes), asset_prices=tuple(assets))

    async def read_funding(
        self, *, client: VenueClient, symbols: Sequence[str]
    ) -> Sequence[FundingReading]:
        """Return rate, interval and next settlement, which the tickers do not name."""
        found: list[FundingReading] = []
        for part in SCOPES.values():
            if not part.is_dated:
                found += await read_part_funding(client=client, part=part, symbols=symbols)
        return found

    async def read_tiers(
        self, *, client: VenueClient, symbols: Sequence[str]
    ) -> Sequence[TierReading]:
        """Return the risk limits with their deductions; floors count in the settle coin."""
        found: list[TierReading] = []
        for part in SCOPES.values():
            found += await read_part_tiers(client=client, part=part, symbols=symbols)
        return found

    def read_listing(self, row: Row) -> Listing:
        """Return end of trading, funding interval and whether new positions are taken."""
        interval_s = row.positive("funding_interval").number
        return Listing(
            delists_at=read_seconds(row, "delisted_time") or read_seconds(row, "delisting_time"),
            funding_interval_h=interval_s / SECONDS_AN_HOUR if interval_s else None,
            is_active=not row.flag("in_delisting") and row.text_or("status") in OPEN_TO_ALL,
        )

    async def read_ends(
        self, *, client: VenueClient, scope: str, missing: Sequence[Held]
    ) -> Sequence[PositionEnd]:
        """Return how positions ended, by the lists of closes, liquidations and deleveraging."""
        part = SCOPES[scope]
        ends = [await read_end(client=client, part=part, held=held) for held in missing]
        return [end for end in ends if end is not None]

    async def read_key(self, *, client: VenueClient) -> KeyFacts | None:
        """Return what the key may do, where it may ask about itself."""
        return await read_facts(client=client)


class GateEu(Gate):
    """The European venue: the same API, but for futures ccxt knows only Gate's global host."""

    slug = "gateeu"
    label = "Gate EU"
    ccxt_id = "gateeu"
    ccxt_options = {"fetchMarkets": {"types": ["swap", "future"]}, "defaultType": "swap"}
    quirks: ClassVar[tuple[str, ...]] = (
        *Gate.quirks,
        "No host of its own is known for futures of Gate EU: they are asked for at Gate's global "
        "host.",
    )


async def read_pages(*, client: VenueClient, part: Scope) -> list[Any]:
    """Return the rows of all pages; dated contracts have one.

    Each page begins with the last row of the one before: a position that closes between two
    pages moves the others up, and one of them would be lost. Raises UnreadableAnswer when the
    pages do not fit together or do not end.
    """
    if part.is_dated:
        return await _read_page(client=client, part=part)
    rows: list[Any] = []
    for _ in range(MOST_PAGES):
        page = await _read_page(client=client, part=part, offset=max(len(rows) - 1, 0))
        if len(page) > PAGE_SIZE:
            # It takes no heed of the limit, so this is the whole list.
            return page
        if rows and (not page or _name(page[0]) != _name(rows[-1])):
            raise UnreadableAnswer("Gate's list of positions changed while it was read.")
        fresh = page[1:] if rows else page
        if rows and {_name(row) for row in fresh} & {_name(row) for row in rows}:
            raise UnreadableAnswer("Gate's list of positions goes round in a circle.")
        rows += fresh
        if len(page) < PAGE_SIZE:
            return rows
    raise UnreadableAnswer(f"Gate's list of positions does not end after {MOST_PAGES} pages.")


def read_position(row: Row, *, client: VenueClient, part: Scope) -> PositionReading | None:
    """Return the reading of a position row; None when it is flat. Raises RowError."""
    size = require(row, "size")
    if size.value == 0:
        return None
    slot = read_slot(row, size=size)
    side, contracts = read_signed_size(size, slot=slot)
    market = _true_kind(client.market(row.text("contract")))
    mode = read_mode(row)
    mark = row.positive("mark_price")
    value = row.number("value", none=("",)).magnitude()
    rate = row.positive("maintenance_rate")
    rank = row.number("adl_ranking", none=("",))
    return PositionReading(
        market=market,
        slot=slot,
        side=side,
        margin_mode=mode,
        contracts=contracts,
        entry_price=row.positive("entry_price"),
        mark_price=mark,
        collateral=read_collateral(row, mode=mode),
        liquidation_price=read_liquidation_price(row),
        unrealized_pnl=row.number("unrealised_pnl", none=("",)),
        leverage=read_leverage(row, mode=mode),
        notional=value if value.value else value_at(market=market, contracts=contracts, price=mark),
        maintenance_margin=row.positive("maintenance_margin"),
        maintenance_rate=rate,
        maintenance_amount=read_deduction(row, rate=rate, value=value),
        adl_rank=Figure.unknown(NOT_GIVEN) if rank.value == NO_RANK else rank,
        venue_time=read_seconds(row, "update_time"),
        raw=row.fields,
    )


def read_slot(row: Row, *, size: Figure) -> str:
    """Return the slot; a position of another mode than those that Gate names has its side's."""
    slot = SLOTS.get(row.text_or("mode"))
    if slot is not None:
        return slot
    return str(Side.LONG if size.value and size.value > 0 else Side.SHORT)


def read_mode(row: Row) -> MarginMode | None:
    """Return the margin mode by name and by leverage; None where they contradict each other.

    Older rows name a cross position's leverage of 0 "lever".
    """
    named = MODES.get(row.text_or("pos_margin_mode").lower())
    leverage = row.number("leverage", none=("",))
    counted = None
    if leverage.value is not None:
        counted = MarginMode.CROSS if leverage.value == 0 else MarginMode.ISOLATED
    elif row.number("lever", none=("",)).value == 0:
        counted = MarginMode.CROSS
    if named and counted and named is not counted:
        return None
    return named or counted


def read_leverage(row: Row, *, mode: MarginMode | None) -> Figure:
    """Return the leverage of the position's own mode."""
    own = "leverage" if mode is MarginMode.ISOLATED else "cross_leverage_limit"
    return row.positive(own).otherwise(row.positive("lever"))


def read_collateral(row: Row, *, mode: MarginMode | None) -> Figure:
    """Return the margin of an isolated position, which holds no unrealised PnL."""
    if mode is not MarginMode.ISOLATED:
        return Figure.unknown(CROSS if mode else MODE_UNKNOWN)
    return row.positive("margin")


def read_liquidation_price(row: Row) -> Figure:
    """Return liq_price; 0 and 99999999 both say that no price liquidates the position."""
    price = row.positive("liq_price")
    if price.value is not None and price.value >= NO_LIQUIDATION:
        return Figure.unknown(NOT_GIVEN)
    return price


def read_deduction(row: Row, *, rate: Figure, value: Figure) -> Figure:
    """Return what the tier's rate on the whole value asks for too much, from the average rate."""
    average = row.positive("average_maintenance_rate", reason=FROM_TIERS)
    excess = rate.minus(average)
    if excess.value is not None and excess.value < 0:
        return Figure.unknown("the average maintenance rate is above the tier's own")
    return Figure.unknown(FROM_TIERS) if not average.is_known else excess.times(value)


async def read_standings(
    *, client: VenueClient, part: Scope, reading: ScopeReading
) -> tuple[Standing, ...]:
    """Return what backs the cross positions of a scope; () when it holds none."""
    if any(held.margin_mode is MarginMode.CROSS for held in reading.positions):
        return (await read_standing(client=client, part=part),)
    return ()


async def read_quotes(
    *, client: VenueClient, part: Scope, symbols: Sequence[str]
) -> list[QuoteReading]:
    """Return the quotes of one scope, without those that the venue does not answer for."""
    names = list_symbols(client=client, symbols=_of(part, symbols))

    async def ask(name: str | None) -> list[Any]:
        params = {"settle": part.settle} | ({"contract": name} if name else {})
        return take_rows(await client.call(part.method("public", "Tickers"), params))

    def read_row(row: Row) -> QuoteReading | None:
        symbol = names.get(row.text("contract"))
        return read_quote(row, symbol=symbol) if symbol else None

    return read_each(await ask_each_or_all(names=list(names), ask=ask, few=FEW), read_row)


def read_quote(row: Row, *, symbol: str) -> QuoteReading:
    """Return the reading of a ticker row, which names no time; raises RowError."""
    return QuoteReading(
        symbol=symbol,
        mark_price=row.positive("mark_price"),
        index_price=row.positive("index_price"),
        last_price=row.positive("last"),
        funding_rate=row.number("funding_rate", none=("",), reason="no funding"),
    )


async def read_part_funding(
    *, client: VenueClient, part: Scope, symbols: Sequence[str]
) -> list[FundingReading]:
    """Return the funding of one settle coin's perpetuals, from the list of contracts."""
    names = list_symbols(client=client, symbols=_of(part, symbols))

    async def ask(name: str | None) -> list[Any]:
        if name is None:
            params = {"settle": part.settle}
            return take_rows(await client.call(part.method("public", "Contracts"), params))
        params = {"settle": part.settle, "contract": name}
        return [await client.call(part.method("public", "ContractsContract"), params)]

    def read_row(row: Row) -> FundingReading | None:
        symbol = names.get(row.text("name"))
        return _read_funding(row, symbol=symbol) if symbol else None

    return read_each(await ask_each_or_all(names=list(names), ask=ask, few=FEW), read_row)


async def read_part_tiers(
    *, client: VenueClient, part: Scope, symbols: Sequence[str]
) -> list[TierReading]:
    """Return the tables of one scope's contracts; one that cannot be read is left out."""

    async def ask(name: str) -> list[Any]:
        params = {"settle": part.settle, "contract": name}
        return take_rows(await client.call(part.method("public", "RiskLimitTiers"), params))

    names = list_symbols(client=client, symbols=_of(part, symbols))
    return await read_tables(names=names, ask=ask, read_steps=_read_steps)


async def _read_page(*, client: VenueClient, part: Scope, offset: int = 0) -> list[Any]:
    params: dict[str, Any] = {"settle": part.settle}
    if not part.is_dated:
        # Without "holding" there is a flat row for every contract ever touched.
        params |= {"holding": "true", "limit": PAGE_SIZE, "offset": offset}
    try:
        return take_rows(await client.call(part.method("private", "Positions"), params))
    except VenueError as error:
        # "Please transfer funds first to create futures account": there is no book to be read.
        if part.is_main or NO_ACCOUNT not in str(error):
            raise
        return []


def _name(row: Any) -> tuple[str, ...]:
    fields: Mapping[str, Any] = row if isinstance(row, Mapping) else {"contract": row}
    return tuple(str(fields.get(name)) for name in ("contract", "mode", "pid"))


def _true_kind(market: MarketSpec) -> MarketSpec:
    """Return the market as quanto where its profit is paid in a coin that it does not price."""
    if market.kind is ContractKind.INVERSE and market.asset != market.settle:
        return replace(market, kind=ContractKind.QUANTO)
    return market


def _of(part: Scope, symbols: Sequence[str]) -> list[str]:
    """Return the unified symbols of one scope."""
    parts = ((name, split_symbol(name)) for name in symbols)
    return [
        name
        for name, each in parts
        if each.settle.lower() == part.settle and each.is_dated is part.is_dated
    ]


def _read_funding(row: Row, *, symbol: str) -> FundingReading:
    interval_s = row.positive("funding_interval").number
    return FundingReading(
        symbol=symbol,
        rate=row.number("funding_rate", none=("",)),
        next_at=read_seconds(row, "funding_next_apply"),
        interval_h=interval_s / SECONDS_AN_HOUR if interval_s else None,
    )


def _read_steps(rows: Sequence[Row]) -> list[tuple[Tier, float | None]]:
    """Return the tiers; risk_limit is where one ends, so the next begins there."""
    ordered = sorted(rows, key=lambda row: needed(row.positive("risk_limit"), name="risk_limit"))
    floors = [0.0, *(needed(row.positive("risk_limit"), name="risk_limit") for row in ordered)]
    return [
        (
            Tier(
                floor=floor,
                rate=needed(row.number("maintenance_rate"), name="maintenance_rate"),
                amount=row.number("deduction", none=("",)).number or 0.0,
            ),
            row.positive("leverage_max").number,
        )
        for floor, row in zip(floors, ordered, strict=False)
    ]
