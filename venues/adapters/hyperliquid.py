"""Hyperliquid perpetuals, read by wallet address alone; see docs/venues/hyperliquid.md."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from positions.engine.types import ContractKind, MarginMode
from riskhub import clock
from venues.base import (
    AccountRequest,
    Held,
    PositionEnd,
    PriceReading,
    QuoteReading,
    ScopeReading,
    Standing,
    VenueAdapter,
    VenueClient,
)
from venues.errors import BadAccount, UnreadableAnswer, VenueError
from venues.figures import Figure, Row, RowError
from venues.key_facts import KeyFacts
from venues.market_data import Listing, RateBudget, TierReading
from venues.options import AccountOption, scopes_option
from venues.parts.hyperliquid_rows import (
    Margins,
    list_tables,
    make_standing,
    pair_contexts,
    read_balance,
    read_end,
    read_facts,
    read_margins,
    read_own_standing,
    read_portfolio_standing,
    read_position,
    read_quote,
    read_sub_account,
    read_table,
    unwrap,
)
from venues.rows import (
    choose_scopes,
    read_each,
    read_rows,
    split_symbol,
    take_instant,
    take_rows,
)

# The perpetuals that Hyperliquid itself lists; others name the builder's exchange ("dex:flx").
MAIN = "main"
SCOPE = re.compile(r"dex:[A-Za-z0-9]{1,24}")
ADDRESS = re.compile(r"0x[0-9a-f]{40}")
PRIVATE_KEY = re.compile(r"(0x)?[0-9a-f]{64}")

NOT_BACKED = "Hyperliquid did not say what backs the cross positions"

# How an account keeps its balances changes by its owner's hand, if ever.
_MODE_AGE_S = 300.0
# All exchanges of one poll share one answer on the balances behind them.
_SPOT_AGE_S = 2.0
# What other exchanges draw on the same balance, as the last poll saw it.
_MARGINS_AGE_S = 90.0
_NOW = -1.0

# Fills: at most so many an answer, the newest 10,000 of a wallet.
_FILLS = 2_000
_FILL_PAGES = 5
_SKEW = timedelta(minutes=1)


class Hyperliquid(VenueAdapter):
    """Perpetuals of one wallet: of the main exchange and of every builder's exchange (HIP-3)."""

    slug = "hyperliquid"
    label = "Hyperliquid"
    ccxt_id = "hyperliquid"
    credentials = ()
    needs_wallet = True
    margin_rules = {ContractKind.LINEAR: "hyperliquid-perp"}
    # One path serves every read; what signs and writes has another (/exchange).
    reads = ("POST /info",)
    rate = RateBudget(
        requests=800,
        window_s=60.0,
        source="1,200 of weight a minute and address: 2 for what a wallet has at one exchange, 20"
        " for prices and lists of one exchange, 60 for the role of a wallet",
        # Candles weigh 1 more for each 60 hours, fills 1 more for each 20 of at most 2,000.
        weights={
            "POST /info": 20,
            "clearinghouseState": 2,
            "spotClearinghouseState": 2,
            "l2Book": 2,
            "allMids": 2,
            "exchangeStatus": 2,
            "userRole": 60,
            "candleSnapshot": 23,
            "userFillsByTime": 120,
        },
    )
    permission = "None: the address of the wallet is enough, and nothing else is taken."
    quirks = (
        "Every builder's exchange that lists contracts is read (dex:flx beside dex:main), one"
        " request each; the option dex=flx,xyz narrows them, for a desk of many wallets.",
        "A builder's exchange settles in a coin of its own (USDC, USDH, USDE, …), and its contracts"
        " carry its name: flx:TSLA.",
        "A sub-account and a vault have an address of their own: add each as an account of its"
        " own. The daily check of a wallet lists its sub-accounts.",
        "An API wallet signs for another wallet and holds nothing: its address shows an empty"
        " book.",
        "marginUsed includes unrealised profit; the margin is taken from rawUsd, which carries no"
        " rounding of the mark.",
        "A cross position may show an absurd liquidation price, or none: what ends it is the"
        " account. Each exchange is an account of its own, except where the wallet is in unified"
        " mode (all exchanges of one coin share the spot balance: maintenance of all over the"
        " balance less isolated margins) or in portfolio margin (the venue's own ratio over 0.95,"
        " from which it liquidates).",
        "The row of a position tells the rate of the first margin tier alone; the whole table, by"
        " slices of notional, is read once an hour.",
    )
    account_options = (
        scopes_option(),
        AccountOption(
            "dex",
            "builders' exchanges to read beside the main one, such as flx,xyz; all by default",
            is_many=True,
        ),
    )
    # ccxt lists the contracts of the first ten builders' exchanges, unless told otherwise.
    ccxt_options = {"fetchMarkets": {"types": ["swap", "hip3"], "hip3": {"limit": 1_000}}}

    def scopes(self, request: AccountRequest) -> Sequence[str]:
        """Return "dex:main" and the exchanges that the options "dex" or "scopes" name."""
        asked = [name for name in _names(request, "scopes") if SCOPE.fullmatch(name)]
        named = [f"dex:{name}" for name in _names(request, "dex") if SCOPE.fullmatch(f"dex:{name}")]
        available = tuple(dict.fromkeys([f"dex:{MAIN}", *named, *asked]))
        return choose_scopes(request=request, available=available)

    async def discover_scopes(self, *, client: VenueClient) -> Sequence[str]:
        """Return one scope an exchange that lists contracts, unless options narrow them."""
        if _is_narrowed(client.request):
            return self.scopes(client.request)
        listed = _exchanges(tuple(client.symbols()))
        return tuple(f"dex:{name}" for name in dict.fromkeys([MAIN, *sorted(listed)]))

    async def read_scope(self, *, client: VenueClient, scope: str) -> ScopeReading:
        """Read the positions at one exchange, and what backs cross ones. Raises VenueError."""
        chosen = self.scopes(client.request)
        if not SCOPE.fullmatch(scope) or (_is_narrowed(client.request) and scope not in chosen):
            raise BadAccount(f"There is no scope {scope[:40]!r} here; one of: {', '.join(chosen)}.")
        dex = scope.removeprefix("dex:")
        state = await self.ask_state(client, dex)
        rows = [unwrap(each) for each in take_rows(state, "assetPositions")]
        at = take_instant(state, "time")
        await self.keep_margins(client, dex, state=state)
        reading = read_rows(
            scope=scope,
            rows=rows,
            read_row=lambda row: read_position(row, client=client, at=at),
            symbol_field="coin",
        )
        if not any(position.margin_mode is MarginMode.CROSS for position in reading.positions):
            return reading
        standing = await self.read_standing(client=client, dex=dex, state=state)
        return dataclasses.replace(reading, standings=(standing,))

    async def ask_state(self, client: VenueClient, dex: str) -> Any:
        """Return what the wallet has at one exchange. Raises VenueError."""
        return await client.call(
            "publicPostInfo", self.of_wallet(client, "clearinghouseState") | _dex_param(dex)
        )

    def of_wallet(self, client: VenueClient, kind: str) -> dict[str, Any]:
        """Return the parameters of a question about the wallet; raises BadAccount."""
        return {"type": kind, "user": self.check_wallet(client.request.wallet)}

    async def keep_margins(self, client: VenueClient, dex: str, *, state: Any = None) -> Margins:
        """Return what the wallet's positions at one exchange draw on their coin's balance.

        state   what the exchange just said, kept for the others; None: what is kept will do
        Raises VenueError.
        """

        async def ask() -> Margins:
            return read_margins(state or await self.ask_state(client, dex))

        age_s = _MARGINS_AGE_S if state is None else _NOW
        return await client.recall(f"margins {dex}", about=(), max_age_s=age_s, ask=ask)

    async def read_standing(self, *, client: VenueClient, dex: str, state: Any) -> Standing:
        """Return what backs the cross positions at one exchange; unknown where nobody says it."""
        settle = _exchanges(tuple(client.symbols())).get(dex, "")
        try:
            spot = await self._ask_spot(client)
            if "tokenToAvailableAfterMaintenance" not in spot.fields:
                return read_own_standing(state, settle=settle)
            if spot.flag("portfolioMarginEnabled"):
                return read_portfolio_standing(spot)
            return await self._read_unified(client, spot=spot, settle=settle)
        except (VenueError, RowError) as error:
            reason = f"{NOT_BACKED}: {error}"
            return Standing(MarginMode.CROSS, Figure.unknown(reason), settle=settle)

    async def _ask_spot(self, client: VenueClient) -> Row:
        """Return the spot balances where they back perpetuals, else any object without them.

        Only accounts that pool their balances are told what is left after maintenance.
        """

        async def ask() -> Any:
            answer = await client.call(
                "publicPostInfo", self.of_wallet(client, "spotClearinghouseState")
            )
            take_rows(answer, "balances")
            return answer

        async def fresh() -> Any:
            return await client.recall("spot", about=(), max_age_s=_SPOT_AGE_S, ask=ask)

        async def is_pooled() -> bool:
            return "tokenToAvailableAfterMaintenance" in await fresh()

        if not await client.recall("pooled", about=(), max_age_s=_MODE_AGE_S, ask=is_pooled):
            return Row({})
        return Row(await fresh())

    async def _read_unified(self, client: VenueClient, *, spot: Row, settle: str) -> Standing:
        """Return the pool of a coin: its spot balance, and what all its exchanges draw on it."""
        required = isolated = Figure.derived(0)
        for dex, coin in _exchanges(tuple(client.symbols())).items():
            if coin == settle:
                drawn = await self.keep_margins(client, dex)
                required = required.plus(drawn.required)
                isolated = isolated.plus(drawn.isolated)
        equity = read_balance(spot, coin=settle).minus(isolated)
        pool = make_standing(required=required, equity=equity, settle=settle)
        # Exchanges that settle in the same coin draw on it together.
        return dataclasses.replace(pool, is_shared=True)

    async def read_ends(
        self, *, client: VenueClient, scope: str, missing: Sequence[Held]
    ) -> Sequence[PositionEnd]:
        """Return the ends that the wallet's fills tell of. Raises VenueError."""
        since = min(held.seen_at for held in missing) - _SKEW
        wallet = self.check_wallet(client.request.wallet)
        fills = await self._ask_fills(client, since=since)
        ends = {held.symbol: held for held in missing}
        told: dict[str, list[Row]] = {}
        for row in read_each(fills, lambda row: row):
            symbol = client.market(row.text_or("coin"), kind=ContractKind.LINEAR).symbol
            if symbol in ends:
                told.setdefault(symbol, []).append(row)
        found = [
            read_end(rows, symbol=symbol, wallet=wallet, since=ends[symbol].seen_at - _SKEW)
            for symbol, rows in told.items()
        ]
        return [end for end in found if end]

    async def _ask_fills(self, client: VenueClient, *, since: datetime) -> list[Any]:
        fills: list[Any] = []
        start = clock.to_milliseconds(since)
        for _ in range(_FILL_PAGES):
            params = self.of_wallet(client, "userFillsByTime") | {"startTime": start}
            page = take_rows(await client.call("publicPostInfo", params))
            fills += page
            newest = max(read_each(page, lambda row: row.milliseconds("time")), default=0)
            if len(page) < _FILLS or newest <= start:
                break
            start = newest
        return fills

    async def read_key(self, *, client: VenueClient) -> KeyFacts:
        """Return what the wallet is; an address by itself can do nothing. Raises VenueError."""
        try:
            row = Row(await client.call("publicPostInfo", self.of_wallet(client, "userRole")))
            listed = await self._list_sub_accounts(client) if row.text("role") == "user" else []
            return read_facts(row, sub_accounts=listed)
        except RowError as error:
            raise UnreadableAnswer(f"Hyperliquid names no role of the wallet: {error}.") from None

    async def _list_sub_accounts(self, client: VenueClient) -> list[tuple[str, str]]:
        try:
            answer = await client.call("publicPostInfo", self.of_wallet(client, "subAccounts"))
        except VenueError:
            # A bare null where there are none, which no strict reader takes for an answer.
            return []
        return read_each(answer if isinstance(answer, list) else [], read_sub_account)

    async def read_prices(self, *, client: VenueClient, symbols: Sequence[str]) -> PriceReading:
        """Read mark price, oracle price and hourly funding of the exchanges that `symbols` need.

        Raises VenueError where no exchange answered.
        """

        async def ask(dex: str) -> list[QuoteReading]:
            params = {"type": "metaAndAssetCtxs"} | _dex_param(dex)
            rows = pair_contexts(await client.call("publicPostInfo", params))
            return read_each(rows, lambda row: read_quote(row, client=client, symbols=symbols))

        return PriceReading(quotes=tuple(await _ask_exchanges(symbols, ask)))

    async def read_tiers(
        self, *, client: VenueClient, symbols: Sequence[str]
    ) -> Sequence[TierReading]:
        """Return the margin tables, by slices: half of the initial rate at the highest leverage.

        Raises VenueError where no exchange answered.
        """

        async def ask(dex: str) -> list[TierReading]:
            meta = await client.call("publicPostInfo", {"type": "meta"} | _dex_param(dex))
            rows = take_rows(meta, "universe")
            tables = list_tables(meta)
            return read_each(
                rows, lambda row: read_table(row, tables=tables, client=client, symbols=symbols)
            )

        return await _ask_exchanges(symbols, ask)

    def read_listing(self, row: Row) -> Listing:
        """Return whether a contract is delisted; funding is paid by the hour."""
        return Listing(funding_interval_h=1.0, is_active=row.flag("isDelisted") is not True)

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


