"""One position in plain values: its headline, cards, figures, history and raw row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from positions.engine.types import MarginMode, PositionState, Source
from positions.fields import POSITION_FIELDS, FieldKind, PositionField
from positions.freshness import price_stale_after_s, stale_after_s
from positions.live_cells import FORMS, Shown, is_as_of_price, shown
from positions.margin_rules import rule_of
from positions.models import Event, EventKind, Life, Position, Reading
from positions.pages.charts import RANGES, price_chart
from positions.pages.headline import Part, Sentence, say
from positions.pages.phrases import OWN
from positions.pages.rows import LIVE_STATES, badges_of, label_of, state_of, title_of
from positions.pages.rules import event_words, maintenance_words, market_marks
from positions.pages.words import words_of
from riskhub import formatting
from venues import registry
from venues.models import TierTable

_ENDED = {
    PositionState.CLOSED: "was closed",
    PositionState.LIQUIDATED: "was liquidated",
    PositionState.DELEVERAGED: "was auto-deleveraged",
    PositionState.SETTLED: "was settled",
}


def position_context(
    position: Position,
    *,
    readings: Sequence[Reading],
    events: Sequence[Event],
    lives: Sequence[Life],
    range_name: str,
    now: datetime,
    table: TierTable | None = None,
) -> dict[str, Any]:
    """Return the template context of a position's page.

    table  the version of the market's table that its figures name, with `tiers`
    """
    venue = registry.label(position.account.venue)
    return {
        "now": now,
        "position": position,
        "label": label_of(position),
        "venue": venue,
        "crumbs": _crumbs(position, venue),
        "sentence": say_position(position, now=now),
        "state": state_of(position, now=now),
        "badges": badges_of(position),
        "live_states": LIVE_STATES,
        "budget_s": stale_after_s(position.account.poll_budget_s),
        "price_budget_s": price_stale_after_s(),
        **price_chart(position, readings=readings, range_name=range_name),
        "tabs": [_tab(name, range_name) for name in RANGES],
        "cells": {name: shown(position, name) for name in FORMS},
        "dollars": shown(position, "collateral_usd", may_be_coins=False),
        "gap": _gap(position),
        "acts_on": _acts_on(position, venue),
        "rule": _rule(position),
        "maintenance": maintenance_words(position, table),
        "marks": market_marks(position.market, now=now),
        "market_url": reverse("market", args=[position.market_id]),
        "containment": _containment(position),
        "figures": [_figure_row(field, position) for field in POSITION_FIELDS],
        "events": [_event_row(event) for event in events],
        "lives": lives,
        "raw": json.dumps(position.raw, indent=2, ensure_ascii=False, default=str),
        "is_gone": position.state == PositionState.GONE,
    }


def _tab(name: str, current: str) -> dict[str, Any]:
    query = urlencode({"range": name})
    return {"name": name, "url": f"?{query}", "is_current": name == current}


def _crumbs(position: Position, venue: str) -> list[dict[str, str]]:
    home, account = reverse("overview"), position.account
    return [
        {"name": "Overview", "url": home},
        {"name": venue, "url": f"{home}?venue={account.venue}"},
        {"name": account.label},
    ]


def say_position(position: Position, *, now: datetime) -> Sentence:
    """Return the first sentence of a position's page."""
    title = f"{title_of(position)} {position.side}"
    state = PositionState(position.state)
    if state.is_ended:
        return Sentence(before=f"{title} {_ENDED[state]}", sub=_last_words(position, now))
    if state is PositionState.GONE:
        return Sentence(
            before=f"{title} is gone, unexplained",
            severity="unknown",
            sub="A complete answer of the venue no longer showed it, and no close, liquidation or "
            f"settlement explains that yet. {_last_words(position, now)}",
        )
    own = [
        *_liquidation_at(position),
        Part(" Last read "),
        Part(at=position.received_at),
        Part(" ago."),
    ]
    return replace(say(position, label=title, phrases=OWN), own=own)


def _liquidation_at(position: Position) -> list[Part]:
    price = shown(position, "liquidation_price")
    if price.value is None:
        return [Part(f"No liquidation price: {price.reason or 'no reason was given'}.")]
    whose = "our number" if price.source == Source.DERIVED else "by the venue’s word"
    return [
        Part("Liquidation at "),
        Part(price.text, field="liquidation_price"),
        Part(f", {whose}; mark "),
        Part(shown(position, "mark_price").text, field="mark_price"),
        Part("."),
    ]


def _last_words(position: Position, now: datetime) -> str:
    return f"Last read {formatting.age(now - position.received_at)} ago."


def _gap(position: Position) -> dict[str, str]:
    """The difference between the venue's number and ours: what one tick explains, and the rest."""
    theirs, ours = position.venue_liquidation_price, position.engine_liquidation_price
    if not theirs or ours is None:
        return {}
    gap, tick = abs(theirs - ours), position.market.tick_size
    parts = {"text": formatting.basis_points(gap / theirs)}
    if tick:
        rounding = min(gap, tick)
        parts["tick"] = formatting.price(tick)
        parts["rounding"] = formatting.basis_points(rounding / theirs)
        parts["unexplained"] = formatting.basis_points((gap - rounding) / theirs)
    return parts


