"""Which of two marks counts: the one in the venue's row of a position, or its price feed's.

A row may be served from a cache, and a mark may have to be worked out of it. The feed prints the
mark itself. Where both are fresh and far apart, nobody can say which is right: then the one nearer
to liquidation counts, so that a danger is rather told once too often than never.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from positions.engine.types import MarginMode, Side
from positions.freshness import is_stale
from positions.models import Position

# A venue's own time so far ahead of its arrival is a mistake: believed, it would stop all prices.
MOST_AHEAD = timedelta(minutes=1)
# Two fresh marks farther apart than this, as a fraction of the smaller, contradict each other.
MOST_APART = 0.02
# Kept with the row beside its mark; without numbers, so that few provenances serve many rows.
ROW_IS_NEARER = (
    "the venue's row of the position and its price feed say marks more than 2 % apart; "
    "this is the row's, the one nearer to liquidation"
)
FEED_IS_NEARER = (
    "the venue's row of the position and its price feed say marks more than 2 % apart; "
    "this is the feed's, the one nearer to liquidation"
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A known mark with its times; `is_reported` False where we worked it out."""

    price: float
    is_reported: bool
    venue_time: datetime | None
    received_at: datetime

    def is_newer(self, *, than: Mark) -> bool:
        """Compare by the venue's own times where both have one, else by arrival."""
        mine = believed(self.venue_time, self.received_at)
        other = believed(than.venue_time, than.received_at)
        if mine and other:
            return mine > other
        return is_later(self.received_at, than=than.received_at)


def is_later(at: datetime | None, *, than: datetime) -> bool:
    """Tell whether what arrived at `at` is newer; an instant far ahead is a clock's mistake."""
    return at is not None and than < at <= than + MOST_AHEAD


def believed(venue_time: datetime | None, received_at: datetime | None) -> datetime | None:
    """Return the venue's own time unless it lies in the future of its arrival."""
    is_told = venue_time and received_at and venue_time <= received_at + MOST_AHEAD
    return venue_time if is_told else None


def prefer_feed(*, row: Mark, feed: Mark, position: Position) -> tuple[bool, str]:
    """Tell whether the feed's mark counts, and say so where the two contradict each other.

    Both are fresh. `position` gives the side, the margin mode and the liquidation price.
    """
    if are_apart(row.price, feed.price):
        is_feed = is_nearer(feed.price, than=row.price, position=position)
        return is_feed, FEED_IS_NEARER if is_feed else ROW_IS_NEARER
    return not row.is_reported or feed.is_newer(than=row), ""


def holds_row(*, position: Position, price: float | None, now: datetime) -> bool:
    """Tell whether the row's mark stays against a newer one of the feed.

    The last poll saw the two contradict each other, they still do, and the row is not stale.
    """
    kept = position.mark_price
    if position.provenance.reasons.get("mark_price") != ROW_IS_NEARER:
        return False
    if kept is None or price is None or not are_apart(kept, price):
        return False
    is_old = is_stale(
        seen_at=position.received_at, budget_s=position.account.poll_budget_s, now=now
    )
    return not is_old and not is_nearer(price, than=kept, position=position)


def are_apart(one: float, other: float) -> bool:
    """Tell whether two marks contradict each other."""
    return one > 0 and other > 0 and abs(one - other) > MOST_APART * min(one, other)


def is_nearer(price: float, *, than: float, position: Position) -> bool:
    """Tell whether a position is nearer to its liquidation at `price` than at another price."""
    line = position.venue_liquidation_price
    if position.margin_mode != MarginMode.ISOLATED and line:
        # Cross, both legs of a hedge share one liquidation price: either side of it may be safe.
        return abs(price - line) / price < abs(than - line) / than
    return Side(position.side).sign * (price - than) < 0
