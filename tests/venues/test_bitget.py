"""Bitget's own rows, classic and unified: what is asked, and what is made of the answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from positions.engine.types import ContractKind
from tests.venues.fake_client import BTC, FakeClient, read_scope
from tests.venues.own_answers import (
    ask,
    check_funding,
    check_standings,
    check_tiers,
    own,
    shown,
)
from tests.venues.reading_checks import check_scope, read_account
from tests.venues.replay import Replay
from tests.venues.test_contract import check_positions
from venues import registry
from venues.base import ScopeReading
from venues.client import CcxtClient
from venues.errors import PermissionRefused, Unavailable, UnreadableAnswer
from venues.figures import Figure

registry.load()
BITGET = registry.get("bitget")
CLASSIC = "privateMixGetV2MixPositionAllPosition"
UNIFIED = "privateUtaGetV3PositionCurrentPosition"
ACCOUNTS = "privateMixGetV2MixAccountAccounts"
REFUSED = PermissionRefused("Bitget knows the key. It says: 40085 You are in Unified Account mode")
NONE = "the venue gives none"
COIN = replace(
    BTC, symbol="BTC/USD:BTC", venue_symbol="BTCUSD", kind=ContractKind.INVERSE, settle="BTC"
)


def row(**fields: Any) -> dict[str, Any]:
    return {**own("bitget", "positions_long")["calls"][0]["answer"]["data"][0], **fields}


def answer(*rows: Any) -> dict[str, Any]:
    return {"code": "00000", "requestTime": "1780000000000", "data": list(rows)}


def fake(*rows: Any, **answers: Any) -> FakeClient:
    return FakeClient({CLASSIC: answer(*rows), **answers}, markets=[BTC, COIN])


@pytest.mark.parametrize("name", ["positions_mixed", "positions_inverse", "account_unified"])
def test_the_balance_behind_cross_positions(replay: Replay, name: str) -> None:
    check_standings(replay, "bitget", name)


def test_a_unified_account_is_read_by_its_own_api(replay: Replay) -> None:
    expected = own("bitget", "account_unified")["expected"]["scopes"]

    found = read_account("bitget", replay.url("bitget", "account_unified"), {})

    for scope, reading in found.items():
        assert isinstance(reading, ScopeReading), reading
        check_scope(reading)
        check_positions(reading, expected[scope]["positions"])
    classic = [asked for asked in replay.asked() if asked.path.startswith("/api/v2/mix/position")]
    assert len(classic) == 1


def test_a_usual_poll_of_a_scope_is_one_request(replay: Replay) -> None:
    async def work(client: CcxtClient) -> list[Any]:
        return [await BITGET.read_scope(client=client, scope="linear:USDT") for _ in range(3)]

    ask(replay, "bitget", "positions_long", work)

    signed = [asked for asked in replay.asked() if "market" not in asked.path]
    assert [asked.path for asked in signed] == ["/api/v2/mix/position/all-position"] * 3


def test_an_account_said_to_be_unified_is_not_asked_the_classic_way() -> None:
    client = FakeClient({UNIFIED: {"data": {"list": []}}}, options={"uta": "true"})

    reading = read_scope("bitget", "linear:USDC", client)

    assert reading.positions == ()
    assert client.asked == [(UNIFIED, {"category": "USDC-FUTURES"})]


def test_a_refusal_for_another_reason_is_a_failure() -> None:
    client = fake(**{CLASSIC: PermissionRefused("It says: 40014 Incorrect permissions")})

    with pytest.raises(PermissionRefused, match="40014"):
        read_scope("bitget", "linear:USDT", client)


def test_a_unified_account_that_is_not_answered_for_is_a_failure() -> None:
    client = fake(**{CLASSIC: REFUSED, UNIFIED: Unavailable("down")})

    with pytest.raises(Unavailable):
        read_scope("bitget", "linear:USDT", client)


@pytest.mark.parametrize("garbage", [None, {}, {"data": None}, {"data": {}}, "text", []])
def test_an_answer_without_a_list_is_no_empty_book(garbage: Any) -> None:
    with pytest.raises(UnreadableAnswer):
        read_scope("bitget", "linear:USDT", fake(**{CLASSIC: garbage}))


@pytest.mark.parametrize("told", ["0", "0.000", "", None, "-5.88"])
def test_a_liquidation_price_of_0_or_below_is_none(told: str | None) -> None:
    [held] = read_scope("bitget", "linear:USDT", fake(row(liquidationPrice=told))).positions

    assert shown(held.liquidation_price) == ("unknown", NONE)


@pytest.mark.parametrize(
    ("fields", "identity"),
    [
        ({"posMode": "one_way_mode", "holdSide": "long"}, ("net", "isolated")),
        ({"posMode": "one_way_mode", "holdSide": "short"}, ("net", "isolated")),
        ({"posMode": "hedge_mode", "holdSide": "long"}, ("long", "isolated")),
        ({"posMode": "hedge_mode", "holdSide": "short"}, ("short", "isolated")),
        ({"posMode": "hedge_mode", "marginMode": "crossed"}, ("long", "cross")),
        ({"posMode": "", "marginMode": "odd"}, ("long", "")),
    ],
)
def test_slots_and_modes(fields: dict[str, str], identity: tuple[str, str]) -> None:
    [held] = read_scope("bitget", "linear:USDT", fake(row(**fields))).positions

    assert (held.slot, held.margin_mode or "") == identity
    assert held.side == fields.get("holdSide", "long")


def test_cross_and_isolated_on_one_contract_are_two_positions() -> None:
    client = fake(row(), row(marginMode="crossed"))

    reading = read_scope("bitget", "linear:USDT", client)

    assert [held.margin_mode for held in reading.positions] == ["isolated", "cross"]
    assert [standing.settle for standing in reading.standings] == ["USDT"]


def test_a_balance_that_cannot_be_read_hides_no_position() -> None:
    client = fake(row(marginMode="crossed"), **{ACCOUNTS: Unavailable("down")})

    reading = read_scope("bitget", "linear:USDT", client)

    assert len(reading.positions) == 1
    [standing] = reading.standings
    assert shown(standing.ratio) == ("unknown", "the account's balance could not be read")


def test_isolated_positions_alone_ask_for_no_balance() -> None:
    client = fake(row())

    assert read_scope("bitget", "linear:USDT", client).standings == ()
    assert [method for method, _ in client.asked] == [CLASSIC]


def test_multi_assets_mode_has_one_standing_for_all_coins() -> None:
    union = {
        "marginCoin": "USDT", "assetMode": "union", "crossedRiskRate": "", "unionMm": "15",
        "unionTotalMargin": "300",
    }  # fmt: skip
    client = fake(row(marginMode="crossed"), **{ACCOUNTS: answer(union)})

    [standing] = read_scope("bitget", "linear:USDT", client).standings

    assert standing.settle == ""
    assert shown(standing.ratio) == ("derived", "0.05")
    assert not standing.equity.is_known


def test_a_short_listed_with_a_negative_size_is_refused() -> None:
    reading = read_scope("bitget", "linear:USDT", fake(row(total="-0.2", holdSide="short")))

    assert reading.positions == ()
    assert "negative" in reading.refusals[0].reason


def test_an_unknown_side_is_refused_and_the_other_rows_are_kept() -> None:
    reading = read_scope("bitget", "linear:USDT", fake(row(holdSide="both"), row()))

    assert len(reading.positions) == 1
    assert "holdSide" in reading.refusals[0].reason


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "1e400", "1,5", "abc", True, [], {}])
@pytest.mark.parametrize(
    "field",
    [
        "total",
        "marginSize",
        "openPriceAvg",
        "markPrice",
        "liquidationPrice",
        "unrealizedPL",
        "leverage",
        "keepMarginRate",
        "marginRatio",
    ],
)
def test_a_bad_number_spoils_its_own_row_alone(field: str, bad: Any) -> None:
    reading = read_scope("bitget", "linear:USDT", fake(row(symbol="BAD", **{field: bad}), row()))

    assert [held.market.symbol for held in reading.positions] == ["BTC/USDT:USDT"]
    assert [refusal.venue_symbol for refusal in reading.refusals] == ["BAD"]
    assert field in reading.refusals[0].reason


@pytest.mark.parametrize(("told", "switch"), [("on", True), ("off", False), ("", None)])
def test_the_switch_that_adds_margin(told: str, switch: bool | None) -> None:
    [held] = read_scope("bitget", "linear:USDT", fake(row(autoMargin=told))).positions

    assert held.auto_add_margin is switch


def test_an_isolated_inverse_position_counts_coins() -> None:
    held_row = row(
        symbol="BTCUSD", marginCoin="BTC", total="0.5", markPrice="62500", marginSize="0.05"
    )

    [held] = read_scope("bitget", "inverse", fake(held_row)).positions

    # 0.5 BTC at 60,000 are 30,000 contracts of 1 USD: at 62,500 they are worth 0.48 BTC.
    assert held.contracts.value == 30_000
    assert held.notional.value == Figure.reported("0.48").value
    assert shown(held.collateral) == ("reported", "0.05")
    assert BITGET.rule_for(kind=ContractKind.INVERSE, options={}) is None


def test_coins_without_an_entry_price_are_no_contracts() -> None:
    reading = read_scope("bitget", "inverse", fake(row(symbol="BTCUSD", openPriceAvg="")))

    assert "openPriceAvg is missing" in reading.refusals[0].reason


def test_rows_of_another_settle_coin_are_left_to_their_scope() -> None:
    assert read_scope("bitget", "linear:USDC", fake(row())).positions == ()


def test_650_positions_are_650() -> None:
    rows = [row(symbol=f"COIN{number}USDT") for number in range(650)]

    reading = read_scope("bitget", "linear:USDT", fake(*rows))

    assert len(reading.positions) == 650


def test_maintenance_tables_have_their_deductions(replay: Replay) -> None:
    check_tiers(replay, "bitget")


def test_funding_names_rate_interval_and_the_next_settlement(replay: Replay) -> None:
    check_funding(replay, "bitget")
