"""Bybit's own rows, classic and unified: what is asked, and what is made of the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from positions.engine.types import ContractKind, MarginMode
from tests.venues.fake_client import BTC, FakeClient, read_scope
from tests.venues.own_answers import ask, check_standings, own, shown
from tests.venues.replay import Replay
from venues import registry
from venues.base import PositionReading
from venues.ccxt_errors import RefusedAnswer
from venues.client import CcxtClient
from venues.errors import (
    Banned,
    KeyRejected,
    RateLimited,
    Unavailable,
    Unreachable,
    UnreadableAnswer,
    VenueError,
    VenueRefused,
)
from venues.wire import Answer

registry.load()
BYBIT = registry.get("bybit")
POSITIONS, INFO = "privateGetV5PositionList", "privateGetV5AccountInfo"
WALLET = "privateGetV5AccountWalletBalance"
NOT_GIVEN = "the venue gives none"


def row(**fields: Any) -> dict[str, Any]:
    pages = [call["answer"]["result"] for call in own("bybit", "positions_long")["calls"]]
    first = next(page["list"][0] for page in pages if page.get("list"))
    return {**first, "tradeMode": "1", **fields}


def page(*rows: Any, cursor: str = "", category: str = "linear") -> dict[str, Any]:
    return {"result": {"category": category, "list": list(rows), "nextPageCursor": cursor}}


def info(status: str, mode: str) -> dict[str, Any]:
    return {"result": {"unifiedMarginStatus": status, "marginMode": mode}}


def wallet(**fields: str) -> dict[str, Any]:
    told = {"accountMMRate": "0.5", "totalMarginBalance": "200", "totalMaintenanceMargin": "100"}
    return {"result": {"list": [{**told, **fields}]}}


def fake(*rows: Any, **answers: Any) -> FakeClient:
    return FakeClient({POSITIONS: page(*rows), **answers})


def read_one(**fields: Any) -> PositionReading:
    [held] = read_scope("bybit", "linear:USDT", fake(row(**fields))).positions
    return held


def counted_pages(total: int, size: int = 200) -> Callable[[Mapping[str, Any]], Any]:
    def answer(params: Mapping[str, Any]) -> Any:
        start = int(params.get("cursor") or 0)
        rows = [row(symbol=f"C{i}USDT") for i in range(start, min(start + size, total))]
        return page(*rows, cursor=str(start + size) if rows else "")

    return answer


def test_650_positions_are_650() -> None:
    reading = read_scope("bybit", "linear:USDT", FakeClient({POSITIONS: counted_pages(650)}))

    assert len(reading.positions) == 650


def test_short_pages_are_followed_to_the_end() -> None:
    reading = read_scope("bybit", "linear:USDT", FakeClient({POSITIONS: counted_pages(50, size=7)}))

    assert len(reading.positions) == 50


@pytest.mark.parametrize("lost", ["200", "400", "600"])
def test_a_lost_page_fails_the_whole_scope(lost: str) -> None:
    pages = counted_pages(650)

    def broken(params: Mapping[str, Any]) -> Any:
        return Unreachable("gone") if params.get("cursor") == lost else pages(params)

    with pytest.raises(Unreachable):
        read_scope("bybit", "linear:USDT", FakeClient({POSITIONS: broken}))


def test_a_cursor_that_repeats_on_a_short_page_is_the_end() -> None:
    reading = read_scope("bybit", "linear:USDT", FakeClient({POSITIONS: page(row(), cursor="a")}))

    assert len(reading.positions) == 1
    assert reading.refusals == ()


def test_full_pages_in_a_circle_are_refused() -> None:
    rows = [row(symbol=f"C{i}USDT") for i in range(200)]
    client = FakeClient({POSITIONS: page(*rows, cursor="again")})

    with pytest.raises(UnreadableAnswer, match="circle"):
        read_scope("bybit", "linear:USDT", client)

    assert len(client.asked) <= 20


def test_pages_without_end_are_refused() -> None:
    client = FakeClient({POSITIONS: counted_pages(100_000)})

    with pytest.raises(UnreadableAnswer, match="does not end"):
        read_scope("bybit", "linear:USDT", client)

    assert len(client.asked) == 20


def test_an_answer_for_another_category_is_refused() -> None:
    with pytest.raises(UnreadableAnswer, match="inverse"):
        read_scope("bybit", "inverse", fake())


def test_a_usual_poll_of_a_scope_is_one_request(replay: Replay) -> None:
    async def work(client: CcxtClient) -> list[Any]:
        return [await BYBIT.read_scope(client=client, scope="linear:USDT") for _ in range(4)]

    first, *_, last = ask(replay, "bybit", "positions_long", work)

    asked = [each.path for each in replay.asked() if "market" not in each.path]
    # The first looks at what the cursor leads to, and at the account's mode.
    assert asked == ["/v5/position/list"] * 2 + ["/v5/account/info"] + ["/v5/position/list"] * 3
    assert first.positions == last.positions


@pytest.mark.parametrize(
    ("status", "account_mode", "trade_mode", "mode"),
    [
        ("5", "ISOLATED_MARGIN", "0", MarginMode.ISOLATED),
        ("5", "REGULAR_MARGIN", "0", MarginMode.CROSS),
        ("6", "PORTFOLIO_MARGIN", "0", MarginMode.PORTFOLIO),
        ("1", "REGULAR_MARGIN", "0", MarginMode.CROSS),
        ("1", "REGULAR_MARGIN", "1", MarginMode.ISOLATED),
        ("5", "SOMETHING_NEW", "0", None),
    ],
)
def test_the_margin_mode_is_the_accounts(
    status: str, account_mode: str, trade_mode: str, mode: MarginMode | None
) -> None:
    client = fake(row(tradeMode=trade_mode), **{INFO: info(status, account_mode)})

    [held] = read_scope("bybit", "linear:USDT", client).positions

    assert held.margin_mode == mode


@pytest.mark.parametrize("status", ["3", "4"])
def test_inverse_contracts_of_the_first_unified_accounts_are_classic(status: str) -> None:
    inverse = replace(
        BTC, symbol="BTC/USD:BTC", venue_symbol="BTCUSD", kind=ContractKind.INVERSE, settle="BTC"
    )
    answers = {
        POSITIONS: page(row(symbol="BTCUSD", tradeMode="0"), category="inverse"),
        INFO: info(status, "ISOLATED_MARGIN"),
    }

    reading = read_scope("bybit", "inverse", FakeClient(answers, markets=[inverse]))

    assert reading.positions[0].margin_mode is MarginMode.CROSS
    assert shown(reading.standings[0].ratio)[1] == "Bybit tells no ratio of a classic account"


def test_the_mode_is_unknown_where_the_key_may_not_ask() -> None:
    client = fake(row(tradeMode="0"), **{INFO: VenueRefused("no")})

    [held] = read_scope("bybit", "linear:USDT", client).positions

    assert held.margin_mode is None
    reason = "the venue does not say whether the margin is isolated"
    assert held.collateral.reason == held.maintenance_rate.reason == reason


def test_a_passing_fault_of_the_account_fails_the_scope_and_changes_no_mode() -> None:
    client = fake(row(tradeMode="0"), **{INFO: Unavailable("busy")})

    with pytest.raises(Unavailable):
        read_scope("bybit", "linear:USDT", client)


def test_rows_of_another_settle_coin_are_left_to_their_scope() -> None:
    reading = read_scope("bybit", "linear:USDC", fake(row()))

    assert reading.positions == ()
    assert reading.refusals == ()


@pytest.mark.parametrize(
    ("index", "side", "slot"), [(0, "Buy", "net"), (0, "Sell", "net"), (1, "Buy", "long"),
                                (2, "Sell", "short")]
)  # fmt: skip
def test_the_position_index_is_the_slot(index: int, side: str, slot: str) -> None:
    held = read_one(positionIdx=index, side=side)

    assert held.slot == slot
    assert held.side == {"Buy": "long", "Sell": "short"}[side]


@pytest.mark.parametrize(
    "fields",
    [
        {"positionIdx": 1, "side": "Sell"},
        {"positionIdx": 2, "side": "Buy"},
        {"positionIdx": 3},
        {"side": ""},
        {"size": "-0.3"},
    ],
)
def test_a_side_that_contradicts_its_row_is_refused(fields: dict[str, Any]) -> None:
    reading = read_scope("bybit", "linear:USDT", fake(row(**fields)))

    assert reading.positions == ()
    assert len(reading.refusals) == 1


@pytest.mark.parametrize(("told", "switch"), [(0, False), ("1", True), ("", None), (None, None)])
def test_the_switch_that_adds_margin(told: Any, switch: bool | None) -> None:
    assert read_one(autoAddMargin=told).auto_add_margin is switch


@pytest.mark.parametrize("none", ["", "0", "999999", "999999.00", None])
def test_a_price_that_liquidates_nothing_is_none(none: str | None) -> None:
    assert shown(read_one(liqPrice=none).liquidation_price) == ("unknown", NOT_GIVEN)


def test_collateral_is_the_balance_without_the_closing_fee() -> None:
    held = read_one()

    # 18,000 at 10x; 8.91 is 0.055 % of the 16,200 that are left at bankruptcy.
    assert shown(held.collateral) == ("derived", "1800")
    assert shown(held.maintenance_rate) == ("derived", "0.005")
    assert shown(held.maintenance_margin) == ("reported", "98.91")


def test_a_margin_without_a_fee_takes_the_listed_fee_off_the_balance() -> None:
    client = FakeClient(
        {POSITIONS: page(row(positionIM="1800", positionMM="90"))},
        markets=[replace(BTC, taker_fee_rate=0.00055)],
    )

    [held] = read_scope("bybit", "linear:USDT", client).positions

    assert shown(held.collateral) == ("derived", "1800")
    assert shown(held.maintenance_rate) == ("derived", "0.005")


def test_a_fee_that_nobody_tells_leaves_the_collateral_unknown() -> None:
    held = read_one(positionIM="")

    reason = "it holds a reserve for the fee of closing, whose rate is not known"
    assert shown(held.collateral) == ("unknown", reason)


def test_the_maintenance_rate_follows_the_value_that_was_measured() -> None:
    # Since September 2025 at the mark: 18,180 x 0.5 % and the same reserve.
    held = read_one(positionValue="18180", positionMM="99.81")

    assert shown(held.maintenance_rate) == ("derived", "0.005")


@pytest.mark.parametrize("name", ["positions_cross", "positions_portfolio"])
def test_the_wallet_behind_cross_positions(replay: Replay, name: str) -> None:
    check_standings(replay, "bybit", name)


def test_isolated_positions_alone_ask_for_no_wallet() -> None:
    client = fake(row())

    assert read_scope("bybit", "linear:USDT", client).standings == ()
    assert [method for method, _ in client.asked] == [POSITIONS]


@pytest.mark.parametrize(
    "answer", [Unavailable("down"), VenueRefused("no"), {"result": {"list": []}}, {"result": None}]
)
def test_a_wallet_that_cannot_be_read_hides_no_position(answer: Any) -> None:
    answers = {INFO: info("6", "REGULAR_MARGIN"), WALLET: answer}

    reading = read_scope("bybit", "linear:USDT", fake(row(tradeMode="0"), **answers))

    assert len(reading.positions) == 1
    [standing] = reading.standings
    assert shown(standing.ratio) == ("unknown", "the wallet of the account could not be read")


@pytest.mark.parametrize(
    ("fields", "ratio"),
    [
        ({}, ("reported", "0.5")),
        ({"accountMMRate": "0"}, ("derived", "0.5")),
        ({"accountMMRate": ""}, ("derived", "0.5")),
        ({"totalMarginBalance": "-3"}, ("unknown", "bankrupt")),
        ({"totalMarginBalance": "0"}, ("unknown", "bankrupt")),
    ],
)
def test_the_ratio_of_a_wallet(fields: dict[str, str], ratio: tuple[str, str]) -> None:
    answers = {INFO: info("6", "REGULAR_MARGIN"), WALLET: wallet(**fields)}

    reading = read_scope("bybit", "linear:USDT", fake(row(tradeMode="0"), **answers))

    assert shown(reading.standings[0].ratio) == ratio


@pytest.mark.parametrize(
    ("options", "linear", "inverse"),
    [
        ({}, "bybit-linear", "bybit-inverse"),
        ({"maintenance_at": "entry"}, "bybit-linear", "bybit-inverse"),
        ({"maintenance_at": "mark"}, "bybit-linear-2025", "bybit-inverse-2026"),
    ],
)
def test_the_option_names_the_price_of_maintenance(
    options: dict[str, str], linear: str, inverse: str
) -> None:
    assert BYBIT.rule_for(kind=ContractKind.LINEAR, options=options) == linear
    assert BYBIT.rule_for(kind=ContractKind.INVERSE, options=options) == inverse
    assert BYBIT.rule_for(kind=ContractKind.QUANTO, options=options) is None


@pytest.mark.parametrize("venue", ["bybit", "bybiteu", "bybitid"])
@pytest.mark.parametrize(
    ("code", "kind"),
    [("10006", RateLimited), ("10009", Banned), ("10016", Unavailable), ("33004", KeyRejected)],
)
def test_a_code_means_the_same_in_every_region(
    venue: str, code: str, kind: type[VenueError]
) -> None:
    told = Answer(status=200, reason="", headers={}, text="{}")
    refused = RefusedAnswer(venue, "Bybit", told, {"retCode": code, "retMsg": "words"}, None)

    assert isinstance(refused.error(), kind)


@pytest.mark.parametrize(
    ("status", "fields", "rule"),
    [
        # The value stands at the mark, or at the entry, whatever the account is.
        ("6", {"avgPrice": "100", "markPrice": "120", "positionValue": "240"}, "bybit-linear-2025"),
        ("6", {"avgPrice": "100", "markPrice": "120", "positionValue": "200"}, "bybit-linear"),
        ("1", {"avgPrice": "100", "markPrice": "120", "positionValue": "240"}, "bybit-linear-2025"),
        # Both are alike, or the row does not tell: then the account says it.
        ("6", {"avgPrice": "100", "markPrice": "100", "positionValue": "200"}, "bybit-linear-2025"),
        ("1", {"avgPrice": "100", "markPrice": "100", "positionValue": "200"}, "bybit-linear"),
        ("6", {"avgPrice": "100", "markPrice": "120", "positionValue": ""}, "bybit-linear-2025"),
    ],
)
def test_the_row_shows_at_which_price_maintenance_is_measured(
    status: str, fields: dict[str, str], rule: str
) -> None:
    told = row(tradeMode="0", size="2", **fields)

    reading = read_scope(
        "bybit", "linear:USDT", fake(told, **{INFO: info(status, "ISOLATED_MARGIN")})
    )

    [held] = reading.positions
    assert held.margin_rule == rule
