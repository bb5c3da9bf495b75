"""Builders of database rows for tests: plain functions, each row coherent with the others.

    position = make_position(side="short", entry_price=60_000.0, mark_price=59_000.0)
    position = make_position(account=account, liquidation_distance=-0.01, state="breached")
    position = make_position_unknown()                  # every optional figure is missing

What is not given is made. Any column may be given by name and wins over what would be computed.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User

from positions.alerts.models import AlertRule, Channel, Delivery, Incident, Message
from positions.engine.types import Severity, Side, Source
from positions.fields import SOURCED
from positions.models import Event, Life, Poll, Position, Provenance, Reading
from riskhub.formatting import decimal_string
from riskhub.teams import tokens
from riskhub.teams.models import ApiToken, Membership, Role, Team
from venues.models import (
    Account,
    AnnouncedChange,
    AssetPrice,
    CoverageEntry,
    Feed,
    FeedKind,
    KeyCheck,
    Market,
    MarketChange,
    Quote,
    Tier,
    TierTable,
)

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
PASSWORD = "correct horse battery staple"
MAINTENANCE_RATE = 0.005
REPORTED = frozenset(
    {
        "contracts",
        "contract_size",
        "entry_price",
        "mark_price",
        "index_price",
        "collateral",
        "leverage",
        "unrealized_pnl",
        "maintenance_margin",
        "venue_liquidation_price",
        "funding_rate",
        "next_funding_at",
        "auto_add_margin",
        "adl_rank",
    }
)
_number = itertools.count(1)


def make_team(name: str = "", **columns: Any) -> Team:
    """Return a new team."""
    return Team.objects.create(
        name=name or f"Team {next(_number)}", **{"created_at": NOW, **columns}
    )


def make_user(
    username: str = "", *, team: Team | None = None, role: str = Role.OWNER, **columns: Any
) -> User:
    """Return a new user who may log in with PASSWORD; a member of `team` if one is given."""
    user = get_user_model().objects.create_user(
        username=username or f"user{next(_number)}", password=PASSWORD, **columns
    )
    if team is not None:
        Membership.objects.create(team=team, user=user, role=role)
    return user


def make_token(
    *, team: Team, user: User | None = None, label: str = "", scopes: tuple[str, ...] = ("read",)
) -> tuple[ApiToken, str]:
    """Return a token of `team` and its plain text, made as the command makes it."""
    return tokens.create(
        team=team,
        user=user or make_user(team=team),
        label=label or f"token {next(_number)}",
        scopes=scopes,
        now=NOW,
    )


def make_account(team: Team | None = None, *, venue: str = "binance", **columns: Any) -> Account:
    """Return a new account, seen at NOW."""
    defaults = {
        "label": f"account {next(_number)}",
        "created_at": NOW,
        "last_seen_at": NOW,
        "next_poll_at": NOW + timedelta(seconds=30),
    }
    return Account.objects.create(team=team or make_team(), venue=venue, **{**defaults, **columns})


def make_market(
    symbol: str = "BTC/USDT:USDT", *, venue: str = "binance", environment: str = "", **columns: Any
) -> Market:
    """Return the market of a symbol, made with one maintenance tier if it is not there."""
    asset, _, rest = symbol.partition("/")
    quote, _, settle = rest.partition(":")
    is_inverse = settle == asset
    defaults = {
        "venue_symbol": f"{asset}{quote}",
        "kind": "inverse" if is_inverse else "linear",
        "asset": asset,
        "quote": quote,
        "settle": settle or quote,
        "contract_size": 100.0 if is_inverse else 1.0,
        "tick_size": 0.1,
        "taker_fee_rate": 0.0005,
        "updated_at": NOW,
    }
    market, is_new = Market.objects.get_or_create(
        venue=venue, environment=environment, symbol=symbol, defaults={**defaults, **columns}
    )
    if is_new and market.is_known:
        table = TierTable.objects.create(
            market=market, version=1, digest="one step", effective_at=NOW, received_at=NOW
        )
        Tier.objects.create(table=table, floor=0.0, rate=MAINTENANCE_RATE)
        market.tier_table = table
        market.save(update_fields=["tier_table"])
    return market


def make_announced(market: Market | None = None, **columns: Any) -> AnnouncedChange:
    """Return a table that comes into force in a day."""
    defaults = {
        "kind": "tiers",
        "change": {"tiers": [[0.0, 2 * MAINTENANCE_RATE, 0.0, None]]},
        "effective_at": NOW + timedelta(days=1),
        "entered_at": NOW,
        "entered_by": "owner",
    }
    return AnnouncedChange.objects.create(market=market or make_market(), **{**defaults, **columns})


def make_market_change(market: Market | None = None, **columns: Any) -> MarketChange:
    """Return a change of the highest leverage."""
    defaults = {
        "kind": "limits",
        "before": {"max_leverage": 125.0},
        "after": {"max_leverage": 100.0},
        "noticed_at": NOW,
        "effective_at": NOW,
    }
    return MarketChange.objects.create(market=market or make_market(), **{**defaults, **columns})


def make_feed(market: Market | None = None, **columns: Any) -> Feed:
    """Return the feed of rules of a market's venue, read at NOW."""
    market = market or make_market()
    defaults = {"kind": FeedKind.RULES, "received_at": NOW, "next_at": NOW + timedelta(hours=1)}
    return Feed.objects.create(
        venue=market.venue, environment=market.environment, **{**defaults, **columns}
    )


