"""Pages of a list by position, not by number: the millionth row costs what the first does."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.db.models import F, Model, Q, QuerySet

from positions.api.errors import BadParameterError
from positions.api.parameters import in_utc

_LARGEST_ID = 2**63 - 1
_STALE = "This cursor belongs to another list; begin again without it."


@dataclass(frozen=True, slots=True)
class Ordering:
    """An order of rows, made total by the id.

    column  a float or instant, which may be null (then last); "id" is a plain order by id
    """

    name: str
    column: str
    is_descending: bool = False

    def sort(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows in this order."""
        column, last = F(self.column), F("id")
        if self.is_descending:
            return rows.order_by(column.desc(nulls_last=True), last.desc())
        return rows.order_by(column.asc(nulls_last=True), last.asc())

    def after(self, rows: QuerySet[Any], *, value: Any, pk: int) -> QuerySet[Any]:
        """Return the rows that come after the row `pk` whose column holds `value`."""
        step = "lt" if self.is_descending else "gt"
        same = Q(**{self.column: value, f"id__{step}": pk})
        if value is None:
            return rows.filter(same)
        beyond = Q(**{f"{self.column}__{step}": value}) | Q(**{f"{self.column}__isnull": True})
        return rows.filter(same | beyond)


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and where the next page begins; None after the last."""

    rows: list[Any]
    next_cursor: str | None


def read_page(rows: QuerySet[Any], *, ordering: Ordering, limit: int, cursor: str = "") -> Page:
    """Return one page in one query; raises BadParameterError on a cursor that is not ours."""
    if cursor:
        value, pk = _decode(cursor, ordering)
        rows = ordering.after(rows, value=value, pk=pk)
    found = list(ordering.sort(rows)[: limit + 1])
    if len(found) <= limit:
        return Page(found, None)
    return Page(found[:limit], _encode(found[limit - 1], ordering))


def _encode(row: Model, ordering: Ordering) -> str:
    value = getattr(row, ordering.column)
    parts = [ordering.name, None if value is None else _text(value), row.pk]
    return base64.urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)


def _decode(cursor: str, ordering: Ordering) -> tuple[Any, int]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        name, text, pk = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        value = None if text is None else _value(text, ordering)
    except (ValueError, TypeError, binascii.Error):
        raise BadParameterError("cursor", _STALE) from None
    is_id = isinstance(pk, int) and not isinstance(pk, bool) and 0 <= pk <= _LARGEST_ID
    if name != ordering.name or not is_id:
        raise BadParameterError("cursor", _STALE)
    return value, pk


def _value(text: str, ordering: Ordering) -> Any:
    if ordering.column.endswith("_at") or ordering.column == "at":
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return in_utc(instant)
    number = float(text)
    if number != number:  # noqa: PLR0124
        raise ValueError("NaN comes after nothing")
    if ordering.column != "id":
        return number
    if not 0 <= int(text) <= _LARGEST_ID:
        raise ValueError("no row has such an id")
    return int(text)
