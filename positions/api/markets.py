"""Markets over REST: rules in versions, what changed, what is announced, who stands on them."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from positions import market_selectors
from positions.api import schema
from positions.api.base import OLDEST, DetailView, ListView
from positions.api.parameters import Filter, flag, instant
from positions.api.resources import exact, without_user
from positions.api.schema import DECIMAL, FLAG, INSTANT, TEXT, WHOLE, component, nullable
from positions.engine.types import ContractKind
from positions.external import position_document
from positions.models import Position
from positions.tier_tables import read_table
from riskhub.formatting import decimal_string, iso
from riskhub.teams.models import Team
from venues.models import AnnouncedChange, Market, MarketChange, TierTable

_NUMBERS = (
    "multiplier",
    "contract_size",
    "tick_size",
    "taker_fee_rate",
    "min_contracts",
    "max_contracts",
    "min_notional",
    "max_leverage",
    "funding_interval_h",
)
_TEXTS = ("venue_symbol", "kind", "asset", "quote", "settle")


def _object(help: str, fields: dict[str, schema.Schema]) -> schema.Schema:  # noqa: A002
    return {
        "type": "object",
        "description": help,
        "properties": {name: dict(field) for name, field in fields.items()},
        "required": list(fields),
    }


_STEP = _object(
    "One step of a table; floors in quote units (linear) or base units (inverse).",
    {"floor": DECIMAL, "rate": DECIMAL, "amount": DECIMAL, "max_leverage": nullable(DECIMAL)},
)
_TABLE = _object(
    "One version of a maintenance table.",
    {"version": WHOLE, "source": TEXT, "effective_at": INSTANT, "received_at": INSTANT}
    | {"tiers": {"type": "array", "items": _STEP}},
)
_CHANGE = _object(
    "The rules as they were and as they are.",
    {"id": TEXT, "kind": TEXT, "source": TEXT, "before": schema.ANY_OBJECT}
    | {"after": schema.ANY_OBJECT, "noticed_at": INSTANT, "effective_at": INSTANT},
)
_ANNOUNCED = _object(
    "What will hold from an instant on, as a person entered it.",
    {"id": TEXT, "kind": TEXT, "change": schema.ANY_OBJECT, "note": nullable(TEXT)}
    | {"effective_at": INSTANT, "entered_at": INSTANT},
)
_MARKET_FIELDS: dict[str, schema.Schema] = {
    "id": TEXT,
    "venue": TEXT,
    "base_url": nullable(TEXT),
    "symbol": TEXT,
    **{name: nullable(TEXT) for name in _TEXTS},
    **{name: nullable(DECIMAL) for name in _NUMBERS},
    "is_known": FLAG,
    "is_active": FLAG,
    "delists_at": nullable(INSTANT),
    "open_positions": WHOLE,
    "tier_version": nullable(WHOLE),
    "updated_at": INSTANT,
    "announced": {"type": "array", "items": _ANNOUNCED},
}
MARKET = component(
    "Market", "A contract that the team holds or has held, with its rules.", _MARKET_FIELDS
)
MARKET_DETAIL = component(
    "MarketDetail",
    "A market with its maintenance tables and all that changed, newest first.",
    _MARKET_FIELDS
    | {"tables": {"type": "array", "items": _TABLE}}
    | {"changes": {"type": "array", "items": _CHANGE}},
)
_RULES = _object(
    "The rules behind the figures.",
    {"market": TEXT, "tier_version": {**nullable(WHOLE), "description": schema.TIER_VERSION}}
    | {"tier_source": nullable(TEXT), "tier_effective_at": nullable(INSTANT)}
    | {"delists_at": nullable(INSTANT), "funding_interval_h": nullable(DECIMAL)},
)
POSITION_DETAIL = component(
    "PositionDetail",
    "One compartment, and the rules of its market that its figures stand on.",
    schema.POSITION_SHAPE | {"rules": _RULES},
)


def _markets(*, team: Team) -> QuerySet[Market]:
    return market_selectors.with_rules(market_selectors.markets_of(team=team))


def market_document(market: Market) -> dict[str, Any]:
    """Return a market as everywhere outside; numbers are decimal strings."""
    return {
        "id": str(market.pk),
        "venue": market.venue,
        "base_url": without_user(market.environment) or None,
        "symbol": market.symbol,
        **{name: getattr(market, name) or None for name in _TEXTS},
        **{name: decimal_string(getattr(market, name)) for name in _NUMBERS},
        "is_known": market.is_known,
        "is_active": market.is_active,
        "delists_at": iso(market.delists_at),
        "open_positions": getattr(market, "held", 0),
        "tier_version": market.tier_table.version if market.tier_table else None,
        "updated_at": iso(market.updated_at),
        "announced": [_announced(row) for row in getattr(market, "announced", ())],
    }


def market_detail_document(market: Market) -> dict[str, Any]:
    """Return a market with its tables and its changes."""
    return {
        **market_document(market),
        "tables": [_table(row) for row in market_selectors.versions_of(market=market)],
        "changes": [_change(row) for row in getattr(market, "news", ())],
    }


def _announced(row: AnnouncedChange) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "kind": row.kind,
        "change": exact(row.change),
        "note": row.note or None,
        "effective_at": iso(row.effective_at),
        "entered_at": iso(row.entered_at),
    }


def _table(row: TierTable) -> dict[str, Any]:
    names = ("floor", "rate", "amount", "max_leverage")
    return {
        "version": row.version,
        "source": row.source,
        "effective_at": iso(row.effective_at),
        "received_at": iso(row.received_at),
        "tiers": [
            dict(zip(names, map(decimal_string, step), strict=True))
            for step in read_table(row).rows
        ],
    }


def _change(row: MarketChange) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "kind": row.kind,
        "source": row.source,
        "before": exact(row.before),
        "after": exact(row.after),
        "noticed_at": iso(row.noticed_at),
        "effective_at": iso(row.effective_at),
    }


def _positions(*, team: Team) -> QuerySet[Position]:
    rows = Position.objects.filter(team=team).select_related("account", "market", "provenance")
    return rows.defer("raw", "account__credentials", "account__options")


def position_detail_document(position: Position) -> dict[str, Any]:
    """Return a position, and the version of its market's table that its figures name."""
    market, table = position.market, market_selectors.table_behind(position=position)
    rules = {
        "market": str(market.pk),
        "tier_version": position.tier_version,
        "tier_source": table.source if table else None,
        "tier_effective_at": iso(table.effective_at) if table else None,
        "delists_at": iso(market.delists_at),
        "funding_interval_h": decimal_string(market.funding_interval_h),
    }
    return {**position_document(position), "rules": rules}


@schema.describe_list("list_markets", MARKET)
class MarketList(ListView):
    """Markets that the team holds or has held, with their rules, the oldest first."""

    rows = staticmethod(_markets)
    show = staticmethod(market_document)
    filters = (
        Filter("venue", "venue", "Slug of the venue."),
        Filter("asset", "asset", "Canonical base asset."),
        Filter("kind", "kind", "Kind of contract.", tuple(ContractKind)),
        flag("is_active", "is_active", "Whether it takes new positions."),
        instant("delists_before", "delists_at__lt", "It ends before this instant."),
    )
    orderings = (OLDEST,)


@schema.describe_detail("get_market", MARKET_DETAIL)
class MarketDetail(DetailView):
    """One market with every version of its table that is kept, changes and announcements."""

    rows = staticmethod(_markets)
    show = staticmethod(market_detail_document)


@schema.describe_detail("get_position", POSITION_DETAIL)
class PositionDetail(DetailView):
    """One position, ended or not, of a disabled account too."""

    rows = staticmethod(_positions)
    show = staticmethod(position_detail_document)
