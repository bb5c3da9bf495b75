"""The OpenAPI description. The shape of a position comes from positions/fields.py alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, TypeVar

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import (
    OpenApiParameter,
    extend_schema,
    extend_schema_field,
    extend_schema_view,
)
from rest_framework import serializers
from rest_framework.views import APIView

from positions.api import errors
from positions.api.parameters import DEFAULT_LIMIT, MOST_LIMIT, Filter
from positions.coverage import Answer, SightState
from positions.engine.types import ContractKind, MarginMode, PositionState, Severity, Side, Source
from positions.external import NULLABLE_TEXT, READING_FIELDS
from positions.fields import POSITION_FIELDS, FieldKind, PositionField
from venues.hygiene import FindingSeverity

Schema = dict[str, Any]
View = TypeVar("View", bound=APIView)
DECIMAL: Schema = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": ["0.125"]}
INSTANT: Schema = {"type": "string", "format": "date-time"}
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
WHOLE: Schema = {"type": "integer", "minimum": 0}
TEXTS: Schema = {"type": "array", "items": TEXT}
ANY_OBJECT: Schema = {"type": "object", "additionalProperties": True}
TEXT_MAP: Schema = {"type": "object", "additionalProperties": TEXT}
SOURCES: Schema = {
    "type": "object",
    "additionalProperties": {"type": "string", "enum": [source.value for source in Source]},
    "description": "Whose word each figure is.",
}
REASONS: Schema = {**TEXT_MAP, "description": "Why each null field is null."}
_KIND: Mapping[FieldKind, Schema] = {
    FieldKind.TEXT: TEXT,
    FieldKind.NUMBER: DECIMAL,
    FieldKind.INSTANT: INSTANT,
    FieldKind.FLAG: FLAG,
}
_ENUMS: Mapping[str, Iterable[str]] = {
    "kind": ContractKind,
    "side": Side,
    "margin_mode": MarginMode,
    "state": PositionState,
    "severity": Severity,
}


def nullable(schema: Schema) -> Schema:
    """Return the schema of the same or null."""
    widened = {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema:
        widened["enum"] = [*schema["enum"], None]
    return widened


def component(name: str, help: str, fields: Mapping[str, Schema]) -> type[serializers.Serializer]:  # noqa: A002
    """Return a serializer class that only describes: each field is always there."""
    members: dict[str, Any] = {key: _field(schema) for key, schema in fields.items()}
    return type(name, (serializers.Serializer,), {"__doc__": help, **members})


def page_of(item: type[serializers.Serializer]) -> type[serializers.Serializer]:
    """Return the component of a page of `item`."""
    members: dict[str, Any] = {
        "results": item(many=True, read_only=True),
        "next_cursor": _field({**nullable(TEXT), "description": "None after the last page."}),
    }
    help_text = f"Some of a list; the next begins at `next_cursor`. Rows: {item.__name__}."
    return type(
        f"{item.__name__}Page", (serializers.Serializer,), {"__doc__": help_text, **members}
    )


def list_of(item: type[serializers.Serializer]) -> type[serializers.Serializer]:
    """Return the component of a whole list of `item`."""
    members: dict[str, Any] = {"results": item(many=True, read_only=True)}
    return type(f"{item.__name__}List", (serializers.Serializer,), {"__doc__": "All.", **members})


def _field(schema: Schema) -> serializers.Field:
    described = type("Described", (serializers.ReadOnlyField,), {})
    field: serializers.Field = extend_schema_field(schema)(described)()
    return field


def _position_field(field: PositionField) -> Schema:
    schema = {**_KIND[field.kind]}
    if field.name in _ENUMS:
        schema["enum"] = [str(value) for value in _ENUMS[field.name]]
    unit = f" Unit: {field.unit}." if field.unit else ""
    schema["description"] = field.help + unit
    is_nullable = field.has_source or field.name in NULLABLE_TEXT
    return nullable(schema) if is_nullable else schema


TIER_VERSION = "Version of the maintenance table behind the figures; null: the row's own rate."
POSITION_SHAPE: Schema = {
    **{field.name: _position_field(field) for field in POSITION_FIELDS},
    "sources": SOURCES,
    "reasons": REASONS,
}
POSITION = component(
    "Position", "One compartment, everywhere outside RiskHub in this shape.", POSITION_SHAPE
)
READING = component(
    "Reading",
    "One observation of a position by a poll.",
    {"id": TEXT, "life": TEXT, "venue_time": nullable(INSTANT)}
    | {"received_at": INSTANT, "committed_at": INSTANT}
    | {field.name: _position_field(field) for field in READING_FIELDS}
    | {"tier_version": {**nullable(WHOLE), "description": TIER_VERSION}}
    | {"sources": SOURCES, "reasons": REASONS},
)
EVENT = component(
    "Event",
    "One change of a position.",
    {"id": TEXT, "position": TEXT, "life": TEXT, "kind": TEXT, "at": INSTANT}
    | {"committed_at": INSTANT, "detail": ANY_OBJECT},
)


def _object(help: str, fields: Mapping[str, Schema]) -> Schema:  # noqa: A002
    """Return the schema of an object all of whose fields are always there."""
    named = {name: dict(field) for name, field in fields.items()}
    return {"type": "object", "description": help, "properties": named, "required": list(named)}


def _list_of(item: Schema) -> Schema:
    return {"type": "array", "items": item}


COVERAGE: Schema = {
    "type": "object",
    "description": "What was last seen of one part of an account.",
    "properties": {
        "scope": TEXT,
        "seen_at": nullable(INSTANT),
        "rows": nullable(WHOLE),
        "refused": WHOLE,
        "refusals": {"type": "array", "items": {}},
        "tried_at": INSTANT,
        "error_kind": nullable(TEXT),
        "error": nullable(TEXT),
    },
}
COVERAGE["required"] = list(COVERAGE["properties"])
_FINDING = _object(
    "One thing to say about a key, in a sentence that says what to do.",
    {"code": TEXT, "sentence": TEXT}
    | {"severity": {"type": "string", "enum": [str(each) for each in FindingSeverity]}},
)
_KEY = _object(
    "What the daily look at the key found; null where none is looked at.",
    {"checked_at": nullable(INSTANT), "error": nullable(TEXT), "facts": TEXT_MAP}
    | {"findings": _list_of(_FINDING)},
)
ACCOUNT = component(
    "Account",
    "Credentials or a wallet at a venue; nothing secret is shown.",
    {"id": TEXT, "venue": TEXT, "label": TEXT, "wallet": nullable(TEXT), "base_url": nullable(TEXT)}
    | {"is_simulated": FLAG, "is_enabled": FLAG, "blocked_reason": nullable(TEXT)}
    | {"failures": WHOLE, "poll_budget_s": DECIMAL, "next_poll_at": nullable(INSTANT)}
    | {"last_seen_at": nullable(INSTANT), "created_at": INSTANT}
    | {"key": nullable(_KEY), "coverage": {"type": "array", "items": COVERAGE}},
)
INCIDENT = component(
    "Incident",
    "An alert's life, from the first sight of a breach to its end.",
    {"id": TEXT, "rule": nullable(TEXT), "subject": TEXT, "position": nullable(TEXT)}
    | {"venue": nullable(TEXT), "account": nullable(TEXT), "is_simulated": FLAG}
    | {"severity": TEXT, "rank": WHOLE, "state": TEXT, "headline": TEXT, "value": nullable(DECIMAL)}
    | {"opened_at": INSTANT, "fired_at": nullable(INSTANT), "acknowledged_at": nullable(INSTANT)}
    | {"acknowledged_by": nullable(TEXT), "unknown_since": nullable(INSTANT)}
    | {"resolved_at": nullable(INSTANT), "resolution": nullable(TEXT), "why": ANY_OBJECT},
)


_PART = _object(
    "What was last seen of one part of an account. `age` is in units of what is allowed.",
    {"account_id": TEXT, "venue": TEXT, "account": TEXT, "is_simulated": FLAG, "scope": TEXT}
    | {"state": {"type": "string", "enum": [str(each) for each in SightState]}}
    | {"is_blind": FLAG, "answer": {"type": "string", "enum": [str(each) for each in Answer]}}
    | {"age_s": nullable(DECIMAL), "allowed_s": DECIMAL, "age": nullable(DECIMAL)}
    | {"seen_at": nullable(INSTANT), "rows": nullable(WHOLE), "refused": nullable(WHOLE)}
    | {"refusals": {"type": "array", "items": {}}, "tried_at": nullable(INSTANT)}
    | {"error_kind": nullable(TEXT), "error": nullable(TEXT), "blocked_reason": nullable(TEXT)},
)
_GONE = _object(
    "A position that complete answers no longer show, and nobody says why.",
    {"position": TEXT, "venue": TEXT, "account": TEXT, "symbol": TEXT, "side": TEXT}
    | {"seen_at": INSTANT, "gone_at": nullable(INSTANT)},
)
_FEED = _object(
    "What a venue tells everybody about the markets held there.",
    {"venue": TEXT, "base_url": nullable(TEXT), "kind": TEXT}
    | {"state": {"type": "string", "enum": [str(each) for each in SightState]}}
    | {"age_s": nullable(DECIMAL), "allowed_s": DECIMAL, "received_at": nullable(INSTANT)}
    | {"next_at": nullable(INSTANT), "error": nullable(TEXT)},
)
_BAN = _object(
    "This address is banned there: nothing is sent before `until`.",
    {"venue": TEXT, "base_url": nullable(TEXT), "begun_at": INSTANT, "until": INSTANT}
    | {"reason": nullable(TEXT)},
)
COVERAGE_REPORT = component(
    "Coverage",
    "What was seen of every part of every enabled account, and what was not.",
    {"at": INSTANT, "is_blind": FLAG, "parts": _list_of(_PART), "gone": _list_of(_GONE)}
    | {"feeds": _list_of(_FEED), "bans": _list_of(_BAN)},
)
VENUE = component(
    "Venue",
    "A venue that can be read, and how it stands for this team.",
    {"slug": TEXT, "label": TEXT, "is_simulated": FLAG, "needs_wallet": FLAG}
    | {"credentials": TEXTS, "permission": TEXT}
    | {
        "rate": _object(
            "How many requests one address may send in how many seconds.",
            {"requests": WHOLE, "window_s": DECIMAL, "source": nullable(TEXT)},
        )
    }
    | {"margin_rules": TEXT_MAP, "reads": TEXTS, "accounts": WHOLE}
    | {"feeds": _list_of(_FEED), "bans": _list_of(_BAN)},
)
MEASURE = component(
    "Measure",
    "A risk measure that rules, pages and exports may use.",
    {"name": TEXT, "label": TEXT, "unit": TEXT, "is_worse_high": FLAG, "columns": TEXTS}
    | {"help": TEXT},
)
ERROR = component(
    "Error",
    "Every error has this shape.",
    {
        "error": {
            "type": "object",
            "properties": {
                "code": {"type": "string", "enum": sorted(errors.CODES)},
                "message": TEXT,
                "field": {**TEXT, "description": "The parameter that is wrong, if one is."},
            },
            "required": ["code", "message"],
        }
    },
)


def describe_list(
    operation: str, item: type[serializers.Serializer], *, is_under_id: bool = False
) -> Callable[[type[View]], type[View]]:
    """Return a decorator that describes a ListView from its own filters and orderings."""

    def decorate(view: type[View]) -> type[View]:
        parameters = [_parameter(item) for item in getattr(view, "filters", ())]
        names = [ordering.name for ordering in getattr(view, "orderings", ())]
        parameters += [_ordering(names), _LIMIT, _CURSOR]
        answers = _answers(page_of(item), is_by_id=is_under_id)
        return _described(view, operation, responses=answers, parameters=parameters)

    return decorate


def describe_detail(
    operation: str, item: type[serializers.Serializer]
) -> Callable[[type[View]], type[View]]:
    """Return a decorator that describes a DetailView."""
    answers = _answers(item, is_by_id=True)
    return lambda view: _described(view, operation, responses=answers)


def describe_registry(
    operation: str, item: type[serializers.Serializer]
) -> Callable[[type[View]], type[View]]:
    """Return a decorator that describes a view which lists a registry."""
    answers = _answers(list_of(item), is_by_id=False)
    return lambda view: _described(view, operation, responses=answers)


def describe_report(
    operation: str, item: type[serializers.Serializer], *, filters: Iterable[Filter]
) -> Callable[[type[View]], type[View]]:
    """Return a decorator that describes a view with one document, narrowed by filters."""
    answers = _answers(item, is_by_id=False)
    parameters = [_parameter(each) for each in filters]
    return lambda view: _described(view, operation, responses=answers, parameters=parameters)


def _described(view: type[View], operation: str, **described: Any) -> type[View]:
    get = extend_schema(operation_id=operation, description=view.__doc__, **described)
    decorated: type[View] = extend_schema_view(get=get)(view)
    return decorated


def _answers(answer: type[serializers.Serializer], *, is_by_id: bool) -> dict[int, Any]:
    failures = (400, 401, 403, 404, 429) if is_by_id else (400, 401, 403, 429)
    return {200: answer, **dict.fromkeys(failures, ERROR)}


_CURSOR = OpenApiParameter("cursor", str, description="`next_cursor` of the page before.")
_LIMIT = OpenApiParameter(
    "limit",
    {"type": "integer", "minimum": 1, "default": DEFAULT_LIMIT},
    description=f"Rows on a page; above {MOST_LIMIT} counts as {MOST_LIMIT}.",
)


def _ordering(names: list[str]) -> OpenApiParameter:
    return OpenApiParameter(
        "ordering", str, enum=names, description=f"{names[0]} by default; unknown comes last."
    )


def _parameter(item: Filter) -> OpenApiParameter:
    shape: Schema = {"type": "string"}
    if item.choices:
        shape["enum"] = list(item.choices)
    if item.format:
        shape["format"] = item.format
    kind = {"type": "array", "items": shape} if item.is_many else shape
    return OpenApiParameter(item.name, kind, description=item.help, explode=item.is_many or None)


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes `Authorization: Bearer rh_…`."""

    target_class = "positions.api.auth.ScopedTokenAuthentication"
    name = "token"

    def get_security_definition(self, *_: object) -> Schema:
        """Return the OpenAPI security scheme."""
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A token of `manage.py create_token` or of the settings page.",
        }


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes the cookie of a person who is logged in."""

    target_class = "positions.api.auth.MemberAuthentication"
    name = "session"

    def get_security_definition(self, *_: object) -> Schema:
        """Return the OpenAPI security scheme."""
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}


@cache
def document() -> Schema:
    """Return the whole OpenAPI document; it is the same for everybody, so it is made once."""
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    schema: Schema = generator.get_schema(public=True)  # type: ignore[no-untyped-call]
    return schema
