"""Lives of positions: how they end, begin, and what happened in between."""

from __future__ import annotations

from datetime import datetime

from positions.difference import Change, changes
from positions.engine.types import PositionState
from positions.group import Group, Identity
from positions.models import Event, EventKind, Life, Position
from riskhub import killpoints
from venues.base import AccountOutcome, PositionEnd, PositionReading, ScopeReading
from venues.models import CoverageEntry


def _matching_end(outcome: AccountOutcome, position: Position) -> PositionEnd | None:
    """Return the venue's word on the end of this very life: it began before that end."""
    life = position.life
    if life is None or life.ended_at is not None:
        return None
    return next(
        (
            end
            for end in outcome.ends
            if (end.symbol, end.slot) == (position.market.symbol, position.slot)
            and end.margin_mode in (None, position.margin_mode)
            and end.at > life.opened_at
        ),
        None,
    )


def end_told_life(
    group: Group, outcome: AccountOutcome, position: Position, reading: PositionReading
) -> None:
    """End a life whose position stands again in the same answer: it closed and opened between.

    Either the venue tells of the end, or the side has flipped, which passes through flat.
    """
    if position.pk is None or position.life is None:
        return
    end = _matching_end(outcome, position) or _flip(outcome, position, reading)
    if end is not None:
        group.told.append((position, position.life, end))
        position.state = end.state


def _flip(
    outcome: AccountOutcome, position: Position, reading: PositionReading
) -> PositionEnd | None:
    if position.is_ended or position.side == reading.side:
        return None
    return PositionEnd(
        symbol=position.market.symbol,
        slot=position.slot,
        state=PositionState.CLOSED,
        at=outcome.received_at,
        reference="the side flipped",
    )


def mark_vanished(
    group: Group,
    outcome: AccountOutcome,
    scope: ScopeReading,
    coverage: CoverageEntry,
    present: set[Identity],
) -> None:
    """What a complete answer no longer shows is ended if the venue says so, else gone.

    A refused row may be the very position that is missing: then it is neither, for what the venue
    tells of its contract since (a part that was closed) need not be its end.
    """
    for key, position in group.positions.items():
        is_here = position.coverage_id == coverage.pk and key not in present
        if not is_here or position.is_ended or _may_be_refused(scope, position):
            continue
        end = _matching_end(outcome, position)
        if end is not None and position.life is not None:
            group.told.append((position, position.life, end))
            position.state = end.state
            group.ended.append(position)
        elif position.state != PositionState.GONE:
            position.state = PositionState.GONE
            group.ended.append(position)
            group.add_event(
                position=position, change=Change(EventKind.GONE), at=outcome.received_at
            )


def _may_be_refused(scope: ScopeReading, position: Position) -> bool:
    """Tell whether a refused row names the position's contract, or no contract at all."""
    market = position.market
    names = {"", market.venue_symbol, market.symbol}
    # Some venues name the coin in a row and list its contract under a number.
    base = _plain(market.symbol.partition("/")[0])
    told = [refusal.venue_symbol for refusal in scope.refusals]
    return any(name in names or _plain(name).startswith(base) for name in told)


def _plain(name: str) -> str:
    return "".join(each for each in name.upper() if each.isalnum())


def write_ends(group: Group) -> None:
    for position, life, end in group.told:
        life.ended_at, life.end_state = end.at, end.state
        life.end_price, life.end_reference = end.price.number, end.reference[:80]
        detail = {"price": end.price.number, "reference": end.reference}
        _put_before(life, end.at)
        group.add_event(position=position, change=Change(EventKind(end.state), detail), at=end.at)
    Life.objects.bulk_update(
        [life for _, life, _ in group.told],
        ["ended_at", "end_state", "end_price", "end_reference"],
    )
    killpoints.reach("ingest: ends of lives written")


def _put_before(life: Life, at: datetime) -> None:
    """Date nothing of a life after its end: what arrived later had happened before it.

    A price or an answer takes its time to arrive; the venue dates the end itself. `committed_at`
    still says when we knew.
    """
    Event.objects.filter(life=life, at__gt=at).update(at=at)


def write_lives(group: Group) -> None:
    """Begin a life for each position that has none, or whose last one has ended."""
    fresh = [p for p in group.touched if p.life is None or p.life.ended_at is not None]
    lives = Life.objects.bulk_create(
        [
            Life(
                position=position,
                side=position.side,
                opened_at=_opened_at(position),
                # On an account's first poll nobody saw the position open.
                is_seen_open=position.account.ingested_cycle > 0,
            )
            for position in fresh
        ]
    )
    for position, life in zip(fresh, lives, strict=True):
        position.life = life
    killpoints.reach("ingest: lives written")
    Position.objects.bulk_update(fresh, ["life"])


def _opened_at(position: Position) -> datetime:
    """Return the latest instant at which the life is known to have been open.

    The venue's own time of the row, kept between what was seen before and the answer's arrival: an
    end that falls between a venue's snapshot and its arrival belongs to this life.
    """
    seen = [position.account.last_seen_at, position.life and position.life.ended_at]
    earliest = max((instant for instant in seen if instant), default=None)
    at = position.venue_time or position.received_at
    return min(at if earliest is None else max(at, earliest), position.received_at)


def write_changes(group: Group) -> None:
    for position in group.touched:
        for change in changes(before=group.before[id(position)], after=position):
            group.add_event(position=position, change=change, at=position.received_at)
