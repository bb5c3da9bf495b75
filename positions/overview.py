"""What the first page says: who dies first, what it adds up to, and each compartment."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from django.urls import reverse

from positions.columns import exposure_of
from positions.engine.batch import build_batch
from positions.engine.questions.margin import margin_to_add
from positions.engine.questions.targets import Aim, Target
from positions.engine.types import PositionState, Severity
from positions.live_cells import is_bankrupt, sort_key
from positions.markets import tier_tables
from positions.models import Position
from positions.risk.assess import build_terms
from positions.selectors import (
    AccountCoverage,
    PositionFilters,
    coverage_of,
    live_positions,
)
from positions.valuation import Valuation, value_at
from riskhub.teams.models import Team
from venues import registry

# The distance that the advice of the headline aims at.
TARGET_DISTANCE = 0.10
# Rows of the table; more are counted and downloaded.
MOST_ROWS = 500
# Positions of each book that a page holds to say by itself who comes first, in either order.
_FRONT = 20
# Beyond so many, calm compartments of one venue are drawn as one.
_MOST_COMPARTMENTS = 60


@dataclass(frozen=True, slots=True)
class Total:
    """A sum in US dollars, and how many positions it leaves out for want of a figure."""

    value: float | None
    counted: int
    left_out: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over one book; simulated positions are never added to real ones.

    nearest  the position that dies first; None where no distance is known
    fullest  the position with the highest margin ratio, bankrupt being the highest
    """

    is_simulated: bool
    positions: int
    venues: int
    collateral: Total
    notional: Total
    unrealized_pnl: Total
    nearest: Position | None
    fullest: Position | None


@dataclass(frozen=True, slots=True)
class Headline:
    """The position that dies first, and what would help.

    add_margin_usd  US dollars that move it to TARGET_DISTANCE; None when it cannot be said
    """

    position: Position
    add_margin_usd: float | None


