"""The contracts that a venue lists, by its own id and by unified symbol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from positions.engine.types import ContractKind
from venues.base import MarketSpec

# ccxt's precision modes; a number of significant digits is no tick.
_DECIMAL_PLACES = 2
_TICK_SIZE = 4


class MarketIndex:
    """Finds listed contracts; two contracts may share an id, never a kind and an id."""

    def __init__(self, markets: Iterable[Mapping[str, Any]], *, precision_mode: int) -> None:
        self._by_symbol: dict[str, MarketSpec] = {}
        self._by_id: dict[str, list[MarketSpec]] = {}
        for market in markets:
            spec = _spec(market, precision_mode=precision_mode)
            # Hyperliquid's rows name a coin ("flx:CRCL"), while its ids are numbers.
            self._add(spec, names={spec.venue_symbol, str(market.get("baseName") or "")} - {""})

    def __len__(self) -> int:
        return len(self._by_symbol)

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


def _spec(market: Mapping[str, Any], *, precision_mode: int) -> MarketSpec:
    return MarketSpec(
        symbol=market["symbol"],
        venue_symbol=str(market["id"]),
        kind=_kind(market),
        asset=market.get("base") or "",
        quote=market.get("quote") or "",
        settle=market.get("settle") or "",
        contract_size=_positive(market.get("contractSize")),
        tick_size=_tick(market, precision_mode=precision_mode),
        taker_fee_rate=_number(market.get("taker")),
    )


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
    return number if abs(number) < float("inf") else None
