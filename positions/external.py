"""The position as everywhere outside shows it: REST, exports and webhooks call this one function.

Names, order and kinds come from positions/fields.py. Every null field stands in `sources` as
"unknown" and in `reasons` with why; a field that is not null is in `reasons` never.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from django.db.models import F, QuerySet

from positions.engine.types import ENDED_STATES, Source
from positions.fields import POSITION_FIELDS, FieldKind, PositionField
from positions.models import Position, Provenance, Reading
from positions.selectors import book_of
from riskhub.formatting import decimal_string, iso
from riskhub.teams.models import Team

# Text that may be null, and why it then is: no row of provenance speaks of these.
_WHY_NO_TEXT: Mapping[str, str] = {
    "life": "no life has been recorded",
    "asset": "the venue does not list this symbol",
    "kind": "the venue does not list this symbol",
    "margin_mode": "the venue does not say",
}
NULLABLE_TEXT = frozenset(_WHY_NO_TEXT)
_NO_REASON = "not known"
_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
# All that a document reads: raw rows and secrets are not even fetched.
_COLUMNS = (
    *(field.name for field in POSITION_FIELDS if field.kind is not FieldKind.TEXT),
    *("life", "side", "margin_mode", "state", "severity", "printed", "received_at"),
    *("account__venue", "account__label"),
    *("market__symbol", "market__asset", "market__kind"),
    *("provenance__sources", "provenance__reasons"),
)

_TEXTS: Mapping[str, Callable[[Position], str | None]] = {
    "id": lambda position: str(position.pk),
    "life": lambda position: str(position.life_id) if position.life_id else None,
    "venue": lambda position: position.account.venue,
    "account": lambda position: position.account.label,
    "symbol": lambda position: position.market.symbol,
    "asset": lambda position: position.market.asset or None,
    "kind": lambda position: position.market.kind or None,
    "side": lambda position: str(position.side),
    "margin_mode": lambda position: position.margin_mode or None,
    "state": lambda position: str(position.state),
    "severity": lambda position: str(position.severity),
}


def position_queryset(*, team: Team, is_ended_included: bool = False) -> QuerySet[Position]:
    """Return a team's book with what `position_document` reads and no more, in one query.

    Nearest liquidation first, unknown distances last. Positions that ended are left out unless
    `is_ended_included`; those of disabled accounts always are (selectors.book_of).
    """
    rows = _with_document(book_of(team=team))
    return rows if is_ended_included else rows.exclude(state__in=ENDED_STATES)


def every_position(*, team: Team) -> QuerySet[Position]:
    """Return what a team may ask for by its id: all positions, of disabled accounts too."""
    return _with_document(Position.objects.filter(team=team))


def _with_document(rows: QuerySet[Position]) -> QuerySet[Position]:
    return (
        rows.select_related("account", "market", "provenance")
        .only(*(name for name in _COLUMNS if name != "as_of"))
        .order_by(F("rank_distance").asc(nulls_last=True), "id")
    )


def position_document(position: Position) -> dict[str, Any]:
    """Return a position with exactly the fields of POSITION_FIELDS, then `sources`, `reasons`.

    Numbers are decimal strings: a figure that the venue reported in its own characters, any other
    as the shortest decimal that reads back equal. Instants are ISO 8601 in UTC with Z, ids text,
    flags booleans. Needs account, market and provenance (`position_queryset` fetches them).
    """
    document = {field.name: _value(field, position) for field in POSITION_FIELDS}
    sources, reasons = provenance_of(document, position.provenance)
    return {**document, "sources": sources, "reasons": reasons}


# Figures of a reading that are fields of a position, in the same order.
_READING_COLUMNS = frozenset(field.name for field in Reading._meta.concrete_fields)
READING_FIELDS = tuple(
    field
    for field in POSITION_FIELDS
    if field.kind is FieldKind.NUMBER and field.name in _READING_COLUMNS
)


def reading_document(reading: Reading) -> dict[str, Any]:
    """Return one observation of a position, its figures as in `position_document`."""
    figures: dict[str, Any] = {
        field.name: decimal_string(getattr(reading, field.name)) for field in READING_FIELDS
    }
    sources, reasons = provenance_of(figures, reading.provenance)
    return {
        "id": str(reading.pk),
        "life": str(reading.life_id),
        "venue_time": iso(reading.venue_time),
        "received_at": iso(reading.received_at),
        "committed_at": iso(reading.committed_at),
        **figures,
        "tier_version": reading.tier_version,
        "sources": sources,
        "reasons": reasons,
    }


def provenance_of(
    document: Mapping[str, Any], provenance: Provenance
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the two maps of a document: the source of each figure, and why each null is null."""
    sources: dict[str, str] = {}
    reasons: dict[str, str] = {}
    for name, value in document.items():
        if value is None:
            sources[name] = _UNKNOWN
            reasons[name] = _reason(name, provenance)
        elif name in _SOURCED:
            sources[name] = _known_source(name, provenance)
    return sources, reasons


_REPORTED, _DERIVED, _UNKNOWN = (
    Source.REPORTED.value,
    Source.DERIVED.value,
    Source.UNKNOWN.value,
)
_SOURCED = frozenset(field.name for field in POSITION_FIELDS if field.has_source)


def _reason(name: str, provenance: Provenance) -> str:
    return str(provenance.reasons.get(name) or _WHY_NO_TEXT.get(name) or _NO_REASON)


def _known_source(name: str, provenance: Provenance) -> str:
    # A figure that is there is somebody's word: where none is recorded, it was worked out here.
    return _REPORTED if provenance.sources.get(name) == _REPORTED else _DERIVED


def _value(field: PositionField, position: Position) -> Any:
    if field.kind is FieldKind.TEXT:
        return _TEXTS[field.name](position)
    value = getattr(position, field.name)
    if field.kind is FieldKind.NUMBER:
        return _number(field.name, value, position)
    return iso(value) if field.kind is FieldKind.INSTANT else value


def _number(name: str, value: float | None, position: Position) -> str | None:
    text = position.printed.get(name)
    # Prices are refreshed between polls: printed characters count only while they say the same.
    if text and value is not None and float(text) == value and _is_reported(name, position):
        return text if _PLAIN.fullmatch(text) else format(Decimal(text), "f")
    return decimal_string(value)


def _is_reported(name: str, position: Position) -> bool:
    return bool(position.provenance.sources.get(name) == _REPORTED)
