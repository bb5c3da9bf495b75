"""Every other venue that ccxt reads positions of; see docs/venues/generic.md.

ccxt fills gaps by formulas of its own, and a filled gap looks like the venue's word. So a number
counts as reported only where the venue's own row (`info`) holds the same number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from positions.engine.types import ContractKind, MarginMode, Side
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
from venues.figures import NOT_GIVEN, Figure, Row, RowError
from venues.rows import (
    CROSS,
    MODE_UNKNOWN,
    check_scope,
    choose_scopes,
    read_each,
    read_instant,
    read_rows,
    require,
    split_symbol,
    value_at,
)

BY_CCXT = "ccxt worked it out; the venue did not say it"
NO_MARK = "the venue's list of tickers holds no mark price"

# Any path of up to nine segments: a GET changes nothing at these venues.
ANY_GET = tuple("GET " + "/{segment}" * length for length in range(1, 10))

# Options of an account that are not parameters of the venue.
OWN_OPTIONS = ("scopes", "symbols")

# Printed where no price liquidates: Gate, KuCoin, Bybit's heirs. Above, no price of any contract.
NO_PRICES = (999_999, 1_000_000, 99_999_999)
HIGHEST_PRICE = Decimal("1e15")

# The field of a row that may confirm a figure. Without it a leverage of 5 would confirm a margin
# of 5. Rows that are bare lists have no names: there the number alone decides.
LIQUIDATION = re.compile(r"liq|flp|breakprice|forcemark", re.IGNORECASE)
MAINTENANCE = re.compile(r"maint|minmargin|(?:^|_)mm|mmr$|^mmf$|keep", re.IGNORECASE)
MARGIN = re.compile(r"margin|mgn|collateral|balance|^o?im$", re.IGNORECASE)
LEVERAGE = re.compile(r"lever", re.IGNORECASE)
RATIO = re.compile(r"ratio|risk", re.IGNORECASE)
MARK = re.compile(r"mark|fair", re.IGNORECASE)
INDEX = re.compile(r"index|oracle|spot", re.IGNORECASE)
FUNDING = re.compile(r"funding.?rate", re.IGNORECASE)
ANY = re.compile("")

# Bad numbers that ccxt passes over in silence: "1,5", NaN, Infinity.
BAD_NUMBER = re.compile(r"[-+]?(?:nan|inf|infinity|\d+,\d+(?:\.\d+)?)", re.IGNORECASE)
SWITCHES = ("automargin", "isautoaddmargin", "autoaddmargin", "autodeposit")
POSITIONS_OF_SWITCH = {
    "true": True, "on": True, "1": True, "false": False, "off": False, "0": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one venue.

    prices        ccxt method with mark prices; "" where there is none
    scopes        name -> parameters of fetch_positions; a name that ends in ":USDT" reads only
                  contracts that settle in USDT
    posts         paths that read although they are POST requests
    mode_field    field of the row to believe where ccxt writes a fixed margin mode; None: ccxt
                  reads it, "": the row has none
    rate_field    field of the row with the maintenance rate, where ccxt sends another
    is_size_in_quote   the size of an inverse contract counts US dollars, not contracts
    """

    label: str
    credentials: tuple[str, ...] = ("apiKey", "secret")
    prices: str = "fetch_tickers"
    needs_wallet: bool = False
    scopes: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"all": {}})
    posts: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    mode_field: str | None = None
    rate_field: str = ""
    is_size_in_quote: bool = False


WITH_PASSWORD = ("apiKey", "secret", "password")
MARKS = "fetch_mark_prices"
GATE_RULES = ("linear-mark-fee", "inverse-mark-fee")
GATE_SCOPES = {"linear:USDT": {"settle": "usdt"}, "inverse:BTC": {"settle": "btc"}}
LINEAR_INVERSE = {"linear": {"subType": "linear"}, "inverse": {"subType": "inverse"}}
ORDERLY = ("apiKey", "secret", "accountId")

