"""Every recorded answer of Binance, read as a person reads its rows."""

from __future__ import annotations

from typing import Any

import pytest

from positions.engine.types import ContractKind, MarginMode
from tests.paths import needs_recordings
from tests.venues import corpus
from tests.venues.binance_shape import (
    FIELDS,
    check_fields,
    market_of,
    read_tiers,
    recorded_body,
)
from tests.venues.fake_client import FakeClient, read_scope
from tests.venues.reading_checks import check_scope, read_account
from tests.venues.replay import Replay
from venues import registry
from venues.base import ScopeReading
from venues.errors import (
    BadCredentials,
    Banned,
    ClockSkewed,
    PermissionRefused,
    RateLimited,
    Unavailable,
    VenueError,
)

registry.load()
pytestmark = needs_recordings

NONE = "the venue gives none"
NOT_IN_ROW = "the position row does not carry it"
IN_TABLE = "it stands in the maintenance table, not in the position row"
NO_SETTING = "the position row does not carry it and the symbol's settings could not be read"
CROSS = "cross margin: the account's balance backs it"

SAYS, MAKES, LACKS = "reported", "derived", "unknown"
NOWHERE = {
    "index_price": (LACKS, NOT_IN_ROW),
    "maintenance_rate": (LACKS, IN_TABLE),
    "maintenance_amount": (LACKS, IN_TABLE),
    "venue_margin_ratio": (LACKS, NOT_IN_ROW),
}
V3_CROSS: dict[str, Any] = {
    "identity": ("BTC/USDT:USDT", "net", "cross"),
    "side": "long",
    "auto_add_margin": None,
    "venue_time": "2024-07-28T10:06:06.529000+00:00",
    "contracts": (SAYS, "0.009"),
    "entry_price": (SAYS, "67445.9"),
    "mark_price": (SAYS, "67502.68519858"),
    "collateral": (LACKS, CROSS),
    "liquidation_price": (SAYS, "64846.98753790"),
    "unrealized_pnl": (SAYS, "0.51106678"),
    "leverage": (LACKS, NO_SETTING),
    "notional": (SAYS, "607.52416678"),
    "maintenance_margin": (SAYS, "2.43009666"),
    "adl_rank": (SAYS, "2"),
    **NOWHERE,
}
V2_LONG: dict[str, Any] = {
    "identity": ("BTC/USDT:USDT", "long", "isolated"),
    "side": "long",
    "auto_add_margin": False,
    "venue_time": "2021-07-05T08:38:24.765000+00:00",
    "contracts": (SAYS, "20.000"),
    "entry_price": (SAYS, "6563.66500"),
    "mark_price": (SAYS, "6679.50671178"),
    "collateral": (SAYS, "15517.54150468"),
    "liquidation_price": (SAYS, "5930.78"),
    "unrealized_pnl": (SAYS, "2316.83423560"),
    "leverage": (SAYS, "10"),
    "notional": (SAYS, "133590.1342356"),
    "maintenance_margin": (LACKS, IN_TABLE),
    "adl_rank": (LACKS, NONE),
    **NOWHERE,
}
# Recording -> scope, options, and what each open position's row says.
EXPECTED: dict[str, tuple[str, dict[str, Any], list[dict[str, Any]]]] = {
    "positions_empty": ("linear", {}, []),
    "positions_linear_v3_cross": ("linear", {}, [V3_CROSS]),
    "positions_linear_v3_cross_symbols": (
        "linear",
        {},
        [
            {
                **V3_CROSS,
                "mark_price": (SAYS, "67582.20000000"),
                "liquidation_price": (SAYS, "64846.78939917"),
                "unrealized_pnl": (SAYS, "1.22670000"),
                "notional": (SAYS, "608.23980000"),
                "maintenance_margin": (SAYS, "2.43295920"),
            }
        ],
    ),
    "positions_linear_v3_isolated": (
        "linear",
        {},
        [
            {
                **V3_CROSS,
                "identity": ("BTC/USDT:USDT", "net", "isolated"),
                "collateral": (SAYS, "59.68693322"),
                "liquidation_price": (SAYS, "61030.63140000"),
            }
        ],
    ),
    # The body of an older version: it tells margin type, leverage and switch itself.
    "positions_linear_v3_hedge_pair": (
        "linear",
        {},
        [
            {
                "identity": ("BTC/USDT:USDT", "long", "cross"),
                "side": "long",
                "auto_add_margin": False,
                "venue_time": "2022-06-14T14:37:41.579000+00:00",
                "contracts": (SAYS, "0.001"),
                "entry_price": (SAYS, "22185.2"),
                "mark_price": (SAYS, "21123.05052574"),
                "collateral": (LACKS, CROSS),
                "liquidation_price": (SAYS, "19731.45529116"),
                "unrealized_pnl": (SAYS, "-1.06214947"),
                "leverage": (SAYS, "4"),
                "notional": (SAYS, "21.12305052"),
                "maintenance_margin": (LACKS, IN_TABLE),
                "adl_rank": (LACKS, NONE),
                **NOWHERE,
            }
        ],
    ),
    "positions_linear_v2_isolated_hedge_pair": (
        "linear",
        {"position_risk": "v2"},
        [
            V2_LONG,
            {
                **V2_LONG,
                "identity": ("BTC/USDT:USDT", "short", "isolated"),
                "side": "short",
                "venue_time": None,
                "contracts": (SAYS, "10.000"),
                "entry_price": (SAYS, "6563.85000"),
                "collateral": (SAYS, "5413.95799991"),
                "liquidation_price": (SAYS, "7189.95"),
                "unrealized_pnl": (SAYS, "-1156.46711780"),
                "notional": (SAYS, "66795.0671178"),
            },
        ],
    ),
    "positions_inverse_cross": (
        "inverse",
        {},
        [
            {
                "identity": ("BTC/USD:BTC", "net", "cross"),
                "side": "short",
                "auto_add_margin": False,
                "venue_time": "2024-07-27T18:40:22.903000+00:00",
                "contracts": (SAYS, "3"),
                "entry_price": (SAYS, "68911.00000037"),
                "mark_price": (SAYS, "68234.20000000"),
                "collateral": (LACKS, CROSS),
                "liquidation_price": (SAYS, "72491.16879818"),
                "unrealized_pnl": (SAYS, "0.00004318"),
                "leverage": (SAYS, "20"),
                "notional": (SAYS, "0.00439662"),
                "maintenance_margin": (LACKS, IN_TABLE),
                "adl_rank": (LACKS, NONE),
                **NOWHERE,
            }
        ],
    ),
    "positions_inverse_isolated": (
        "inverse",
        {},
        [
            {
                "identity": ("BTC/USD:BTC", "net", "isolated"),
                "side": "long",
                "auto_add_margin": False,
                "venue_time": None,
                "contracts": (SAYS, "2"),
                "entry_price": (SAYS, "37643.10000021"),
                "mark_price": (SAYS, "38103.05510455"),
                "collateral": (SAYS, "0.00268058"),
                "liquidation_price": (SAYS, "25119.97445760"),
                "unrealized_pnl": (SAYS, "0.00006413"),
                "leverage": (SAYS, "2"),
                "notional": (SAYS, "0.00524892"),
                "maintenance_margin": (LACKS, IN_TABLE),
                "adl_rank": (LACKS, NONE),
                **NOWHERE,
            }
        ],
    ),
}
# This one is the account's answer, of another endpoint: see the standings below.
ELSEWHERE = {"positions_linear_account_endpoint"}


