"""A position's figures as browsers patch them in: text made once, where the change commits.

The shape is static/js/live.js's: {id, cells: {field: {text, title, value, source}}, ...}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from positions.models import Position
from riskhub import formatting

_FORMATS: dict[str, Callable[[float | None], str]] = {
    "mark_price": formatting.price,
    "liquidation_price": formatting.price,
    "bankruptcy_price": formatting.price,
    "entry_price": formatting.price,
    "engine_liquidation_price": formatting.price,
    "venue_liquidation_price": formatting.price,
    "liquidation_distance": lambda value: formatting.percent(value, digits=1),
    "margin_ratio": formatting.percent,
    "collateral_usd": formatting.money,
    "notional_usd": formatting.money,
    "unrealized_pnl_usd": formatting.signed_money,
    "quantity": formatting.quantity,
}


def cells(*, position: Position) -> dict[str, Any]:
    """Return what a browser needs to bring one position up to date."""
    provenance = position.provenance
    return {
        "id": str(position.pk),
        "severity": position.severity,
        "state": position.state,
        "sort": position.liquidation_distance,
        "distance": position.liquidation_distance,
        "as_of": formatting.iso(position.received_at),
        "cells": {
            name: _cell(name, getattr(position, name), provenance.sources, provenance.reasons)
            for name in _FORMATS
        },
    }


def _cell(
    name: str, value: float | None, sources: dict[str, str], reasons: dict[str, str]
) -> dict[str, Any]:
    return {
        "text": text(name=name, value=value),
        "title": reasons.get(name, ""),
        "value": value,
        "source": sources.get(name, "unknown"),
    }


def text(*, name: str, value: float | None) -> str:
    """Return a figure as pages show it."""
    return _FORMATS[name](value)
