"""Compare what is read of a recording with what a person reads in its rows."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from positions.engine.types import Source
from tests.venues.reading_checks import FIGURES, read_account
from tests.venues.replay import Replay
from venues.base import PositionReading, ScopeReading
from venues.errors import VenueError
from venues.figures import Figure

NONE = ("unknown", "the venue gives none")
NOT_READ = ("unknown", "this venue's adapter does not read it")
CROSS = ("unknown", "cross margin: the account's balance backs it")
# Our own arithmetic has 40 digits; the expectations have fewer.
CLOSE = Decimal("1e-12")

Expected = Mapping[str, Any]


def reported(text: str) -> tuple[str, str]:
    """Return the expectation of the venue's own characters."""
    return ("reported", text)


def derived(value: str) -> tuple[str, str]:
    """Return the expectation of our arithmetic."""
    return ("derived", value)


def held(*identity: str, side: str, is_auto: bool | None, **figures: tuple[str, str]) -> Expected:
    """Return the expectation of a position: symbol, slot, margin mode; every figure is named."""
    return {"identity": identity, "side": side, "is_auto": is_auto, "figures": figures}


def read_recorded(replay: Replay, venue: str, name: str, scope: str) -> ScopeReading:
    """Return what one scope of a recording reads."""
    found = read_account(venue, replay.recorded_url(venue, name), {"scopes": [scope]})[scope]
    # A recording holds one endpoint; the account and the like have no answer.
    replay.missed.clear()
    assert isinstance(found, ScopeReading), found
    return found


def check_recorded(reading: ScopeReading, expected: tuple[Expected, ...]) -> None:
    """Assert that a scope holds these positions, each figure as its row says it."""
    assert reading.refusals == ()
    assert [position.identity for position in reading.positions] == [
        wanted["identity"] for wanted in expected
    ]
    for position, wanted in zip(reading.positions, expected, strict=True):
        check_recorded_position(position, wanted)


def check_recorded_position(position: PositionReading, wanted: Expected) -> None:
    """Assert side, switch and every figure of a position."""
    assert position.side == wanted["side"]
    assert position.auto_add_margin is wanted["is_auto"]
    assert set(wanted["figures"]) == set(FIGURES)
    for field, told in wanted["figures"].items():
        check_recorded_figure(getattr(position, field), told, name=f"{position.identity} {field}")


def check_recorded_figure(figure: Figure, told: tuple[str, str], *, name: str) -> None:
    """Assert whose word a figure is, and its exact characters, its value or the reason."""
    source, value = told
    assert figure.source == source, name
    if figure.source is Source.UNKNOWN:
        assert figure.reason == value, name
    elif figure.source is Source.REPORTED:
        assert figure.text == value, name
    else:
        assert figure.value is not None, name
        assert abs(figure.value - Decimal(value)) <= CLOSE * abs(Decimal(value)), name


def read_error(replay: Replay, venue: str, name: str, scope: str) -> VenueError:
    """Return the error that a recorded refusal becomes."""
    found = read_account(venue, replay.recorded_url(venue, name), {"scopes": [scope]})[scope]
    assert isinstance(found, VenueError), found
    return found
