"""What the views of the API are made of: a list in pages, and one row by its id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import Http404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from positions.api import parameters
from positions.api.auth import team_of
from positions.api.errors import BadParameterError
from positions.api.paging import Ordering, read_page
from positions.api.parameters import Filter
from positions.api.throttles import CallerThrottle

OLDEST = Ordering("id", "id")


class ApiView(APIView):
    """What all views of the API share: they read, so many times a minute."""

    http_method_names = ["get", "head"]
    throttle_classes: Sequence[type[BaseThrottle]] = (CallerThrottle,)


class ListView(ApiView):
    """A list in pages, narrowed by filters.

    rows        team and the ids in the address -> rows that may be listed; may raise Http404
    show        row -> document
    orderings   the first is the default
    """

    rows: ClassVar[Callable[..., QuerySet[Any]]]
    show: ClassVar[Callable[..., dict[str, Any]]]
    filters: ClassVar[tuple[Filter, ...]] = ()
    orderings: ClassVar[tuple[Ordering, ...]] = (OLDEST,)

    def get(self, request: Request, **ids: int) -> Response:
        """Return one page; raises Http404, BadParameterError."""
        view, query = type(self), request.query_params
        rows = view.rows(team=team_of(request), **ids)
        names = {item.name for item in self.filters}
        parameters.refuse_unknown(query, known={*names, "limit", "cursor", "ordering"})
        page = read_page(
            self.narrow(rows, request),
            ordering=self._ordering(query.get("ordering")),
            limit=parameters.read_limit(query),
            cursor=query.get("cursor", ""),
        )
        results = [view.show(row) for row in page.rows]
        return Response({"results": results, "next_cursor": page.next_cursor})

    def narrow(self, rows: QuerySet[Any], request: Request) -> QuerySet[Any]:
        """Return the rows that the query asks for; raises BadParameterError."""
        return parameters.narrow(rows, filters=self.filters, query=request.query_params)

    def _ordering(self, name: str | None) -> Ordering:
        if name is None:
            return self.orderings[0]
        for ordering in self.orderings:
            if ordering.name == name:
                return ordering
        names = ", ".join(ordering.name for ordering in self.orderings)
        raise BadParameterError("ordering", f"This is one of: {names}.")


class DetailView(ApiView):
    """One row by its id, the only one in the address.

    rows   team -> rows among which it is sought
    show   row -> document
    """

    rows: ClassVar[Callable[..., QuerySet[Any]]]
    show: ClassVar[Callable[..., dict[str, Any]]]

    def get(self, request: Request, **ids: int) -> Response:
        """Return the row; raises Http404, the same for another team's and for none."""
        view, (pk,) = type(self), ids.values()
        row = view.rows(team=team_of(request)).filter(pk=pk).first()
        if row is None:
            raise Http404
        parameters.refuse_unknown(request.query_params, known=())
        return Response(view.show(row))
