"""Unified positions and tickers of ccxt, read with the venue's own row beside them.

ccxt fills gaps by formulas of its own, and a filled gap looks like the venue's word. So a figure
is read from the venue's own row (`info`) where its fields are known (Facts.fields), and elsewhere
a number counts as reported only where that row holds the same number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from positions.engine.types import ContractKind, MarginMode, Side, Source
from venues.base import MarketSpec, PositionReading, QuoteReading, VenueClient
from venues.figures import NOT_GIVEN, Figure, Row, RowError
from venues.rows import CROSS, MODE_UNKNOWN, read_each, read_instant, value_at
from venues.unified_tiers import TierSource
from venues.wire_fields import Reader

# One request a market: for venues that list no tickers.
ONE_BY_ONE = "fetch_ticker"
BY_CCXT = "ccxt worked it out; the venue did not say it"
NO_MARK = "the venue's list of tickers holds no mark price"

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
OWN_MARK = re.compile(r"mark_?price", re.IGNORECASE)
OWN_INDEX = re.compile(r"(index|oracle)_?price", re.IGNORECASE)
FUNDING = re.compile(r"funding.?rate", re.IGNORECASE)
ADL = re.compile(r"adl|delev", re.IGNORECASE)
ANY = re.compile("")

# Contract sizes are mistaken by powers of ten; prices move less between entry and now.
FACTOR = Decimal(5)

# Bad numbers that ccxt passes over in silence: "1,5", NaN, Infinity.
BAD_NUMBER = re.compile(r"[-+]?(?:nan|inf|infinity|\d+,\d+(?:\.\d+)?)", re.IGNORECASE)
SWITCHES = (
    "automargin", "isautoaddmargin", "autoaddmargin", "autodeposit", "autoaddim", "autotopup",
)  # fmt: skip
SWITCH_VALUES = {
    "true": True, "on": True, "1": True, "false": False, "off": False, "0": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one venue.

    prices        ccxt method with mark prices; "" where there is none
    scopes        name -> parameters of fetch_positions; a name that ends in ":USDT" reads only
                  contracts that settle in USDT
    params        options of an account that go to fetch_positions, besides those of the scopes:
                  name -> the values there are; none is any text
    posts         paths that read although they are POST requests
    fields        figure -> where the venue's own row says it; a figure that is not here is what
                  ccxt says, if the row confirms it
    mode_fields   fields of the row to believe where ccxt writes a fixed margin mode; None: ccxt
                  reads it, (): the row has none
    default_mode  mode of a row that names none, where the venue's documents say so
    side_field    field that names the side, where the size may have none
    is_size_signed     the sign of the size is the side
    is_size_in_quote   the size of an inverse contract counts US dollars, not contracts
    is_asked_singly    positions are told for one named contract at a time
    tiers         where the maintenance table is; None where it is not read
    quirks        what surprises, a sentence each
    """

    label: str
    credentials: tuple[str, ...] = ("apiKey", "secret")
    prices: str = "fetch_tickers"
    needs_wallet: bool = False
    scopes: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"all": {}})
    params: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    posts: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    fields: Mapping[str, Reader] = field(default_factory=dict)
    mode_fields: tuple[str, ...] | None = None
    default_mode: MarginMode | None = None
    side_field: str = ""
    is_size_signed: bool = False
    is_size_in_quote: bool = False
    is_asked_singly: bool = False
    tiers: TierSource | None = None
    quirks: tuple[str, ...] = ()


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

    def confirm(self, size: Figure) -> Figure:
        """Return a size with its sign: reported where the row holds it, else derived."""
        value = float(size.value or 0)
        text = self._find(value, ANY)
        if text:
            return Figure.reported(text)
        other = self._find(-value, ANY)
        if other is None:
            return Figure.derived(size.value or 0)
        return Figure(size.value, Source.REPORTED, "", other.lstrip("-"))

    @property
    def own(self) -> Row:
        """The venue's own row; an empty one where it is no object."""
        info = self.row.fields.get("info")
        return Row(info if isinstance(info, Mapping) else {})

    def switch(self) -> bool | None:
        """Return whether the venue adds margin by itself; None when the row does not say."""
        for name, value in self.own.fields.items():
            if name.replace("_", "").lower() in SWITCHES:
                return SWITCH_VALUES.get(str(value).lower())
        return None

    def _find(self, value: float, where: re.Pattern[str]) -> str | None:
        for name, number, text in self.numbers:
            if number == value and (not name or where.search(name)):
                return text
        return None


