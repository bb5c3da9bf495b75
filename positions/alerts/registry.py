"""Load every alert channel."""

from __future__ import annotations

import importlib
import pkgutil

from positions.alerts import channels


def load() -> None:
    """Import each file of positions/alerts/channels; defining a class registers it."""
    for module in pkgutil.iter_modules(channels.__path__):
        importlib.import_module(f"{channels.__name__}.{module.name}")
