"""Unified positions and tickers of ccxt, read with the venue's own row beside them.

ccxt fills gaps by formulas of its own, and a filled gap looks like the venue's word. So a number
counts as reported only where the venue's own row (`info`) holds the same number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from positions.engine.types import ContractKind, MarginMode, Side
from venues.base import MarketSpec, PositionReading, QuoteReading, VenueClient
from venues.figures import NOT_GIVEN, Figure, Row, RowError
from venues.rows import CROSS, MODE_UNKNOWN, read_each, read_instant, value_at

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
FUNDING = re.compile(r"funding.?rate", re.IGNORECASE)
ANY = re.compile("")

# Contract sizes are mistaken by powers of ten; prices move less between entry and now.
FACTOR = Decimal(5)

# Bad numbers that ccxt passes over in silence: "1,5", NaN, Infinity.
BAD_NUMBER = re.compile(r"[-+]?(?:nan|inf|infinity|\d+,\d+(?:\.\d+)?)", re.IGNORECASE)
SWITCHES = ("automargin", "isautoaddmargin", "autoaddmargin", "autodeposit")
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
    mode_field    field of the row to believe where ccxt writes a fixed margin mode; None: ccxt
                  reads it, "": the row has none
    rate_field    field of the row with the maintenance rate, where ccxt sends another
    size_field    field of the row with the number of contracts, for rows where ccxt finds none
    is_size_signed     the sign of that field is the side
    is_size_in_quote   the size of an inverse contract counts US dollars, not contracts
    """

    label: str
    credentials: tuple[str, ...] = ("apiKey", "secret")
    prices: str = "fetch_tickers"
    needs_wallet: bool = False
    scopes: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"all": {}})
    params: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    posts: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    mode_field: str | None = None
    rate_field: str = ""
    size_field: str = ""
    is_size_signed: bool = False
    is_size_in_quote: bool = False


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

    def reported_size(self, size: Figure) -> Figure:
        """Return a size without sign: reported where the row holds it, else derived."""
        figure = size.magnitude()
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
    side = _read_side(row, size, is_signed=facts.is_size_signed)
    market = client.market(row.text("symbol"))
    contracts = _read_contracts(told, size=size, market=market, facts=facts)
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
        venue_time=read_instant(row, "timestamp"),
    )


def _read_size(told: Told, *, facts: Facts) -> Figure:
    size = told.row.number("contracts", none=("",))
    if not size.is_known and facts.size_field:
        size = told.field(facts.size_field)
    if not size.is_known:
        raise RowError("contracts is missing")
    return size


def _read_contracts(told: Told, *, size: Figure, market: MarketSpec, facts: Facts) -> Figure:
    contracts = told.reported_size(size)
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


def _read_side(row: Row, size: Figure, *, is_signed: bool) -> Side:
    is_negative = size.value is not None and size.value < 0
    if not row.text_or("side") and (is_negative or is_signed):
        return Side.SHORT if is_negative else Side.LONG
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
