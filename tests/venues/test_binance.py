"""Binance: sides, margin modes and pools, with answers of our own."""

from __future__ import annotations

from typing import Any

import pytest

from positions.engine.types import MarginMode
from tests.venues.binance_shape import check_figure, check_standings, market_of, own
from tests.venues.fake_client import FakeClient, read_scope
from tests.venues.reading_checks import read_account, unlisted_requests
from tests.venues.replay import Replay
from venues import options as account_options
from venues import registry
from venues.base import ScopeReading
from venues.errors import BadAccount, BadCredentials, Unreachable

registry.load()

RISK = "fapiPrivateV3GetPositionRisk"
SETTINGS = "fapiPrivateGetSymbolConfig"
ACCOUNT = "fapiPrivateV3GetAccount"
CONFIG = "fapiPrivateGetAccountConfig"
WITH_POOLS = (
    "positions_short",
    "positions_multi_assets",
    "positions_quarterly",
    "positions_portfolio",
)


def row(**fields: Any) -> dict[str, Any]:
    long = own("binance", "positions_long")["calls"][0]["answer"][0]
    return {**long, **fields}


def cross(**fields: Any) -> dict[str, Any]:
    return row(isolatedWallet="0", isolatedMargin="0", **fields)


def account(**fields: Any) -> dict[str, Any]:
    return {
        "assets": [{"asset": "USDT", "crossWalletBalance": "1000", "crossUnPnl": "-200"}],
        "positions": [{"symbol": "BTCUSDT", "isolatedWallet": "0", "maintMargin": "100"}],
        **fields,
    }


def read(*rows: Any, **answers: Any) -> ScopeReading:
    return read_scope("binance", "linear", FakeClient({RISK: list(rows), **answers}))


@pytest.mark.parametrize("name", WITH_POOLS)
def test_what_backs_cross_positions(replay: Replay, name: str) -> None:
    expected = own("binance", name)["expected"]
    options = {"scopes": list(expected["scopes"]), **expected.get("options", {})}

    found = read_account("binance", replay.url("binance", name), options)

    for scope, wanted in expected["scopes"].items():
        reading = found[scope]
        assert isinstance(reading, ScopeReading), reading
        check_standings(reading, wanted["standings"])
    assert unlisted_requests(registry.get("binance"), replay.asked()) == []


def test_a_warm_poll_of_isolated_positions_is_one_request(replay: Replay) -> None:
    base = replay.url("binance", "positions_long")

    for _ in range(3):
        read_account("binance", base, {"scopes": ["linear"]})

    paths = [asked.path for asked in replay.asked() if "exchangeInfo" not in asked.path]
    assert paths.count("/fapi/v3/positionRisk") == 3
    assert paths.count("/fapi/v1/symbolConfig") == 1
    assert len(paths) == 4


def test_a_warm_poll_of_cross_positions_is_two_requests(replay: Replay) -> None:
    base = replay.url("binance", "positions_multi_assets")
    options = {"scopes": ["linear"]}

    read_account("binance", base, options)
    cold = len(replay.asked())
    read_account("binance", base, options)

    warm = [asked.path for asked in replay.asked()[cold:]]
    assert warm == ["/fapi/v3/positionRisk", "/fapi/v3/account"]


@pytest.mark.parametrize("broken", [ACCOUNT, CONFIG])
@pytest.mark.parametrize("answer", [Unreachable("no"), {}, [], None])
def test_a_balance_that_cannot_be_read_hides_no_position(broken: str, answer: Any) -> None:
    answers = {ACCOUNT: account(), CONFIG: {"multiAssetsMargin": False}, broken: answer}

    reading = read(cross(), **answers)

    [held] = reading.positions
    [standing] = reading.standings
    assert held.margin_mode is MarginMode.CROSS
    assert standing.ratio.value is None
    assert standing.ratio.reason == "the balance of the account could not be read"


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (account(positions=[]), "does not hold the positions"),
        (account(assets=[]), "does not hold the positions"),
        (
            account(assets=[{"asset": "USDT", "crossWalletBalance": "100", "crossUnPnl": "-100"}]),
            "bankrupt",
        ),
        (
            account(assets=[{"asset": "USDT", "crossWalletBalance": "90", "crossUnPnl": "-100"}]),
            "bankrupt",
        ),
    ],
)
def test_a_pool_without_a_ratio_says_why(told: Any, reason: str) -> None:
    reading = read(cross(), **{ACCOUNT: told, CONFIG: {"multiAssetsMargin": False}})

    [standing] = reading.standings
    assert standing.ratio.value is None
    assert reason in standing.ratio.reason


def test_a_pool_of_all_coins_without_requirement_is_not_safe() -> None:
    told = {"totalMarginBalance": "0.00000000", "totalMaintMargin": "0.00000000"}

    reading = read(cross(), **{ACCOUNT: told, CONFIG: {"multiAssetsMargin": True}})

    [standing] = reading.standings
    assert standing.ratio.value is None
    assert "does not hold the positions" in standing.ratio.reason


def test_isolated_positions_ask_for_no_balance() -> None:
    fake = FakeClient({RISK: [row()]})

    reading = read_scope("binance", "linear", fake)

    assert reading.standings == ()
    assert ACCOUNT not in {method for method, _ in fake.asked}


