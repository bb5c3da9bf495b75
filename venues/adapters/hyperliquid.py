"""Hyperliquid perpetuals, read by wallet address alone; see docs/venues/hyperliquid.md."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from positions.engine.types import ContractKind, MarginMode
from venues.base import (
    AccountRequest,
    PositionReading,
    PriceReading,
    QuoteReading,
    ScopeReading,
    VenueAdapter,
    VenueClient,
)
from venues.errors import BadAccount, UnreadableAnswer
from venues.figures import Figure, Row
from venues.options import AccountOption, scopes_option
from venues.rows import (
    CROSS,
    check_scope,
    choose_scopes,
    read_each,
    read_rows,
    read_signed_size,
    require,
    split_symbol,
    take_instant,
    take_rows,
)

# The perpetuals that Hyperliquid itself lists; others name the builder's exchange ("dex:flx").
MAIN = "main"
ADDRESS = re.compile(r"0x[0-9a-f]{40}")
PRIVATE_KEY = re.compile(r"(0x)?[0-9a-f]{64}")


class Hyperliquid(VenueAdapter):
    """Perpetuals of one wallet: of the main exchange, and of builders' exchanges if named."""

    slug = "hyperliquid"
    label = "Hyperliquid"
    ccxt_id = "hyperliquid"
    credentials = ()
    needs_wallet = True
    margin_rules = {ContractKind.LINEAR: "hyperliquid-perp"}
    # One path serves every read; what signs and writes has another (/exchange).
    reads = ("POST /info",)
    account_options = (
        scopes_option(),
        AccountOption("dex", "builders' exchanges to read too, such as flx,xyz", is_many=True),
    )

    def scopes(self, request: AccountRequest) -> Sequence[str]:
        """Return "dex:main" and one scope for each exchange of the option "dex" ("flx,xyz")."""
        named = request.options.get("dex") or ()
        names = named.split(",") if isinstance(named, str) else named
        dexes = dict.fromkeys([MAIN, *(str(name).strip() for name in names)])
        available = tuple(f"dex:{name}" for name in dexes if name)
        return choose_scopes(request=request, available=available)

    async def read_scope(self, *, client: VenueClient, scope: str) -> ScopeReading:
        """Read the positions at one exchange. Raises VenueError."""
        check_scope(adapter=self, request=client.request, scope=scope)
        dex = scope.removeprefix("dex:")
        params = {"type": "clearinghouseState", "user": self.check_wallet(client.request.wallet)}
        answer = await client.call("publicPostInfo", params | _dex_param(dex))
        rows = [_unwrap(each) for each in take_rows(answer, "assetPositions")]
        at = take_instant(answer, "time")
        return read_rows(
            scope=scope,
            rows=rows,
            read_row=lambda row: read_position(row, client=client, at=at),
            symbol_field="coin",
        )

    async def read_prices(self, *, client: VenueClient, symbols: Sequence[str]) -> PriceReading:
        """Read mark price, oracle price and hourly funding of the exchanges that `symbols` need.

        Raises VenueError.
        """
        quotes: list[QuoteReading] = []
        for dex in sorted({_dex_of(symbol) for symbol in symbols}):
            params = {"type": "metaAndAssetCtxs"} | _dex_param(dex)
            rows = pair_contexts(await client.call("publicPostInfo", params))
            quotes += read_each(rows, lambda row: read_quote(row, client=client, symbols=symbols))
        return PriceReading(quotes=tuple(quotes))

    def check_wallet(self, wallet: str) -> str:
        """Return the address in lower case; raises BadAccount unless it is 0x and 40 digits."""
        address = wallet.strip().lower()
        if PRIVATE_KEY.fullmatch(address):
            raise BadAccount(
                "This is a private key (64 digits), not a wallet address. Reading needs the"
                " address alone: 0x and 40 digits. Nothing was kept; treat the key as exposed."
            )
        if not ADDRESS.fullmatch(address):
            raise BadAccount("A Hyperliquid wallet address is 0x followed by 40 digits 0-9, a-f.")
        return address


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


def _dex_param(dex: str) -> dict[str, str]:
    return {} if dex == MAIN else {"dex": dex}


def _dex_of(symbol: str) -> str:
    # "FLX-CRCL/USDH:USDH" is flx:CRCL; the main exchange lists no name with a dash.
    dex, dash, _ = split_symbol(symbol).base.partition("-")
    return dex.lower() if dash else MAIN


def _unwrap(each: Any) -> Any:
    return each.get("position") if isinstance(each, dict) else each
