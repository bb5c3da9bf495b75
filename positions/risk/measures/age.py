"""How old the venue's last word is."""

from positions.risk.base import Columns, Floats, Measure


class Age(Measure):
    """Seconds since the venue's last complete answer about the position arrived."""

    name = "age"
    label = "Age"
    unit = "seconds"
    columns = ("now", "received_at")
    help = "Seconds since the venue's last complete answer about this position."

    def compute(self, columns: Columns) -> Floats:
        return columns["now"] - columns["received_at"]