@pytest.mark.parametrize(
    ("wallet", "margin", "setting", "mode"),
    [
        ("0", "0", "CROSSED", "cross"),
        ("0", "0.00000000", "ISOLATED", "cross"),
        ("50.5", "60.5", "CROSSED", "isolated"),
        ("0", "60.5", "CROSSED", "isolated"),
        (None, None, "ISOLATED", "isolated"),
        (None, None, "CROSSED", "cross"),
        (None, None, "", None),
    ],
)
def test_the_row_tells_the_margin_mode_before_older_settings_do(
    wallet: str | None, margin: str | None, setting: str, mode: str | None
) -> None:
    settings = [{"symbol": "BTCUSDT", "marginType": setting, "leverage": 10}]

    reading = read(row(isolatedWallet=wallet, isolatedMargin=margin), **{SETTINGS: settings})

    assert reading.positions[0].margin_mode == mode


@pytest.mark.parametrize(
    ("side", "amount", "slot", "is_long"),
    [
        ("BOTH", "0.5", "net", True),
        ("BOTH", "-0.5", "net", False),
        ("LONG", "0.5", "long", True),
        ("SHORT", "-0.5", "short", False),
    ],
)
def test_one_way_and_hedge_rows_keep_their_side(
    side: str, amount: str, slot: str, is_long: bool
) -> None:
    [held] = read(row(positionSide=side, positionAmt=amount)).positions

    assert (held.slot, held.side == "long") == (slot, is_long)
    assert held.contracts.text == "0.5"


def test_both_sides_of_a_hedge_and_neither_of_its_empty_rows() -> None:
    empty = row(symbol="ETHUSDT", positionSide="SHORT", positionAmt="0.000")

    reading = read(
        empty,
        row(positionSide="LONG"),
        row(positionSide="SHORT", positionAmt="-0.100"),
    )

    assert [position.slot for position in reading.positions] == ["long", "short"]


@pytest.mark.parametrize(("side", "amount"), [("LONG", "-0.5"), ("SHORT", "0.5")])
def test_a_size_that_contradicts_its_side_is_refused(side: str, amount: str) -> None:
    reading = read(row(positionSide=side, positionAmt=amount))

    assert reading.positions == ()
    assert "contradicts" in reading.refusals[0].reason


def test_settings_that_cannot_be_read_leave_the_leverage_unknown() -> None:
    [held] = read(row(), **{SETTINGS: Unreachable("no")}).positions

    assert held.margin_mode is MarginMode.ISOLATED
    assert "settings could not be read" in held.leverage.reason
    assert held.auto_add_margin is None
    assert held.maintenance_margin.text == "122.40000000"


def test_a_row_without_notional_is_valued_at_its_mark_price() -> None:
    [held] = read(row(notional=None)).positions

    check_figure(held.notional, "derived", "30600", name="notional")


def test_a_contract_that_is_not_listed_is_shown_without_value() -> None:
    [held] = read(row(symbol="NEWUSDT", notional=None)).positions

    assert not held.market.is_known
    assert held.notional.reason == "the venue lists no such contract"


def test_a_refused_key_may_belong_to_a_portfolio_margin_account() -> None:
    refused = BadCredentials("Binance refuses the key. It says: -2015 Invalid API-key")

    with pytest.raises(BadCredentials, match="account_type=portfolio"):
        read_scope("binance", "linear", FakeClient({RISK: refused}))


def test_a_refused_key_of_a_portfolio_margin_account_is_just_refused() -> None:
    fake = FakeClient(
        {"papiGetUmPositionRisk": BadCredentials("no")}, options={"account_type": "portfolio"}
    )

    with pytest.raises(BadCredentials) as caught:
        read_scope("binance", "linear", fake)

    assert str(caught.value) == "no"


def test_an_account_type_that_there_is_not_is_refused() -> None:
    adapter = registry.get("binance")

    with pytest.raises(BadAccount, match="portfolio"):
        account_options.check(
            {"account_type": "portfolo"}, declared=adapter.account_options, label=adapter.label
        )


def test_650_positions_of_one_answer_and_one_list_of_settings() -> None:
    markets = [market_of(f"C{index}/USDT:USDT") for index in range(650)]
    rows = [row(symbol=market.venue_symbol) for market in markets]
    settings = [{"symbol": market.venue_symbol, "leverage": 5} for market in markets]
    fake = FakeClient({RISK: rows, SETTINGS: settings}, markets=markets)

    reading = read_scope("binance", "linear", fake)

    assert len(reading.positions) == 650
    assert {position.leverage.text for position in reading.positions} == {"5"}
    assert fake.asked == [(RISK, {}), (SETTINGS, {})]


def test_a_value_in_coins_is_the_contracts_over_the_price() -> None:
    long = own("binance", "positions_inverse")["calls"][0]["answer"][0]
    fake = FakeClient(
        {"dapiPrivateGetPositionRisk": [{**long, "notionalValue": None}]},
        markets=[market_of("BTC/USD:BTC")],
    )

    [held] = read_scope("binance", "inverse", fake).positions

    # 50 contracts of 100 USD at 52,000.
    assert held.notional.number == pytest.approx(5000 / 52_000, rel=1e-12)
