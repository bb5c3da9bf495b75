"""Recorded answers of Hyperliquid, each field as a person reads it in the wire row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from positions.engine.types import MarginMode, Source
from tests.paths import needs_recordings
from tests.venues import corpus, recorded_rows
from tests.venues.recorded_rows import (
    CROSS,
    NONE,
    NOT_READ,
    Expected,
    check_recorded,
    check_recorded_figure,
    derived,
    read_error,
    read_recorded,
    reported,
)
from tests.venues.replay import Replay
from venues import registry
from venues.base import Standing
from venues.errors import RateLimited, VenueError, VenueRefused

registry.load()
pytestmark = needs_recordings

# No exchange of the venue tells these of a position.
NEVER = dict.fromkeys(("index_price", "venue_margin_ratio", "adl_rank"), NOT_READ)


def held(symbol: str, side: str, mode: str, **figures: Any) -> Expected:
    return recorded_rows.held(
        symbol,
        "net",
        mode,
        side=side,
        # There is no such switch for an isolated position, and none for an account.
        is_auto=False if mode == "isolated" else None,
        **NEVER,
        **figures,
    )


def cross_of_2023(row: tuple[str, ...]) -> Expected:
    """Return what a row of the oldest recording says: no highest leverage was told then."""
    coin, size, entry, worth, profit, liquidation, mark = row
    return held(
        f"{coin}/USDC:USDC",
        "short" if size.startswith("-") else "long",
        "cross",
        contracts=reported(size.lstrip("-")),
        entry_price=reported(entry),
        mark_price=derived(mark),
        collateral=CROSS,
        liquidation_price=reported(liquidation) if liquidation else NONE,
        unrealized_pnl=reported(profit),
        leverage=reported("20"),
        notional=reported(worth),
        maintenance_margin=NONE,
        maintenance_rate=NONE,
        maintenance_amount=NONE,
    )


OF_2023 = (
    ("BTC", "-0.00785", "26951.0", "211.64542", "-0.08007", "173198.69592357", "26961.2"),
    ("ETH", "0.1334", "1705.82", "227.675114", "0.118726", "", "1706.71"),
    ("ATOM", "-0.45", "10.787", "4.86", "-0.00585", "2561.83187333", "10.8"),
    ("MATIC", "76.6", "1.03483", "79.3576", "0.089622", "", "1.036"),
    ("DYDX", "-121.2", "2.36808", "287.244", "-0.232704", "11.841653", "2.37"),
    ("SOL", "7.39", "19.6789", "145.5091", "0.082029", "", "19.69"),
    ("AVAX", "28.3", "16.3839", "464.12", "0.45563", "", "16.4"),
    ("BNB", "1.916", "306.509", "588.0204", "0.749156", "", "306.9"),
    ("APE", "-131.8", "3.86082", "509.5388", "-0.682724", "12.57589638", "3.866"),
    ("OP", "-76.4", "2.04459", "156.238", "-0.031324", "17.0707113", "2.045"),
    ("LTC", "5.33", "88.0926", "469.7862", "0.252642", "", "88.14"),
    ("ARB", "246.5", "1.17991", "290.8207", "-0.027115", "", "1.1798"),
)

# Scenario -> (scope, positions).
ROWS: Mapping[str, tuple[str, tuple[Expected, ...]]] = {
    "positions_empty": ("dex:main", ()),
    "positions_cross_12_recorded": ("dex:main", tuple(map(cross_of_2023, OF_2023))),
    "positions_cross_long_no_liq": (
        "dex:main",
        (
            held(
                "SOL/USDC:USDC",
                "long",
                "cross",
                contracts=reported("3.34"),
                entry_price=reported("112.0945"),
                mark_price=derived("138.91"),
                collateral=CROSS,
                liquidation_price=NONE,
                unrealized_pnl=reported("89.563507"),
                leverage=reported("20"),
                notional=reported("463.9594"),
                maintenance_margin=derived("4.639594"),
                maintenance_rate=derived("0.01"),
                maintenance_amount=derived("0"),
            ),
            held(
                "ETH/USDC:USDC",
                "long",
                "cross",
                contracts=reported("3.6"),
                entry_price=reported("1100.0"),
                mark_price=derived("3803.9"),
                collateral=CROSS,
                liquidation_price=NONE,
                unrealized_pnl=reported("9734.04"),
                leverage=reported("20"),
                notional=reported("13694.04"),
                maintenance_margin=derived("136.9404"),
                maintenance_rate=derived("0.01"),
                maintenance_amount=derived("0"),
            ),
        ),
    ),
    "positions_cross_short_sol_liq_absurd": (
        "dex:main",
        (
            held(
                "SOL/USDC:USDC",
                "short",
                "cross",
                contracts=reported("0.5"),
                entry_price=reported("138.76"),
                mark_price=derived("137.96"),
                collateral=CROSS,
                liquidation_price=reported("22881.19788911"),
                unrealized_pnl=reported("0.4"),
                leverage=reported("20"),
                notional=reported("68.98"),
                maintenance_margin=derived("0.6898"),
                maintenance_rate=derived("0.01"),
                maintenance_amount=derived("0"),
            ),
            held(
                "ETH/USDC:USDC",
                "long",
                "cross",
                contracts=reported("1.6"),
                entry_price=reported("1100.0"),
                mark_price=derived("2387"),
                collateral=CROSS,
                liquidation_price=NONE,
                unrealized_pnl=reported("2059.2"),
                leverage=reported("20"),
                notional=reported("3819.2"),
                maintenance_margin=derived("38.192"),
                maintenance_rate=derived("0.01"),
                maintenance_amount=derived("0"),
            ),
        ),
    ),
    "positions_isolated_eth_doc": (
        "dex:main",
        (
            held(
                "ETH/USDC:USDC",
                "long",
                "isolated",
                contracts=reported("0.2259"),
                entry_price=reported("2213.9"),
                mark_price=derived("2213.9"),
                # rawUsd -475.23904 and the cost 0.2259 x 2213.9.
                collateral=derived("24.88097"),
                liquidation_price=reported("2125.00856238"),
                unrealized_pnl=reported("0.0"),
                leverage=reported("20"),
                notional=reported("500.12001"),
                maintenance_margin=derived("5.0012001"),
                maintenance_rate=derived("0.01"),
                maintenance_amount=derived("0"),
            ),
        ),
    ),
    "positions_isolated_short_hype": (
        "dex:main",
        (
            held(
                "HYPE/USDC:USDC",
                "short",
                "isolated",
                contracts=reported("4.0"),
                entry_price=reported("47.9932"),
                mark_price=derived("48.145"),
                # rawUsd 211.144417 less the cost 4 x 47.9932.
                collateral=derived("19.171617"),
                liquidation_price=reported("50.2724802381"),
                unrealized_pnl=reported("-0.6071"),
                leverage=reported("10"),
                notional=reported("192.58"),
                maintenance_margin=derived("9.629"),
                maintenance_rate=derived("0.05"),
                maintenance_amount=derived("0"),
            ),
        ),
    ),
    "positions_isolated_long_hip3": (
        "dex:flx",
        (
            held(
                "FLX-CRCL/USDH:USDH",
                "long",
                "isolated",
                contracts=reported("0.13"),
                entry_price=reported("80.262"),
                mark_price=derived("80.114"),
                collateral=derived("3.478942"),
                liquidation_price=reported("64.2010892308"),
                unrealized_pnl=reported("-0.01924"),
                leverage=reported("3"),
                notional=reported("10.41482"),
                maintenance_margin=derived("1.735803333333333333333333333333333333334"),
                maintenance_rate=derived("0.1666666666666666666666666666666666666667"),
                maintenance_amount=derived("0"),
            ),
        ),
    ),
}
# Ratio, equity, requirement.
STANDINGS: Mapping[str, tuple[float | None, tuple[str, str], tuple[str, str]]] = {
    "positions_cross_long_no_liq": (
        141.579994 / 19762.483455,
        reported("19762.483455"),
        reported("141.579994"),
    ),
    "positions_cross_short_sol_liq_absurd": (
        38.8818 / 11524.216934,
        reported("11524.216934"),
        reported("38.8818"),
    ),
    # The requirement was not told then.
    "positions_cross_12_recorded": (None, reported("1182.312496"), NONE),
}


def test_every_recording_of_positions_is_expected() -> None:
    recorded = corpus.scenarios(corpus.RECORDED, "hyperliquid", "positions")

    assert set(recorded) == set(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_a_recording_is_read_as_its_rows_say(replay: Replay, name: str) -> None:
    scope, expected = ROWS[name]

    reading = read_recorded(replay, "hyperliquid", name, scope)

    check_recorded(reading, expected)


@pytest.mark.parametrize("name", STANDINGS)
def test_what_backs_recorded_cross_positions(replay: Replay, name: str) -> None:
    ratio, equity, required = STANDINGS[name]

    [standing] = read_recorded(replay, "hyperliquid", name, "dex:main").standings

    assert (standing.margin_mode, standing.settle) == (MarginMode.CROSS, "USDC")
    check_recorded_figure(standing.equity, equity, name="equity")
    check_recorded_figure(standing.required, required, name="required")
    assert standing.ratio.number == (None if ratio is None else pytest.approx(ratio, rel=1e-12))
    assert standing.ratio.source is (Source.UNKNOWN if ratio is None else Source.DERIVED)


@pytest.mark.parametrize(
    "name", ["positions_isolated_eth_doc", "positions_isolated_short_hype", "positions_empty"]
)
def test_nothing_is_asked_of_what_backs_no_position(replay: Replay, name: str) -> None:
    standings: tuple[Standing, ...] = read_recorded(
        replay, "hyperliquid", name, "dex:main"
    ).standings

    kinds = [asked.body["type"] for asked in replay.asked("hyperliquid", name)]
    assert standings == ()
    assert "spotClearinghouseState" not in kinds


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("errors_1", VenueRefused, "User or API Wallet 0x[0-9a-f]+ does not exist"),
        ("errors_bad_user_422", VenueRefused, "refused the request"),
        ("errors_rate_429", RateLimited, "fewer requests"),
    ],
)
def test_recorded_errors_become_a_reaction(
    replay: Replay, name: str, kind: type[VenueError], words: str
) -> None:
    error = read_error(replay, "hyperliquid", name, "dex:main")

    assert type(error) is kind
    assert re.search(words, str(error))


def test_answers_to_orders_are_no_list_of_positions(replay: Replay) -> None:
    # Both answer an order, which is never sent.
    for name in ("errors_2", "errors_3"):
        assert read_error(replay, "hyperliquid", name, "dex:main")
