"""What a venue says to everybody about its contracts, beside their prices: value objects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from positions.engine.types import Tier
from venues.figures import Figure

# What a POST to one path for everything is about; ours and ccxt's bodies are JSON.
_TYPE = re.compile(r'"type"\s*:\s*"(\w+)"')

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
    """What one address may send to a venue: requests of a weight of `requests` in `window_s`.

    Stay below the venue's documented limit: other programs share the address.

    weights  what a request weighs, 1 unless it is named here, by the first of: the "type" in the
             body of a POST, "METHOD /path?symbol" where it is about one symbol, "METHOD /path"
    """

    requests: int
    window_s: float
    source: str = ""
    weights: Mapping[str, int] = field(default_factory=dict)

    @property
    def heaviest(self) -> int:
        """The weight of the heaviest request."""
        return max([1, *self.weights.values()])

    @property
    def per_s(self) -> float:
        """The weight that may be sent in a second, in the long run."""
        return self.requests / self.window_s

    def weigh(self, *, method: str, path: str, query: str = "", body: str = "") -> int:
        """Return what a request weighs."""
        if not self.weights:
            return 1
        about = _TYPE.search(body) if body else None
        names = [about.group(1)] if about else []
        names += [f"{method} {path}?symbol"] if "symbol=" in query else []
        return next(
            (self.weights[name] for name in names if name in self.weights),
            self.weights.get(f"{method} {path}", 1),
        )

    def weigh_line(self, line: str) -> int:
        """Return what a request weighs that is kept as "METHOD /path?query body"."""
        method, _, rest = line.partition(" ")
        target, _, body = rest.partition(" ")
        path, _, query = target.partition("?")
        return self.weigh(method=method, path=path, query=query, body=body)