def _acts_on(position: Position, venue: str) -> str:
    source = shown(position, "liquidation_price").source
    if source == Source.REPORTED:
        return f"{venue}’s word"
    return "our number" if source == Source.DERIVED else formatting.DASH


def _rule(position: Position) -> str:
    """The margin rule that our number follows; "" where there is none."""
    return rule_of(position) or ""


def _containment(position: Position) -> dict[str, str]:
    """Whether the compartment holds: what is lost is at most what is in it."""
    if position.margin_mode != MarginMode.ISOLATED:
        return {"text": position.margin_mode or formatting.DASH, "badge": ""}
    if position.auto_add_margin is None:
        return {"text": "unknown", "badge": "containment_unknown"}
    if position.auto_add_margin:
        return {"text": "on", "badge": "not_contained"}
    return {"text": "off", "badge": ""}


def _figure_row(field: PositionField, position: Position) -> dict[str, Any]:
    provenance = position.provenance
    row: dict[str, Any] = {
        "name": field.name,
        "label": words_of(field).label,
        "help": words_of(field).help,
        "times": _times(field, position),
        "source": provenance.sources.get(field.name, "") if field.has_source else "",
    }
    if field.kind is FieldKind.NUMBER:
        figure = shown(position, field.name, may_be_coins=False)
        return row | {
            "cell": figure,
            "in_dollars": field.unit == "USD",
            "unit": _unit(field, figure, position),
            "source": figure.source,
            "reason": figure.reason if figure.value is None and not figure.is_beyond else "",
        }
    text = _text(field, position)
    is_known = text not in {"", formatting.DASH}
    return row | {
        "text": text,
        "reason": "" if is_known else provenance.reasons.get(field.name, ""),
        "source": row["source"] if is_known else "unknown",
    }


def _unit(field: PositionField, figure: Shown, position: Position) -> str:
    """The unit that is set apart; amounts of money and per cents carry their own."""
    market = position.market
    if figure.unit or not market.is_known:
        return ""
    return {
        "price": market.quote,
        "base": market.asset,
        "contracts": "contracts",
        "per contract": f"{market.asset if market.kind == 'linear' else market.quote} a contract",
    }.get(field.unit, "")


def _text(field: PositionField, position: Position) -> str:
    if field.kind is FieldKind.INSTANT:
        return formatting.timestamp(getattr(position, field.name))
    if field.kind is FieldKind.FLAG:
        value = getattr(position, field.name)
        return formatting.DASH if value is None else ("on" if value else "off")
    texts = {
        "id": str(position.pk),
        "life": str(position.life_id or ""),
        "venue": registry.label(position.account.venue),
        "account": position.account.label,
        "symbol": position.market.symbol,
        "asset": position.market.asset,
        "kind": position.market.kind,
    }
    return texts.get(field.name, "") or str(getattr(position, field.name, "") or formatting.DASH)


def _times(field: PositionField, position: Position) -> dict[str, Any]:
    """The times of a figure: of the price for what a price moves, of the reading for the rest."""
    if field.kind is FieldKind.TEXT:
        return {}
    if is_as_of_price(position, field.name) and position.price_received_at:
        venue, received, of = position.price_venue_time, position.price_received_at, "price_at"
    else:
        venue, received, of = position.venue_time, position.received_at, ""
    return {
        "received": received,
        # Live figures bring this time along.
        "of": of,
        "all": f"The venue's time: {formatting.timestamp(venue)}\n"
        f"Received: {formatting.timestamp(received)}\n"
        f"Stored: {formatting.timestamp(position.committed_at)}",
    }


def _event_row(event: Event) -> dict[str, Any]:
    return {
        "at": event.at,
        "committed_at": event.committed_at,
        "name": event.kind.replace("_", " "),
        "detail": _detail(event),
    }


def _detail(event: Event) -> str:
    """What changed, in a few words; nothing for what says it all by its name."""
    detail = event.detail if isinstance(event.detail, dict) else {}
    if event.kind == EventKind.RULES_CHANGED:
        return event_words(detail)
    if "to" in detail:
        before, after = _amount(detail.get("from")), _amount(detail["to"])
        return after if before == formatting.DASH else f"{before} → {after}"
    names = {"mark_price": "mark", "liquidation_price": "liquidation", "price": "at"}
    parts = [
        f"{word} {formatting.price(detail[name])}"
        for name, word in names.items()
        if isinstance(detail.get(name), int | float)
    ]
    reference = detail.get("reference")
    return ", ".join([*parts, *([str(reference)] if reference else [])])


def _amount(value: Any) -> str:
    return formatting.quantity(value if isinstance(value, int | float) else None)