def read_position(row: Row, *, client: VenueClient, facts: Facts) -> PositionReading | None:
    """Return the reading of a unified position; None when it is flat. Raises RowError."""
    _refuse_bad_numbers(row.fields.get("info"))
    told = Told(row)
    size = _read_size(told, facts=facts)
    if size.value == 0:
        return None
    side = _read_side(told, size, facts=facts)
    market = _find_market(client, row.text("symbol"))
    contracts = _read_contracts(size, market=market, facts=facts)
    mode = _read_mode(told, facts=facts)
    take = _Taker(told, facts.fields)
    mark = _positive(take("mark_price", "markPrice", MARK))
    notional = value_at(market=market, contracts=contracts, price=mark)
    _check_value(told.take("notional"), notional=notional, mark=mark)
    return PositionReading(
        market=market,
        slot="net" if row.flag("hedged") is False else str(side),
        side=side,
        margin_mode=mode,
        contracts=contracts,
        entry_price=_positive(take("entry_price", "entryPrice")),
        mark_price=mark,
        index_price=_positive(take("index_price", "indexPrice", INDEX)),
        collateral=_read_collateral(take, mode=mode),
        liquidation_price=_no_stand_in(take("liquidation_price", "liquidationPrice", LIQUIDATION)),
        unrealized_pnl=take("unrealized_pnl", "unrealizedPnl"),
        leverage=_positive(take("leverage", "leverage", LEVERAGE)),
        notional=notional,
        maintenance_margin=_positive(take("maintenance_margin", "maintenanceMargin", MAINTENANCE)),
        maintenance_rate=_positive(
            take("maintenance_rate", "maintenanceMarginPercentage", MAINTENANCE)
        ),
        venue_margin_ratio=take("venue_margin_ratio", "marginRatio", RATIO),
        adl_rank=take("adl_rank", "adlRank", ADL),
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
        mark_price=_price(told, "markPrice", MARK, own=OWN_MARK).otherwise(Figure.unknown(NO_MARK)),
        index_price=_price(told, "indexPrice", INDEX, own=OWN_INDEX),
        last_price=_positive(told.take("last")),
        funding_rate=Figure.reported(rates[0]) if rates else Figure.unknown(NOT_GIVEN),
        venue_time=read_instant(row, "timestamp"),
    )


class _Taker:
    """Reads figures of one row: from the venue's own fields where they are known, else ccxt's."""

    def __init__(self, told: Told, fields: Mapping[str, Reader]) -> None:
        self._told = told
        self._fields = fields

    def __call__(self, figure: str, unified: str, where: re.Pattern[str] = ANY) -> Figure:
        reader = self._fields.get(figure)
        return reader.read(self._told.own) if reader else self._told.take(unified, where=where)


def _price(told: Told, unified: str, where: re.Pattern[str], *, own: re.Pattern[str]) -> Figure:
    """Return a price that ccxt names and the row confirms, else one that the row itself names."""
    price = _positive(told.take(unified, where=where))
    texts = [text for name, _, text in told.numbers if name and own.fullmatch(name)]
    if price.is_known or len(set(texts)) != 1:
        return price
    return _positive(Figure.reported(texts[0]))


def _read_size(told: Told, *, facts: Facts) -> Figure:
    """Return the size as the row says it, else as ccxt does; raises RowError without one."""
    reader = facts.fields.get("contracts")
    size = reader.read(told.own) if reader else Figure.unknown(NOT_GIVEN)
    if size.is_known:
        return size
    unified = told.row.number("contracts", none=("",))
    if not unified.is_known:
        raise RowError("contracts is missing")
    return told.confirm(unified)


def _find_market(client: VenueClient, name: str) -> MarketSpec:
    """Return the contract of a name; some venues write their own ids in small letters."""
    market = client.market(name)
    return market if market.is_known else _known_or(client.market(name.upper()), market)


def _known_or(market: MarketSpec, other: MarketSpec) -> MarketSpec:
    return market if market.is_known else other


def _read_contracts(size: Figure, *, market: MarketSpec, facts: Facts) -> Figure:
    contracts = size.magnitude()
    if not facts.is_size_in_quote or market.kind is not ContractKind.INVERSE:
        return contracts
    return contracts.over(Figure.derived(Decimal(str(market.contract_size or 1))))


def _check_value(told: Figure, *, notional: Figure, mark: Figure) -> None:
    """Raise RowError where the venue's own value shows that a contract is of another size.

    Some venues value a position at entry, and some in the quote currency: neither is a mistake.
    """
    ratios = [told.over(notional).magnitude(), told.over(notional.times(mark)).magnitude()]
    known = [ratio.value for ratio in ratios if ratio.value is not None]
    if known and not any(1 / FACTOR <= value <= FACTOR for value in known):
        raise RowError(f"the venue's own value {told.text} contradicts size times price")


def _read_collateral(take: _Taker, *, mode: MarginMode | None) -> Figure:
    if mode is not MarginMode.ISOLATED:
        return Figure.unknown(CROSS if mode else MODE_UNKNOWN)
    return _positive(take("collateral", "positionMargin", MARGIN))


def _no_stand_in(price: Figure) -> Figure:
    """Return a liquidation price; what venues print where no price liquidates is none."""
    known = _positive(price)
    if known.value is not None and (known.value in NO_PRICES or known.value >= HIGHEST_PRICE):
        return Figure.unknown(NOT_GIVEN)
    return known


def _read_side(told: Told, size: Figure, *, facts: Facts) -> Side:
    is_negative = size.value is not None and size.value < 0
    named = _named_side(told, facts=facts)
    if not named and (is_negative or facts.is_size_signed):
        return Side.SHORT if is_negative else Side.LONG
    side = Row({"side": named}).choice("side", long=Side.LONG, short=Side.SHORT)
    if is_negative and side is Side.LONG:
        raise RowError(f"size {size.value} contradicts the side {side}")
    return side


def _named_side(told: Told, *, facts: Facts) -> str:
    """Return the side that a row names; "both" names none where the size has a sign."""
    own = told.own.text_or(facts.side_field).lower() if facts.side_field else ""
    named = own or told.row.text_or("side")
    return "" if named == "both" and facts.is_size_signed else named


def _read_mode(told: Told, *, facts: Facts) -> MarginMode | None:
    named = told.row.text_or("marginMode")
    if facts.mode_fields is not None:
        own = (str(told.own.fields.get(name) or "") for name in facts.mode_fields)
        named = next((each for each in own if each), "")
    modes = {mode.value: mode for mode in MarginMode} | {"crossed": MarginMode.CROSS}
    return modes.get(named.lower()) if named else facts.default_mode


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
