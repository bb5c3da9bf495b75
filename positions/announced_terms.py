"""What a person writes about an announced change, read: tables as lines, limits, instants."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any

from django.utils.dateparse import parse_datetime

from positions.engine.rulebook import RULES
from positions.engine.tiers import with_amounts
from positions.engine.types import ContractKind, Tier
from positions.market_changes import DELISTING, FUNDING_INTERVAL, LIMITS, TIERS
from positions.tier_tables import Table, check_table
from riskhub.formatting import iso
from venues import registry
from venues.models import Market

_GROUPED = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")
_BETWEEN = re.compile(r"[\s;|]+")
_BEFORE_PERCENT = re.compile(r"\s+%")
_LEAST_COLUMNS, _MOST_COLUMNS = 2, 4
LIMIT_NAMES = ("min_contracts", "max_contracts", "min_notional", "max_leverage")
_LONGEST_INTERVAL_H = 24 * 7
_FARTHEST_AHEAD, _FARTHEST_BACK = timedelta(days=730), timedelta(days=365)


class AnnouncementError(ValueError):
    """What was written cannot be a change; the message is a sentence for the person."""


def read_lines(*, text: str, market: Market) -> Table:
    """Return a table of lines "floor rate", and amount and highest leverage where they are given.

    Rates are fractions, or per cents with "%"; floors may have separators (50,000). Where no line
    gives an amount and each slice of the venue's tables bears its own rate, amounts are computed.
    Raises AnnouncementError.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    rows = [_numbers(number, line) for number, line in enumerate(lines, start=1)]
    _refuse_slips(rows)
    tiers = [Tier(row[0], row[1], row[2] if len(row) > _LEAST_COLUMNS else 0.0) for row in rows]
    if all(len(row) == _LEAST_COLUMNS for row in rows) and _is_cumulative(market):
        tiers = list(with_amounts(tiers=tiers))
    leverages = [row[3] if len(row) == _MOST_COLUMNS else None for row in rows]
    table, problem = check_table(tiers=tiers, max_leverages=leverages)
    if table is None:
        raise AnnouncementError(problem)
    return table


def _refuse_slips(rows: Sequence[Sequence[float]]) -> None:
    """Refuse what only a slip of the hand makes: a venue that says so is believed, a person asked.

    An amount left out among others would be read as none, and move every price behind it.
    """
    has_amounts = any(len(row) > _LEAST_COLUMNS for row in rows)
    for place, (low, high) in enumerate(pairwise(rows), start=2):
        if high[1] < low[1]:
            raise AnnouncementError(f"Line {place}: its rate is lower than that of the line above.")
        if has_amounts and len(high) == _LEAST_COLUMNS:
            raise AnnouncementError(f"Line {place} gives no amount, and others do.")
    for place, row in enumerate(rows, start=1):
        if len(row) > _LEAST_COLUMNS and row[2] < 0:
            raise AnnouncementError(f"Line {place}: an amount is not below 0.")


def _numbers(place: int, line: str) -> list[float]:
    # As pages print it: "0.40 %", with a space that may be a hard one.
    words = [word.rstrip(",") for word in _BETWEEN.split(_BEFORE_PERCENT.sub("%", line))]
    if len(words) == 1:
        words = words[0].split(",")
    if not _LEAST_COLUMNS <= len(words) <= _MOST_COLUMNS:
        raise AnnouncementError(f"Line {place} should hold a floor and a rate: 50000 0.5%.")
    return [_number(place, word.strip()) for word in words]


def _number(place: int, word: str) -> float:
    bare = word.removesuffix("%")
    try:
        value = Decimal(bare.replace(",", "") if _GROUPED.fullmatch(bare) else bare)
    except InvalidOperation:
        raise AnnouncementError(f"Line {place}: {word[:20]!r} is not a number.") from None
    return float(value / 100 if word.endswith("%") else value)


def _is_cumulative(market: Market) -> bool:
    adapter = registry.find(market.venue)
    if adapter is None or not market.kind:
        return False
    rule = adapter.rule_for(kind=ContractKind(market.kind), options={})
    return rule in RULES and RULES[rule].is_cumulative


def collect_terms(
    *,
    market: Market,
    tiers: str = "",
    limits: Mapping[str, float | None] | None = None,
    delists_at: datetime | None = None,
    funding_interval_h: float | None = None,
) -> dict[str, dict[str, Any]]:
    """Return kind -> what will hold, as announced changes keep it; what is not given is left out.

    Raises AnnouncementError, also where nothing is given.
    """
    terms: dict[str, dict[str, Any]] = {}
    if tiers.strip():
        terms[TIERS] = {"tiers": read_lines(text=tiers, market=market).rows}
    told = {name: value for name, value in (limits or {}).items() if value is not None}
    if told:
        terms[LIMITS] = _checked_limits(told)
    if delists_at is not None:
        terms[DELISTING] = {"delists_at": iso(delists_at)}
    if funding_interval_h is not None:
        terms[FUNDING_INTERVAL] = {"funding_interval_h": _checked_interval(funding_interval_h)}
    if not terms:
        raise AnnouncementError("Nothing changes: give a table, a limit, a delisting or funding.")
    return terms


def check_instants(
    *, terms: Mapping[str, Mapping[str, Any]], effective_at: datetime, now: datetime
) -> None:
    """Refuse a time that can only be a slip of the hand. Raises AnnouncementError."""
    if effective_at > now + _FARTHEST_AHEAD:
        raise AnnouncementError("The change lies more than two years ahead.")
    if effective_at < now - _FARTHEST_BACK:
        raise AnnouncementError("The change lies more than a year back.")
    ends = parse_datetime(terms.get(DELISTING, {}).get("delists_at") or "")
    if ends is not None and ends < effective_at:
        raise AnnouncementError("Trading would end before the change comes into force.")


def _checked_limits(limits: Mapping[str, float]) -> dict[str, float]:
    if not set(limits) <= set(LIMIT_NAMES) or not all(0 < each < 1e30 for each in limits.values()):  # noqa: PLR2004
        raise AnnouncementError("A limit is a number above 0.")
    if limits.get("min_contracts", 0) > limits.get("max_contracts", float("inf")):
        raise AnnouncementError("The smallest order is larger than the largest.")
    return dict(limits)


def _checked_interval(hours: float) -> float:
    if not 0 < hours <= _LONGEST_INTERVAL_H:
        raise AnnouncementError("Hours between two fundings are a number above 0, at most 168.")
    return hours


def read_table(*, rows: Sequence[Sequence[Any]]) -> Table:
    """Return the table that an announced change keeps. Raises AnnouncementError."""
    tiers = [Tier(*row[:3]) for row in rows]
    table, problem = check_table(tiers=tiers, max_leverages=[row[3] for row in rows])
    if table is None:
        raise AnnouncementError(problem)
    return table
