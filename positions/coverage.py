"""What was seen and what was not: every part of every account, every feed, every ban.

An empty answer, an unreadable answer and a flat book are three different things, and none of them
is a part that was never asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.conf import settings
from django.db.models import OuterRef, Subquery

from positions import feeds, selectors
from positions.engine.types import PositionState
from positions.freshness import late_after_s, stale_after_s
from positions.models import Event, EventKind, Position
from positions.selectors import AccountCoverage
from riskhub.teams.models import Team
from venues.errors import UnreadableAnswer
from venues.models import Account, CoverageEntry, Feed, FeedKind, HostBan

# What an account is told when not even its parts are known.
_WHOLE = "account"
# How the strict reader begins to speak of an answer with nothing in it (venues/wire.py).
_EMPTY = ("the answer is empty", "the answer is an empty object")

# Venue and environment.
Place = tuple[str, str]


class SightState(StrEnum):
    """How old the last good answer is against what its budget allows.

    fresh  read within its turn
    late   a turn was missed; not yet too old to be believed
    stale  too old to be believed
    never  no good answer yet
    idle   nothing is held there, so it is not read
    """

    FRESH = "fresh"
    LATE = "late"
    STALE = "stale"
    NEVER = "never"
    IDLE = "idle"

    @property
    def is_blind(self) -> bool:
        """Tell whether what is shown cannot be believed."""
        return self in {SightState.STALE, SightState.NEVER}


class Answer(StrEnum):
    """What the venue answered last.

    positions   a complete answer that holds some
    flat        a complete answer that holds none: the book is flat
    part        a complete answer of which some rows could not be read
    empty       an answer with nothing in it, which says nothing about the book
    unreadable  an answer that is not the documented one
    none        no answer: not reached, refused, or too late
    unasked     nobody has asked yet
    """

    POSITIONS = "positions"
    FLAT = "flat"
    PART = "part"
    EMPTY = "empty"
    UNREADABLE = "unreadable"
    NONE = "none"
    UNASKED = "unasked"


@dataclass(frozen=True, slots=True)
class Age:
    """How old a last good answer is.

    seconds    since it was received; None for never
    allowed_s  beyond this it is stale
    """

    seconds: float | None
    allowed_s: float
    state: SightState

    @property
    def share(self) -> float | None:
        """The age in units of what is allowed: 1 is stale."""
        return None if self.seconds is None else self.seconds / self.allowed_s


@dataclass(frozen=True, slots=True)
class PartSight:
    """One part of an account; `entry` None where nothing was asked yet."""

    account: Account
    scope: str
    entry: CoverageEntry | None
    age: Age
    answer: Answer

    @property
    def is_blind(self) -> bool:
        """Tell whether this part is not seen."""
        return self.age.state.is_blind or bool(self.account.blocked_reason)

    @property
    def is_slowed(self) -> bool:
        """Tell whether the venue's rate budget lets it be polled less often than is wished."""
        return self.account.poll_budget_s > settings.POLL_BUDGET_S

    @property
    def problem(self) -> str:
        """Why it is not seen, in a sentence; "" when it is, or nobody knows."""
        told = self.entry.error if self.entry else ""
        return " ".join(dict.fromkeys(each for each in (self.account.blocked_reason, told) if each))


@dataclass(frozen=True, slots=True)
class FeedSight:
    """One feed of a venue: prices, rules, candles and so on."""

    feed: Feed
    age: Age

    @property
    def is_blind(self) -> bool:
        """Tell whether figures that hang on it cannot be believed."""
        return self.age.state.is_blind


@dataclass(frozen=True, slots=True)
class Sights:
    """All that was seen for a team, and all that was not."""

    parts: Sequence[PartSight]
    gone: Sequence[Position]
    feeds: Sequence[FeedSight]
    bans: Sequence[HostBan]

    @property
    def blind(self) -> list[PartSight]:
        """The parts that are not seen."""
        return [part for part in self.parts if part.is_blind]

    @property
    def blind_prices(self) -> list[FeedSight]:
        """The price feeds that are needed and not seen."""
        return [each for each in self.feeds if each.is_blind and each.feed.kind == FeedKind.PRICES]