async def _ask_exchanges(
    symbols: Sequence[str], ask: Callable[[str], Awaitable[list[Any]]]
) -> list[Any]:
    """Return what the exchanges of `symbols` told; raises the first error where all failed."""
    found: list[Any] = []
    errors: list[VenueError] = []
    dexes = sorted(_exchanges(tuple(symbols)))
    for dex in dexes:
        try:
            found += await ask(dex)
        except VenueError as error:
            errors.append(error)
    if errors and len(errors) == len(dexes):
        raise errors[0]
    return found


@lru_cache(64)
def _exchanges(symbols: tuple[str, ...]) -> dict[str, str]:
    """Return the exchanges that list these contracts, each with the coin in which it settles."""
    return {_dex_of(symbol): split_symbol(symbol).settle for symbol in symbols}


def _dex_of(symbol: str) -> str:
    # "FLX-CRCL/USDH:USDH" is flx:CRCL; the main exchange lists no name with a dash.
    dex, dash, _ = split_symbol(symbol).base.partition("-")
    return dex.lower() if dash else MAIN


def _dex_param(dex: str) -> dict[str, str]:
    return {} if dex == MAIN else {"dex": dex}


def _is_narrowed(request: AccountRequest) -> bool:
    return bool(request.options.get("scopes") or request.options.get("dex"))


def _names(request: AccountRequest, option: str) -> list[str]:
    given = request.options.get(option) or ()
    names = given.split(",") if isinstance(given, str) else given
    return [str(name).strip() for name in names]
