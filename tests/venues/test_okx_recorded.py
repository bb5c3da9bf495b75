"""Recorded answers of OKX, each field as a person reads it in the wire row."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.paths import needs_recordings
from tests.venues import corpus
from tests.venues.recorded_rows import (
    CROSS,
    NONE,
    Expected,
    check_recorded,
    derived,
    held,
    read_error,
    read_recorded,
    reported,
)
from tests.venues.replay import Replay
from venues import registry
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

IN_BITCOIN = ("unknown", "held in BTC, while the contract settles in USDT")
# One contract of 0.01 BTC at 4786.459271773621.
OF_4786 = {
    "mark_price": reported("4786.459271773621"),
    "entry_price": reported("34131.1"),
    "leverage": reported("2"),
    "index_price": NONE,
    "maintenance_margin": reported("1.3652874433435829"),
    "maintenance_amount": derived("0"),
    "venue_margin_ratio": reported("140.49930117599155"),
    "adl_rank": reported("3"),
}
ONE_OF_4786 = {
    **OF_4786,
    "contracts": reported("1"),
    "notional": derived("47.86459271773621"),
    "maintenance_rate": derived("0.0285239540508547158"),
}

# Scenario -> positions.
ROWS: Mapping[str, tuple[Expected, ...]] = {
    "positions_empty": (),
    "positions_inverse_future_isolated": (
        held(
            *("ETH/USD:ETH-210430", "long", "isolated"),
            side="long",
            is_auto=None,
            contracts=reported("1"),
            entry_price=reported("2566.31"),
            mark_price=NONE,
            collateral=reported("0.0003896645377994"),
            liquidation_price=reported("2352.8496681818233"),
            unrealized_pnl=reported("-0.0000009932766034"),
            leverage=reported("10"),
            index_price=NONE,
            notional=NONE,
            maintenance_margin=reported("0.0000311811092368"),
            maintenance_rate=NONE,
            maintenance_amount=NONE,
            venue_margin_ratio=reported("11.731726509588816"),
            adl_rank=reported("1"),
        ),
    ),
    "positions_linear_cross_hedge_long": (
        held(
            *("BTC/USDT:USDT", "long", "cross"),
            side="long",
            is_auto=None,
            **ONE_OF_4786,
            collateral=CROSS,
            liquidation_price=reported("12608.959083877446"),
            unrealized_pnl=reported("0.0108608358957281"),
        ),
    ),
    "positions_linear_hedge_pair": (
        held(
            *("BTC/USDT:USDT", "long", "isolated"),
            side="long",
            is_auto=None,
            **ONE_OF_4786,
            collateral=reported("170.66093041794787"),
            liquidation_price=reported("31000.5"),
            unrealized_pnl=reported("-0.0108608358957281"),
        ),
        held(
            *("BTC/USDT:USDT", "short", "isolated"),
            side="short",
            is_auto=None,
            **OF_4786,
            contracts=reported("2"),
            notional=derived("95.72918543547242"),
            maintenance_rate=derived("0.0142619770254273579"),
            collateral=reported("170.66093041794787"),
            liquidation_price=reported("37000.5"),
            unrealized_pnl=reported("-0.0108608358957281"),
        ),
    ),
    "positions_linear_isolated_synthetic": (
        held(
            *("BTC/USDT:USDT", "long", "isolated"),
            side="long",
            is_auto=None,
            contracts=reported("0.5"),
            entry_price=reported("10000"),
            mark_price=reported("10000"),
            collateral=IN_BITCOIN,
            liquidation_price=reported("9000"),
            unrealized_pnl=reported("0"),
            leverage=reported("10.0"),
            index_price=NONE,
            notional=derived("50"),
            maintenance_margin=IN_BITCOIN,
            maintenance_rate=IN_BITCOIN,
            maintenance_amount=IN_BITCOIN,
            venue_margin_ratio=reported("0.01"),
            adl_rank=reported("0"),
        ),
    ),
}
# Scenario -> class, words of the sentence.
ERRORS: Mapping[str, tuple[type[VenueError], str]] = {
    "errors_bad_passphrase": (BadCredentials, "50105"),
    "errors_bad_signature": (BadCredentials, "50113"),
    "errors_demo_env_mismatch": (BadCredentials, "50101"),
    "errors_invalid_key": (BadCredentials, "50111"),
    "errors_ip_not_whitelisted": (PermissionRefused, "add it to the key"),
    "errors_key_not_exist": (BadCredentials, "50119"),
    "errors_maintenance": (Unavailable, "50001"),
    "errors_permission_denied": (PermissionRefused, "50120"),
    "errors_rate_limit": (RateLimited, "50011"),
    "errors_timestamp": (ClockSkewed, "50102"),
}


def test_every_recording_is_expected() -> None:
    assert set(corpus.scenarios(corpus.RECORDED, "okx", "positions")) == set(ROWS)
    assert set(corpus.scenarios(corpus.RECORDED, "okx", "errors")) == set(ERRORS)


@pytest.mark.parametrize("name", ROWS)
def test_a_recording_is_read_as_its_rows_say(replay: Replay, name: str) -> None:
    reading = read_recorded(replay, "okx", name, "all")

    check_recorded(reading, ROWS[name])


def test_a_balance_that_was_not_recorded_is_unknown(replay: Replay) -> None:
    name = "positions_linear_cross_hedge_long"

    [standing] = read_recorded(replay, "okx", name, "all").standings

    assert (standing.margin_mode, standing.settle) == ("cross", "")
    assert standing.ratio.reason == "the balance of the account could not be read"


@pytest.mark.parametrize("name", ERRORS)
def test_a_recorded_error_becomes_its_reaction(replay: Replay, name: str) -> None:
    kind, words = ERRORS[name]

    error = read_error(replay, "okx", name, "all")

    assert isinstance(error, kind)
    assert error.kind == kind.kind
    assert str(error).startswith("OKX")
    assert words in str(error)
    assert error.retry_after_s is None
