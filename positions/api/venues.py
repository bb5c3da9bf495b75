"""The venues that can be read: what each needs and reads, and how it stands for this team."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from positions import coverage, selectors
from positions.api import parameters, schema
from positions.api.auth import team_of
from positions.api.base import ApiView
from positions.api.coverage import ban_document, feed_document
from riskhub import clock
from riskhub.formatting import decimal_string
from riskhub.teams.models import Team
from venues.base import REGISTRY, VenueAdapter


@schema.describe_registry("list_venues", schema.VENUE)
class VenueList(ApiView):
    """The venues that can be read: what each needs, reads, and how it liquidates."""

    def get(self, request: Request) -> Response:
        """Return all of them."""
        parameters.refuse_unknown(request.query_params, known=())
        return Response({"results": venue_documents(team=team_of(request), now=clock.now())})


def venue_documents(*, team: Team, now: datetime) -> list[dict[str, Any]]:
    """Return the venues that can be read, by slug, with what concerns this team there."""
    accounts = selectors.accounts_of(team=team).order_by()
    places = list(accounts.values_list("venue", "environment"))
    feeds = coverage.feeds_at(places=places, team=team, now=now)
    bans = coverage.bans_at(places=places, now=now)
    counts = Counter(venue for venue, _ in places)
    return [
        {
            **_venue(REGISTRY[slug]),
            "accounts": counts[slug],
            "feeds": [feed_document(each) for each in feeds if each.feed.venue == slug],
            "bans": [ban_document(ban) for ban in bans if ban.venue == slug],
        }
        for slug in sorted(REGISTRY)
    ]


def _venue(venue: type[VenueAdapter]) -> dict[str, Any]:
    return {
        "slug": venue.slug,
        "label": venue.label,
        "is_simulated": venue.is_simulated,
        "needs_wallet": venue.needs_wallet,
        "credentials": list(venue.credentials),
        "permission": venue.permission,
        "rate": {
            "requests": venue.rate.requests,
            "window_s": decimal_string(venue.rate.window_s),
            "source": venue.rate.source or None,
        },
        "margin_rules": {str(kind): rule for kind, rule in venue.margin_rules.items()},
        "reads": list(venue.reads),
    }
