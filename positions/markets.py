"""Rows of markets that readings name, made when they are first seen."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F

from positions.engine.types import Tier
from venues.base import MarketSpec
from venues.models import Market
from venues.models import Tier as TierRow

_FIELDS = (
    "venue_symbol",
    "is_known",
    "kind",
    "asset",
    "multiplier",
    "quote",
    "settle",
    "contract_size",
    "tick_size",
    "taker_fee_rate",
)

MarketKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class TierTableInForce:
    """A market's maintenance table, ascending, and its version, which figures name."""

    version: int
    tiers: tuple[Tier, ...]


def ensure_markets(
    *, specs: Iterable[tuple[str, str, MarketSpec]], now: datetime
) -> dict[MarketKey, Market]:
    """Return the market rows of (venue, environment, spec), made or brought up to date."""
    wanted = {(venue, env, spec.symbol): spec for venue, env, spec in specs}
    rows = _load(wanted)
    stale = [
        _market(key, spec, now)
        for key, spec in sorted(wanted.items())
        if key not in rows or _differs(rows[key], spec)
    ]
    if not stale:
        return rows
    Market.objects.bulk_create(
        stale,
        update_conflicts=True,
        unique_fields=["venue", "environment", "symbol"],
        update_fields=[*_FIELDS, "updated_at"],
    )
    return _load(wanted)


def _load(wanted: dict[MarketKey, MarketSpec]) -> dict[MarketKey, Market]:
    symbols = {symbol for _, _, symbol in wanted}
    rows = Market.objects.filter(symbol__in=symbols).select_related("latest_quote")
    found = {(row.venue, row.environment, row.symbol): row for row in rows}
    return {key: found[key] for key in wanted if key in found}


# 1000PEPE, 1MBABYDOGE, kPEPE: so many coins in one unit of the contract's base.
_PACKED = re.compile(r"(?P<count>10{3,6}|1M|k)(?P<asset>[A-Z][A-Z0-9]{2,})")
_COUNTS = {"1M": 1e6, "k": 1e3}
_ALIASES = {"XBT": "BTC"}


def canonical_asset(*, base: str) -> tuple[str, float]:
    """Return the asset behind a contract's base, and how many of it one base unit holds."""
    packed = _PACKED.fullmatch(base)
    if packed is None:
        return _ALIASES.get(base, base), 1.0
    count = packed["count"]
    return packed["asset"], _COUNTS.get(count) or float(count)


def _values(spec: MarketSpec) -> dict[str, object]:
    asset, multiplier = canonical_asset(base=spec.asset)
    return {
        "venue_symbol": spec.venue_symbol,
        "is_known": spec.is_known,
        "kind": spec.kind or "",
        "asset": asset,
        "multiplier": multiplier,
        "quote": spec.quote,
        "settle": spec.settle,
        "contract_size": spec.contract_size,
        "tick_size": spec.tick_size,
        "taker_fee_rate": spec.taker_fee_rate,
    }


def _differs(row: Market, spec: MarketSpec) -> bool:
    return any(getattr(row, name) != value for name, value in _values(spec).items())


def _market(key: MarketKey, spec: MarketSpec, now: datetime) -> Market:
    venue, environment, symbol = key
    return Market(
        venue=venue, environment=environment, symbol=symbol, updated_at=now, **_values(spec)
    )


def tier_tables(*, market_ids: Iterable[int]) -> dict[int, TierTableInForce]:
    """Return market id -> maintenance table in force, for those that have one."""
    found: dict[int, tuple[int, list[Tier]]] = {}
    rows = TierRow.objects.filter(
        table__market_id__in=list(market_ids), table_id=F("table__market__tier_table_id")
    ).order_by("table_id", "floor")
    columns = rows.values_list("table__market_id", "table__version", "floor", "rate", "amount")
    for market_id, version, *step in columns:
        found.setdefault(market_id, (version, []))[1].append(Tier(*step))
    return {
        market_id: TierTableInForce(version, tuple(steps))
        for market_id, (version, steps) in found.items()
    }
