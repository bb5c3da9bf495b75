"""Query parameters as data: one list of filters drives reading, refusing and the schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict
from django.utils.dateparse import parse_datetime

from positions.api.errors import BadParameterError

DEFAULT_LIMIT = 100
MOST_LIMIT = 500
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Filter:
    """One query parameter that narrows a list.

    column    of the query, with Django's lookup if it is not equality
    choices   what may be asked for; empty is any text
    is_many   given twice, it means either
    read      text -> value of the column; raises ValueError with a sentence
    """

    name: str
    column: str
    help: str
    choices: tuple[str, ...] = ()
    is_many: bool = True
    format: str = ""
    read: Callable[[str], Any] = str

    def narrow(self, rows: QuerySet[Any], texts: Sequence[str]) -> QuerySet[Any]:
        """Return the rows that fit; raises BadParameterError."""
        if not self.is_many and len(texts) > 1:
            raise BadParameterError(self.name, "Give this parameter once.")
        values = [self.value(text) for text in texts]
        lookup = f"{self.column}__in" if self.is_many else self.column
        return rows.filter(**{lookup: values if self.is_many else values[0]})

    def value(self, text: str) -> Any:
        """Return what a text means for the column; raises BadParameterError."""
        if self.choices and text not in self.choices:
            raise BadParameterError(self.name, f"This is one of: {', '.join(self.choices)}.")
        if len(text) > _LONGEST or "\0" in text:
            raise BadParameterError(self.name, "This text is too long or not readable.")
        try:
            return self.read(text)
        except ValueError as error:
            raise BadParameterError(self.name, str(error)) from None


def flag(name: str, column: str, help: str) -> Filter:  # noqa: A002
    """Return a filter by a boolean column."""
    choices = ("true", "false")
    return Filter(name, column, help, choices, is_many=False, read=lambda text: text == "true")


def instant(name: str, column: str, help: str) -> Filter:  # noqa: A002
    """Return a filter by time."""
    return Filter(name, column, help, is_many=False, format="date-time", read=_instant)


def _instant(text: str) -> datetime:
    # An unescaped "+00:00" arrives as " 00:00".
    value = parse_datetime(text.replace(" ", "+"))
    if value is None or value.tzinfo is None:
        raise ValueError("Give an instant such as 2026-11-22T15:00:00Z.")
    return in_utc(value)


def in_utc(instant: datetime) -> datetime:
    """Return the same instant in UTC; raises ValueError where its year there is not 1 to 9999."""
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise ValueError("This instant lies beyond the years 1 to 9999 of UTC.") from None


def narrow(rows: QuerySet[Any], *, filters: Iterable[Filter], query: QueryDict) -> QuerySet[Any]:
    """Return the rows that fit all filters in the query; raises BadParameterError."""
    for item in filters:
        texts = query.getlist(item.name)
        if texts:
            rows = item.narrow(rows, texts)
    return rows


def refuse_unknown(query: QueryDict, *, known: Iterable[str]) -> None:
    """Raise BadParameterError for a parameter nobody reads: a misspelt filter filters nothing."""
    names = sorted(known)
    for name in query:
        if name not in names:
            allowed = f"The parameters here are: {', '.join(names)}." if names else "None is read."
            raise BadParameterError(name[:_LONGEST], f"There is no such parameter. {allowed}")


def read_limit(query: QueryDict) -> int:
    """Return how many rows a page may hold, at most MOST_LIMIT; raises BadParameterError."""
    text = query.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST and int(text) >= 1):
        raise BadParameterError("limit", f"Give a whole number from 1 to {MOST_LIMIT}.")
    return min(int(text), MOST_LIMIT)