@dataclass(frozen=True, slots=True)
class Contender:
    """A position that is, or may soon be, the first of its book.

    is_shown  it passes the filters: the totals speak of it
    """

    position: Position
    is_shown: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """What stands above the table.

    headline  of the whole book, never narrowed; None where nothing can be ranked
    held      positions in the whole book
    unranked  those of them whose distance is not known
    front     those that may soon come first, so that a page can say so at once
    """

    headline: Headline | None
    totals: Sequence[Totals]
    coverage: Sequence[AccountCoverage]
    held: int
    unranked: Sequence[Position]
    front: Sequence[Contender]


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything the overview shows; plain values, no query runs while it is rendered."""

    summary: Summary
    book: Sequence[Position]
    rows: Sequence[Position]
    total_rows: int
    gone: Sequence[Position]
    compartments: dict[str, Any]
    filters: PositionFilters


# Column -> its figure; distance, the default, ranks what is bankrupt before all.
SORTS: Mapping[str, Callable[[Position], float | None]] = {
    "distance": sort_key,
    "margin_ratio": lambda row: math.inf if is_bankrupt(row) else row.margin_ratio,
    "collateral": lambda row: row.collateral_usd,
    "pnl": lambda row: row.unrealized_pnl_usd,
}
DEFAULT_SORT = "distance"


def build_overview(
    *,
    team: Team,
    filters: PositionFilters,
    now: datetime,
    sort: str = DEFAULT_SORT,
    limit: int = MOST_ROWS,
) -> Overview:
    """Return a team's overview, narrowed by `filters`; the headline is never narrowed.

    sort  a key of SORTS, with "-" before it for the largest first; unknown is always last
    """
    book, gone = _book(team, now)
    rows = _narrow(book, team, filters, now)
    return Overview(
        summary=_summary(team, book, rows, now),
        book=book,
        rows=_sorted(rows, sort)[:limit],
        total_rows=len(rows),
        gone=gone,
        compartments=compartments(rows),
        filters=filters,
    )


def build_summary(*, team: Team, filters: PositionFilters, now: datetime) -> Summary:
    """Return what stands above the table; totals are narrowed by `filters`."""
    book, _ = _book(team, now)
    return _summary(team, book, _narrow(book, team, filters, now), now)


def _book(team: Team, now: datetime) -> tuple[list[Position], list[Position]]:
    rows = _sorted(list(live_positions(team=team, now=now)), DEFAULT_SORT)
    held = [row for row in rows if row.state != PositionState.GONE]
    return held, [row for row in rows if row.state == PositionState.GONE]


def _narrow(
    book: Sequence[Position], team: Team, filters: PositionFilters, now: datetime
) -> list[Position]:
    if not filters.is_active:
        return list(book)
    chosen = filters.apply(live_positions(team=team, now=now)).values_list("pk", flat=True)
    keys = set(chosen)
    return [row for row in book if row.pk in keys]


def _sorted(rows: Sequence[Position], sort: str) -> list[Position]:
    figure, is_reversed = SORTS[sort.removeprefix("-")], sort.startswith("-")
    known = [(value, row) for row in rows if (value := figure(row)) is not None]
    known.sort(key=lambda pair: pair[0], reverse=is_reversed)
    return [row for _, row in known] + [row for row in rows if figure(row) is None]


def _summary(
    team: Team, book: Sequence[Position], rows: Sequence[Position], now: datetime
) -> Summary:
    return Summary(
        headline=_headline(book, now),
        totals=_totals(rows),
        coverage=coverage_of(team=team, now=now),
        held=len(book),
        unranked=[row for row in book if sort_key(row) is None],
        front=_front(book, rows),
    )


def _front(book: Sequence[Position], rows: Sequence[Position]) -> list[Contender]:
    """Return the nearest of each book, and the fullest of it that the filters leave."""
    keys, front = {row.pk for row in rows}, {}
    for each in _books(book):
        ranked = [row for row in each if sort_key(row) is not None]
        kept = [row for row in each if row.pk in keys]
        nearest = [row for row in kept if sort_key(row) is not None]
        fullest = _sorted(kept, "-margin_ratio")
        for row in [*ranked[:_FRONT], *nearest[:_FRONT], *fullest[:_FRONT]]:
            front[row.pk] = Contender(row, row.pk in keys)
    return list(front.values())


def _books(rows: Sequence[Position]) -> list[list[Position]]:
    """Return the real positions and the simulated ones."""
    return [
        [row for row in rows if row.account.is_simulated is is_simulated]
        for is_simulated in (False, True)
    ]


def _headline(held: Sequence[Position], now: datetime) -> Headline | None:
    """A real position comes first; a simulated one only where there is no real one."""
    ranked = [row for row in held if sort_key(row) is not None]
    real = [row for row in ranked if not row.account.is_simulated]
    first = next(iter(real or ranked), None)
    return None if first is None else Headline(first, _margin_to_target(first, value_at(now=now)))


def _margin_to_target(position: Position, valuation: Valuation) -> float | None:
    """The margin, in US dollars, by our formula; None where the formula may not run.

    It starts from the distance that is shown: where the venue's liquidation price is not ours,
    the margin between the two is counted too.
    """
    exposure = exposure_of(
        position=position,
        tiers=tier_tables(market_ids=[position.market_id]),
        valuation=valuation,
    )
    shown = position.liquidation_distance
    if not exposure.is_solvable or not exposure.tiers or exposure.usd_per_settle is None:
        return None
    if shown is None:
        return None
    batch = build_batch(terms=[build_terms(exposure)] * 2)
    target = Target(Aim.DISTANCE, np.array([TARGET_DISTANCE, max(shown, 0.0)]))
    needed, surplus = margin_to_add(batch=batch, target=target).amount.tolist()
    # Beyond the liquidation price only what we think is left may be counted, not what is lacking.
    amount = needed - (surplus if shown > 0 else min(surplus, 0.0))
    return amount * exposure.usd_per_settle if math.isfinite(amount) and amount > 0 else None


def _totals(rows: Sequence[Position]) -> list[Totals]:
    return [_total_of(book) for book in _books(rows) if book]


def _total_of(book: Sequence[Position]) -> Totals:
    return Totals(
        is_simulated=book[0].account.is_simulated,
        positions=len(book),
        venues=len({row.account.venue for row in book}),
        collateral=_total([row.collateral_usd for row in book]),
        notional=_total([row.notional_usd for row in book]),
        unrealized_pnl=_total([row.unrealized_pnl_usd for row in book]),
        nearest=next((row for row in book if sort_key(row) is not None), None),
        fullest=_fullest(book),
    )


def _fullest(book: Sequence[Position]) -> Position | None:
    """Return the position with the highest margin ratio; one that is bankrupt is beyond any."""
    first = next(iter(_sorted(book, "-margin_ratio")), None)
    return None if first is None or SORTS["margin_ratio"](first) is None else first


def _total(values: Sequence[float | None]) -> Total:
    known = [value for value in values if value is not None]
    return Total(math.fsum(known) if known else None, len(known), len(values) - len(known))


def compartments(rows: Sequence[Position]) -> dict[str, Any]:
    """Return the data of the compartments figure (shape: static/js/charts.js).

    The most endangered positions keep their own compartment; calm ones beyond a limit merge per
    venue.
    """
    own = {row.pk for row in rows[:_MOST_COMPARTMENTS]}
    own |= {row.pk for row in rows if row.severity in {Severity.CRITICAL, Severity.WARNING}}
    venues: dict[str, list[Position]] = {}
    for row in rows:
        venues.setdefault(row.account.venue, []).append(row)
    return {
        "venues": [
            {
                "label": registry.label(slug),
                "compartments": [_compartment(row) for row in held if row.pk in own],
                "merged": _merged([row for row in held if row.pk not in own]),
            }
            for slug, held in venues.items()
        ]
    }


def _compartment(row: Position) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "label": row.market.asset or row.market.symbol,
        "side": row.side,
        "collateral_usd": row.collateral_usd,
        "margin_ratio": row.margin_ratio,
        "severity": row.severity,
        "distance": row.liquidation_distance,
        "url": reverse("position", args=[row.pk]),
        "is_simulated": row.account.is_simulated,
        "is_bankrupt": is_bankrupt(row),
    }


def _merged(rows: Sequence[Position]) -> dict[str, Any] | None:
    if not rows:
        return None
    ratios = [row.margin_ratio for row in rows if row.margin_ratio is not None]
    return {
        "count": len(rows),
        "collateral_usd": _total([row.collateral_usd for row in rows]).value,
        "max_margin_ratio": max(ratios, default=None),
    }
