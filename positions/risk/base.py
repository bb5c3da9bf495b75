"""The measure contract: what a risk measure declares, and the registry.

A measure is one file in `positions/risk/measures/`. Pages, REST, exports and alert rules list
measures from the registry; nothing else needs to change for a new one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Columns = Mapping[str, Floats]


class Measure(ABC):
    """One figure per position, computed from columns.

    name            as in alert rules and REST
    label           as on pages
    unit            fraction, ratio, USD, seconds, price ...
    columns         names of the columns it reads: fields of a position, or `now` (epoch seconds)
    is_worse_high   True where a larger value is more dangerous
    help            one sentence for pages and docs
    """

    name: ClassVar[str] = ""
    label: ClassVar[str] = ""
    unit: ClassVar[str] = ""
    columns: ClassVar[tuple[str, ...]] = ()
    is_worse_high: ClassVar[bool] = True
    help: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.name in MEASURES:
            raise ValueError(f"two measures call themselves {cls.name!r}")
        MEASURES[cls.name] = cls

    @abstractmethod
    def compute(self, columns: Columns) -> Floats:
        """Return the measure, shape (n,), NaN where it is unknown."""


MEASURES: dict[str, type[Measure]] = {}
