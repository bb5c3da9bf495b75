"""Markets in plain values: their rules, how old these are, what changed and what will."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse

from positions.announcements import Moved, preview
from positions.engine.types import ContractKind, Severity
from positions.feeds import budget_s
from positions.freshness import stale_after_s
from positions.market_changes import TIERS
from positions.models import Position
from positions.pages.headline import Sentence
from positions.pages.rules import (
    SOURCES,
    WHAT,
    Mark,
    change_words,
    market_marks,
    step_rows,
)
from positions.tier_tables import read_table
from riskhub import formatting
from venues import registry
from venues.models import AnnouncedChange, Feed, FeedKind, Market, MarketChange, TierTable

_SOON = timedelta(days=7)
_MOST_NAMES = 3
Feeds = Mapping[tuple[str, str, str], Feed]


def markets_sentence(rows: Sequence[Market], *, now: datetime) -> Sentence:
    """Return the first sentence of the page of markets."""
    held = [row for row in rows if getattr(row, "held", 0)]
    if not held:
        return Sentence(before="No market is held", severity=Severity.UNKNOWN)
    ended = [row for row in held if row.delists_at and row.delists_at <= now]
    ending = [row for row in held if row.delists_at and now < row.delists_at <= now + _SOON]
    waiting = [each for row in held for each in _announced(row)]
    count = f"{formatting.count(len(held))} {'market' if len(held) == 1 else 'markets'}"
    if ended:
        return Sentence(
            before=f"{_some(ended, 'has', 'have', of=count)} ended",
            severity=Severity.CRITICAL,
            sub=f"{_names(ended)}.",
        )
    if ending:
        return Sentence(
            before=f"{_some(ending, 'ends', 'end', of=count)} within a week",
            severity=Severity.WARNING,
            sub=f"{_names(ending)}.",
        )
    unlisted = [row for row in held if not row.is_known]
    if unlisted:
        of = "its venue" if len(unlisted) == 1 else "their venues"
        return Sentence(
            before=f"{_some(unlisted, 'is', 'are', of=count)} not listed by {of}",
            severity=Severity.UNKNOWN,
            sub=f"{_names(unlisted)}: without a contract’s terms no risk can be computed.",
        )
    if waiting:
        nearest = min(each.effective_at for each in waiting)
        return Sentence(
            before=f"{count} held, the next change of rules comes",
            figure=formatting.countdown(nearest - now),
            severity=Severity.CALM,
        )
    return Sentence(before=f"{count} held, no change of rules is announced", severity=Severity.CALM)


def _some(rows: Sequence[Market], one: str, many: str, *, of: str) -> str:
    return f"{formatting.count(len(rows))} of {of} held {one if len(rows) == 1 else many}"


def _names(rows: Sequence[Market]) -> str:
    names = [f"{row.symbol} on {registry.label(row.venue)}" for row in rows]
    names = list(dict.fromkeys(names))
    return ", ".join(names[:_MOST_NAMES]) + (" and more" if len(names) > _MOST_NAMES else "")


def _announced(market: Market) -> Sequence[AnnouncedChange]:
    return getattr(market, "announced", ())


def _news(market: Market) -> Sequence[MarketChange]:
    return getattr(market, "news", ())


def market_row(market: Market, *, feeds: Feeds, now: datetime) -> dict[str, Any]:
    """Return a market as a row of the table; needs what `market_selectors.with_rules` fetches."""
    news = _news(market)
    return {
        "url": reverse("market", args=[market.pk]),
        "title": market.asset or market.symbol,
        "symbol": market.symbol,
        "venue": registry.label(market.venue),
        "environment": market.environment,
        "kind": market.kind,
        "held": getattr(market, "held", 0),
        "marks": _marks(market, now),
        "rules": rules_words(market),
        "limits": limits_words(market),
        "funding": funding_words(market),
        "feed": feed_row(feeds.get((market.venue, market.environment, FeedKind.RULES))),
        "last": _news_row(news[0]) if news else None,
        "waiting": [_waiting_row(each, now) for each in _announced(market)],
    }


def _marks(market: Market, now: datetime) -> list[Mark]:
    unlisted = Mark("not listed", "unknown", "The venue does not list this symbol.")
    return [*market_marks(market, now=now), *([] if market.is_known else [unlisted])]


def rules_words(market: Market) -> dict[str, Any]:
    """Return the maintenance table in a few words; needs `tier_table.tiers`."""
    version = market.tier_table
    if version is None:
        return {
            "rate": formatting.DASH,
            "reason": "no maintenance table was told: each position's own row says its rate",
        }
    steps = read_table(version).tiers
    first, last = (formatting.percent(tier.rate, digits=2) for tier in (steps[0], steps[-1]))
    return {
        "rate": first if len(steps) == 1 else f"{first} to {last}",
        "note": f"table {version.version}, since {formatting.day(version.effective_at)}",
        "whose": SOURCES.get(version.source, ""),
    }


def limits_words(market: Market) -> list[str]:
    """Return the limits in a few words each; "—" where none is told."""
    leverage, least = market.max_leverage, market.min_contracts
    parts = [
        f"up to {formatting.leverage(leverage)}" if leverage else "",
        f"orders from {formatting.quantity(least)}" if least else "",
    ]
    return [part for part in parts if part] or [formatting.DASH]


def funding_words(market: Market) -> str:
    """Return how often funding is paid; "—" where it is not told."""
    hours = market.funding_interval_h
    return f"each {formatting.quantity(hours)} h" if hours else formatting.DASH


def feed_row(feed: Feed | None) -> dict[str, Any]:
    """Return how old a feed's last word is, and its error."""
    if feed is None:
        return {"at": None, "budget_s": 0, "error": ""}
    budget = stale_after_s(budget_s(kind=FeedKind(feed.kind)))
    return {"at": feed.received_at, "budget_s": budget, "error": feed.error}


