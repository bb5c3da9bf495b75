"""dYdX v4, read from its indexer by wallet address alone; see docs/venues/dydx.md."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from positions.engine.types import ContractKind
from venues.base import (
    AccountRequest,
    Held,
    PositionEnd,
    PriceReading,
    ScopeReading,
    VenueAdapter,
    VenueClient,
)
from venues.errors import BadAccount, UnreadableAnswer, VenueError, VenueRefused
from venues.figures import Figure, Row, RowError
from venues.key_facts import KeyFacts
from venues.market_data import Listing, RateBudget, TierReading
from venues.options import AccountOption, scopes_option
from venues.parts.dydx_rows import (
    FINAL_SETTLEMENT,
    PARENTS,
    SETTLING,
    Pool,
    find_end,
    read_address,
    read_asset_price,
    read_end,
    read_pools,
    read_position,
    read_quote,
    read_standing,
    read_table,
)
from venues.rows import (
    ask_each_or_all,
    choose_scopes,
    list_symbols,
    read_each,
    read_rows,
    take_rows,
)

# Which subaccounts a wallet has, and what a market asks for, change rarely.
_SUBACCOUNTS_AGE_S = 900.0
_FRACTIONS_AGE_S = 3_600.0
# The newest of what has ended since a position was last seen.
_NEWEST = 100
# The indexer's word for a wallet, or a part of one, that never held anything.
_NEVER_SEEN = "No subaccount"
_FEW_MARKETS = 8
# Prices are asked for each two seconds: beyond so many markets the whole list is one request.
_FEW_PRICES = 3


class Dydx(VenueAdapter):
    """Perpetuals of one wallet: of each parent subaccount, and of its children with it."""

    slug = "dydx"
    label = "dYdX"
    ccxt_id = "dydx"
    credentials = ()
    needs_wallet = True
    margin_rules = {ContractKind.LINEAR: "dydx-v4"}
    reads = (
        "GET /v4/addresses/{address}",
        "GET /v4/addresses/{address}/parentSubaccountNumber/{number}",
        "GET /v4/perpetualMarkets",
        "GET /v4/perpetualPositions/parentSubaccountNumber",
        "GET /v4/fills/parentSubaccountNumber",
        "GET /v4/candles/perpetualMarkets/{market}",
        "GET /v4/orderbooks/perpetualMarket/{market}",
    )
    rate = RateBudget(
        requests=50,
        window_s=10.0,
        source="100 requests in 10 seconds and address, by the indexer's own settings",
    )
    permission = "None: the address of the wallet (dydx1…) is enough, and nothing else is taken."
    quirks = (
        "A position in a child subaccount (128 and above) has that subaccount's collateral to"
        " itself: it is isolated. Positions of a parent (0 to 127), and several in one child, share"
        " one balance: they are cross.",
        "The subaccount is part of a position's identity, because one market may be held in"
        " several.",
        "Collateral of an isolated position is the USDC of its subaccount, funding to this moment"
        " included, plus its signed cost: with unrealised profit that is the subaccount's equity.",
        "The venue tells no liquidation price, no price and no leverage of a position. The mark is"
        " the oracle's price, worked out from the unrealised profit.",
        "All parent subaccounts of a wallet are read; the option subaccounts=0,1 narrows them. A"
        " new one is noticed within a quarter of an hour.",
        "A wallet that never held anything is not known to the venue: that is an error, no empty"
        " book.",
        "The maintenance fraction is one for all sizes; open interest raises the initial one"
        " alone.",
        "When a position of somebody else goes bankrupt, one of yours may be closed against it at"
        " the bankruptcy price (OFFSETTING): deleveraged. DELEVERAGED is the venue's word for the"
        " bankrupt side: liquidated.",
    )
    account_options = (
        scopes_option(),
        AccountOption(
            "subaccounts", "parent subaccounts to read, such as 0,1; all by default", is_many=True
        ),
    )

    def scopes(self, request: AccountRequest) -> Sequence[str]:
        """Return "subaccount:0" or those that the options name; raises BadAccount."""
        wanted = _names(request, "subaccounts") or ["0"]
        wanted += [name.removeprefix("subaccount:") for name in _names(request, "scopes")]
        for name in wanted:
            if not name.isdecimal() or int(name) >= PARENTS:
                raise BadAccount(
                    f"There is no scope or parent subaccount {name[:40]!r} here; one of:"
                    f" subaccount:0 to subaccount:{PARENTS - 1}."
                )
        available = tuple(dict.fromkeys(f"subaccount:{int(name)}" for name in wanted))
        return choose_scopes(request=request, available=available)

    async def discover_scopes(self, *, client: VenueClient) -> Sequence[str]:
        """Return one scope a parent subaccount that the wallet has. Raises VenueError."""
        if _is_narrowed(client.request):
            return self.scopes(client.request)

        async def ask() -> list[int]:
            return await self._ask_numbers(client)

        numbers = await client.recall(
            "subaccounts", about=(), max_age_s=_SUBACCOUNTS_AGE_S, ask=ask
        )
        parents = sorted({number % PARENTS for number in numbers})
        return tuple(f"subaccount:{number}" for number in parents)

    async def read_scope(self, *, client: VenueClient, scope: str) -> ScopeReading:
        """Read a parent subaccount and its children. Raises VenueError."""
        chosen = self.scopes(client.request)
        if _is_narrowed(client.request) and scope not in chosen:
            raise BadAccount(f"There is no scope {scope[:40]!r} here; one of: {', '.join(chosen)}.")
        pools = read_pools(await self._ask_children(client, scope=scope))
        rates = await self._recall_rates(client, pools)
        # A row names its subaccount, but not what else draws on it.
        pool_of = {id(row): pool for pool in pools for row in pool.rows}
        reading = read_rows(
            scope=scope,
            rows=[row for pool in pools for row in pool.rows],
            read_row=lambda row: read_position(
                row, pool=pool_of[id(row.fields)], client=client, rates=rates
            ),
            symbol_field="market",
        )
        standing = read_standing(pools=pools, positions=reading.positions)
        return dataclasses.replace(reading, standings=(standing,) if standing else ())

    async def _ask_children(self, client: VenueClient, *, scope: str) -> list[Any]:
        parent = scope.removeprefix("subaccount:")
        if not parent.isdecimal():
            raise BadAccount(f"There is no scope {scope[:40]!r} here.")
        try:
            answer = await client.call(
                "indexerGetAddressesAddressParentSubaccountNumberNumber",
                {"address": client.request.wallet.strip(), "number": parent},
            )
        except VenueRefused as error:
            if _NEVER_SEEN not in str(error):
                raise
            raise VenueRefused(
                f"dYdX knows no subaccount {parent} of this wallet: the address is another"
                " wallet's, or nothing was ever deposited there."
            ) from None
        return take_rows(answer, "subaccount", "childSubaccounts")

    async def _ask_numbers(self, client: VenueClient) -> list[int]:
        params = {"address": client.request.wallet.strip()}
        answer = await client.call("indexerGetAddressesAddress", params)
        rows = take_rows(answer, "subaccounts")
        numbers = read_each(rows, lambda row: row.text("subaccountNumber"))
        return [int(number) for number in numbers if number.isdecimal()]

    async def _recall_rates(
        self, client: VenueClient, pools: Sequence[Pool]
    ) -> Mapping[str, Figure]:
        """Return maintenance fractions of the markets held; why they are unknown, if they are."""
        rows = [Row(each) for pool in pools for each in pool.rows if isinstance(each, Mapping)]
        names = sorted({row.text_or("market") for row in rows} - {""})
        if not names:
            return {}

        async def ask() -> dict[str, Figure]:
            markets = await self._ask_markets(client, names)
            told = read_each(
                markets, lambda row: (row.text("ticker"), row.positive("maintenanceMarginFraction"))
            )
            return dict(told)

        try:
            return await client.recall(
                "fractions", about=names, max_age_s=_FRACTIONS_AGE_S, ask=ask
            )
        except VenueError as error:
            return dict.fromkeys(names, Figure.unknown(f"dYdX’s markets were not read: {error}"))

    async def _ask_markets(
        self, client: VenueClient, names: Sequence[str], *, few: int = _FEW_MARKETS
    ) -> list[Any]:
        """Return the rows of markets by the venue's own ids, one by one up to a few of them.

        Raises VenueError.
        """

        async def ask(name: str | None) -> list[Any]:
            params = {"ticker": name} if name else {}
            answer = await client.call("indexerGetPerpetualMarkets", params)
            markets = answer.get("markets") if isinstance(answer, Mapping) else None
            if not isinstance(markets, Mapping):
                raise UnreadableAnswer("dYdX sent no list of markets.")
            return list(markets.values())

        return await ask_each_or_all(names=names, ask=ask, few=few)

    async def read_ends(
        self, *, client: VenueClient, scope: str, missing: Sequence[Held]
    ) -> Sequence[PositionEnd]:
        """Return the ends that closed positions and fills tell of. Raises VenueError."""
        whose = {
            "address": client.request.wallet.strip(),
            "parentSubaccountNumber": scope.removeprefix("subaccount:"),
            "limit": str(_NEWEST),
        }
        answer = await client.call(
            "indexerGetPerpetualPositionsParentSubaccountNumber",
            whose | {"status": "CLOSED,LIQUIDATED"},
        )
        ended = take_rows(answer, "positions")
        found = []
        for held in missing:
            market = client.market(held.symbol).venue_symbol
            if any(isinstance(row, Mapping) and row.get("market") == market for row in ended):
                found.append(
                    await self._read_end(client, held, market=market, ended=ended, whose=whose)
                )
        return [end for end in found if end]

    async def _read_end(
        self,
        client: VenueClient,
        held: Held,
        *,
        market: str,
        ended: Sequence[Any],
        whose: Mapping[str, str],
    ) -> PositionEnd | None:
        answer = await client.call(
            "indexerGetFillsParentSubaccountNumber",
            {**whose, "market": market, "marketType": "PERPETUAL"},
        )
        try:
            told = find_end(held, market=market, ended=ended, fills=take_rows(answer, "fills"))
            if told is None:
                return None
            closed, fill = told
            is_settled = fill.text("type") in SETTLING and await self._is_settled(client, market)
            return read_end(held, closed=closed, fill=fill, is_settled=is_settled)
        except RowError:
            return None

    async def _is_settled(self, client: VenueClient, market: str) -> bool:
        rows = [Row(each) for each in await self._ask_markets(client, [market])]
        return (market, FINAL_SETTLEMENT) in {
            (row.text_or("ticker"), row.text_or("status")) for row in rows
        }

    async def read_key(self, *, client: VenueClient) -> KeyFacts:
        """Return whether the venue knows the wallet. Raises VenueError."""
        try:
            numbers = await self._ask_numbers(client)
        except VenueRefused as error:
            if _NEVER_SEEN not in str(error):
                raise
            numbers = []
        listed = ", ".join(str(number) for number in sorted(numbers))
        return KeyFacts(
            can_withdraw=False,
            can_transfer=False,
            can_trade=False,
            told=(("subaccounts", listed),) if numbers else (),
            wallet_role="main" if numbers else "missing",
        )

    async def read_prices(self, *, client: VenueClient, symbols: Sequence[str]) -> PriceReading:
        """Read the oracle's prices, which trigger, and funding. Raises VenueError."""
        names = list(list_symbols(client=client, symbols=symbols))
        rows = await self._ask_markets(client, names, few=_FEW_PRICES)
        return PriceReading(
            quotes=tuple(
                read_each(rows, lambda row: read_quote(row, client=client, symbols=symbols))
            ),
            asset_prices=tuple(
                read_each(rows, lambda row: read_asset_price(row, client=client, symbols=symbols))
            ),
        )

    async def read_tiers(
        self, *, client: VenueClient, symbols: Sequence[str]
    ) -> Sequence[TierReading]:
        """Return the maintenance fractions, one tier a market. Raises VenueError."""
        rows = await self._ask_markets(client, list(list_symbols(client=client, symbols=symbols)))
        return read_each(rows, lambda row: read_table(row, client=client, symbols=symbols))

    def read_listing(self, row: Row) -> Listing:
        """Return whether a market takes new positions; funding is paid by the hour."""
        return Listing(funding_interval_h=1.0, is_active=row.text_or("status") == "ACTIVE")

    def check_wallet(self, wallet: str) -> str:
        """Return the address in lower case; raises BadAccount."""
        return read_address(wallet)


def _is_narrowed(request: AccountRequest) -> bool:
    return bool(request.options.get("scopes") or request.options.get("subaccounts"))


def _names(request: AccountRequest, option: str) -> list[str]:
    given = request.options.get(option) or ()
    names = given.split(",") if isinstance(given, str) else given
    return [str(name).strip() for name in names]
