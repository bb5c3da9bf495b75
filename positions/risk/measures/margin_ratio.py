"""How much of the equity is required to keep the position."""

import numpy as np

from positions.risk.base import Columns, Floats, Measure


class MarginRatio(Measure):
    """Required over equity; 1 is liquidation. Equity at or below 0 is beyond any level."""

    name = "margin_ratio"
    label = "Margin ratio"
    unit = "ratio"
    columns = ("margin_ratio", "collateral", "unrealized_pnl")
    help = "Required margin over equity at the trigger price; at 1 the venue liquidates."

    def compute(self, columns: Columns) -> Floats:
        equity = columns["collateral"] + columns["unrealized_pnl"]
        # A bankrupt position has no ratio, and no rule may overlook it for that.
        return np.where(equity <= 0, np.inf, columns["margin_ratio"])