VENUES: Mapping[str, Facts] = {
    "apex": Facts("ApeX", WITH_PASSWORD),
    "aster": Facts("Aster", ("privateKey",), rules=("linear-mark",)),
    "backpack": Facts("Backpack"),
    "bequant": Facts("Bequant"),
    "bingx": Facts("BingX", prices=MARKS, scopes=LINEAR_INVERSE),
    "bitfinex": Facts("Bitfinex", posts=("/v2/auth/r/positions",)),
    "bitflyer": Facts("bitFlyer", prices=""),
    "bitget": Facts(
        "Bitget",
        WITH_PASSWORD,
        scopes={
            "linear:USDT": {"productType": "USDT-FUTURES"},
            "linear:USDC": {"productType": "USDC-FUTURES"},
        },
        rules=("linear-mark-fee",),
    ),
    "blofin": Facts("BloFin", WITH_PASSWORD, rules=("linear-mark-fee",)),
    "btse": Facts("BTSE"),
    "bullish": Facts("Bullish", prices=""),
    "bydfi": Facts("BYDFi"),
    "coinbase": Facts("Coinbase Advanced"),
    "coinbaseinternational": Facts("Coinbase International"),
    "cryptocom": Facts("Crypto.com", posts=("/exchange/v1/private/get-positions",)),
    "deepcoin": Facts("DeepCoin", WITH_PASSWORD),
    "delta": Facts("Delta Exchange", rules=("linear-entry",)),
    "deribit": Facts("Deribit", is_size_in_quote=True),
    "derive": Facts(
        "Derive",
        ("privateKey", "walletAddress"),
        prices="",
        posts=(
            "/v3/private/get_positions",
            "/v3/public/get_all_instruments",
            "/v3/public/get_time",
        ),
    ),
    "digifinex": Facts("DigiFinex", scopes={"swap": {"type": "swap"}}, rules=("linear-mark-fee",)),
    "dydx": Facts("dYdX", (), prices="", needs_wallet=True, rules=("linear-mark-strict",)),
    "extended": Facts("Extended", ("apiKey",)),
    "fmfwio": Facts("FMFW.io"),
    "gate": Facts("Gate", scopes=GATE_SCOPES, rules=GATE_RULES, rate_field="maintenance_rate"),
    "gateeu": Facts("Gate EU", scopes=GATE_SCOPES, rules=GATE_RULES, rate_field="maintenance_rate"),
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
    "hitbtc": Facts("HitBTC"),
    "htx": Facts(
        "HTX",
        scopes=LINEAR_INVERSE,
        posts=("/api/v1/contract_position_info", "/swap-api/v1/swap_position_info"),
        mode_field="margin_mode",
    ),
    "kraken": Facts("Kraken", posts=("/0/private/OpenPositions",)),
    "krakenfutures": Facts("Kraken Futures"),
    "kucoin": Facts("KuCoin", WITH_PASSWORD, prices=MARKS),
    "kucoinfutures": Facts("KuCoin Futures", WITH_PASSWORD, prices=MARKS),
    "lighter": Facts("Lighter", (), needs_wallet=True),
    "mexc": Facts("MEXC Global"),
    "modetrade": Facts("Mode Trade", ORDERLY, rules=("linear-mark",), mode_field="margin_mode"),
    "mudrex": Facts("Mudrex", ("secret",)),
    "nado": Facts("Nado", (), needs_wallet=True),
    "pacifica": Facts("Pacifica", (), needs_wallet=True),
    "paradex": Facts("Paradex", ("privateKey", "walletAddress"), posts=("/v1/auth/{account}",)),
    # The other settle coins are asked for one by one, by options "settle" and "currency".
    "phemex": Facts("Phemex", scopes={"linear:USDT": {"settle": "USDT"}}),
    "poloniex": Facts("Poloniex"),
    "toobit": Facts("Toobit", rules=("linear-entry",)),
    "weex": Facts("Weex", WITH_PASSWORD, prices=MARKS),
    "whitebit": Facts("WhiteBit", posts=("/api/v4/collateral-account/positions/open",)),
    "woo": Facts("WOO X"),
    "woofipro": Facts("WOOFI PRO", ORDERLY, rules=("linear-mark",), mode_field="margin_mode"),
    "xt": Facts("XT", scopes=LINEAR_INVERSE),
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


class Told:
    """A unified row of ccxt beside the venue's own: who said which number."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.numbers = list(_numbers(row.fields.get("info")))

    def take(self, name: str, *, where: re.Pattern[str] = ANY) -> Figure:
        """Return a unified number if the venue's row holds it; else it is unknown.

        Raises RowError when it is not a number.
        """
        figure = self.row.number(name, none=("",))
        if figure.value is None:
            return figure
        text = self._find(float(figure.value), where)
        return Figure.unknown(BY_CCXT) if text is None else Figure.reported(text)

    def contracts(self) -> Figure:
        """Return the number of contracts without sign."""
        figure = require(self.row, "contracts").magnitude()
        value = float(figure.value or 0)
        text = self._find(value, ANY) or self._find(-value, ANY)
        return Figure.reported(text).magnitude() if text else Figure.derived(figure.value or 0)

    def field(self, name: str) -> Figure:
        """Return a number of the venue's own row; raises RowError when it is not one."""
        return Row(self.row.fields.get("info")).number(name, none=("",))

    def switch(self) -> bool | None:
        """Return whether the venue adds margin by itself; None when the row does not say."""
        info = self.row.fields.get("info")
        for name, value in info.items() if isinstance(info, Mapping) else ():
            if name.replace("_", "").lower() in SWITCHES:
                return POSITIONS_OF_SWITCH.get(str(value).lower())
        return None

    def _find(self, value: float, where: re.Pattern[str]) -> str | None:
        for name, number, text in self.numbers:
            if number == value and (not name or where.search(name)):
                return text
        return None


def read_position(row: Row, *, client: VenueClient, facts: Facts) -> PositionReading | None:
    """Return the reading of a unified position; None when it is flat. Raises RowError."""
    _refuse_bad_numbers(row.fields.get("info"))
    size = require(row, "contracts")
    if size.value == 0:
        return None
    told = Told(row)
    side = _read_side(row, size)
    market = client.market(row.text("symbol"))
    contracts = _read_contracts(told, market=market, facts=facts)
    mode = _read_mode(row, mode_field=facts.mode_field)
    mark = _positive(told.take("markPrice", where=MARK))
    notional = value_at(market=market, contracts=contracts, price=mark)
    _check_value(told.take("notional"), notional=notional, mark=mark)
    return PositionReading(
        market=market,
        slot="net" if row.flag("hedged") is False else str(side),
        side=side,
        margin_mode=mode,
        contracts=contracts,
        entry_price=_positive(told.take("entryPrice")),
        mark_price=mark,
        collateral=_read_collateral(told, mode=mode),
        liquidation_price=_read_liquidation_price(told),
        unrealized_pnl=told.take("unrealizedPnl"),
        leverage=_positive(told.take("leverage", where=LEVERAGE)),
        notional=notional,
        maintenance_margin=_positive(told.take("maintenanceMargin", where=MAINTENANCE)),
        maintenance_rate=_read_rate(told, rate_field=facts.rate_field),
        venue_margin_ratio=told.take("marginRatio", where=RATIO),
        auto_add_margin=told.switch(),
        venue_time=read_instant(row, "lastUpdateTimestamp"),
        raw=_raw(row),
    )


def read_quotes(tickers: Any, *, symbols: Sequence[str]) -> list[QuoteReading]:
    """Return the quotes of `symbols` from unified tickers, without those that name no mark."""
    found = tickers if isinstance(tickers, Mapping) else {}
    rows = [found[symbol] for symbol in symbols if symbol in found]
    return read_each(rows, _read_quote)


def _read_quote(row: Row) -> QuoteReading:
    told = Told(row)
    info = row.fields.get("info")
    rates = [text for name, _, text in _numbers(info) if name and FUNDING.fullmatch(name)]
    return QuoteReading(
        symbol=row.text("symbol"),
        mark_price=_positive(told.take("markPrice", where=MARK)).otherwise(Figure.unknown(NO_MARK)),
        index_price=_positive(told.take("indexPrice", where=INDEX)),
        last_price=_positive(told.take("last")),
        funding_rate=Figure.reported(rates[0]) if rates else Figure.unknown(NOT_GIVEN),
        venue_time=_ticker_time(row),
    )


def _ticker_time(row: Row) -> datetime | None:
    return read_instant(row, "timestamp")


def _read_contracts(told: Told, *, market: MarketSpec, facts: Facts) -> Figure:
    contracts = told.contracts()
    if not facts.is_size_in_quote or market.kind is not ContractKind.INVERSE:
        return contracts
    return contracts.over(Figure.derived(Decimal(str(market.contract_size or 1))))


def _check_value(told: Figure, *, notional: Figure, mark: Figure) -> None:
    """Raise RowError where the venue's own value shows that a contract is of another size.

    A factor of two, for some venues value a position at entry, and some in the quote currency.
    """
    ratios = [told.over(notional).magnitude(), told.over(notional.times(mark)).magnitude()]
    known = [ratio.value for ratio in ratios if ratio.value is not None]
    if known and not any(Decimal("0.5") <= value <= Decimal(2) for value in known):
        raise RowError(f"the venue's own value {told.text} contradicts size times price")


def _read_collateral(told: Told, *, mode: MarginMode | None) -> Figure:
    if mode is not MarginMode.ISOLATED:
        return Figure.unknown(CROSS if mode else MODE_UNKNOWN)
    return _positive(told.take("positionMargin", where=MARGIN))


def _read_rate(told: Told, *, rate_field: str) -> Figure:
    if rate_field:
        return _positive(told.field(rate_field))
    return _positive(told.take("maintenanceMarginPercentage", where=MAINTENANCE))


def _read_liquidation_price(told: Told) -> Figure:
    price = _positive(told.take("liquidationPrice", where=LIQUIDATION))
    if price.value is not None and (price.value in NO_PRICES or price.value >= HIGHEST_PRICE):
        return Figure.unknown(NOT_GIVEN)
    return price


def _read_side(row: Row, size: Figure) -> Side:
    told = row.text_or("side").lower()
    is_negative = size.value is not None and size.value < 0
    if told == "" and is_negative:
        return Side.SHORT
    side = row.choice("side", long=Side.LONG, short=Side.SHORT)
    if is_negative and side is Side.LONG:
        raise RowError(f"size {size.value} contradicts the side {side}")
    return side


def _read_mode(row: Row, *, mode_field: str | None) -> MarginMode | None:
    told = row.text_or("marginMode")
    if mode_field is not None:
        info = row.fields.get("info")
        told = str(info.get(mode_field) or "") if isinstance(info, Mapping) else ""
    modes = {mode.value: mode for mode in MarginMode}
    return modes.get(told.lower())


def _positive(figure: Figure) -> Figure:
    if figure.value is not None and figure.value <= 0:
        return Figure.unknown(NOT_GIVEN)
    return figure


def _numbers(value: Any, name: str = "") -> Iterator[tuple[str, float, str]]:
    """Yield (field, value, text) of every number of a venue's row; list items have no field."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _numbers(item, str(key))
    elif isinstance(value, list):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, str | int | float | Decimal) and not isinstance(value, bool):
        try:
            yield name, float(value), str(value).strip()
        except ValueError:
            return


def _refuse_bad_numbers(info: Any) -> None:
    items = info.items() if isinstance(info, Mapping) else ()
    for name, value in items:
        if isinstance(value, str) and BAD_NUMBER.fullmatch(value.strip()):
            raise RowError(f"{name}: {value[:40]!r} is not a number")


def _raw(row: Row) -> Mapping[str, Any]:
    info = row.fields.get("info")
    return info if isinstance(info, Mapping) else {"info": info}


def _is_foreign(market: MarketSpec, settle: str) -> bool:
    return bool(settle and market.is_known and market.settle != settle)


def _group(client: VenueClient, symbols: Sequence[str]) -> list[list[str]]:
    """Return the listed symbols by settle coin: a list of tickers is of one product."""
    groups: dict[str, list[str]] = {}
    for symbol in symbols:
        if client.market(symbol).is_known:
            groups.setdefault(split_symbol(symbol).settle, []).append(symbol)
    return list(groups.values())


def _define(ccxt_id: str, facts: Facts) -> type[Generic]:
    rules = {ContractKind(rule.partition("-")[0]): rule for rule in facts.rules}
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
            "reads": (*ANY_GET, *(f"POST {path}" for path in facts.posts)),
        },
    )


ADAPTERS = tuple(_define(ccxt_id, facts) for ccxt_id, facts in VENUES.items())
