"""Positions as CSV and JSON, streamed: constant memory whatever their number."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import orjson
from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from positions.external import position_document
from positions.fields import POSITION_FIELDS, FieldKind
from positions.models import Position

_CHUNK_ROWS = 500
_MAPS = ("sources", "reasons")
CSV_HEADER = (*(field.name for field in POSITION_FIELDS), *_MAPS)
_KINDS = {field.name: field.kind for field in POSITION_FIELDS}
# A spreadsheet takes a cell that begins like this for a formula.
_TRIGGERS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_lines(positions: Iterable[Position]) -> Iterator[str]:
    """Yield CSV (RFC 4180): a header, then one record per position, some hundred at a time.

    Unknown is an empty cell, its reason in the last column. `sources` and `reasons` are compact
    JSON. Text that a spreadsheet would run as a formula gets a leading quote; numbers never do.
    """
    yield _csv([CSV_HEADER])
    for documents in _documents(positions):
        yield _csv(_record(document) for document in documents)


def json_lines(positions: Iterable[Position]) -> Iterator[str]:
    """Yield one JSON array of position documents, some hundred at a time."""
    separator = "[\n"
    for documents in _documents(positions):
        yield separator + ",\n".join(orjson.dumps(document).decode() for document in documents)
        separator = ",\n"
    yield "[]\n" if separator == "[\n" else "\n]\n"


FORMATS: Mapping[str, tuple[str, Callable[[Iterable[Position]], Iterator[str]]]] = {
    "csv": ("text/csv; charset=utf-8", csv_lines),
    "json": ("application/json", json_lines),
}


def download(
    request: HttpRequest, *, positions: QuerySet[Position], kind: str
) -> StreamingHttpResponse:
    """Return positions (`external.position_queryset`) as a file to save.

    kind   a key of FORMATS; raises KeyError
    """
    content_type, lines = FORMATS[kind]
    chunks = lines(positions)
    # Under ASGI Django would collect a plain iterator whole before sending the first byte.
    body = _without_blocking(chunks) if isinstance(request, ASGIRequest) else chunks
    response = StreamingHttpResponse(body, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="positions.{kind}"'
    response["Cache-Control"] = "no-store"
    return response


def refuse(*, kind: str, field: str, message: str) -> HttpResponse:
    """Return the answer to a parameter that means nothing: JSON as REST says it, else a line."""
    error = {"code": "bad_parameter", "message": message, "field": field}
    is_json = kind == "json"
    body = orjson.dumps({"error": error}) if is_json else f"{field}: {message}\n".encode()
    content_type = "application/json" if is_json else "text/plain; charset=utf-8"
    response = HttpResponse(body, content_type=content_type, status=400)
    response["Cache-Control"] = "no-store"
    return response


async def _without_blocking(chunks: Iterator[str]) -> AsyncIterator[str]:
    step = sync_to_async(lambda: next(chunks, None))
    while (chunk := await step()) is not None:
        yield chunk


def _documents(positions: Iterable[Position]) -> Iterator[list[dict[str, Any]]]:
    if isinstance(positions, QuerySet):
        positions = positions.iterator(chunk_size=_CHUNK_ROWS)
    rows = iter(positions)
    while chunk := list(islice(rows, _CHUNK_ROWS)):
        yield [position_document(position) for position in chunk]


def _csv(records: Iterable[Iterable[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(records)
    return text.getvalue()


def _record(document: Mapping[str, Any]) -> list[str]:
    cells = [_cell(document[name], _KINDS[name]) for name in _KINDS]
    return cells + [orjson.dumps(document[name]).decode() for name in _MAPS]


def _cell(value: Any, kind: FieldKind) -> str:
    if value is None:
        return ""
    if kind is FieldKind.FLAG:
        return "true" if value else "false"
    return _harmless(value) if kind is FieldKind.TEXT else str(value)


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_TRIGGERS) else text