def _news_row(change: MarketChange) -> dict[str, Any]:
    return {
        "at": change.effective_at,
        "day": formatting.day(change.effective_at),
        "what": WHAT.get(change.kind, change.kind),
        "words": change_words(change.before, change.after),
        "whose": SOURCES.get(change.source, ""),
    }


def _waiting_row(announced: AnnouncedChange, now: datetime) -> dict[str, Any]:
    return {
        "id": announced.pk,
        "what": WHAT.get(announced.kind, announced.kind),
        "words": change_words({}, announced.change),
        "at": announced.effective_at,
        "in": formatting.countdown(announced.effective_at - now),
        "note": announced.note,
    }


def market_context(
    market: Market,
    *,
    versions: Sequence[TierTable],
    positions: Sequence[Position],
    feeds: Feeds,
    now: datetime,
) -> dict[str, Any]:
    """Return the template context of one market's page."""
    in_force = market.tier_table
    older = [row for row in versions if in_force is None or row.pk != in_force.pk]
    return {
        "now": now,
        "market": market,
        "row": market_row(market, feeds=feeds, now=now),
        "crumbs": [{"name": "Markets", "url": reverse("markets")}, {"name": market.symbol}],
        "sentence": _sentence(market, positions, now),
        "facts": _facts(market),
        "table": _version_row(in_force, market) if in_force else None,
        "older": [_version_row(row, market) for row in older],
        "news": [_news_row(change) for change in _news(market)[:50]],
        "waiting": [_waiting_card(each, market, positions, now) for each in _announced(market)],
        "ages": [
            {"name": name, **feed_row(feeds.get((market.venue, market.environment, kind)))}
            for name, kind in _FEEDS
            if (market.venue, market.environment, kind) in feeds
        ],
    }


def _waiting_card(
    announced: AnnouncedChange, market: Market, positions: Sequence[Position], now: datetime
) -> dict[str, Any]:
    moved = _moved_rows(announced, positions, now)
    return {
        **_waiting_row(announced, now),
        "moved": moved,
        # A table is what a holder wants to see the effect of, also where it has none.
        "is_moving": announced.kind == TIERS or any(each["is_moved"] for each in moved),
        "steps": step_rows(announced.change.get("tiers", ()), unit=_floor_unit(market)),
    }


