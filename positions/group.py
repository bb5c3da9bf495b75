"""What one ingest transaction works on: locked accounts, polls, coverage, rows."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.conf import settings

from positions.columns import Draft
from positions.difference import Before, Change
from positions.engine.types import ENDED_STATES, MarginMode
from positions.models import Event, Life, Poll, Position, RawAnswer
from positions.pools import store_standing
from positions.storable import storable_text
from positions.versions import versions
from riskhub import killpoints, logs
from venues.base import AccountOutcome, PositionEnd, Refusal, ScopeFailure, ScopeReading
from venues.errors import VenueError
from venues.models import Account, CoverageEntry

_TRIED = ["tried_at", "error_kind", "error"]
# The one part of an account whose parts are not known.
_WHOLE = "account"
# Account id, symbol, slot, margin mode.
Identity = tuple[int, str, str, str]


@dataclass(slots=True)
class Group:
    """What one transaction works on; filled step by step."""

    cycle: int
    now: datetime
    accounts: dict[int, Account] = field(default_factory=dict)
    polls: dict[int, Poll] = field(default_factory=dict)
    coverage: dict[tuple[int, str], CoverageEntry] = field(default_factory=dict)
    positions: dict[Identity, Position] = field(default_factory=dict)
    drafts: list[Draft] = field(default_factory=list)
    before: dict[int, Before] = field(default_factory=dict)
    ended: list[Position] = field(default_factory=list)
    touched: list[Position] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    # Rows whose life ended and began again between two polls.
    told: list[tuple[Position, Life, PositionEnd]] = field(default_factory=list)

    def add_event(self, *, position: Position, change: Change, at: datetime) -> None:
        """Keep an event of the position's present life, to be stored with the group."""
        self.events.append(
            Event(
                team_id=position.team_id,
                position=position,
                life=position.life,
                poll=self.polls.get(position.account_id),
                kind=change.kind,
                at=at,
                committed_at=self.now,
                detail=change.detail,
            )
        )


def lock_accounts(group: Group, outcomes: Sequence[AccountOutcome]) -> list[AccountOutcome]:
    """Lock in id order (one order for all writers) and drop what is late or of deleted accounts."""
    ids = sorted({outcome.account_id for outcome in outcomes})
    rows = Account.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    group.accounts = {row.pk: row for row in rows if row.ingested_cycle < group.cycle}
    first: dict[int, AccountOutcome] = {}
    for outcome in outcomes:
        if outcome.account_id in group.accounts:
            first.setdefault(outcome.account_id, outcome)
    return [first[account_id] for account_id in sorted(first)]


def store_polls(group: Group, outcomes: Sequence[AccountOutcome]) -> None:
    """Store one poll per account, and its raw answers."""
    rows = Poll.objects.bulk_create([_poll(group, outcome) for outcome in outcomes])
    group.polls = {row.account_id: row for row in rows}
    killpoints.reach("ingest: polls written")
    RawAnswer.objects.bulk_create(
        [
            RawAnswer(
                poll=group.polls[outcome.account_id],
                request=answer.request[:300],
                status=answer.status,
                body=zlib.compress(answer.body.encode(errors="backslashreplace")),
                received_at=answer.received_at,
            )
            for outcome in outcomes
            for answer in outcome.answers
            if settings.RAW_HOURS
        ]
    )


def _poll(group: Group, outcome: AccountOutcome) -> Poll:
    return Poll(
        account_id=outcome.account_id,
        cycle=group.cycle,
        poll_id=outcome.poll_id,
        started_at=outcome.started_at,
        received_at=outcome.received_at,
        committed_at=group.now,
        is_complete=not outcome.failures,
        rows=sum(len(scope.positions) for scope in outcome.scopes),
        refused=sum(len(scope.refusals) for scope in outcome.scopes),
        versions=versions(),
    )


def store_coverage(group: Group, outcomes: Sequence[AccountOutcome]) -> None:
    """Write down per scope what was seen; a failure leaves what was last seen in place."""
    rows = [row for outcome in outcomes for row in _coverage_rows(outcome)]
    for updates, chosen in (
        ([*_TRIED, "seen_at", "rows", "refused", "refusals", "standings"], True),
        (_TRIED, False),
    ):
        CoverageEntry.objects.bulk_create(
            [row for row in rows if (row.error == "") is chosen],
            update_conflicts=True,
            unique_fields=["account", "scope"],
            update_fields=updates,
        )
    found = CoverageEntry.objects.filter(account_id__in=group.accounts)
    group.coverage = {(row.account_id, row.scope): row for row in found}
    _forget_scopes(group, outcomes)


