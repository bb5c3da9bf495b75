"""Every venue keeps the contract: the registry, our own answers, and the real recordings."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from positions.engine.rulebook import RULES
from tests.paths import needs_recordings
from tests.venues import corpus
from tests.venues.reading_checks import (
    check_figure,
    check_scope,
    read_account,
    read_prices,
    unlisted_requests,
)
from tests.venues.replay import Replay
from venues import client, registry
from venues.base import REGISTRY, AccountRequest, PositionReading, PriceReading, ScopeReading
from venues.errors import UnreadableAnswer, VenueError
from venues.figures import Figure

registry.load()

# The venues whose own answers are complete: to add one is to add its folder.
OWN = sorted(path.name for path in corpus.OWN.iterdir() if path.is_dir())
OWN_CASES = [
    (venue, name) for venue in OWN for name in corpus.scenarios(corpus.OWN, venue, "positions")
]
RECORDED = [
    (venue, name)
    for venue in sorted(REGISTRY)
    for name in corpus.scenarios(corpus.RECORDED, venue, "positions")
]
REMOTE = sorted(slug for slug, adapter in REGISTRY.items() if adapter.ccxt_id)
READ = re.compile(r"(GET|POST) (/[\w{}.-]+)+")


@pytest.fixture(autouse=True)
def unthrottled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for the rate limit of a venue on loopback would prove nothing."""
    make = client.make_exchange

    def make_unthrottled(*args: Any) -> Any:
        exchange = make(*args)
        exchange.enableRateLimit = False
        return exchange

    monkeypatch.setattr(client, "make_exchange", make_unthrottled)


def own(venue: str, name: str) -> dict[str, Any]:
    return json.loads((corpus.OWN / venue / f"{name}.json").read_text())


@pytest.mark.parametrize("slug", REMOTE)
def test_a_venue_declares_what_it_may_ask_and_how_it_liquidates(slug: str) -> None:
    adapter = registry.get(slug)

    assert adapter.label
    assert adapter.reads
    assert all(READ.fullmatch(read) for read in adapter.reads)
    assert set(adapter.margin_rules.values()) <= set(RULES)
    assert all(RULES[rule].kind is kind for kind, rule in adapter.margin_rules.items())
    assert adapter.credentials or adapter.needs_wallet


@pytest.mark.parametrize("slug", REMOTE)
def test_a_venue_names_its_scopes_without_options(slug: str) -> None:
    request = AccountRequest(account_id=1, venue=slug, environment="", label="main")

    scopes = registry.get(slug).scopes(request)

    assert scopes
    assert len(set(scopes)) == len(scopes)


@pytest.mark.parametrize("venue", OWN)
def test_a_folder_of_answers_covers_what_a_venue_can_say(venue: str) -> None:
    names = set(corpus.scenarios(corpus.OWN, venue, ""))

    assert {"markets", "prices", "positions_empty", "positions_long", "positions_short"} <= names
    assert "positions_mixed" in names
    assert all(own(venue, name)["shape_source"].startswith("https://") for name in names)


@pytest.mark.parametrize(("venue", "name"), OWN_CASES)
def test_own_answers_are_read_as_their_rows_say(replay: Replay, venue: str, name: str) -> None:
    expected = own(venue, name)["expected"]
    options = {"scopes": list(expected["scopes"]), **expected.get("options", {})}

    found = read_account(venue, replay.url(venue, name), options)

    assert list(found) == list(expected["scopes"])
    for scope, reading in found.items():
        assert isinstance(reading, ScopeReading), reading
        check_scope(reading)
        check_refusals(reading, expected["scopes"][scope]["refusals"])
        check_positions(reading, expected["scopes"][scope]["positions"])
    assert unlisted_requests(registry.get(venue), replay.asked()) == []


def check_refusals(reading: ScopeReading, expected: list[list[str]]) -> None:
    told = [(refusal.venue_symbol, refusal.reason) for refusal in reading.refusals]

    assert [symbol for symbol, _ in told] == [symbol for symbol, _ in expected]
    for (_, reason), (_, part) in zip(told, expected, strict=True):
        assert part in reason


