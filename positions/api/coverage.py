"""The coverage of a team by REST: what was seen of each part, and what was not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from positions.api import parameters, resources, schema
from positions.api.auth import team_of
from positions.api.base import ApiView
from positions.api.parameters import Filter
from positions.coverage import (
    FeedSight,
    PartSight,
    Sights,
    SightState,
    refused_of,
    sights_of,
)
from positions.models import Position
from riskhub import clock
from riskhub.formatting import decimal_string, iso
from riskhub.teams.models import Team
from venues.models import HostBan

_STATES = tuple(state for state in SightState if state != SightState.IDLE)
FILTERS = (
    Filter("venue", "venue", "Slug of the venue."),
    Filter("account", "account", "Label of the account; of `parts` and `gone` alone."),
    Filter("state", "state", "How old the last good answer is; of `parts` alone.", _STATES),
)


@schema.describe_report("get_coverage", schema.COVERAGE_REPORT, filters=FILTERS)
class CoverageReport(ApiView):
    """What was seen of each part of each enabled account, and what was not; in one answer."""

    filters = FILTERS

    def get(self, request: Request) -> Response:
        """Return all of it; raises BadParameterError."""
        parameters.refuse_unknown(request.query_params, known={item.name for item in FILTERS})
        wanted = {
            item.name: [item.value(text) for text in texts]
            for item in FILTERS
            if (texts := request.query_params.getlist(item.name))
        }
        now = clock.now()
        return Response(report(team=team_of(request), now=now, wanted=wanted))


def report(
    *, team: Team, now: datetime, wanted: dict[str, list[Any]] | None = None
) -> dict[str, Any]:
    """Return the coverage of a team as a document.

    wanted  filter -> values; what has no such fact is not narrowed by it
    """
    sights = sights_of(team=team, now=now)
    lists = _lists(sights)
    return {
        "at": iso(now),
        "is_blind": bool(sights.blind or sights.blind_prices),
        **{name: _narrowed(rows, wanted or {}) for name, rows in lists.items()},
    }


def _lists(sights: Sights) -> dict[str, list[dict[str, Any]]]:
    return {
        "parts": [part_document(part) for part in sights.parts],
        "gone": [gone_document(position) for position in sights.gone],
        "feeds": [feed_document(sight) for sight in sights.feeds],
        "bans": [ban_document(ban) for ban in sights.bans],
    }


def _narrowed(rows: Sequence[dict[str, Any]], wanted: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [row for row in rows if all(_fits(row, *each) for each in wanted.items())]


def _fits(row: dict[str, Any], name: str, values: Sequence[Any]) -> bool:
    """A feed has a state, too, but it is the parts that are asked for by state."""
    is_meant = name in row and (name != "state" or "scope" in row)
    return not is_meant or row[name] in values


def part_document(part: PartSight) -> dict[str, Any]:
    """Return one part of an account; ages in seconds and in units of what is allowed."""
    account, entry = part.account, part.entry
    return {
        "account_id": str(account.pk),
        "venue": account.venue,
        "account": account.label,
        "is_simulated": account.is_simulated,
        "scope": part.scope,
        "state": str(part.age.state),
        "is_blind": part.is_blind,
        "answer": str(part.answer),
        "age_s": decimal_string(part.age.seconds),
        "allowed_s": decimal_string(part.age.allowed_s),
        "age": decimal_string(part.age.share),
        "seen_at": iso(entry.seen_at) if entry else None,
        "rows": entry.rows if entry else None,
        "refused": refused_of(entry),
        "refusals": resources.exact(entry.refusals) if entry else [],
        "tried_at": iso(entry.tried_at) if entry else None,
        "error_kind": (entry.error_kind if entry else "") or None,
        "error": (entry.error if entry else "") or None,
        "blocked_reason": account.blocked_reason or None,
    }


def gone_document(position: Position) -> dict[str, Any]:
    """Return a position that vanished without a word."""
    return {
        "position": str(position.pk),
        "venue": position.account.venue,
        "account": position.account.label,
        "symbol": position.market.symbol,
        "side": str(position.side),
        "seen_at": iso(position.received_at),
        "gone_at": iso(getattr(position, "gone_at", None)),
    }


def feed_document(sight: FeedSight) -> dict[str, Any]:
    """Return one feed of a venue with its age."""
    feed = sight.feed
    return {
        "venue": feed.venue,
        "base_url": resources.without_user(feed.environment) or None,
        "kind": str(feed.kind),
        "state": str(sight.age.state),
        "age_s": decimal_string(sight.age.seconds),
        "allowed_s": decimal_string(sight.age.allowed_s),
        "received_at": iso(feed.received_at),
        "next_at": iso(feed.next_at),
        "error": feed.error or None,
    }


def ban_document(ban: HostBan) -> dict[str, Any]:
    """Return a ban of this address; nothing is sent there before `until`."""
    return {
        "venue": ban.venue,
        "base_url": resources.without_user(ban.environment) or None,
        "begun_at": iso(ban.begun_at),
        "until": iso(ban.until),
        "reason": ban.reason or None,
    }
