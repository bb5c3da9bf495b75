"""Recordings of Gate, read as a person reads their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from positions.engine.types import MarginMode, Side
from tests.paths import needs_recordings
from tests.venues import corpus
from tests.venues.own_answers import shown
from tests.venues.reading_checks import read_account
from tests.venues.replay import Replay
from venues import registry
from venues.base import ScopeReading
from venues.errors import (
    BadCredentials,
    ClockSkewed,
    PermissionRefused,
    RateLimited,
    Unavailable,
    VenueError,
)

registry.load()
pytestmark = needs_recordings

NONE = ("unknown", "the venue gives none")
CROSS = ("unknown", "cross margin: the account's balance backs it")
UNREAD = ("unknown", "this venue's adapter does not read it")
FROM_TIERS = ("unknown", "it comes with the table of tiers")
UNSAID = {
    "index_price": UNREAD,
    "maintenance_margin": NONE,
    "maintenance_amount": FROM_TIERS,
    "venue_margin_ratio": UNREAD,
    "adl_rank": ("reported", "5"),
}
LITECOIN_LONG = {
    "contracts": ("reported", "1"),
    "entry_price": ("reported", "74.35"),
    "mark_price": ("reported", "74.43"),
    "collateral": ("reported", "1.49257625"),
    "liquidation_price": ("reported", "60.07"),
    "unrealized_pnl": ("reported", "0.008"),
    "leverage": ("reported", "5"),
    "notional": ("reported", "7.443"),
    "maintenance_rate": ("reported", "0.01"),
    **UNSAID,
}
LITECOIN_SHORT = {
    **LITECOIN_LONG,
    "contracts": ("reported", "2"),
    "collateral": ("reported", "2.98"),
    "liquidation_price": ("reported", "88.10"),
    "notional": ("reported", "14.886"),
}
CROSS_LONG = {
    "contracts": ("reported", "1"),
    "entry_price": ("reported", "46030.3"),
    "mark_price": ("reported", "46028.28"),
    "collateral": CROSS,
    "liquidation_price": NONE,
    "unrealized_pnl": ("reported", "-0.000202"),
    "leverage": NONE,
    "notional": ("reported", "4.602828"),
    "maintenance_rate": ("reported", "0.004"),
    **UNSAID,
}
CROSS_SHORT = {
    "contracts": ("reported", "9440"),
    "entry_price": ("reported", "3779.55"),
    "mark_price": ("reported", "3780.32"),
    "collateral": CROSS,
    "liquidation_price": NONE,
    "unrealized_pnl": ("reported", "-0.000507486844"),
    "leverage": NONE,
    "notional": ("reported", "3568.62"),
    "maintenance_rate": ("reported", "0.005"),
    **UNSAID,
}
# (symbol, slot, side, margin mode, venue's time, figures)
Row = tuple[str, str, Side, MarginMode, str, Mapping[str, tuple[str, str]]]
LONG, SHORT = Side.LONG, Side.SHORT
RECORDED: Mapping[str, Sequence[Row]] = {
    "positions_empty": (),
    "positions_flat_row": (),
    "positions_isolated_dual_pair": (
        (
            *("LTC/USDT:USDT", "long", LONG, MarginMode.ISOLATED, "2024-01-12T09:43:05+00:00"),
            LITECOIN_LONG,
        ),
        (
            *("LTC/USDT:USDT", "short", SHORT, MarginMode.ISOLATED, "2024-01-12T09:43:05+00:00"),
            LITECOIN_SHORT,
        ),
    ),
    "positions_cross_liq_zero": (
        (
            *("BTC/USDT:USDT", "net", LONG, MarginMode.CROSS, "2024-01-12T04:37:26+00:00"),
            CROSS_LONG,
        ),
    ),
    "positions_cross_short_liq_99999999": (
        (
            *("BTC/USDT:USDT", "net", SHORT, MarginMode.CROSS, "2023-05-25T06:00:06+00:00"),
            CROSS_SHORT,
        ),
    ),
}
REACTIONS: Mapping[str, tuple[type[VenueError], str]] = {
    "bad_signature": (BadCredentials, "refuses the key, secret or passphrase"),
    "invalid_key": (BadCredentials, "refuses the key, secret or passphrase"),
    "ip_not_whitelisted": (PermissionRefused, "this machine's address"),
    "no_futures_account": (PermissionRefused, "please transfer funds first"),
    "permission_denied": (PermissionRefused, "does not have futures permission"),
    "rate_limit": (RateLimited, "asks for fewer requests"),
    "timestamp": (ClockSkewed, "refuses the time"),
    "unavailable": (Unavailable, "is down"),
}


@pytest.mark.parametrize("name", corpus.scenarios(corpus.RECORDED, "gate", "positions_"))
def test_a_recording_is_read_as_its_rows_say(replay: Replay, name: str) -> None:
    base = replay.recorded_url("gate", name)

    reading = read_account("gate", base, {"scopes": "linear:USDT"})["linear:USDT"]

    assert isinstance(reading, ScopeReading), reading
    assert reading.refusals == ()
    assert len(reading.positions) == len(RECORDED[name])
    for held, (symbol, slot, side, mode, at, figures) in zip(
        reading.positions, RECORDED[name], strict=True
    ):
        assert held.identity == (symbol, slot, mode)
        assert (held.side, held.auto_add_margin) == (side, None)
        assert held.venue_time is not None
        assert held.venue_time.isoformat() == at
        assert {each: shown(getattr(held, each)) for each in figures} == figures
    # A recording holds one endpoint: the balance behind cross positions has no answer.
    replay.missed.clear()


@pytest.mark.parametrize("name", corpus.scenarios(corpus.RECORDED, "gate", "errors_"))
def test_a_recorded_error_has_its_reaction(replay: Replay, name: str) -> None:
    kind, sentence = REACTIONS[name.removeprefix("errors_")]

    found = read_account("gate", replay.recorded_url("gate", name), {"scopes": "linear:USDT"})

    error = found["linear:USDT"]
    assert isinstance(error, kind)
    assert sentence in str(error)
    replay.missed.clear()
