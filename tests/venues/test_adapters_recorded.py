"""The real recordings that matter most, read as a person reads their rows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from positions.engine.types import Side, Source
from tests.paths import needs_recordings
from tests.venues.reading_checks import read_account
from tests.venues.replay import Replay
from venues import registry
from venues.base import PositionReading, ScopeReading
from venues.figures import Figure

registry.load()
pytestmark = needs_recordings


def read_scope(
    replay: Replay, venue: str, name: str, scope: str, **options: Any
) -> list[PositionReading]:
    base = replay.recorded_url(venue, name)
    found = read_account(venue, base, {"scopes": [scope], **options})[scope]
    # A recording holds one endpoint; symbolConfig and the like have no answer.
    replay.missed.clear()
    assert isinstance(found, ScopeReading), found
    assert found.refusals == ()
    return list(found.positions)


def makes(figure: Figure, text: str) -> bool:
    return figure.source is Source.DERIVED and figure.value == Decimal(text)


def test_deribit_sizes_count_dollars(replay: Replay) -> None:
    [held] = read_scope(replay, "deribit", "positions_inverse_cross_long", "all")

    assert makes(held.contracts, "5")
    assert held.market.contract_size == 10


def test_whitebit_sides_come_from_the_sign(replay: Replay) -> None:
    [held] = read_scope(replay, "whitebit", "positions_perp_long", "all")

    assert held.side is Side.LONG
    assert held.contracts.is_known
