"""Every other venue that ccxt reads positions of; see docs/venues/generic.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from positions.engine.rulebook import find_rule
from venues import ccxt_facts
from venues.base import (
    AccountRequest,
    MarketSpec,
    PositionReading,
    PriceReading,
    QuoteReading,
    ScopeReading,
    VenueAdapter,
    VenueClient,
)
from venues.errors import BadAccount, UnreadableAnswer, VenueError
from venues.figures import Row
from venues.market_data import RateBudget, TierReading
from venues.options import AccountOption, scopes_option
from venues.parts.facts_centralised import CENTRALISED
from venues.parts.facts_decentralised import DECENTRALISED
from venues.rows import check_scope, choose_scopes, read_rows, split_symbol
from venues.unified import ONE_BY_ONE, Facts, read_position, read_quotes

# Any path of up to nine segments: a GET changes nothing at these venues.
ANY_GET = tuple("GET " + "/{segment}" * length for length in range(1, 10))

# Options of an account that are not parameters of the venue.
OWN_OPTIONS = ("scopes", "symbols")

_WINDOW_S = 10.0
_SHORTEST_MS = 100.0
_SHARE = 0.8

# A venue with an adapter of its own is in neither table.
VENUES: Mapping[str, Facts] = {**CENTRALISED, **DECENTRALISED}


class Generic(VenueAdapter):
    """A venue read through ccxt's unified methods; subclasses are made from VENUES."""

    facts: Facts

    def scopes(self, request: AccountRequest) -> Sequence[str]:
        """Return the venue's scopes, or one named by the account's own parameters.

        An option such as productType=COIN-FUTURES goes to fetch_positions and replaces them.
        """
        own = self._own_params(request)
        known = {name for params in self.facts.scopes.values() for name in params}
        named = [f"{name}={value}" for name, value in own.items() if name in known]
        return choose_scopes(request=request, available=named or tuple(self.facts.scopes))

    async def read_scope(self, *, client: VenueClient, scope: str) -> ScopeReading:
        """Read one scope. Raises VenueError."""
        check_scope(adapter=self, request=client.request, scope=scope)
        params = {**self.facts.scopes.get(scope, {}), **self._own_params(client.request)}
        rows = [
            row
            for symbols in self._questions(client.request)
            for row in await self._ask(client, symbols, params)
        ]
        settle = scope.partition(":")[2] if scope in self.facts.scopes else ""

        def read_row(row: Row) -> PositionReading | None:
            reading = read_position(row, client=client, facts=self.facts)
            return None if reading is None or _is_foreign(reading.market, settle) else reading

        return read_rows(scope=scope, rows=rows, read_row=read_row)

    async def read_prices(self, *, client: VenueClient, symbols: Sequence[str]) -> PriceReading:
        """Read mark prices, settle coin by settle coin; none where the venue lists none.

        Raises VenueError when no list could be read.
        """
        quotes: list[QuoteReading] = []
        errors: list[VenueError] = []
        groups = _group(client, symbols) if self.facts.prices else []
        for group in groups:
            try:
                tickers = await self._tickers(client, group)
            except VenueError as error:
                errors.append(error)
            else:
                quotes += read_quotes(tickers, symbols=group)
        if errors and len(errors) == len(groups):
            raise errors[0]
        return PriceReading(quotes=tuple(quotes))

    async def read_tiers(
        self, *, client: VenueClient, symbols: Sequence[str]
    ) -> Sequence[TierReading]:
        """Return the maintenance tables whose fields and units are known. Raises VenueError."""
        listed = [symbol for symbol in symbols if client.market(symbol).is_known]
        if self.facts.tiers is None or not listed:
            return ()
        return await self.facts.tiers.read(client=client, symbols=listed)

    async def _ask(
        self, client: VenueClient, symbols: list[str] | None, params: Mapping[str, Any]
    ) -> list[Any]:
        rows = await client.fetch("fetch_positions", symbols, dict(params))
        if not isinstance(rows, list):
            raise UnreadableAnswer(f"{self.label} sent no list of positions.")
        return rows

    async def _tickers(self, client: VenueClient, group: list[str]) -> Any:
        if self.facts.prices != ONE_BY_ONE:
            return await client.fetch(self.facts.prices, group)
        return {symbol: await client.fetch(ONE_BY_ONE, symbol) for symbol in group}

    def _questions(self, request: AccountRequest) -> list[list[str] | None]:
        """Return the contracts of each request; None is all of them."""
        named = request.options.get("symbols")
        names = named.split(",") if isinstance(named, str) else named
        symbols = [str(name).strip() for name in names or ()]
        if not self.facts.is_asked_singly:
            return [symbols or None]
        if not symbols:
            raise BadAccount(
                f"{self.label} tells positions of named contracts alone; "
                "name them in the option symbols."
            )
        return [[symbol] for symbol in symbols]

    def _own_params(self, request: AccountRequest) -> dict[str, Any]:
        return {name: value for name, value in request.options.items() if name not in OWN_OPTIONS}