_FEEDS = (
    ("Rules", FeedKind.RULES),
    ("Prices", FeedKind.PRICES),
    ("Funding", FeedKind.FUNDING),
    ("Candles", FeedKind.CANDLES),
    ("Order book", FeedKind.DEPTH),
)


def _sentence(market: Market, positions: Sequence[Position], now: datetime) -> Sentence:
    name = f"{market.symbol} on {registry.label(market.venue)}"
    count = len(positions)
    held = f"{formatting.count(count)} open {'position' if count == 1 else 'positions'} here."
    ends = market.delists_at
    if ends is None or ends - now > _SOON:
        return Sentence(before=name, sub=held)
    severity = Severity.CRITICAL if ends - now <= timedelta(days=1) else Severity.WARNING
    if ends <= now:
        return Sentence(before=f"{name} has ended", severity=severity, sub=held)
    left = formatting.duration(ends - now)
    return Sentence(before=f"{name} ends in", figure=left, severity=severity, sub=held)


def _facts(market: Market) -> list[dict[str, str]]:
    """Return the contract and its limits as label and value."""
    unit = market.asset if market.kind == ContractKind.LINEAR else market.quote
    many = market.multiplier != 1
    return [
        {"label": "Kind", "value": market.kind or formatting.DASH},
        {"label": "Asset", "value": market.asset or formatting.DASH},
        *(
            [
                {
                    "label": "In one unit",
                    "value": formatting.quantity(market.multiplier, market.asset),
                }
            ]
            if many
            else []
        ),
        {"label": "Settled in", "value": market.settle or formatting.DASH},
        {
            "label": "Contract",
            "value": formatting.quantity(market.contract_size, "" if many else unit),
        },
        {"label": "Tick", "value": formatting.quantity(market.tick_size, market.quote)},
        {"label": "Taker fee", "value": formatting.percent(market.taker_fee_rate, digits=3)},
        {"label": "Highest leverage", "value": formatting.leverage(market.max_leverage)},
        {"label": "Smallest order", "value": _contracts(market.min_contracts)},
        {"label": "Largest order", "value": _contracts(market.max_contracts)},
        {
            "label": "Smallest value",
            "value": formatting.quantity(market.min_notional, market.quote),
        },
        {"label": "Funding", "value": funding_words(market)},
        {
            "label": "Ends",
            "value": formatting.timestamp(market.delists_at)
            if market.delists_at
            else "not announced",
        },
    ]


def _contracts(value: float | None) -> str:
    return formatting.DASH if value is None else f"{formatting.quantity(value)} contracts"


def _version_row(version: TierTable, market: Market) -> dict[str, Any]:
    return {
        "version": version.version,
        "since": formatting.day(version.effective_at),
        "at": version.effective_at,
        "whose": SOURCES.get(version.source, ""),
        "steps": step_rows(read_table(version).rows, unit=_floor_unit(market)),
    }


def _floor_unit(market: Market) -> str:
    return market.asset if market.kind == ContractKind.INVERSE else market.quote


def _moved_rows(
    announced: AnnouncedChange, positions: Sequence[Position], now: datetime
) -> list[dict[str, Any]]:
    terms = {announced.kind: announced.change}
    return moved_rows(preview(positions=positions, terms=terms, now=now))


def moved_rows(moved: Iterable[Moved]) -> list[dict[str, Any]]:
    """Return what a change would do, position by position, as text."""
    return [
        {
            "url": reverse("position", args=[each.position.pk]),
            "name": f"{each.position.market.symbol} {each.position.side}",
            "account": each.position.account.label,
            "is_moved": each.is_moved,
            "price_before": formatting.price(each.price_before),
            "price_after": formatting.price(each.price_after),
            "ratio_before": formatting.percent(each.ratio_before),
            "ratio_after": formatting.percent(each.ratio_after),
            "why": each.why if each.price_after is None else "",
        }
        for each in moved
    ]
