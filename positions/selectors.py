"""Every read of positions and accounts; each takes the team first, so that nothing crosses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet, Window
from django.db.models.functions import Mod, RowNumber

from positions.engine.types import PositionState
from positions.freshness import is_stale
from positions.models import Event, Life, Position, Reading
from riskhub.teams.models import Team
from venues.base import Held
from venues.models import Account, CoverageEntry

_ENDED = [state for state in PositionState if state.is_ended]
# What showing a position needs.
_BESIDE = ("account", "market", "provenance", "life", "coverage")
# A position that vanished without a word stays on the overview this long; history keeps it.
_GONE_SHOWN = timedelta(hours=24)
# So long a venue is asked how a position that vanished came to its end.
_END_AWAITED = timedelta(minutes=15)


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
    return Position.objects.filter(team=team).select_related(*_BESIDE)


def book_of(*, team: Team) -> QuerySet[Position]:
    """Return the positions that lists, totals and exports are made of, ended ones too.

    What an account last showed before a person disabled it is in none of them, as the account is
    not in the coverage: nobody looks whether it is still so. By its id it can still be opened.
    """
    return Position.objects.filter(team=team, account__is_enabled=True)


def live_positions(*, team: Team, now: datetime) -> QuerySet[Position]:
    """Return what a team holds, nearest liquidation first, what cannot be ranked last.

    Raw rows are not fetched.
    """
    long_gone = Q(state=PositionState.GONE, received_at__lt=now - _GONE_SHOWN)
    rows = (
        book_of(team=team)
        .select_related(*_BESIDE)
        .exclude(state__in=_ENDED)
        .exclude(long_gone)
        .defer("raw", "printed", "account__credentials")
    )
    return rows.order_by(F("rank_distance").asc(nulls_last=True), "pk")


def open_positions(*, team: Team) -> QuerySet[Position]:
    """Return every position of a team that has not ended, of disabled accounts too."""
    return Position.objects.filter(team=team).exclude(state__in=_ENDED)


def held_by(*, account_ids: Sequence[int], now: datetime) -> dict[int, list[Held]]:
    """Return what these accounts hold as far as is known, by account id, in one query.

    What vanished without a word lately is among it: a venue may explain an end minutes later.
    """
    rows = Position.objects.filter(account_id__in=account_ids).exclude(state__in=_ENDED)
    rows = rows.exclude(state=PositionState.GONE, received_at__lt=now - _END_AWAITED)
    columns = rows.values_list(
        "account_id", "coverage__scope", "market__symbol", "slot", "margin_mode", "received_at"
    )
    held: dict[int, list[Held]] = {}
    for account_id, scope, symbol, slot, margin_mode, seen_at in columns:
        facts = Held(scope, symbol, slot, margin_mode, seen_at)
        held.setdefault(account_id, []).append(facts)
    return held


def needs_prices(*, team: Team) -> bool:
    """Tell whether a team holds anything whose trigger price is refreshed between polls."""
    rows = book_of(team=team).exclude(state__in=[*_ENDED, PositionState.GONE])
    return rows.filter(market__is_known=True).exists()


def readings_of(*, position: Position, since: datetime, points: int = 1500) -> Sequence[Reading]:
    """Return readings of a position since an instant, oldest first, in two queries.

    More than `points` of them are thinned out evenly; the newest one is always there.
    """
    rows = position.readings.filter(received_at__gte=since)
    step = max(1, math.ceil(rows.count() / points))
    if step > 1:
        place = Window(RowNumber(), order_by=F("received_at").desc())
        rows = rows.annotate(place=place, left=Mod(F("place") - 1, step)).filter(left=0)
    return list(rows.order_by("received_at", "pk"))


def events_of(*, position: Position, limit: int = 50) -> Sequence[Event]:
    """Return the latest events of a position, newest first."""
    return list(position.events.order_by("-at", "-pk")[:limit])


def lives_of(*, position: Position, limit: int = 20) -> Sequence[Life]:
    """Return the latest lives of a position, newest first."""
    return list(position.lives.order_by("-opened_at", "-pk")[:limit])


def accounts_of(*, team: Team) -> QuerySet[Account]:
    """Return every account of a team, disabled ones too, without their secrets."""
    rows = Account.objects.filter(team=team).defer("credentials")
    return rows.order_by("is_simulated", "venue", "label")


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


def coverage_of(
    *, team: Team, now: datetime, is_disabled_included: bool = False
) -> list[AccountCoverage]:
    """Return the accounts of a team and what was seen of each, in two queries.

    An account that a person has disabled is not polled and counts as neither seen nor blind.
    """
    accounts = accounts_of(team=team)
    if not is_disabled_included:
        accounts = accounts.filter(is_enabled=True)
    return _cover(list(accounts), now)


def _cover(accounts: Sequence[Account], now: datetime) -> list[AccountCoverage]:
    entries: dict[int, list[CoverageEntry]] = {account.pk: [] for account in accounts}
    for entry in CoverageEntry.objects.filter(account__in=accounts).order_by("scope"):
        entries[entry.account_id].append(entry)
    return [
        AccountCoverage(account, entries[account.pk], _is_blind(account, entries[account.pk], now))
        for account in accounts
    ]


def _is_blind(account: Account, entries: Sequence[CoverageEntry], now: datetime) -> bool:
    """An account is blind when it is blocked, or any part of it is stale or never seen."""
    if not account.is_enabled:
        return False
    if account.blocked_reason or not entries:
        return True
    return any(
        is_stale(seen_at=entry.seen_at, budget_s=account.poll_budget_s, now=now)
        for entry in entries
    )
