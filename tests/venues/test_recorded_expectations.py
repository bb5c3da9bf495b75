"""Recordings of the venues of the generic adapter, against what a person reads in their rows.

tests/data/venues/expected_generic.txt: "# venue scenario scope option=value …", then a position a
line: symbol, slot, side, margin mode, and each figure that is known, "=" with the venue's exact
text or "~" with our arithmetic. A figure that a line does not name is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest

from positions.engine.types import Source
from tests.paths import DATA, needs_recordings
from tests.venues.reading_checks import FIGURES, check_scope, read_account, unlisted_requests
from tests.venues.replay import Replay
from venues import client, registry
from venues.base import PositionReading, ScopeReading
from venues.figures import Figure

registry.load()
pytestmark = needs_recordings

CLOSE = Decimal("1e-10")


@dataclass(frozen=True)
class Case:
    """One scope of one recording; `lines` are its positions."""

    venue: str
    name: str
    scope: str
    options: tuple[tuple[str, str], ...]
    lines: tuple[str, ...]


def load() -> list[Case]:
    text = (DATA / "venues" / "expected_generic.txt").read_text()
    return [parse(block) for block in text.split("# ")[1:]]


def parse(block: str) -> Case:
    head, *lines = block.strip().splitlines()
    venue, name, scope, *options = head.split()
    pairs = tuple(tuple(option.split("=", 1)) for option in options)
    told = () if lines == ["none"] else tuple(lines)
    return Case(venue, name, scope, pairs, told)  # type: ignore[arg-type]


CASES = load()


@pytest.fixture(autouse=True)
def unthrottled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for the rate limit of a venue on loopback would prove nothing."""
    make = client.make_exchange

    def make_unthrottled(*args: object) -> object:
        exchange = make(*args)  # type: ignore[arg-type]
        exchange.enableRateLimit = False
        return exchange

    monkeypatch.setattr(client, "make_exchange", make_unthrottled)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.venue}-{case.name}-{case.scope}")
def test_a_recording_is_read_as_its_rows_say(replay: Replay, case: Case) -> None:
    base = replay.recorded_url(case.venue, f"positions_{case.name}")

    found = read_account(case.venue, base, dict(case.options))
    # A recording holds one product; what is asked beside it has no answer.
    replay.missed.clear()

    reading = found[case.scope]
    assert isinstance(reading, ScopeReading), reading
    check_scope(reading)
    assert reading.refusals == ()
    assert len(reading.positions) == len(case.lines)
    for position, line in zip(reading.positions, case.lines, strict=True):
        check_line(position, line)
    assert unlisted_requests(registry.get(case.venue), replay.asked()) == []


def check_line(position: PositionReading, line: str) -> None:
    symbol, slot, side, mode, *figures = line.split()
    assert (position.market.symbol, position.slot, position.side) == (symbol, slot, side)
    assert (position.margin_mode or "unknown") == mode
    expected = dict(split_figure(figure) for figure in figures)
    for name in FIGURES:
        check_as(getattr(position, name), expected.get(name), name=name)


def split_figure(text: str) -> tuple[str, tuple[Source, str]]:
    name, told, value = text.partition("=")
    if told:
        return name, (Source.REPORTED, value)
    name, _, value = text.partition("~")
    return name, (Source.DERIVED, value)


def check_as(figure: Figure, expected: tuple[Source, str] | None, *, name: str) -> None:
    if expected is None:
        assert (figure.source, bool(figure.reason)) == (Source.UNKNOWN, True), name
        return
    source, value = expected
    assert figure.source is source, name
    if source is Source.REPORTED:
        assert figure.text == value, name
        return
    assert figure.value is not None
    assert abs(figure.value - Decimal(value)) <= CLOSE * abs(Decimal(value)), name
