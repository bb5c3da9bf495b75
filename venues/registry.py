"""Load every adapter, without importing ccxt."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from venues import adapters
from venues.base import REGISTRY, VenueAdapter
from venues.errors import BadAccount


def load() -> None:
    """Import each file of venues/adapters; defining a class registers it."""
    for module in pkgutil.iter_modules(adapters.__path__):
        importlib.import_module(f"{adapters.__name__}.{module.name}")


@cache
def get(slug: str) -> VenueAdapter:
    """Return the adapter called `slug`; raises BadAccount with the names there are."""
    adapter = REGISTRY.get(slug)
    if adapter is None:
        raise BadAccount(f"There is no venue {slug!r}; one of: {', '.join(sorted(REGISTRY))}.")
    return adapter()


def find(slug: str) -> VenueAdapter | None:
    """Return the adapter called `slug`; None for a venue this release does not know."""
    return get(slug) if slug in REGISTRY else None


def label(slug: str) -> str:
    """Return the name that people read; a venue this release does not know keeps its slug."""
    adapter = find(slug)
    return adapter.label if adapter else slug