def sights_of(
    *, team: Team, now: datetime, accounts: Sequence[AccountCoverage] | None = None
) -> Sights:
    """Return what was seen for a team's enabled accounts; the number of queries is fixed.

    accounts  their coverage, where the caller has read it already
    """
    covered = selectors.coverage_of(team=team, now=now) if accounts is None else accounts
    places = {(each.account.venue, each.account.environment) for each in covered}
    return Sights(
        parts=[part for each in covered for part in _parts(each, now)],
        gone=gone_positions(team=team),
        feeds=feeds_at(places=places, team=team, now=now),
        bans=bans_at(places=places, now=now),
    )


def age_of(*, seen_at: datetime | None, budget_s: float, now: datetime) -> Age:
    """Return how old what was seen at `seen_at` (None: never) is against its budget."""
    allowed_s = stale_after_s(budget_s)
    if seen_at is None:
        return Age(None, allowed_s, SightState.NEVER)
    seconds = max((now - seen_at).total_seconds(), 0.0)
    if seconds > allowed_s:
        return Age(seconds, allowed_s, SightState.STALE)
    is_late = seconds > late_after_s(budget_s)
    return Age(seconds, allowed_s, SightState.LATE if is_late else SightState.FRESH)


def answer_of(entry: CoverageEntry | None) -> Answer:
    """Return what the last attempt at a part was answered."""
    if entry is None:
        return Answer.UNASKED
    if entry.error_kind == UnreadableAnswer.kind:
        is_empty = any(words in entry.error for words in _EMPTY)
        return Answer.EMPTY if is_empty else Answer.UNREADABLE
    if entry.error or entry.seen_at is None:
        return Answer.NONE
    if entry.refused:
        return Answer.PART
    return Answer.POSITIONS if entry.rows else Answer.FLAT


def gone_positions(*, team: Team) -> list[Position]:
    """Return the positions that vanished without a word, the latest first, with `gone_at`."""
    gone = Event.objects.filter(position=OuterRef("pk"), kind=EventKind.GONE).order_by("-at")
    rows = selectors.book_of(team=team).filter(state=PositionState.GONE)
    rows = rows.select_related("account", "market").defer("raw", "printed", "account__credentials")
    rows = rows.annotate(gone_at=Subquery(gone.values("at")[:1]))
    return list(rows.order_by("-received_at", "pk"))


def feeds_at(*, places: Iterable[Place], team: Team, now: datetime) -> list[FeedSight]:
    """Return the feeds of these venues; what the team holds nothing of is idle."""
    wanted, held = set(places), _held_places(team)
    rows = Feed.objects.filter(venue__in={venue for venue, _ in wanted})
    return [
        FeedSight(feed, _feed_age(feed, is_needed=(feed.venue, feed.environment) in held, now=now))
        for feed in rows.order_by("venue", "environment", "kind")
        if (feed.venue, feed.environment) in wanted
    ]


def refused_of(entry: CoverageEntry | None) -> int | None:
    """Return how many rows of a part's answers were refused; None where no answer was read."""
    if entry is None or (entry.rows is None and not entry.refused):
        return None
    return entry.refused


def bans_at(*, places: Iterable[Place], now: datetime) -> list[HostBan]:
    """Return the bans in force at these venues, the longest last."""
    wanted = set(places)
    rows = HostBan.objects.filter(until__gt=now).order_by("until", "venue")
    return [ban for ban in rows if (ban.venue, ban.environment) in wanted]


def _held_places(team: Team) -> set[Place]:
    rows = selectors.open_positions(team=team).filter(account__is_enabled=True)
    rows = rows.filter(market__is_known=True).exclude(state=PositionState.GONE).order_by()
    return set(rows.values_list("market__venue", "market__environment").distinct())


def _feed_age(feed: Feed, *, is_needed: bool, now: datetime) -> Age:
    budget_s = feeds.budget_s(kind=FeedKind(feed.kind))
    age = age_of(seen_at=feed.received_at, budget_s=budget_s, now=now)
    return age if is_needed else Age(age.seconds, age.allowed_s, SightState.IDLE)


def _parts(covered: AccountCoverage, now: datetime) -> list[PartSight]:
    account = covered.account
    entries: Sequence[CoverageEntry | None] = list(covered.entries) or [None]
    return [
        PartSight(
            account=account,
            scope=entry.scope if entry else _WHOLE,
            entry=entry,
            age=age_of(
                seen_at=entry.seen_at if entry else None,
                budget_s=account.poll_budget_s,
                now=now,
            ),
            answer=answer_of(entry),
        )
        for entry in entries
    ]