def check_positions(reading: ScopeReading, expected: list[dict[str, Any]]) -> None:
    assert [position.market.symbol for position in reading.positions] == [
        wanted["symbol"] for wanted in expected
    ]
    for position, wanted in zip(reading.positions, expected, strict=True):
        check_position_as(position, wanted)


def check_position_as(position: PositionReading, wanted: dict[str, Any]) -> None:
    assert position.market.is_known is wanted.get("is_known", True)
    assert (position.slot, position.side) == (wanted["slot"], wanted["side"])
    assert position.margin_mode == wanted["margin_mode"]
    assert position.auto_add_margin is wanted["auto_add_margin"]
    if "venue_time" in wanted:
        assert position.venue_time is not None
        assert position.venue_time.isoformat() == wanted["venue_time"]
    for name, (source, value) in wanted["figures"].items():
        check_figure_as(getattr(position, name), source, value, name=name)


def check_figure_as(figure: Figure, source: str, value: str, *, name: str) -> None:
    if source == "unknown":
        assert (figure.source, figure.reason) == (source, value), name
        return
    shown = figure.text if source == "reported" else figure.value
    assert figure.source == source, name
    assert str(shown) == value or figure.value == Figure.reported(value).value, name


@pytest.mark.parametrize("venue", OWN)
def test_own_prices_are_read_as_their_rows_say(replay: Replay, venue: str) -> None:
    expected = own(venue, "prices")["expected"]

    found = read_prices(venue, replay.url(venue, "prices"), expected["symbols"])

    quotes = {quote.symbol: quote for quote in found.quotes}
    assert set(quotes) == set(expected["quotes"])
    for symbol, figures in expected["quotes"].items():
        for name, (source, value) in figures.items():
            check_figure_as(getattr(quotes[symbol], name), source, value, name=name)
    coins = {coin.asset: coin.usd for coin in found.asset_prices}
    assert set(coins) == set(expected["assets"])
    for coin, (source, value) in expected["assets"].items():
        check_figure_as(coins[coin], source, value, name=coin)
    assert unlisted_requests(registry.get(venue), replay.asked()) == []


@needs_recordings
@pytest.mark.parametrize(("venue", "name"), RECORDED)
def test_real_recordings_are_read_or_refused(replay: Replay, venue: str, name: str) -> None:
    base = replay.recorded_url(venue, name)

    found = read_account(venue, base, {})

    for reading in found.values():
        if isinstance(reading, VenueError):
            assert is_explained(reading), reading
        else:
            check_scope(reading)
    assert unlisted_requests(registry.get(venue), replay.asked()) == []
    # A recording holds one product; what is asked beside it has no answer.
    replay.missed.clear()


def attempt(read: Callable[[], PriceReading]) -> PriceReading | VenueError:
    try:
        return read()
    except VenueError as error:
        return error


def is_explained(error: VenueError) -> bool:
    """Tell whether the venue said no, or answered for another product: never our own mistake."""
    mistake = isinstance(error, UnreadableAnswer) and "this version cannot read" in str(error)
    return not mistake


@needs_recordings
@pytest.mark.parametrize(
    "venue", [venue for venue in OWN if venue in {each for each, _ in RECORDED}]
)
def test_recorded_figures_of_prices_are_sound(replay: Replay, venue: str) -> None:
    name = next(name for each, name in RECORDED if each == venue)
    symbols = ["BTC/USDT:USDT", "BTC/USD:BTC", "SOL/USDC:USDC"]

    found = attempt(lambda: read_prices(venue, replay.recorded_url(venue, name), symbols))

    if isinstance(found, VenueError):
        assert is_explained(found)
    else:
        for quote in found.quotes:
            check_figure(quote.mark_price, name=quote.symbol)
    assert unlisted_requests(registry.get(venue), replay.asked()) == []
    replay.missed.clear()
