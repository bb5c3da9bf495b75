"""The versions that figures depend on, stored with each poll so that they can be computed again."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

# Raised by hand whenever a margin figure may come out differently for the same input.
ENGINE_VERSION = 1


@cache
def versions() -> dict[str, str]:
    """Return name -> version of the engine and of the libraries its numbers pass through."""
    return {
        "engine": str(ENGINE_VERSION),
        "numpy": version("numpy"),
        "ccxt": version("ccxt"),
    }
