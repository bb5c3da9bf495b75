"""The calculator in REST: public, it reads nobody's book and asks no database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from positions.api import parameters
from positions.api.base import ApiView
from positions.api.errors import BadParameterError
from positions.api.schema import DECIMAL, ERROR, FLAG, REASONS, TEXT, TEXT_MAP, Schema, nullable
from positions.api.throttles import AddressThrottle
from positions.calculator import figures
from positions.calculator.errors import CalculatorError
from positions.calculator.fields import FIELDS, Check
from positions.calculator.figures import FIGURES, Figure
from positions.calculator.quoting import RESIDUAL, quote
from positions.engine.rulebook import RULES
from positions.engine.types import ContractKind, MarginMode, Side
from riskhub import formatting

MOST_CASES = 500
MOST_BYTES = 1_048_576
# Longer whole numbers are read as floats: they are no ids, and int() takes long over them.
_MOST_DIGITS = 18


class TooLargeError(APIException):
    """The body is longer than a body of the most cases needs to be."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = f"The body is at most {MOST_BYTES:,} bytes."
    default_code = "too_large"


class CasesParser(BaseParser):
    """JSON of a bounded length. NaN and 1e400 are read, so that the field can be named."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], *_: object) -> Any:
        """Return the document; raises TooLargeError, ParseError."""
        body = stream.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise TooLargeError
        try:
            text = body.decode("utf-8")
            document = json.loads(text, parse_int=_read_whole)
            if "\\u" in text:
                # Half of a pair of surrogates is no text: it could not be answered.
                json.dumps(document, ensure_ascii=False).encode("utf-8")
        except (ValueError, RecursionError):
            raise ParseError("The body is not JSON.") from None
        return document


def _read_whole(text: str) -> int | float:
    return int(text) if len(text) <= _MOST_DIGITS else float(text)


def _shape(figure: Figure) -> Schema:
    shape = {figures.FLAG: FLAG, figures.TEXT: TEXT}.get(figure.unit, DECIMAL)
    unit = f" Unit: {figure.unit}." if figure.unit and shape is DECIMAL else ""
    return {**nullable(shape), "description": f"{figure.help}.{unit}"}


_NUMBER: Schema = {"type": ["string", "number", "null"], "examples": ["0.125"]}
_ROWS: Schema = {"type": ["array", "null"], "items": {"type": "object"}}
_ID: Schema = {"type": ["string", "integer", "null"]}


def _input(name: str) -> Schema:
    field = FIELDS[name]
    shape = _ROWS if field.check in {Check.TIERS, Check.LIABILITIES} else _NUMBER
    unit = f" Unit: {field.unit}." if field.unit else ""
    return {**shape, "description": f"{field.help}: {field.check.value}.{unit}"}


CASE: Schema = {
    "type": "object",
    "description": "A position to calculate. Without `rule` it is chosen by venue, kind, inputs.",
    "properties": {
        "id": {**_ID, "description": "Comes back with the answer."},
        "rule": {"type": ["string", "null"], "enum": [*sorted(RULES), None]},
        "venue": nullable(TEXT),
        "kind": {"type": "string", "enum": list(ContractKind)},
        "side": {"type": ["string", "null"], "enum": [*Side, "n/a", "", None]},
        "margin_mode": {"type": ["string", "null"], "enum": [*MarginMode, None]},
        "inputs": {"type": "object", "properties": {name: _input(name) for name in FIELDS}},
    },
    "required": ["kind", "inputs"],
}
ANSWER: Schema = {
    "type": "object",
    "description": "Every figure that the rule knows; null has its reason in `reasons`.",
    "properties": {
        "id": _ID,
        "rule": {**TEXT, "description": "The margin rule that answered."},
        **{name: _shape(figure) for name, figure in FIGURES.items()},
        RESIDUAL: {
            **nullable(DECIMAL),
            "description": "Equity less requirement at the liquidation price, of the notional.",
        },
        "reasons": REASONS,
        "notes": {**TEXT_MAP, "description": "What was assumed, by figure."},
    },
    "required": ["id", "rule", RESIDUAL, "reasons", "notes"],
}
_CASES: Schema = {"type": "array", "items": CASE, "maxItems": MOST_CASES}
_MANY: Schema = {"type": "object", "properties": {"cases": _CASES}, "required": ["cases"]}
_BODY: Schema = {"oneOf": [CASE, _MANY, _CASES]}
_RESULTS: Schema = {
    "type": "object",
    "properties": {"results": {"type": "array", "items": ANSWER}},
    "required": ["results"],
}


@extend_schema_view(
    post=extend_schema(
        operation_id="calculate",
        description="What a position's inputs say by its venue's margin rule. Needs no token. "
        "One case is answered with its figures, several with `results`.",
        request={"application/json": _BODY},
        responses={
            200: {"oneOf": [ANSWER, _RESULTS]},
            **dict.fromkeys((400, 413, 415, 429), ERROR),
        },
    )
)
class Calculator(ApiView):
    """Answer cases; public, it reads nobody's book."""

    http_method_names = ["post"]
    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (AddressThrottle,)
    parser_classes = (CasesParser,)

    def post(self, request: Request) -> Response:
        """Return the figures of one case, or of each; raises BadParameterError, TooLargeError."""
        parameters.refuse_unknown(request.query_params, known=())
        sent = request.data
        if isinstance(sent, Mapping) and "cases" not in sent:
            return Response(_answer(sent))
        cases = sent["cases"] if isinstance(sent, Mapping) else sent
        if not isinstance(cases, list) or len(cases) > MOST_CASES:
            raise BadParameterError("cases", f"This is a list of at most {MOST_CASES} cases.")
        answers = [_answer(case, where=f"cases[{index}].") for index, case in enumerate(cases)]
        return Response({"results": answers})


def _answer(case: object, *, where: str = "") -> dict[str, Any]:
    try:
        found = quote(case)  # type: ignore[arg-type]
    except CalculatorError as error:
        message = error.message[:1].upper() + error.message[1:]
        raise BadParameterError(f"{where}{error.field}", message) from None
    return {name: _write(value) for name, value in found.items()} | {"id": found["id"]}


def _write(value: Any) -> Any:
    return formatting.decimal_string(value) if isinstance(value, float) else value
