"""The contracts that a venue lists, by its own id and by unified symbol."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from positions.engine.types import ContractKind
from riskhub import clock, logs
from venues.base import MarketSpec
from venues.figures import Row, RowError
from venues.market_data import Listing

log = logs.get(__name__)

# ccxt's precision modes; a number of significant digits is no tick.
_DECIMAL_PLACES = 2
_TICK_SIZE = 4
# An expiry beyond this is how some venues write "never" (the year 2100).
_LAST_MS = 3_786_912_000_000

ReadListing = Callable[[Row], Listing]


class MarketIndex:
    """Finds listed contracts; two contracts may share an id, never a kind and an id.

    read_listing  what the adapter reads of the venue's own row; None: it reads nothing
    """

    def __init__(
        self,
        markets: Iterable[Mapping[str, Any]],
        *,
        precision_mode: int,
        read_listing: ReadListing | None = None,
    ) -> None:
        self._by_symbol: dict[str, MarketSpec] = {}
        self._by_id: dict[str, list[MarketSpec]] = {}
        for market in markets:
            spec = _spec(market, precision_mode=precision_mode, read_listing=read_listing)
            # Hyperliquid's rows name a coin ("flx:CRCL"), while its ids are numbers.
            self._add(spec, names={spec.venue_symbol, str(market.get("baseName") or "")} - {""})

    def __len__(self) -> int:
        return len(self._by_symbol)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return the unified symbols of all listed contracts."""
        return tuple(self._by_symbol)

    def find(self, name: str, *, kind: ContractKind | None = None) -> MarketSpec:
        """Return the contract of a venue's id or a unified symbol, of one kind if one is named.

        Not listed, or listed twice and no kind named: a MarketSpec without kind.
        """
        candidates = self._by_id.get(name, [])
        if name in self._by_symbol:
            candidates = [self._by_symbol[name]]
        fitting = [spec for spec in candidates if kind in {None, spec.kind}]
        return fitting[0] if len(fitting) == 1 else MarketSpec(symbol=name, venue_symbol=name)

    def _add(self, spec: MarketSpec, *, names: Iterable[str]) -> None:
        if spec.is_known:
            self._by_symbol[spec.symbol] = spec
            for name in names:
                self._by_id.setdefault(name, []).append(spec)


def _spec(
    market: Mapping[str, Any], *, precision_mode: int, read_listing: ReadListing | None
) -> MarketSpec:
    told = _listing(market, read_listing)
    listing = told or Listing()
    return MarketSpec(
        symbol=market["symbol"],
        venue_symbol=str(market["id"]),
        kind=_kind(market),
        asset=market.get("base") or "",
        quote=market.get("quote") or "",
        settle=market.get("settle") or "",
        contract_size=listing.contract_size or _positive(market.get("contractSize")),
        tick_size=_tick(market, precision_mode=precision_mode),
        taker_fee_rate=_number(market.get("taker")),
        min_contracts=_limit(market, "amount", "min"),
        max_contracts=_limit(market, "amount", "max"),
        min_notional=_limit(market, "cost", "min"),
        max_leverage=_limit(market, "leverage", "max"),
        delists_at=listing.delists_at or _expiry(market),
        funding_interval_h=listing.funding_interval_h,
        is_active=listing.is_active and market.get("active") is not False,
        is_listing_read=told is not None,
    )


def _listing(market: Mapping[str, Any], read_listing: ReadListing | None) -> Listing | None:
    """Return what the venue's own row says; None where it is not read or cannot be."""
    if read_listing is None:
        return None
    try:
        return read_listing(Row(market.get("info")))
    except RowError:
        return None
    except Exception as error:  # one odd row must not hide all
        log.error("listing_failed", error=logs.describe(error), exc_info=error)
        return None


def _limit(market: Mapping[str, Any], name: str, end: str) -> float | None:
    limits = market.get("limits")
    pair = limits.get(name) if isinstance(limits, Mapping) else None
    return _positive(pair.get(end)) if isinstance(pair, Mapping) else None


def _expiry(market: Mapping[str, Any]) -> datetime | None:
    """Return when a dated contract ends, and with it all trading."""
    expiry = _positive(market.get("expiry"))
    if expiry is None or not market.get("future") or expiry > _LAST_MS:
        return None
    return clock.from_milliseconds(int(expiry))


def _kind(market: Mapping[str, Any]) -> ContractKind | None:
    if not market.get("contract") or market.get("option"):
        return None
    if market.get("linear"):
        return ContractKind.LINEAR
    return ContractKind.INVERSE if market.get("inverse") else ContractKind.QUANTO


def _tick(market: Mapping[str, Any], *, precision_mode: int) -> float | None:
    price = _number((market.get("precision") or {}).get("price"))
    if price is None or precision_mode not in {_DECIMAL_PLACES, _TICK_SIZE}:
        return None
    return _positive(10.0**-price if precision_mode == _DECIMAL_PLACES else price)


def _positive(value: Any) -> float | None:
    number = _number(value)
    return number if number is not None and number > 0 else None


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