def make_quote(market: Market | None = None, **columns: Any) -> Quote:
    """Return the latest prices of a market."""
    defaults = {
        "mark_price": 62_000.0,
        "index_price": 62_010.0,
        "last_price": 62_005.0,
        "funding_rate": 0.0001,
        "next_funding_at": NOW + timedelta(hours=1),
        "received_at": NOW,
        "committed_at": NOW,
    }
    return Quote.objects.create(market=market or make_market(), **{**defaults, **columns})


def make_asset_price(
    asset: str = "USDT", usd: float = 1.0, *, venue: str = "binance", **columns: Any
) -> AssetPrice:
    """Return what a venue says an asset is worth."""
    return AssetPrice.objects.create(
        asset=asset, usd=usd, venue=venue, **{"received_at": NOW, **columns}
    )


def make_coverage(account: Account, scope: str = "linear", **columns: Any) -> CoverageEntry:
    """Return what was seen of one part of an account, made if it is not there."""
    defaults = {"seen_at": NOW, "rows": 1, "tried_at": NOW}
    entry, _ = CoverageEntry.objects.get_or_create(
        account=account, scope=scope, defaults={**defaults, **columns}
    )
    return entry


def make_provenance(
    *, sources: dict[str, str] | None = None, reasons: dict[str, str] | None = None
) -> Provenance:
    """Return the interned row of these two maps."""
    maps = [sources or {}, reasons or {}]
    digest = hashlib.sha1(json.dumps(maps, sort_keys=True).encode()).hexdigest()  # noqa: S324
    row, _ = Provenance.objects.get_or_create(
        digest=digest, defaults={"sources": maps[0], "reasons": maps[1]}
    )
    return row


def make_poll(account: Account, **columns: Any) -> Poll:
    """Return one stored poll of an account."""
    cycle = next(_number)
    defaults = {
        "cycle": cycle,
        "poll_id": f"poll{cycle}",
        "started_at": NOW,
        "received_at": NOW,
        "committed_at": NOW,
        "is_complete": True,
        "rows": 1,
        "refused": 0,
    }
    return Poll.objects.create(account=account, **{**defaults, **columns})


