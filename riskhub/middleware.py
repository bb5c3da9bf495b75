"""What every request passes through: an id for the logs, a login, a page for a wrong method."""

from __future__ import annotations

import uuid
from typing import Any

import structlog
from django.contrib.auth import middleware as auth
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
)
from django.shortcuts import render, resolve_url
from django.utils.deprecation import MiddlewareMixin


class RequestIdMiddleware(MiddlewareMixin):
    """Bind an id to all log lines of the request and return it as X-Request-Id."""

    def process_request(self, request: HttpRequest) -> None:
        request.request_id = uuid.uuid4().hex[:16]  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request.request_id)  # type: ignore[attr-defined]

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        response["X-Request-Id"] = getattr(request, "request_id", "")
        return response


class LoginRequiredMiddleware(auth.LoginRequiredMiddleware):
    """Every page needs a login unless its view says otherwise.

    REST authenticates by itself. An htmx request gets 401 and a whole-page redirect: a login form
    must not be swapped into a table.
    """

    def process_view(
        self, request: HttpRequest, view_func: Any, view_args: Any, view_kwargs: Any
    ) -> HttpResponseBase | None:
        if request.path.startswith("/api/") or not getattr(view_func, "login_required", True):
            return None
        return super().process_view(request, view_func, view_args, view_kwargs)

    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> Any:
        if "HX-Request" in request.headers:
            login = resolve_url(self.get_login_url(view_func))
            return HttpResponse(status=401, headers={"HX-Redirect": login})
        return super().handle_no_permission(request, view_func)


class NotAllowedPageMiddleware(MiddlewareMixin):
    """An address that only takes what a form sends says so; Django's own answer is blank."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        is_blank = isinstance(response, HttpResponseNotAllowed) and not response.content
        if not is_blank or request.path.startswith("/api/"):
            return response
        # The frame of such a page shows neither coverage nor alerts: it must not fail as well.
        request.is_error_page = True  # type: ignore[attr-defined]
        page = render(request, "405.html", status=405)
        page["Allow"] = response["Allow"]
        return page
