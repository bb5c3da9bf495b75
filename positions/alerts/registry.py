"""Load every alert channel."""

from __future__ import annotations

import importlib
import pkgutil

from positions.alerts import channels
from positions.alerts.base import CHANNELS, Channel, DeliveryError


def load() -> None:
    """Import each file of positions/alerts/channels; defining a class registers it."""
    for module in pkgutil.iter_modules(channels.__path__):
        importlib.import_module(f"{channels.__name__}.{module.name}")


def get(kind: str) -> Channel:
    """Return the channel called `kind`; raises DeliveryError, as another release may know it."""
    if kind not in CHANNELS:
        raise DeliveryError(f"This release has no channel {kind!r}.", retryable=True)
    return CHANNELS[kind]()