def test_every_recording_of_positions_has_its_expectation() -> None:
    names = set(corpus.scenarios(corpus.RECORDED, "binance", "positions"))

    assert names == set(EXPECTED) | ELSEWHERE
    told = {"identity", "side", "auto_add_margin", "venue_time", *FIELDS}
    assert all(set(row) == told for _, _, rows in EXPECTED.values() for row in rows)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_recorded_answer_is_read_as_its_rows_say(replay: Replay, name: str) -> None:
    scope, options, rows = EXPECTED[name]
    base = replay.recorded_url("binance", name)

    reading = read_account("binance", base, {"scopes": [scope], **options})[scope]
    # A recording holds one endpoint; settings and balances have no answer.
    replay.missed.clear()

    assert isinstance(reading, ScopeReading)
    check_scope(reading)
    assert reading.refusals == ()
    assert len(reading.positions) == len(rows)
    for position, expected in zip(reading.positions, rows, strict=True):
        check_fields(position, expected)


def test_coin_margined_sizes_count_contracts_of_100_dollars(replay: Replay) -> None:
    base = replay.recorded_url("binance", "positions_inverse_isolated")

    reading = read_account("binance", base, {"scopes": ["inverse"]})["inverse"]
    replay.missed.clear()

    assert isinstance(reading, ScopeReading)
    [held] = reading.positions
    assert held.market.kind is ContractKind.INVERSE
    assert held.market.contract_size == 100
    # 2 contracts of 100 USD at the mark price are the notional that the venue prints.
    assert 200 / held.mark_price.number == pytest.approx(held.notional.number, rel=1e-6)


