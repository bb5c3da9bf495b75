"""Recordings of Bitget, read as a person reads their rows."""

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

NONE = "the venue gives none"
CROSS = "cross margin: the account's balance backs it"
UNREAD = "this venue's adapter does not read it"
RATE_ALONE = "the row tells a rate and not an amount"
FROM_TIERS = "it comes with the table of tiers"

REACTIONS: Mapping[str, tuple[type[VenueError], str]] = {
    "bad_passphrase": (BadCredentials, "refuses the key, secret or passphrase"),
    "bad_signature": (BadCredentials, "refuses the key, secret or passphrase"),
    "invalid_key": (BadCredentials, "refuses the key, secret or passphrase"),
    "key_not_exist": (BadCredentials, "refuses the key, secret or passphrase"),
    "ip_not_whitelisted": (PermissionRefused, "this machine's address"),
    "permission_denied": (PermissionRefused, "knows the key"),
    "maintenance": (Unavailable, "maintenance"),
    "rate_limit": (RateLimited, "asks for fewer requests"),
    "timestamp": (ClockSkewed, "refuses the time"),
}


@pytest.mark.parametrize("name", corpus.scenarios(corpus.RECORDED, "bitget", "errors_"))
def test_a_recorded_error_has_its_reaction(replay: Replay, name: str) -> None:
    kind, sentence = REACTIONS[name.removeprefix("errors_")]

    found = read_account("bitget", replay.recorded_url("bitget", name), {"scopes": "linear:USDT"})

    error = found["linear:USDT"]
    assert isinstance(error, kind)
    assert sentence in str(error)
    replay.missed.clear()


UNSAID = {
    "index_price": ("unknown", UNREAD),
    "maintenance_margin": ("unknown", RATE_ALONE),
    "maintenance_amount": ("unknown", FROM_TIERS),
    "adl_rank": ("unknown", UNREAD),
}
ISOLATED_LONG = {
    "contracts": ("reported", "0.01"),
    "entry_price": ("reported", "25000"),
    "mark_price": ("reported", "25100"),
    "collateral": ("reported", "9.6695050093373343"),
    "liquidation_price": ("reported", "24144.1124161806977798"),
    "unrealized_pnl": ("reported", "1"),
    "leverage": ("reported", "20"),
    "notional": ("derived", "251"),
    "maintenance_rate": ("reported", "0.004"),
    "venue_margin_ratio": ("reported", "0.1082149545822005"),
    **UNSAID,
}
ISOLATED_SHORT = {
    **ISOLATED_LONG,
    "contracts": ("reported", "0.02"),
    "collateral": ("reported", "25.5"),
    "liquidation_price": ("reported", "26000.5"),
    "unrealized_pnl": ("reported", "-2"),
    "notional": ("derived", "502"),
}
CROSS_LONG = {
    "contracts": ("reported", "0.002"),
    "entry_price": ("reported", "37355.5"),
    "mark_price": ("reported", "37370.5"),
    "collateral": ("unknown", CROSS),
    "liquidation_price": ("reported", "31725.023602417"),
    "unrealized_pnl": ("reported", "0.03"),
    "leverage": ("reported", "20"),
    "notional": ("derived", "74.741"),
    "maintenance_rate": ("reported", "0.004"),
    "venue_margin_ratio": ("reported", "0.029550120396"),
    **UNSAID,
}
# What a person reads in the wire rows: (slot, side, margin mode, figures).
RECORDED: Mapping[str, Sequence[tuple[str, Side, MarginMode, Mapping[str, tuple[str, str]]]]] = {
    "positions_empty": (),
    "positions_linear_isolated_hedge_long": (
        ("long", Side.LONG, MarginMode.ISOLATED, ISOLATED_LONG),
    ),
    "positions_linear_isolated_hedge_pair": (
        ("long", Side.LONG, MarginMode.ISOLATED, ISOLATED_LONG),
        ("short", Side.SHORT, MarginMode.ISOLATED, ISOLATED_SHORT),
    ),
    "positions_linear_crossed_hedge_long": (("long", Side.LONG, MarginMode.CROSS, CROSS_LONG),),
    "positions_linear_crossed_liq_zero": (
        (
            "net",
            Side.LONG,
            MarginMode.CROSS,
            {**CROSS_LONG, "liquidation_price": ("unknown", NONE)},
        ),
    ),
}


@pytest.mark.parametrize("name", corpus.scenarios(corpus.RECORDED, "bitget", "positions_"))
def test_a_recording_is_read_as_its_rows_say(replay: Replay, name: str) -> None:
    base = replay.recorded_url("bitget", name)

    reading = read_account("bitget", base, {"scopes": "linear:USDT"})["linear:USDT"]

    assert isinstance(reading, ScopeReading), reading
    assert reading.refusals == ()
    assert len(reading.positions) == len(RECORDED[name])
    for held, (slot, side, mode, figures) in zip(reading.positions, RECORDED[name], strict=True):
        assert held.identity == ("BTC/USDT:USDT", slot, mode)
        assert (held.side, held.auto_add_margin) == (side, None)
        assert {each: shown(getattr(held, each)) for each in figures} == figures
    # A recording holds one endpoint: the balance behind cross positions has no answer.
    replay.missed.clear()
