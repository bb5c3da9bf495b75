"""The overview in plain values: facts, filters, rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from positions import overview as overviews
from positions.live_cells import cells, shown
from positions.models import Position
from positions.overview import Contender, Overview, Summary, Total, Totals
from positions.pages import filters
from positions.pages.headline import say_first
from positions.pages.rows import LIVE_STATES, build_rows, label_of
from positions.selectors import PositionFilters
from riskhub import formatting
from riskhub.teams.models import Team
from venues import registry

_BOOKS = {"0": "real", "1": "simulated"}
_AMOUNTS = ("collateral_usd", "unrealized_pnl_usd")
_NO_DOLLARS = "no US dollar price is known"


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address asks for."""

    filters: PositionFilters
    sort: str
    # A sentence for each part of the address that means nothing here.
    left_out: tuple[str, ...] = ()

    @property
    def query(self) -> str:
        """Return the address's query without what is empty or the default."""
        values = {each.name: getattr(self.filters, each.name) for each in fields(self.filters)}
        values["sort"] = "" if self.sort == overviews.DEFAULT_SORT else self.sort
        query = QueryDict(mutable=True)
        query.update({name: value for name, value in values.items() if value})
        return query.urlencode()


def read_query(query: QueryDict, *, team: Team) -> Asked:
    """Return the filters and the order an address names; what there is not is said to be left out.

    Leaving a filter out shows more than was asked for, which hides no position.
    """
    checked = filters.check(query, team=team)
    values = {each.name: checked.values.get(each.name, "") for each in fields(PositionFilters)}
    sort = checked.values.get("sort", overviews.DEFAULT_SORT)
    return Asked(PositionFilters(**values), sort, checked.left_out)


def overview_context(found: Overview, *, asked: Asked, now: datetime) -> dict[str, Any]:
    """Return the template context of the overview."""
    return {
        **summary_context(found.summary, asked=asked, now=now),
        "rows": build_rows(found.rows, now=now),
        "gone": build_rows(found.gone, now=now),
        "is_in_coins": any(_is_in_coins(position) for position in found.rows),
        "live_states": LIVE_STATES,
        "total_rows": found.total_rows,
        "compartments": found.compartments if found.rows else None,
        "filters": _filters(found),
        "shown": _shown(found),
        "hidden": {"sort": asked.sort} if asked.sort != overviews.DEFAULT_SORT else {},
        # Live order is by distance; a table in another order keeps it until it is asked again.
        "live_sort": {"distance": "asc", "-distance": "desc"}.get(asked.sort, ""),
        "query": asked.query,
        "params": QueryDict(asked.query),
        "has_accounts": bool(found.summary.coverage),
        "is_filtered": found.filters.is_active,
        "more": max(found.total_rows - len(found.rows), 0),
    }


def _is_in_coins(position: Position) -> bool:
    """Tell whether its amounts stand in coins, which are longer than dollars."""
    return any(
        shown(position, name).is_in_coins for name in ("collateral_usd", "unrealized_pnl_usd")
    )


def summary_context(summary: Summary, *, asked: Asked, now: datetime) -> dict[str, Any]:
    """Return the context of what stands above the table."""
    url = reverse("summary")
    return {
        "now": now,
        "sentence": say_first(summary, now=now),
        "books": [_book(totals) for totals in summary.totals],
        "summary_url": f"{url}?{asked.query}" if asked.query else url,
        "front": [_contender(each) for each in summary.front],
    }


def _contender(contender: Contender) -> dict[str, Any]:
    """A position that may come first, as static/js/front.js keeps it."""
    position = contender.position
    return {
        **cells(position=position, names=("liquidation_distance", "margin_ratio")),
        "label": label_of(position),
        "url": reverse("position", args=[position.pk]),
        "is_simulated": position.account.is_simulated,
        "is_shown": contender.is_shown,
    }


def _book(totals: Totals) -> dict[str, Any]:
    return {"is_simulated": totals.is_simulated, "facts": _facts(totals)}


def _facts(totals: Totals) -> list[dict[str, str]]:
    return [
        _sum("Collateral at risk", totals.collateral, note=_size(totals)),
        _sum("Notional", totals.notional, note="value at the mark price"),
        _sum(
            "Unrealised", totals.unrealized_pnl, note="since entry", write=formatting.signed_money
        ),
        _extreme("Nearest", "nearest", totals.nearest, "liquidation_distance"),
        _extreme("Highest margin ratio", "fullest", totals.fullest, "margin_ratio"),
    ]


def _size(totals: Totals) -> str:
    return f"{_count(totals.positions, 'position')}, {_count(totals.venues, 'venue')}"


def _count(number: int, noun: str) -> str:
    return f"{formatting.count(number)} {noun}{'' if number == 1 else 's'}"


def _sum(
    label: str, total: Total, *, note: str, write: Callable[[float | None], str] = formatting.money
) -> dict[str, str]:
    fact = {"label": label, "value": write(total.value), "note": note}
    if total.left_out:
        number = formatting.count(total.left_out)
        fact["note"] = f"{note}; {number} left out"
        fact["title"] = f"{_count(total.left_out, 'position')} left out: {_NO_DOLLARS}"
    return fact


def _extreme(label: str, kind: str, position: Position | None, name: str) -> dict[str, str]:
    if position is None:
        return {"label": label, "value": formatting.DASH, "note": "not known of any position"}
    return {
        "label": label,
        # It goes to another position when that one takes the place: static/js/front.js.
        "extreme": kind,
        "book": "simulated" if position.account.is_simulated else "real",
        "value": shown(position, name).text,
        "note": label_of(position),
        "severity": position.severity,
        # The figure moves with its row: two numbers of one thing on a page must agree.
        "position": str(position.pk),
        "field": name,
    }


def _filters(found: Overview) -> list[dict[str, Any]]:
    rows = [*found.book, *found.gone]
    chosen = found.filters
    return [
        _filter(
            "venue", "Venue", chosen.venue, (row.account.venue for row in rows), registry.label
        ),
        _filter("account", "Account", chosen.account, (row.account.label for row in rows)),
        _filter("asset", "Asset", chosen.asset, (row.market.asset for row in rows)),
        _filter("side", "Side", chosen.side, (row.side for row in rows)),
        _filter("severity", "Severity", chosen.severity, (row.severity for row in rows)),
        _filter("margin_mode", "Margin", chosen.margin_mode, (row.margin_mode for row in rows)),
        _filter(
            "simulated",
            "Book",
            chosen.simulated,
            ("1" if row.account.is_simulated else "0" for row in rows),
            lambda value: _BOOKS.get(value, value),
        ),
    ]


def _filter(
    name: str,
    label: str,
    chosen: str,
    values: Iterable[str],
    show: Callable[[str], str] = str,
) -> dict[str, Any]:
    """A choice among what the book holds; what was asked for stays in it although it is gone."""
    options = sorted({value for value in [*values, chosen] if value})
    return {
        "name": name,
        "label": label,
        "options": [
            {"value": "", "label": "All", "is_selected": not chosen},
            *(
                {"value": value, "label": show(value), "is_selected": value == chosen}
                for value in options
            ),
        ],
    }


def _shown(found: Overview) -> str:
    whole = _count(len(found.book), "position")
    if not found.filters.is_active:
        return whole
    return f"{formatting.count(found.total_rows)} of {whole}"
