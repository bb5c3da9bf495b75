"""Recorded answers of Bybit, each field as a person reads it in the wire row."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from positions.engine.batch import build_batch
from positions.engine.solver import solve
from positions.engine.types import MarginMode, Terms, Tier
from tests.paths import needs_recordings
from tests.venues import corpus
from tests.venues.recorded_rows import (
    CROSS,
    NONE,
    NOT_READ,
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
from venues.base import PositionReading
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

# Bybit tells these of no position.
NEVER = dict.fromkeys(("index_price", "venue_margin_ratio"), NOT_READ)
# The recorded account is unified for linear contracts alone, and in cross mode.
POOLED = dict.fromkeys(("collateral", "maintenance_rate", "maintenance_amount"), CROSS)
UNIFIED, CLASSIC = (
    "the wallet of the account could not be read",
    "Bybit tells no ratio of a classic account",
)

# Scenario -> (scope, positions).
ROWS: Mapping[str, tuple[str, tuple[Expected, ...]]] = {
    "positions_empty": ("linear:USDT", ()),
    "positions_flat_size_zero": ("linear:USDT", ()),
    "positions_inverse_liqprice_empty": (
        "inverse",
        (
            held(
                *("BTC/USD:BTC", "net", "cross"),
                side="short",
                is_auto=True,
                **NEVER,
                **POOLED,
                contracts=reported("300"),
                entry_price=reported("27464.50441675"),
                mark_price=reported("28224.50"),
                liquidation_price=NONE,
                unrealized_pnl=reported("-0.00029413"),
                leverage=reported("10"),
                # 300 / 28224.5
                notional=derived("0.0106290634023631951"),
                maintenance_margin=reported("0.0000015"),
                adl_rank=reported("2"),
            ),
        ),
    ),
    "positions_linear_hedge_pair": (
        "linear:USDT",
        (
            held(
                *("BTC/USDT:USDT", "long", "cross"),
                side="long",
                is_auto=True,
                **NEVER,
                **POOLED,
                contracts=reported("0.5"),
                entry_price=reported("50000.00"),
                mark_price=reported("50500.00"),
                liquidation_price=reported("45000.00"),
                unrealized_pnl=reported("250.00"),
                leverage=reported("10"),
                notional=derived("25250"),
                maintenance_margin=reported("250.00"),
                adl_rank=reported("2"),
            ),
            held(
                *("BTC/USDT:USDT", "short", "cross"),
                side="short",
                is_auto=True,
                **NEVER,
                **POOLED,
                contracts=reported("0.2"),
                entry_price=reported("50000.00"),
                mark_price=reported("50500.00"),
                liquidation_price=reported("61000.00"),
                unrealized_pnl=reported("-100"),
                leverage=reported("10"),
                notional=derived("10100"),
                maintenance_margin=reported("100.00"),
                adl_rank=reported("2"),
            ),
        ),
    ),
    "positions_linear_isolated_trademode1": (
        "linear:USDT",
        (
            held(
                *("ETH/USDT:USDT", "net", "isolated"),
                side="long",
                is_auto=False,
                **NEVER,
                contracts=reported("0.10"),
                entry_price=reported("1198.45"),
                mark_price=reported("1199.28"),
                # positionBalance 28.58931118 less the fee of 0.06 % at bankruptcy.
                collateral=derived("28.5345248949369621773"),
                liquidation_price=reported("919.10"),
                unrealized_pnl=reported("0.083"),
                leverage=reported("4.2"),
                notional=derived("119.928"),
                maintenance_margin=reported("0.6"),
                # 0.6 / 119.845: positionIM beside it holds no fee.
                maintenance_rate=derived("0.00500646668613625933"),
                maintenance_amount=derived("0"),
                adl_rank=NONE,
            ),
        ),
    ),
    "positions_linear_uta_trademode0": (
        "linear:USDT",
        (
            held(
                *("XRP/USDT:USDT", "net", "cross"),
                side="long",
                is_auto=None,
                **NEVER,
                **POOLED,
                contracts=reported("100"),
                entry_price=reported("0.3615"),
                mark_price=reported("0.3432"),
                liquidation_price=reported("0.0001"),
                unrealized_pnl=reported("-1.83"),
                leverage=reported("10"),
                notional=derived("34.32"),
                maintenance_margin=reported("0.381021"),
                adl_rank=NONE,
            ),
        ),
    ),
}
# Scenario -> class, words of the sentence.
ERRORS: Mapping[str, tuple[type[VenueError], str]] = {
    "errors_bad_signature": (BadCredentials, "10004"),
    "errors_invalid_key": (BadCredentials, "10003"),
    "errors_ip_not_whitelisted": (PermissionRefused, "add it to the key"),
    "errors_key_expired": (BadCredentials, "33004"),
    "errors_permission_denied": (PermissionRefused, "10005"),
    "errors_rate_limit": (RateLimited, "10006"),
    "errors_region_block": (PermissionRefused, "10024"),
    "errors_server_error": (Unavailable, "10016"),
    "errors_timestamp": (ClockSkewed, "10002"),
}


def test_every_recording_is_expected() -> None:
    assert set(corpus.scenarios(corpus.RECORDED, "bybit", "positions")) == set(ROWS)
    assert set(corpus.scenarios(corpus.RECORDED, "bybit", "errors")) == set(ERRORS)


@pytest.mark.parametrize("name", ROWS)
def test_a_recording_is_read_as_its_rows_say(replay: Replay, name: str) -> None:
    scope, expected = ROWS[name]

    reading = read_recorded(replay, "bybit", name, scope)

    check_recorded(reading, expected)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("positions_linear_hedge_pair", UNIFIED),
        ("positions_linear_uta_trademode0", UNIFIED),
        ("positions_inverse_liqprice_empty", CLASSIC),
    ],
)
def test_a_wallet_that_was_not_recorded_is_unknown(replay: Replay, name: str, reason: str) -> None:
    [standing] = read_recorded(replay, "bybit", name, ROWS[name][0]).standings

    assert (standing.margin_mode, standing.settle) == (MarginMode.CROSS, "")
    assert standing.ratio.reason == reason


@pytest.mark.parametrize("name", ERRORS)
def test_a_recorded_error_becomes_its_reaction(replay: Replay, name: str) -> None:
    kind, words = ERRORS[name]

    error = read_error(replay, "bybit", name, "linear:USDT")

    assert isinstance(error, kind)
    assert error.kind == kind.kind
    assert str(error).startswith("Bybit")
    assert words in str(error)
    assert error.retry_after_s is None


def solved_price(position: PositionReading, *, rate: float) -> float:
    terms = Terms(
        rule="bybit-linear",
        side=position.side,
        quantity=position.contracts.number,
        entry_price=position.entry_price.number,
        collateral=position.collateral.number,
        trigger_price=position.mark_price.number,
        tiers=(Tier(0.0, rate),),
    )
    return float(solve(build_batch(terms=[terms])).liquidation_price[0])


def test_the_engine_meets_the_recorded_isolated_price(replay: Replay) -> None:
    name = "positions_linear_isolated_trademode1"
    [position] = read_recorded(replay, "bybit", name, "linear:USDT").positions

    by_table = solved_price(position, rate=0.005)
    by_row = solved_price(position, rate=position.maintenance_rate.number)

    # The contract's tick was 0.05, and Bybit rounds against the owner: up for a long.
    assert math.ceil(by_table / 0.05) * 0.05 == pytest.approx(919.10, abs=1e-9)
    assert by_row == pytest.approx(919.10, abs=0.01)