@pytest.mark.parametrize(
    ("is_multi", "settle", "ratio"),
    [
        # 2.43034303 / 26.26840422, the totals in USD.
        ("true", "", 0.0925196),
        # 2.43022194 / (3.72964781 + 0.54238506), USDT alone.
        ("false", "USDT", 0.5688685),
    ],
)
def test_recorded_balance_of_the_account(is_multi: str, settle: str, ratio: float) -> None:
    answers = {
        "fapiPrivateV3GetPositionRisk": recorded_body("binance", "positions_linear_v3_cross"),
        "fapiPrivateV3GetAccount": recorded_body("binance", "positions_linear_account_endpoint"),
        "fapiPrivateGetAccountConfig": {"multiAssetsMargin": is_multi},
    }
    fake = FakeClient(answers)

    [standing] = read_scope("binance", "linear", fake).standings

    assert (standing.margin_mode, standing.settle) == (MarginMode.CROSS, settle)
    assert standing.ratio.number == pytest.approx(ratio, rel=1e-5)


REACTIONS: dict[str, tuple[type[VenueError], str]] = {
    "errors_bad_signature": (BadCredentials, "enter them again"),
    "errors_invalid_key": (BadCredentials, "enter them again"),
    "errors_invalid_key_ip_or_permission": (BadCredentials, "account_type=portfolio"),
    "errors_ip_banned": (Banned, "banned this machine's address"),
    "errors_overloaded": (Unavailable, "tries again"),
    "errors_rate_limit": (RateLimited, "asks for fewer requests"),
    "errors_region_block": (PermissionRefused, "place from which this machine connects"),
    "errors_timestamp": (ClockSkewed, "set this machine's clock"),
}


def test_every_recorded_error_has_its_reaction() -> None:
    assert set(corpus.scenarios(corpus.RECORDED, "binance", "errors")) == set(REACTIONS)


@pytest.mark.parametrize("name", REACTIONS)
def test_a_recorded_error_is_reacted_to(replay: Replay, name: str) -> None:
    kind, words = REACTIONS[name]
    base = replay.recorded_url("binance", name)

    error = read_account("binance", base, {"scopes": ["linear"]})["linear"]
    replay.missed.clear()

    assert isinstance(error, kind)
    assert words in str(error)
    # A ban whose end has passed, or is not told, still holds for the shortest one.
    assert (error.retry_after_s == 120.0) is (kind is Banned)


@pytest.mark.parametrize(
    ("name", "symbol", "steps"),
    [
        ("leverage_tiers_linear", "BTC/USDT:USDT", [(0, 0.004, 0), (50_000, 0.005, 50)]),
        ("leverage_tiers_linear", "WLD/USDT:USDT", [(0, 0.006, 0)]),
        # Its multiplier is 1.5: the table of one account is not everybody's.
        ("leverage_tiers_linear", "ETH/USDT:USDT", None),
        ("leverage_tiers_inverse", "BTC/USD:BTC", None),
    ],
)
def test_recorded_brackets(name: str, symbol: str, steps: list[Any] | None) -> None:
    method = {
        "leverage_tiers_linear": "fapiPrivateGetLeverageBracket",
        "leverage_tiers_inverse": "dapiPrivateV2GetLeverageBracket",
    }[name]
    fake = FakeClient({method: recorded_body("binance", name)}, markets=[market_of(symbol)])

    tables = read_tiers("binance", [symbol], fake)

    found = [[(tier.floor, tier.rate, tier.amount) for tier in each.tiers] for each in tables]
    assert found == ([] if steps is None else [steps])