def _forget_scopes(group: Group, outcomes: Sequence[AccountOutcome]) -> None:
    """Drop scopes that are no longer read and hold no position: they would be blind for ever."""
    read = {(each.account_id, part.scope) for each in outcomes for part in each.scopes}
    read |= {(each.account_id, part.scope) for each in outcomes for part in each.failures}
    old = [row.pk for key, row in group.coverage.items() if key not in read]
    if not old:
        return
    # A flat row's history needs some entry to hang on, no matter which.
    heirs = {row.account_id: row for key, row in group.coverage.items() if key in read}
    ended = Position.objects.filter(coverage__in=old, state__in=ENDED_STATES)
    for account_id, heir in heirs.items():
        ended.filter(account_id=account_id).update(coverage=heir)
    CoverageEntry.objects.filter(pk__in=old, positions=None).delete()


def _coverage_rows(outcome: AccountOutcome) -> list[CoverageEntry]:
    seen = [
        CoverageEntry(
            account_id=outcome.account_id,
            scope=scope.scope,
            seen_at=outcome.received_at,
            tried_at=outcome.received_at,
            rows=len(scope.positions),
            refused=len(scope.refusals),
            refusals=[_refusal(refusal) for refusal in scope.refusals[:20]],
            standings=[store_standing(standing) for standing in scope.standings],
        )
        for scope in outcome.scopes
    ]
    failed = [
        CoverageEntry(
            account_id=outcome.account_id,
            scope=failure.scope,
            tried_at=outcome.received_at,
            error_kind=failure.error.kind,
            error=storable_text(logs.scrub(str(failure.error)))[:300] or failure.error.kind,
        )
        for failure in outcome.failures
    ]
    return seen + failed


def _refusal(refusal: Refusal) -> dict[str, str]:
    return {
        "symbol": storable_text(logs.scrub(refusal.venue_symbol))[:80],
        "reason": storable_text(logs.scrub(refusal.reason))[:200],
    }


class NotStored(VenueError):
    """What was read of an account could not be stored: it is not what a reading may be."""

    kind = "not_stored"


def fail_outcome(outcome: AccountOutcome, error: Exception) -> AccountOutcome:
    """Return the outcome as one that saw nothing, because storing what it saw raised `error`.

    Each part that the outcome names or that was seen before has failed; answers are kept.
    """
    why = NotStored(
        "RiskHub could not store what the venue answered "
        f"({type(error).__name__}); what was seen before stays."
    )
    told = {each.scope: each for each in outcome.failures if isinstance(each, ScopeFailure)}
    known = CoverageEntry.objects.filter(account_id=outcome.account_id)
    names = {each.scope for each in outcome.scopes if isinstance(each, ScopeReading)}
    names |= {*told, *known.values_list("scope", flat=True)}
    failures = [told.get(name) or ScopeFailure(name, why) for name in sorted(names)]
    return replace(
        outcome,
        scopes=(),
        failures=tuple(failures) or (ScopeFailure(_WHOLE, why),),
        ends=(),
        markets=(),
    )


def load_positions(group: Group) -> None:
    """Lock and load every position of the group's accounts, ended ones too, by identity.

    A price refresh or a person may be at the same rows. Locking comes first, in the one order of
    all writers: a statement that waits for a lock still joins what it saw before it waited.
    """
    held = Position.objects.filter(account_id__in=group.accounts).order_by("account_id", "pk")
    list(held.select_for_update().values_list("pk"))
    rows = (
        Position.objects.filter(account_id__in=group.accounts)
        .select_related("market", "life", "coverage", "provenance")
        .order_by("pk")
    )
    for row in rows:
        row.account = group.accounts[row.account_id]
        key = (row.account_id, row.market.symbol, row.slot, row.margin_mode)
        group.positions[key] = row


def find_identity(group: Group, told: Identity, *, others: Collection[Identity]) -> Identity:
    """Return the identity under which a reading's position is known.

    told    identity by the reading alone
    others  identities that the same answer tells

    A margin mode that could not be read this once is not another position: the one that is held
    keeps its own, and one whose mode was not known gets it.
    """
    known = [key for key in _held_beside(group, told) if key not in others]
    if _is_held(group, told) or len(known) != 1:
        return told
    if not told[3]:
        return known[0]
    if told in group.positions:
        return told
    position = group.positions[told] = group.positions.pop(known[0])
    position.margin_mode = told[3]
    return told


def _held_beside(group: Group, told: Identity) -> list[Identity]:
    """Return identities of open positions that differ by a margin mode that was not read."""
    modes = [""] if told[3] else list(MarginMode)
    keys = [(*told[:3], str(mode)) for mode in modes]
    return [key for key in keys if _is_held(group, key)]


def _is_held(group: Group, key: Identity) -> bool:
    return key in group.positions and not group.positions[key].is_ended
