"""What coins are worth in US dollars: the median of the venues' index prices.

A stablecoin is never assumed to be 1, coins are never added up raw, and neither simulated prices
nor those of a testnet or replay value a real position.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from venues.models import AssetPrice

USD = "USD"
# Beyond this age an index price says nothing about now.
MAX_AGE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Valuation:
    """US dollar prices at one instant, by (asset, simulated or not, environment)."""

    prices: dict[tuple[str, bool, str], float]

    def usd(self, *, asset: str, is_simulated: bool, environment: str = "") -> float | None:
        """Return US dollars per unit of `asset`; None when no venue's index says it.

        An environment's own prices come first, then those of the venues themselves.
        """
        if asset == USD:
            return 1.0
        own = self.prices.get((asset, is_simulated, environment))
        return self.prices.get((asset, is_simulated, "")) if own is None else own

    def why_not(self, *, asset: str) -> str:
        """Return the reason that stands where a US dollar figure is missing."""
        if not asset:
            return "the settle coin is not known"
        return f"no venue's index gave a US dollar price of {asset} in the last 10 minutes"


def value_at(*, now: datetime) -> Valuation:
    """Return the valuation at `now`: the median over venues, each one's latest word."""
    seen: dict[tuple[str, bool, str], list[float]] = defaultdict(list)
    rows = AssetPrice.objects.filter(received_at__gte=now - MAX_AGE)
    columns = rows.values_list("asset", "is_simulated", "environment", "usd")
    for asset, is_simulated, environment, usd in columns:
        seen[asset, is_simulated, environment].append(usd)
    return Valuation({key: median(values) for key, values in seen.items()})
