"""Every error of the REST API in one shape: {"error": {"code", "message", "field"?}}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import InterfaceError, OperationalError
from rest_framework import status
from rest_framework.exceptions import APIException
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

from riskhub import logs

log = logs.get(__name__)

NOT_FOUND = "There is nothing here."
_CODES: Mapping[int, str] = {
    400: "bad_request",
    401: "not_authenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
}
CODES = (*_CODES.values(), "bad_parameter", "internal", "unavailable")


class BadParameterError(APIException):
    """A query parameter is not understood; `field` names it."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "bad_parameter"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def body(*, code: str, message: str, field: str = "") -> dict[str, dict[str, str]]:
    """Return the one shape of an error."""
    return {"error": {"code": code, "message": message, **({"field": field} if field else {})}}


def handle(error: Exception, context: Mapping[str, Any]) -> Response:
    """Return the response of whatever a view raised; DRF calls this."""
    response = exception_handler(error, dict(context))
    if response is None:
        return _broken(error)
    if isinstance(error, BadParameterError):
        response.data = body(code=error.default_code, message=str(error.detail), field=error.field)
        return response
    code = _CODES.get(response.status_code, "bad_request")
    response.data = body(code=code, message=_message(error, response))
    return response


def _message(error: Exception, response: Response) -> str:
    # One text for all: whether something belongs to another team or is not there at all must
    # not be seen.
    if response.status_code == status.HTTP_404_NOT_FOUND:
        return NOT_FOUND
    return str(error.detail) if isinstance(error, APIException) else "You may not do this."


def _broken(error: Exception) -> Response:
    set_rollback()
    log.error("api_failed", error=logs.describe(error), exc_info=error)
    if isinstance(error, OperationalError | InterfaceError):
        answer = body(code="unavailable", message="The database does not answer; try again soon.")
        return Response(answer, status=503, headers={"Retry-After": "5"})
    answer = body(code="internal", message="Something went wrong here; it has been logged.")
    return Response(answer, status=500)
