"""What the compartment holds."""

from positions.risk.base import Columns, Floats, Measure


class Collateral(Measure):
    """Collateral of the position in US dollars, without unrealised PnL."""

    name = "collateral_usd"
    label = "Collateral"
    unit = "USD"
    columns = ("collateral_usd",)
    help = "Margin held by the position in US dollars, without unrealised profit and loss."

    def compute(self, columns: Columns) -> Floats:
        return columns["collateral_usd"]
