"""Every other venue that ccxt reads positions of; see docs/venues/generic.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from positions.engine.rulebook import find_rule
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
from venues.errors import UnreadableAnswer, VenueError
from venues.figures import Row
from venues.options import AccountOption, scopes_option
from venues.rows import check_scope, choose_scopes, read_rows, split_symbol
from venues.unified import Facts, read_position, read_quotes

# Any path of up to nine segments: a GET changes nothing at these venues.
ANY_GET = tuple("GET " + "/{segment}" * length for length in range(1, 10))

# Options of an account that are not parameters of the venue.
OWN_OPTIONS = ("scopes", "symbols")

WITH_PASSWORD = ("apiKey", "secret", "password")
MARKS = "fetch_mark_prices"
GATE_RULES = ("gate-linear", "gate-inverse")
GATE_SCOPES = {"linear:USDT": {"settle": "usdt"}, "inverse:BTC": {"settle": "btc"}}
GATE_PARAMS = {"settle": ("usdt", "btc"), "type": ("swap", "future")}
LINEAR_INVERSE = {"linear": {"subType": "linear"}, "inverse": {"subType": "inverse"}}
SUB_TYPE = {"subType": ("linear", "inverse")}
UNIFIED = {"uta": ("true", "false")}
MARGIN_MODE = {"marginMode": ("isolated", "cross")}
ORDERLY = ("apiKey", "secret", "accountId")


def _gate(label: str) -> Facts:
    return Facts(
        label,
        scopes=GATE_SCOPES,
        params=GATE_PARAMS,
        rules=GATE_RULES,
        rate_field="maintenance_rate",
    )


VENUES: Mapping[str, Facts] = {
    "apex": Facts("ApeX", WITH_PASSWORD),
    "aster": Facts("Aster", ("privateKey",), rules=("aster-usdm",)),
    "backpack": Facts("Backpack"),
    "bequant": Facts("Bequant", params=MARGIN_MODE),
    "bingx": Facts(
        "BingX",
        prices=MARKS,
        scopes=LINEAR_INVERSE,
        params={**SUB_TYPE, "standard": ("true", "false")},
    ),
    "bitfinex": Facts("Bitfinex", posts=("/v2/auth/r/positions",)),
    "bitflyer": Facts("bitFlyer", prices=""),
    "bitget": Facts(
        "Bitget",
        WITH_PASSWORD,
        scopes={
            "linear:USDT": {"productType": "USDT-FUTURES"},
            "linear:USDC": {"productType": "USDC-FUTURES"},
        },
        params={"productType": ("USDT-FUTURES", "USDC-FUTURES", "COIN-FUTURES"), **UNIFIED},
        rules=("bitget-linear",),
        size_field="total",
    ),
    "blofin": Facts("BloFin", WITH_PASSWORD, rules=("blofin-linear",)),
    "btse": Facts("BTSE"),
    "bullish": Facts("Bullish", prices=""),
    "bydfi": Facts("BYDFi", params={"contractType": (), "settleCoin": ()}),
    "coinbase": Facts("Coinbase Advanced"),
    "coinbaseinternational": Facts("Coinbase International"),
    "cryptocom": Facts("Crypto.com", posts=("/exchange/v1/private/get-positions",)),
    "deepcoin": Facts("DeepCoin", WITH_PASSWORD),
    "delta": Facts("Delta Exchange", rules=("delta-linear",)),
    "deribit": Facts(
        "Deribit",
        params={"currency": (), "kind": ("future", "future_combo"), "subaccount_id": ()},
        is_size_in_quote=True,
    ),
    "derive": Facts(
        "Derive",
        ("privateKey", "walletAddress"),
        prices="",
        params={"subaccount_id": ()},
        posts=(
            "/v3/private/get_positions",
            "/v3/public/get_all_instruments",
            "/v3/public/get_time",
        ),
    ),
    "digifinex": Facts("DigiFinex", scopes={"swap": {"type": "swap"}}, rules=("digifinex-linear",)),
    "dydx": Facts(
        "dYdX",
        (),
        prices="",
        needs_wallet=True,
        params={"subAccountNumber": ()},
        rules=("dydx-v4",),
    ),
    "extended": Facts("Extended", ("apiKey",)),
    "fmfwio": Facts("FMFW.io", params=MARGIN_MODE),
    "gate": _gate("Gate"),
    "gateeu": _gate("Gate EU"),
    "grvt": Facts(
        "GRVT",
        ("privateKey",),
        prices="",
        posts=(
            "/auth/wallet/login",
            "/full/v1/positions",
            "/full/v1/all_instruments",
            "/full/v1/currency",
            "/full/v1/get_sub_accounts",
            "/full/v1/aggregated_account_summary",
        ),
    ),
    "hashkey": Facts("HashKey Global", mode_field=""),
    "hibachi": Facts("Hibachi", ("apiKey", "accountId", "privateKey"), prices=""),
    "hitbtc": Facts("HitBTC", params=MARGIN_MODE),
    "htx": Facts(
        "HTX",
        scopes=LINEAR_INVERSE,
        params={**SUB_TYPE, "type": ("swap", "future"), **MARGIN_MODE},
        posts=("/api/v1/contract_position_info", "/swap-api/v1/swap_position_info"),
        mode_field="margin_mode",
    ),
    "kraken": Facts("Kraken", posts=("/0/private/OpenPositions",)),
    "krakenfutures": Facts("Kraken Futures"),
    "kucoin": Facts("KuCoin", WITH_PASSWORD, prices=MARKS, params=UNIFIED),
    "kucoinfutures": Facts("KuCoin Futures", WITH_PASSWORD, prices=MARKS, params=UNIFIED),
    "lighter": Facts(
        "Lighter", (), needs_wallet=True, params={"by": ("index", "l1_address"), "value": ()}
    ),
    "mexc": Facts("MEXC Global"),
    "modetrade": Facts("Mode Trade", ORDERLY, rules=("orderly-perp",), mode_field="margin_mode"),
    "mudrex": Facts("Mudrex", ("secret",), params={"trade_currency": ()}),
    "nado": Facts("Nado", (), needs_wallet=True, params={"subaccount": ()}),
    "pacifica": Facts("Pacifica", (), needs_wallet=True),
    "paradex": Facts("Paradex", ("privateKey", "walletAddress"), posts=("/v1/auth/{account}",)),
    # The other settle coins are asked for one by one, by options "settle" and "currency".
    "phemex": Facts(
        "Phemex",
        scopes={"linear:USDT": {"settle": "USDT"}},
        params={"settle": (), "currency": (), "code": (), **SUB_TYPE},
    ),
    "poloniex": Facts("Poloniex"),
    "toobit": Facts("Toobit", rules=("toobit-linear",)),
    "weex": Facts("Weex", WITH_PASSWORD, prices=MARKS),
    "whitebit": Facts(
        "WhiteBit",
        posts=("/api/v4/collateral-account/positions/open",),
        size_field="amount",
        is_size_signed=True,
    ),
    "woo": Facts("WOO X"),
    "woofipro": Facts("WOOFI PRO", ORDERLY, rules=("orderly-perp",), mode_field="margin_mode"),
    "xt": Facts("XT", scopes=LINEAR_INVERSE, params=SUB_TYPE),
    "zebpay": Facts("Zebpay"),
}


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
        rows = await client.fetch("fetch_positions", self._symbols(client.request), params)
        if not isinstance(rows, list):
            raise UnreadableAnswer(f"{self.label} sent no list of positions.")
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
                tickers = await client.fetch(self.facts.prices, group)
            except VenueError as error:
                errors.append(error)
            else:
                quotes += read_quotes(tickers, symbols=group)
        if errors and len(errors) == len(groups):
            raise errors[0]
        return PriceReading(quotes=tuple(quotes))

    def _symbols(self, request: AccountRequest) -> list[str] | None:
        # Some venues (hashkey) answer for named contracts alone.
        named = request.options.get("symbols")
        names = named.split(",") if isinstance(named, str) else named
        return [str(name).strip() for name in names] if names else None

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