def figures(
    *,
    side: str = Side.LONG,
    contracts: float = 0.5,
    contract_size: float = 1.0,
    entry_price: float = 60_000.0,
    mark_price: float = 62_000.0,
    collateral: float = 3_000.0,
    rate: float = MAINTENANCE_RATE,
    usd: float = 1.0,
) -> dict[str, float]:
    """Return the columns of a linear isolated position under one flat tier at the mark price.

    The defaults: quantity 0.5, notional 31,000, PnL 1,000, equity 4,000, required 155.
    """
    sign = Side(side).sign
    quantity = contracts * contract_size
    pnl = sign * quantity * (mark_price - entry_price)
    notional = quantity * mark_price
    price = (sign * entry_price - collateral / quantity) / (sign - rate)
    return {
        "contracts": contracts,
        "contract_size": contract_size,
        "quantity": quantity,
        "entry_price": entry_price,
        "mark_price": mark_price,
        "index_price": mark_price,
        "notional": notional,
        "notional_usd": notional * usd,
        "collateral": collateral,
        "collateral_usd": collateral * usd,
        "max_loss": collateral,
        "leverage": 10.0,
        "unrealized_pnl": pnl,
        "unrealized_pnl_usd": pnl * usd,
        "maintenance_margin": rate * notional,
        "maintenance_rate": rate,
        "maintenance_amount": 0.0,
        "margin_ratio": rate * notional / (collateral + pnl),
        "liquidation_price": price,
        "venue_liquidation_price": price,
        "engine_liquidation_price": price,
        "bankruptcy_price": entry_price - sign * collateral / quantity,
        "liquidation_distance": sign * (mark_price - price) / mark_price,
        "funding_rate": 0.0001,
        "adl_rank": 2.0,
    }


_TERMS = ("contracts", "contract_size", "entry_price", "mark_price", "collateral")


def make_position(
    account: Account | None = None,
    *,
    team: Team | None = None,
    market: Market | None = None,
    symbol: str = "BTC/USDT:USDT",
    side: str = Side.LONG,
    scope: str = "linear",
    **columns: Any,
) -> Position:
    """Return an open isolated linear position with its life, coverage and provenance.

    Give `contracts`, `entry_price`, `mark_price` or `collateral` and the rest follows.
    """
    account = account or make_account(team)
    market = market or make_market(symbol, venue=account.venue, environment=account.environment)
    terms = {name: columns[name] for name in _TERMS if columns.get(name) is not None}
    values = {**figures(side=side, **terms), **_standing(), **columns}
    values.setdefault("provenance", _provenance_of(values))
    values.setdefault("printed", _printed_of(values))
    values.setdefault("rank_distance", values["liquidation_distance"])
    position = Position.objects.create(
        team=account.team,
        account=account,
        market=market,
        coverage=make_coverage(account, scope),
        side=side,
        **values,
    )
    return position if "life" in columns else _with_life(position)


def make_position_unknown(account: Account | None = None, **columns: Any) -> Position:
    """Return a position of which nothing is known but that it is there: all else is null.

    Its symbol is not listed, its margin mode not said, and each figure has a reason.
    """
    account = account or make_account(columns.pop("team", None))
    market = columns.pop("market", None) or make_market(
        f"MYSTERY{next(_number)}",
        venue=account.venue,
        environment=account.environment,
        is_known=False,
        **dict.fromkeys(("kind", "asset", "quote", "settle"), ""),
        **dict.fromkeys(("contract_size", "tick_size", "taker_fee_rate")),
    )
    nothing: dict[str, Any] = dict.fromkeys(figures())
    nothing |= {"auto_add_margin": None, "next_funding_at": None, "margin_mode": ""}
    nothing |= {"severity": Severity.UNKNOWN, "venue_time": None, "price_received_at": None}
    return make_position(account, market=market, **{**nothing, **columns})


def make_life(position: Position, **columns: Any) -> Life:
    """Return a life of a position; open since an hour before NOW."""
    defaults = {"side": position.side, "opened_at": NOW - timedelta(hours=1)}
    return Life.objects.create(position=position, **{**defaults, **columns})


def make_reading(position: Position, *, at: datetime = NOW, **columns: Any) -> Reading:
    """Return one observation of a position, with the figures that the position has."""
    names = {field.name for field in Reading._meta.concrete_fields}
    shared = {name: getattr(position, name) for name in figures() if name in names}
    defaults = {
        "life": position.life or make_life(position),
        "received_at": at,
        "committed_at": at,
        "venue_time": at,
        "provenance": position.provenance,
    }
    return Reading.objects.create(position=position, **{**shared, **defaults, **columns})


def make_event(
    position: Position, kind: str = "opened", *, at: datetime = NOW, **columns: Any
) -> Event:
    """Return one change of a position."""
    defaults = {
        "team": position.team,
        "life": position.life or make_life(position),
        "at": at,
        "committed_at": at,
    }
    return Event.objects.create(position=position, kind=kind, **{**defaults, **columns})


