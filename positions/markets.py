"""Rows of markets that readings name, made when they are first seen.

A poll makes a row, or fills one of a symbol that the venue did not list until now. What a listed
market's rules are is changed by the feed of rules alone (positions/market_rules.py): the lists of
two workers may be an hour apart, and would else take turns in overwriting each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F

from positions.engine.types import Tier
from riskhub import logs
from venues.assets import canonical_asset
from venues.base import MarketSpec
from venues.models import Feed, FeedKind, Market
from venues.models import Tier as TierRow

log = logs.get(__name__)

MarketKey = tuple[str, str, str]
_OF_NEW = (FeedKind.RULES, FeedKind.CANDLES)


@dataclass(frozen=True, slots=True)
class TierTableInForce:
    """A market's maintenance table, ascending, and its version, which figures name."""

    version: int
    tiers: tuple[Tier, ...]


def ensure_markets(
    *, specs: Iterable[tuple[str, str, MarketSpec]], now: datetime
) -> dict[MarketKey, Market]:
    """Return the market rows of (venue, environment, spec), made where they are missing.

    A market that is new here makes its venue's rules and candles due at once.
    """
    wanted = {(venue, env, spec.symbol): spec for venue, env, spec in specs}
    rows = _load(wanted)
    fresh = {
        key: spec
        for key, spec in sorted(wanted.items())
        if key not in rows or (spec.is_known and not rows[key].is_known)
    }
    if not fresh:
        return rows
    columns = _columns(MarketSpec(symbol="", venue_symbol=""))
    Market.objects.bulk_create(
        [_market(key, spec, now) for key, spec in fresh.items()],
        update_conflicts=True,
        unique_fields=["venue", "environment", "symbol"],
        update_fields=[*columns, "updated_at"],
    )
    for (venue, _, symbol), spec in fresh.items():
        if not spec.is_known:
            # Once: from now on the row is there.
            log.warning("market_not_listed", venue=venue, symbol=logs.scrub(symbol))
    _hurry({(venue, environment) for venue, environment, _ in fresh})
    return _load(wanted)


def _hurry(places: set[tuple[str, str]]) -> None:
    """Let the rules and the candles of these venues be read at once."""
    for venue, environment in sorted(places):
        rows = Feed.objects.filter(venue=venue, environment=environment, kind__in=_OF_NEW)
        rows.update(next_at=None)


def _load(wanted: dict[MarketKey, MarketSpec]) -> dict[MarketKey, Market]:
    symbols = {symbol for _, _, symbol in wanted}
    rows = Market.objects.filter(symbol__in=symbols).select_related("latest_quote")
    found = {(row.venue, row.environment, row.symbol): row for row in rows}
    return {key: found[key] for key in wanted if key in found}


def contract_columns(*, spec: MarketSpec) -> dict[str, Any]:
    """Return what the contract is: the columns of a row that every figure stands on."""
    asset, multiplier = canonical_asset(base=spec.asset)
    return {
        "venue_symbol": spec.venue_symbol,
        "kind": spec.kind or "",
        "asset": asset,
        "multiplier": multiplier,
        "quote": spec.quote,
        "settle": spec.settle,
        "contract_size": spec.contract_size,
        "tick_size": spec.tick_size,
        "taker_fee_rate": spec.taker_fee_rate,
    }


def limit_columns(*, spec: MarketSpec) -> dict[str, Any]:
    """Return the limits of one order, and of the smallest position."""
    return {
        "min_contracts": spec.min_contracts,
        "max_contracts": spec.max_contracts,
        "min_notional": spec.min_notional,
        "max_leverage": spec.max_leverage,
    }


def _columns(spec: MarketSpec) -> dict[str, Any]:
    return {
        **contract_columns(spec=spec),
        **limit_columns(spec=spec),
        "is_known": spec.is_known,
        "is_active": spec.is_active,
        "delists_at": spec.delists_at,
        "funding_interval_h": spec.funding_interval_h,
    }


def _market(key: MarketKey, spec: MarketSpec, now: datetime) -> Market:
    venue, environment, symbol = key
    return Market(
        venue=venue, environment=environment, symbol=symbol, updated_at=now, **_columns(spec)
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
