"""What an address may narrow the book by, checked as REST does: for the overview and downloads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict

from positions.api import parameters
from positions.api.errors import BadParameterError
from positions.api.paging import Ordering
from positions.api.parameters import Filter
from positions.api.views import PositionList
from positions.external import position_queryset
from positions.models import Position
from positions.overview import DEFAULT_SORT, SORTS
from riskhub.teams.models import Team
from venues.models import Account

# Column of each order that the table has (overview.SORTS says what it is for a row).
SORT_COLUMNS: Mapping[str, str] = {
    "distance": "rank_distance",
    "margin_ratio": "margin_ratio",
    "collateral": "collateral_usd",
    "pnl": "unrealized_pnl_usd",
}
SORT_NAMES = tuple(f"{sign}{name}" for name in SORTS for sign in ("", "-"))
_BOOK = Filter(
    "simulated",
    "account__is_simulated",
    "Made-up positions (1), or real ones (0).",
    ("0", "1"),
    is_many=False,
    read=lambda text: text == "1",
)
# REST has words for these two; a page shows all states there are, and a mode or any.
_NOT_ON_PAGES = {"state": "all", "margin_mode": "null"}
_MOST_LABELS = 20
_LONGEST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Checked:
    """What an address asks for, by name, and a sentence for each part that means nothing here."""

    values: Mapping[str, str]
    left_out: tuple[str, ...] = ()


def check(query: QueryDict, *, team: Team) -> Checked:
    """Return what of a page's address can be followed; the rest is left out and said to be."""
    items = {item.name: _for_page(item) for item in filters_of(team=team, query=query)}
    items["sort"] = Filter("sort", "", "Order of the table.", SORT_NAMES)
    items.pop("is_simulated")
    values: dict[str, str] = {}
    left_out = [_unknown(name) for name in query if name not in items]
    for name, item in items.items():
        texts = [text for text in query.getlist(name) if text]
        if texts and (problem := _problem(item, texts[-1])):
            left_out.append(problem)
        elif texts:
            values[name] = texts[-1]
            left_out += [_only_one(name, texts[-1])] if len(set(texts)) > 1 else []
    return Checked(values, tuple(left_out))


def chosen_positions(*, team: Team, query: QueryDict) -> QuerySet[Position]:
    """Return the positions that a download's address asks for; raises BadParameterError.

    The parameters are those of the overview and of REST's list, which means the same by them. An
    empty value, which a form sends for "all", narrows nothing.
    """
    items = filters_of(team=team, query=query)
    parameters.refuse_unknown(query, known=[*(item.name for item in items), "sort"])
    given = QueryDict(mutable=True)
    for name in query:
        given.setlist(name, [text for text in query.getlist(name) if text])
    states = given.getlist("state")
    rows = position_queryset(team=team, is_ended_included=bool(states))
    if "all" in states:
        items = [item for item in items if item.name != "state"]
    return _sorted(parameters.narrow(rows, filters=items, query=given), given.get("sort", ""))


def filters_of(*, team: Team, query: QueryDict) -> list[Filter]:
    """Return REST's filters of positions, which also know the team's own venues and accounts."""
    names: list[tuple[str, str]] = []
    if "venue" in query or "account" in query:
        names = list(Account.objects.filter(team=team).values_list("venue", "label"))
    venues = tuple(sorted({venue for venue, _ in names}))
    labels = sorted({label for _, label in names})

    def read_label(text: str) -> str:
        if text not in labels:
            raise ValueError(_one_of(labels))
        return text

    own: dict[str, dict[str, Any]] = {"venue": {"choices": venues}, "account": {"read": read_label}}
    found = [replace(item, **own.get(item.name, {})) for item in PositionList.filters]
    return [*found, _BOOK]


def _sorted(rows: QuerySet[Position], sort: str) -> QuerySet[Position]:
    if sort in {"", DEFAULT_SORT}:
        return rows
    if sort not in SORT_NAMES:
        raise BadParameterError("sort", f"This is one of: {', '.join(SORT_NAMES)}.")
    column = SORT_COLUMNS[sort.removeprefix("-")]
    return Ordering(sort, column, is_descending=sort.startswith("-")).sort(rows)


def _for_page(item: Filter) -> Filter:
    unfit = _NOT_ON_PAGES.get(item.name)
    return replace(item, choices=tuple(each for each in item.choices if each != unfit))


def _problem(item: Filter, text: str) -> str:
    """Return a sentence if there is no such value; nothing is asked of the database for it."""
    try:
        item.value(text)
    except BadParameterError as error:
        shown = f"No {item.name.replace('_', ' ')} {_shown(text)} here"
        return f"{shown}: it was left out. {error.detail}"
    return ""


def _unknown(name: str) -> str:
    return f"No filter {_shown(name)} here: it was left out."


def _only_one(name: str, text: str) -> str:
    return f"Only one {name.replace('_', ' ')} at a time is shown here: {_shown(text)}."


def _shown(text: str) -> str:
    return repr(text[:_LONGEST_SHOWN])


def _one_of(labels: Sequence[str]) -> str:
    if not labels:
        return "There is no account yet."
    more = len(labels) - _MOST_LABELS
    rest = f" and {more} more" if more > 0 else ""
    return f"This is one of: {', '.join(labels[:_MOST_LABELS])}{rest}."
