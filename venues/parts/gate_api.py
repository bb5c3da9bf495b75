"""The parts of a Gate account, how they are asked for, and how Gate writes an instant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from riskhub import clock
from venues.figures import Row, RowError


@dataclass(frozen=True, slots=True)
class Scope:
    """One product in one settle coin; is_main: every account with futures has it."""

    settle: str
    is_dated: bool = False
    is_main: bool = False

    def method(self, access: str, what: str) -> str:
        """Return the name of an implicit method, "private" or "public"."""
        return f"{access}{'Delivery' if self.is_dated else 'Futures'}GetSettle{what}"


SCOPES = {
    "linear:USDT": Scope("usdt", is_main=True),
    "inverse:BTC": Scope("btc"),
    "delivery:USDT": Scope("usdt", is_dated=True),
}


def read_seconds(row: Row, name: str) -> datetime | None:
    """Return the instant that a row names in seconds, with decimals or without; None for none."""
    try:
        seconds = row.positive(name).number
        return clock.from_milliseconds(round(seconds * 1000)) if seconds else None
    except (RowError, ValueError, OverflowError, OSError):
        return None
