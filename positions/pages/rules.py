"""A market's rules in a few words, for the pages of positions and of markets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.dateparse import parse_datetime

from positions.engine.rulebook import RULES
from positions.engine.rules import Basis
from positions.engine.types import ContractKind, Severity
from positions.margin_rules import rule_of
from positions.models import Position
from positions.tier_tables import read_table
from riskhub import formatting
from venues.models import Market, TierTable

# A dated contract ends months ahead: in lists that is no news until this near.
_NEAR = timedelta(days=30)
_SOON, _VERY_SOON = timedelta(days=7), timedelta(days=1)
SOURCES = {"venue": "told by the venue", "operator": "entered by an operator"}
WHAT = {
    "tiers": "maintenance table",
    "limits": "limits",
    "delisting": "delisting",
    "funding_interval": "funding interval",
    "contract": "contract",
}
_NAMES = {
    "min_contracts": "smallest order",
    "max_contracts": "largest order",
    "min_notional": "smallest order value",
    "max_leverage": "highest leverage",
    "delists_at": "ends",
    "is_active": "takes new positions",
    "is_known": "listed",
    "funding_interval_h": "hours between fundings",
    "taker_fee_rate": "taker fee",
}


@dataclass(frozen=True, slots=True)
class Mark:
    """A short fact beside a market's name, as a badge."""

    text: str
    tone: str
    title: str


def market_marks(market: Market, *, now: datetime, is_far_shown: bool = True) -> list[Mark]:
    """Return what must be known of a market wherever it is named.

    is_far_shown  an end more than a month ahead, too
    """
    marks = []
    ends = market.delists_at
    if ends is not None and (is_far_shown or ends - now <= _NEAR):
        marks.append(_delisting(ends, now))
    if market.is_known and not market.is_active:
        title = "The venue lets nobody open or add to a position here."
        marks.append(Mark("no new positions", Severity.WARNING, title))
    return marks


def _delisting(ends: datetime, now: datetime) -> Mark:
    at = formatting.timestamp(ends)
    if ends <= now:
        return Mark("ended", Severity.CRITICAL, f"Trading or settlement ended at {at}.")
    left = ends - now
    tone = Severity.WARNING if left <= _SOON else ""
    tone = Severity.CRITICAL if left <= _VERY_SOON else tone
    title = f"Trading or settlement ends at {at}, {formatting.countdown(left)}."
    return Mark(f"delists {formatting.day(ends)}", tone, title)


def maintenance_words(position: Position, version: TierTable | None) -> dict[str, str]:
    """Return the maintenance rate behind a position's figures, and where it comes from.

    version  the table that its figures name, with `tiers`; None: the row's own rate
    """
    if version is None:
        rate = position.maintenance_rate
        text = formatting.percent(rate, digits=2)
        return {"rate": text, "note": "implied by the position's own row" if rate else ""}
    rate = _rate_of(position, version)
    since = formatting.day(version.effective_at)
    note = f"table {version.version}, since {since}"
    return {
        "rate": formatting.percent(rate, digits=2),
        "note": note,
        "whose": SOURCES.get(version.source, ""),
    }


def _rate_of(position: Position, version: TierTable) -> float | None:
    """Return the rate of the step that the position stands on; None where its size is unknown."""
    size = _size(position)
    if size is None:
        return None
    steps = [tier for tier in read_table(version).tiers if tier.floor <= size]
    return steps[-1].rate if steps else None


def _size(position: Position) -> float | None:
    """Return the value that chooses the step: settle units, at the price that the rule measures."""
    if position.notional is None or not _is_at_entry(position):
        return position.notional
    entry, mark = position.entry_price, position.mark_price
    if not entry or not mark:
        return None
    is_inverse = position.market.kind == ContractKind.INVERSE
    return position.notional * (mark / entry if is_inverse else entry / mark)


def _is_at_entry(position: Position) -> bool:
    rule = RULES.get(rule_of(position) or "")
    return rule is not None and rule.basis is Basis.ENTRY


def event_words(detail: Mapping[str, Any]) -> str:
    """Return what a change of rules did to a position: "maintenance table, liquidation 1 → 2"."""
    parts = [WHAT.get(str(detail.get("what")), "rules")]
    for name, word, write in (
        ("engine_liquidation_price", "our liquidation price", formatting.price),
        ("margin_ratio", "margin ratio", formatting.percent),
    ):
        pair = detail.get(name)
        if isinstance(pair, Mapping) and pair.get("before") != pair.get("after"):
            parts.append(f"{word} {write(pair.get('before'))} → {write(pair.get('after'))}")
    return ", ".join(parts)


def change_words(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return a change of a market in words: "highest leverage 125 → 100"."""
    if "tiers" in after:
        was = f"table {before['version']} → " if "version" in before else ""
        return f"{was}table {after['version']}" if "version" in after else "a new table"
    return ", ".join(
        f"{_NAMES.get(name, name.replace('_', ' '))} "
        f"{f'{_value(before[name])} → ' if name in before else ''}{_value(value)}"
        for name, value in after.items()
    )


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return formatting.quantity(value)
    instant = parse_datetime(value) if isinstance(value, str) and "T" in value else None
    return formatting.timestamp(instant) if instant else str(value or formatting.DASH)


def step_rows(rows: Sequence[Sequence[float | None]], *, unit: str) -> list[dict[str, str]]:
    """Return the steps of a table, [floor, rate, amount, max leverage] each, as text."""
    return [
        {
            "floor": formatting.quantity(floor),
            "unit": unit,
            "rate": formatting.percent(rate, digits=2),
            "amount": formatting.quantity(amount),
            "leverage": formatting.leverage(leverage),
        }
        for floor, rate, amount, leverage in rows
    ]
