"""Load every measure."""

from __future__ import annotations

import importlib
import pkgutil

from positions.risk import measures
from positions.risk.base import MEASURES, Measure


def load() -> None:
    """Import each file of positions/risk/measures; defining a class registers it."""
    for module in pkgutil.iter_modules(measures.__path__):
        importlib.import_module(f"{measures.__name__}.{module.name}")


def get(name: str) -> Measure:
    """Return the measure called `name`; raises KeyError."""
    return MEASURES[name]()


def names() -> list[str]:
    """Return the names of all measures, sorted."""
    return sorted(MEASURES)
