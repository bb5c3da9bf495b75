"""How long a position's market will still be there."""

import numpy as np

from positions.risk.base import Columns, Floats, Measure

_HOUR_S = 3600.0


class HoursToDelisting(Measure):
    """Hours until the market's trading or settlement ends; infinite where none is announced."""

    name = "hours_to_delisting"
    label = "Time to delisting"
    unit = "hours"
    columns = ("now", "delists_at")
    is_worse_high = False
    help = "Hours until the venue delists the market; a dated contract ends at its expiry."

    def compute(self, columns: Columns) -> Floats:
        hours = (columns["delists_at"] - columns["now"]) / _HOUR_S
        # Nothing announced is an answer: an incident of a delisting taken back resolves.
        return np.where(np.isnan(columns["delists_at"]), np.inf, hours)
