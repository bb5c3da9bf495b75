"""From what selectors return to the plain values that templates show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from positions.overview import Overview
from positions.selectors import PositionFilters


def read_filters(query: Mapping[str, str]) -> PositionFilters:
    """Return the filters an address names; unknown names are ignored."""
    return PositionFilters(
        **{each.name: query.get(each.name, "")[:80] for each in fields(PositionFilters)}
    )


def overview_context(found: Overview, *, now: datetime) -> dict[str, Any]:
    """Return the template context of the overview."""
    return {"overview": found, "now": now}
