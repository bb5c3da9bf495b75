"""Every read of positions and accounts; each takes the team first, so that nothing crosses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet

from positions.engine.types import PositionState
from positions.freshness import is_stale
from positions.models import Event, Position, Reading
from riskhub.teams.models import Team
from venues.models import Account, CoverageEntry

_ENDED = [state for state in PositionState if state.is_ended]
# A position that vanished without a word stays on the overview this long; history keeps it.
_GONE_SHOWN = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class PositionFilters:
    """What a person narrows the book to; empty means everything."""

    venue: str = ""
    account: str = ""
    asset: str = ""
    side: str = ""
    severity: str = ""
    state: str = ""
    margin_mode: str = ""
    simulated: str = ""

    @property
    def is_active(self) -> bool:
        """Tell whether anything is narrowed."""
        return any(getattr(self, each.name) for each in fields(self))

    def apply(self, rows: QuerySet[Position]) -> QuerySet[Position]:
        """Return the rows that pass."""
        columns = {
            "venue": "account__venue",
            "account": "account__label",
            "asset": "market__asset",
            "side": "side",
            "severity": "severity",
            "state": "state",
            "margin_mode": "margin_mode",
        }
        for name, column in columns.items():
            value = getattr(self, name)
            rows = rows.filter(**{column: value}) if value else rows
        if self.simulated:
            rows = rows.filter(account__is_simulated=self.simulated == "1")
        return rows


def positions_of(*, team: Team) -> QuerySet[Position]:
    """Return every position of a team, ended ones too, with what showing one needs."""
    return Position.objects.filter(team=team).select_related(
        "account", "market", "provenance", "life", "coverage"
    )


def live_positions(*, team: Team, now: datetime) -> QuerySet[Position]:
    """Return what a team holds, nearest liquidation first, unknown distances last."""
    long_gone = Q(state=PositionState.GONE, received_at__lt=now - _GONE_SHOWN)
    rows = positions_of(team=team).exclude(state__in=_ENDED).exclude(long_gone)
    return rows.order_by(F("liquidation_distance").asc(nulls_last=True), "pk")


def readings_of(*, position: Position, since: datetime, limit: int = 5000) -> Sequence[Reading]:
    """Return readings of a position since an instant, oldest first, the newest `limit` of them."""
    rows = position.readings.filter(received_at__gte=since).order_by("-received_at")[:limit]
    return list(rows)[::-1]


def events_of(*, position: Position, limit: int = 50) -> Sequence[Event]:
    """Return the latest events of a position, newest first."""
    return list(position.events.order_by("-at", "-pk")[:limit])


@dataclass(frozen=True, slots=True)
class AccountCoverage:
    """One account with its coverage entries and whether it is seen."""

    account: Account
    entries: Sequence[CoverageEntry]
    is_blind: bool

    @property
    def problem(self) -> str:
        """Return the sentence that explains why it is not seen; "" when it is."""
        if self.account.blocked_reason:
            return self.account.blocked_reason
        return next((entry.error for entry in self.entries if entry.error), "")


def coverage_of(*, team: Team, now: datetime) -> list[AccountCoverage]:
    """Return every enabled account of a team and what was seen of it, in two queries."""
    accounts = list(
        Account.objects.filter(team=team, is_enabled=True).order_by(
            "is_simulated", "venue", "label"
        )
    )
    entries: dict[int, list[CoverageEntry]] = {account.pk: [] for account in accounts}
    for entry in CoverageEntry.objects.filter(account__in=accounts).order_by("scope"):
        entries[entry.account_id].append(entry)
    return [
        AccountCoverage(account, entries[account.pk], _is_blind(account, entries[account.pk], now))
        for account in accounts
    ]


def _is_blind(account: Account, entries: Sequence[CoverageEntry], now: datetime) -> bool:
    """An account is blind when it is blocked, or any part of it is stale or never seen."""
    if account.blocked_reason or not entries:
        return True
    return any(
        is_stale(seen_at=entry.seen_at, budget_s=account.poll_budget_s, now=now)
        for entry in entries
    )