def make_rule(team: Team, **columns: Any) -> AlertRule:
    """Return a new rule on the liquidation distance: warning below 10 %, critical below 5 %."""
    defaults = {
        "name": f"rule {next(_number)}",
        "measure": "liquidation_distance",
        "levels": [
            {"level": 0.1, "rearm": 0.12, "severity": "warning"},
            {"level": 0.05, "rearm": 0.06, "severity": "critical"},
        ],
        "created_at": NOW,
    }
    return AlertRule.objects.create(team=team, **{**defaults, **columns})


def make_incident(position: Position, /, **columns: Any) -> Incident:
    """Return a new firing incident about a position."""
    is_resolved = columns.get("state") == "resolved"
    defaults = {
        "team": position.team,
        "rule": None if "rule" in columns else make_rule(position.team),
        "subject": f"position:{position.pk}/life:{position.life_id}",
        "position": position,
        "account": position.account,
        "severity": "warning",
        "state": "firing",
        "opened_at": NOW,
        "fired_at": NOW,
        "resolved_at": NOW if is_resolved else None,
        "value": position.liquidation_distance,
        "why": {"headline": f"{position.market.symbol} is near liquidation"},
    }
    return Incident.objects.create(**{**defaults, **columns})


def make_channel(team: Team, kind: str = "webhook", **columns: Any) -> Channel:
    """Return a new channel of a team."""
    defaults = {
        "label": f"channel {next(_number)}",
        "config": {"url": "https://hooks.example/alerts"},
        "created_at": NOW,
    }
    return Channel.objects.create(team=team, kind=kind, **{**defaults, **columns})


def make_delivery(channel: Channel, incident: Incident | None = None, **columns: Any) -> Delivery:
    """Return a message about an incident, or a test, given up on its way through a channel."""
    message = Message.objects.create(
        team=channel.team,
        incident=incident,
        reason="first" if incident else "test",
        uid=f"msg_{next(_number)}",
        payload={},
        created_at=NOW,
    )
    defaults = {"state": "dead", "attempts": 9, "next_attempt_at": NOW, "last_error": "HTTP 503"}
    return Delivery.objects.create(
        team=channel.team, message=message, channel=channel, **{**defaults, **columns}
    )


def _standing() -> dict[str, Any]:
    return {
        "slot": "net",
        "margin_mode": "isolated",
        "state": "open",
        "severity": Severity.CALM,
        "auto_add_margin": False,
        "next_funding_at": NOW + timedelta(hours=1),
        "venue_time": NOW - timedelta(seconds=1),
        "received_at": NOW,
        "committed_at": NOW,
        "price_venue_time": NOW - timedelta(seconds=1),
        "price_received_at": NOW,
    }


def _provenance_of(values: dict[str, Any]) -> Provenance:
    missing = [name for name in SOURCED if values.get(name) is None]
    sources = {name: str(_source_of(name)) for name in SOURCED}
    sources |= dict.fromkeys(missing, str(Source.UNKNOWN))
    return make_provenance(sources=sources, reasons=dict.fromkeys(missing, "the venue gives none"))


def _source_of(name: str) -> Source:
    return Source.REPORTED if name in REPORTED else Source.DERIVED


def _printed_of(values: dict[str, Any]) -> dict[str, str]:
    known = ((name, values.get(name)) for name in sorted(REPORTED))
    # A zero more than needed, as venues print them: the exact characters must come through.
    return {
        name: f"{decimal_string(value)}{_zero(value)}" for name, value in known if _is_real(value)
    }


def _is_real(value: Any) -> bool:
    return isinstance(value, float) and decimal_string(value) is not None


def _zero(value: float) -> str:
    return ".0" if value.is_integer() else "0"


def _with_life(position: Position) -> Position:
    ended = {"ended_at": NOW, "end_state": position.state} if position.is_ended else {}
    position.life = make_life(position, **ended)
    position.save(update_fields=["life"])
    return position


def look_at_keys() -> None:
    """Let every key have been looked at, so that its account is read; nothing was found."""
    KeyCheck.objects.update(checked_at=NOW, next_at=None, error="")
