"""How far the trigger price is from liquidation."""

from positions.risk.base import Columns, Floats, Measure


class Distance(Measure):
    """s (P - LP) / P: negative when breached, never clamped; a short's may exceed 1."""

    name = "liquidation_distance"
    label = "Distance"
    unit = "fraction"
    columns = ("liquidation_distance",)
    is_worse_high = False
    help = "How far the trigger price is from the liquidation price, as a fraction of it."

    def compute(self, columns: Columns) -> Floats:
        return columns["liquidation_distance"]