def _is_foreign(market: MarketSpec, settle: str) -> bool:
    return bool(settle and market.is_known and market.settle != settle)


def _group(client: VenueClient, symbols: Sequence[str]) -> list[list[str]]:
    """Return the listed symbols by settle coin: a list of tickers is of one product."""
    groups: dict[str, list[str]] = {}
    for symbol in symbols:
        if client.market(symbol).is_known:
            groups.setdefault(split_symbol(symbol).settle, []).append(symbol)
    return list(groups.values())


def _param(name: str, choices: Sequence[str], *, is_scope: bool) -> AccountOption:
    meaning = "replaces the scopes" if is_scope else "goes to the venue as it is"
    return AccountOption(name, meaning, tuple(choices))


def _permission(facts: Facts) -> str:
    if not facts.credentials:
        return "None: the wallet address is enough."
    return "A read-only API key." if "apiKey" in facts.credentials else "The key that signs."


def _rate(ccxt_id: str) -> RateBudget:
    """Return a budget a fifth below ccxt's spacing, and never more than 8 requests a second.

    ccxt's spacing is for the lightest request, so a venue that allows more is not trusted with it.
    """
    spacing_ms = max(ccxt_facts.REQUEST_MS.get(ccxt_id, _SHORTEST_MS), _SHORTEST_MS)
    requests = max(1, int(_WINDOW_S * 1000 / spacing_ms * _SHARE))
    source = f"ccxt leaves {spacing_ms:g} ms between requests at least; a fifth is left to others"
    return RateBudget(requests=requests, window_s=_WINDOW_S, source=source)


def _define(ccxt_id: str, facts: Facts) -> type[Generic]:
    rules = {find_rule(key=rule).kind: rule for rule in facts.rules}
    replaced = {name for params in facts.scopes.values() for name in params}
    own = dict.fromkeys(sorted(replaced), ()) | dict(facts.params)
    return type(
        f"Generic_{ccxt_id}",
        (Generic,),
        {
            "__doc__": f"{facts.label}, read through ccxt.",
            "__module__": __name__,
            "slug": ccxt_id,
            "label": facts.label,
            "ccxt_id": ccxt_id,
            "facts": facts,
            "quirks": facts.quirks,
            "rate": _rate(ccxt_id),
            "permission": _permission(facts),
            "credentials": facts.credentials,
            "needs_wallet": facts.needs_wallet,
            "margin_rules": MappingProxyType(rules),
            "account_options": (
                scopes_option(facts.scopes),
                AccountOption("symbols", "contracts to ask for by name", is_many=True),
                *(
                    _param(name, choices, is_scope=name in replaced)
                    for name, choices in own.items()
                ),
            ),
            "reads": (*ANY_GET, *(f"POST {path}" for path in facts.posts)),
        },
    )


ADAPTERS = tuple(_define(ccxt_id, facts) for ccxt_id, facts in VENUES.items())
