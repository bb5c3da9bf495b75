"""What a venue says to everybody about its contracts, beside their prices: value objects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from positions.engine.types import Tier
from venues.figures import Figure

NOT_TOLD = Figure.unknown("this venue's adapter does not read it")


@dataclass(frozen=True, slots=True)
class Listing:
    """What a venue's list of contracts says of one of them, beyond what ccxt maps.

    delists_at          when trading or settlement ends; None: not announced
    funding_interval_h  hours between two funding payments; None: not told
    is_active           False where the contract takes no new positions
    contract_size       base units (quote units of inverse) in a contract; None: as ccxt says
    """

    delists_at: datetime | None = None
    funding_interval_h: float | None = None
    is_active: bool = True
    contract_size: float | None = None


@dataclass(frozen=True, slots=True)
class TierReading:
    """The maintenance table of one market, ascending, as the venue says it.

    tiers          units as in positions.engine.types.Tier
    max_leverages  one a tier; None where the venue does not say
    """

    symbol: str
    tiers: tuple[Tier, ...]
    max_leverages: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class FundingReading:
    """The funding of one market, for venues whose prices do not carry it."""

    symbol: str
    rate: Figure
    next_at: datetime | None = None
    interval_h: float | None = None


@dataclass(frozen=True, slots=True)
class CandleReading:
    """One hour of trades. Prices quote per base; volume as the venue counts it."""

    opened_at: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float | None = None


@dataclass(frozen=True, slots=True)
class DepthReading:
    """Some levels of an order book, best first: (price, contracts)."""

    symbol: str
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]
    venue_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class RateBudget:
    """How many requests one address may send to a venue: `requests` in `window_s` seconds.

    Stay below the venue's documented limit: other programs share the address.
    """

    requests: int
    window_s: float
    source: str = ""
