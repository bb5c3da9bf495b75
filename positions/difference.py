"""What happened to a position between two readings, told by their difference."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from positions.engine.types import PositionState
from positions.models import EventKind, Position

# Funding moves the collateral a little all the time; a person moves it by more.
_LEAST_MARGIN_CHANGE = 0.005


@dataclass(frozen=True, slots=True)
class Before:
    """The parts of a row that events compare, taken before a reading is applied."""

    state: str
    contracts: float | None
    collateral: float | None
    is_new_life: bool

    @classmethod
    def of(cls, position: Position) -> Before:
        """Return the row as it stands; an ended or new row begins a life."""
        return cls(
            state=position.state,
            contracts=position.contracts,
            collateral=position.collateral,
            is_new_life=position.pk is None or position.is_ended or position.life_id is None,
        )


@dataclass(frozen=True, slots=True)
class Change:
    """One event, not stored yet."""

    kind: EventKind
    detail: dict[str, Any] = field(default_factory=dict)


def changes(*, before: Before, after: Position) -> list[Change]:
    """Return what a complete reading changed, in the order it is told."""
    if before.is_new_life:
        opened = Change(EventKind.OPENED, _sizes(None, after.contracts))
        # First seen beyond its line: nothing recovers that was not breached.
        return [opened, *breach_changes(before=before, after=after)]
    found = []
    if before.state == PositionState.GONE:
        found.append(Change(EventKind.RETURNED))
    found += _size_change(before, after)
    return found + breach_changes(before=before, after=after)


def breach_changes(*, before: Before, after: Position) -> list[Change]:
    """Return the crossing of the liquidation price, in either direction."""
    was = before.state == PositionState.BREACHED
    is_now = after.state == PositionState.BREACHED
    if was == is_now:
        return []
    kind = EventKind.BREACHED if is_now else EventKind.RECOVERED
    return [
        Change(kind, {"mark_price": after.mark_price, "liquidation_price": after.liquidation_price})
    ]


def _size_change(before: Before, after: Position) -> list[Change]:
    if before.contracts is None or after.contracts is None:
        return []
    if after.contracts != before.contracts:
        is_more = after.contracts > before.contracts
        kind = EventKind.INCREASED if is_more else EventKind.REDUCED
        return [Change(kind, _sizes(before.contracts, after.contracts))]
    return _margin_change(before, after)


def _margin_change(before: Before, after: Position) -> list[Change]:
    if not before.collateral or after.collateral is None:
        return []
    moved = after.collateral - before.collateral
    if abs(moved) < _LEAST_MARGIN_CHANGE * abs(before.collateral):
        return []
    kind = EventKind.MARGIN_ADDED if moved > 0 else EventKind.MARGIN_REMOVED
    return [Change(kind, {"from": before.collateral, "to": after.collateral})]


def _sizes(before: float | None, after: float | None) -> dict[str, Any]:
    return {"from": before, "to": after}
