"""What is asked of a venue's markets and what came back: value objects, one feed at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from venues.base import MarketSpec, VenueAdapter
from venues.errors import VenueError
from venues.market_data import CandleReading, DepthReading, FundingReading, TierReading
from venues.models import FeedKind


@dataclass(frozen=True, slots=True)
class FeedRequest:
    """One feed to read, keyless unless the venue tells its tables to a key only.

    symbols  unified
    hours    symbol -> hours of candles that are wanted
    levels   of an order book
    """

    kind: FeedKind
    venue: str
    environment: str
    symbols: Sequence[str]
    hours: Mapping[str, int] = field(default_factory=dict)
    levels: int = 50


@dataclass(frozen=True, slots=True)
class FeedOutcome:
    """What one reading of one feed saw.

    error     nothing was seen
    troubles  symbol, or "" for all, -> why a part of it was not
    specs     contracts as the venue lists them now; one without kind is not listed
    candles   symbol -> hours, oldest first
    wait_s    the venue's own wish before it is asked again; None when it said nothing
    """

    kind: FeedKind
    venue: str
    environment: str
    received_at: datetime
    error: VenueError | None = None
    troubles: Mapping[str, str] = field(default_factory=dict)
    specs: Sequence[MarketSpec] = ()
    tiers: Sequence[TierReading] = ()
    funding: Sequence[FundingReading] = ()
    candles: Mapping[str, Sequence[CandleReading]] = field(default_factory=dict)
    depths: Sequence[DepthReading] = ()
    wait_s: float | None = None

    @property
    def sentence(self) -> str:
        """Return why all or some of it was not seen; "" when everything was."""
        if self.error is not None:
            return str(self.error)
        texts = dict.fromkeys(self.troubles.values())
        first = next(iter(texts), "")
        names = ", ".join(name for name in self.troubles if name)
        return f"{first} ({names})" if names else first


_METHODS: Mapping[FeedKind, str] = {
    FeedKind.FUNDING: "read_funding",
    FeedKind.CANDLES: "read_candles",
    FeedKind.DEPTH: "read_depth",
}


def serves(*, adapter: VenueAdapter, kind: FeedKind) -> bool:
    """Tell whether a venue can be asked for this at all."""
    if kind is FeedKind.PRICES:
        return True
    is_own = _is_own(adapter, _METHODS.get(kind, "read_tiers"))
    # What every venue of ccxt can be asked; funding comes with the prices unless told otherwise.
    return is_own or (bool(adapter.ccxt_id) and kind is not FeedKind.FUNDING)


def _is_own(adapter: VenueAdapter, method: str) -> bool:
    return getattr(type(adapter), method) is not getattr(VenueAdapter, method)
