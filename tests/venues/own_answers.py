"""Ask a venue's adapter for what lies in its own folder of answers, and compare."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from positions.engine.types import Source
from tests.venues import corpus
from tests.venues.probe import use
from tests.venues.reading_checks import account_of, read_account
from tests.venues.replay import Replay
from venues import registry
from venues.base import ScopeReading, Standing
from venues.client import CcxtClient
from venues.figures import Figure

_Told = TypeVar("_Told")


def own(venue: str, name: str) -> dict[str, Any]:
    """Return a scenario of the venue's own folder."""
    document: dict[str, Any] = json.loads((corpus.OWN / venue / f"{name}.json").read_text())
    return document


def ask(
    replay: Replay,
    venue: str,
    name: str,
    work: Callable[[CcxtClient], Awaitable[_Told]],
    **options: Any,
) -> _Told:
    """Return what `work` makes of a client whose venue answers from a scenario."""
    adapter = registry.get(venue)
    return use(replay.url(venue, name), work, adapter=adapter, **account_of(adapter, options))


def shown(figure: Figure) -> tuple[str, str]:
    """Return whose word a figure is, and the figure or the reason."""
    if figure.source is Source.UNKNOWN:
        return "unknown", figure.reason
    if figure.source is Source.REPORTED:
        return "reported", figure.text
    return "derived", f"{figure.value.normalize():f}" if figure.value is not None else ""


def check_standings(replay: Replay, venue: str, name: str) -> None:
    """Assert that each scope of a scenario has the standings that it expects, and no more."""
    expected = own(venue, name)["expected"]
    found = read_account(venue, replay.url(venue, name), {"scopes": list(expected["scopes"])})

    for scope, reading in found.items():
        assert isinstance(reading, ScopeReading), reading
        wanted = expected["standings"].get(scope, [])
        assert len(reading.standings) == len(wanted), scope
        for standing, each in zip(reading.standings, wanted, strict=True):
            check_standing(standing, each)


def check_standing(standing: Standing, wanted: Mapping[str, Any]) -> None:
    """Assert what a standing says."""
    assert (standing.settle, standing.margin_mode) == (wanted["settle"], wanted["margin_mode"])
    for name in ("ratio", "equity", "required"):
        source, value = wanted[name]
        figure = getattr(standing, name)
        assert figure.source == source, name
        assert figure.value == Figure.reported(value).value, name


def check_tiers(replay: Replay, venue: str) -> None:
    """Assert that scenario "tiers" is read as [floor, rate, amount, leverage], and nothing else."""
    expected = own(venue, "tiers")["expected"]
    adapter = registry.get(venue)

    async def work(client: CcxtClient) -> Any:
        return await adapter.read_tiers(client=client, symbols=expected["symbols"])

    found = {
        table.symbol: [
            [float(tier.floor), float(tier.rate), round(float(tier.amount), 9), leverage]
            for tier, leverage in zip(table.tiers, table.max_leverages, strict=True)
        ]
        for table in ask(replay, venue, "tiers", work)
    }

    assert found == expected["tiers"]


def check_funding(replay: Replay, venue: str) -> None:
    """Assert that scenario "funding" is read as [rate, next settlement, interval in hours]."""
    expected = own(venue, "funding")["expected"]
    adapter = registry.get(venue)

    async def work(client: CcxtClient) -> Any:
        return await adapter.read_funding(client=client, symbols=expected["symbols"])

    found = {
        each.symbol: [each.rate.text, each.next_at.isoformat(), each.interval_h]
        for each in ask(replay, venue, "funding", work)
    }

    assert found == expected["funding"]
