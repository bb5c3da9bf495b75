"""Gate's own rows: what is asked, page by page, and what is made of the answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from positions.engine.types import ContractKind
from tests.venues.fake_client import BTC, FakeClient, read_scope
from tests.venues.own_answers import (
    ask,
    check_funding,
    check_standing,
    check_standings,
    check_tiers,
    own,
    shown,
)
from tests.venues.reading_checks import read_account
from tests.venues.replay import Replay
from venues import registry
from venues.base import ScopeReading
from venues.client import CcxtClient
from venues.errors import PermissionRefused, Unavailable, UnreadableAnswer, VenueRefused

registry.load()
GATE = registry.get("gate")
POSITIONS = "privateFuturesGetSettlePositions"
ACCOUNTS = "privateFuturesGetSettleAccounts"
UNIFIED = "privateUnifiedGetAccounts"
NONE = "the venue gives none"
LISTED = replace(BTC, venue_symbol="BTC_USDT", contract_size=0.0001)
NO_ACCOUNT = PermissionRefused(
    "Gate knows the key. It says: USER_NOT_FOUND please transfer funds first to create futures"
)


def row(**fields: Any) -> dict[str, Any]:
    return {**own("gate", "positions_long")["calls"][0]["answer"][0], **fields}


def cross_row() -> dict[str, Any]:
    return row(leverage="0", pos_margin_mode="cross", lever="0", cross_leverage_limit="10")


def fake(*rows: Any, **answers: Any) -> FakeClient:
    return FakeClient({POSITIONS: list(rows), **answers}, markets=[LISTED])


def read(*rows: Any, **answers: Any) -> ScopeReading:
    return read_scope("gate", "linear:USDT", fake(*rows, **answers))


class Book:
    """A list of positions that Gate hands out by limit and offset."""

    def __init__(self, count: int) -> None:
        self.rows = [row(contract=f"COIN{number}_USDT") for number in range(count)]

    def __call__(self, params: Mapping[str, Any]) -> list[Any]:
        start = int(params["offset"])
        return self.rows[start : start + int(params["limit"])]


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 199, 200, 650])
def test_all_pages_are_read(count: int) -> None:
    client = FakeClient({POSITIONS: Book(count)})

    reading = read_scope("gate", "linear:USDT", client)

    symbols = [held.market.symbol for held in reading.positions]
    assert symbols == [f"COIN{number}_USDT" for number in range(count)]
    assert reading.refusals == ()


def test_a_usual_poll_of_a_scope_is_one_request(replay: Replay) -> None:
    async def work(client: CcxtClient) -> list[Any]:
        return [await GATE.read_scope(client=client, scope="linear:USDT") for _ in range(3)]

    ask(replay, "gate", "positions_long", work)

    signed = [asked for asked in replay.asked() if not asked.path.endswith("/contracts")]
    assert [asked.path for asked in signed] == ["/api/v4/futures/usdt/positions"] * 3
    assert signed[0].query["holding"] == "true"


def test_a_lost_page_fails_the_whole_scope() -> None:
    book = Book(150)

    def answer(params: Mapping[str, Any]) -> Any:
        return Unavailable("down") if params["offset"] else book(params)

    with pytest.raises(Unavailable):
        read_scope("gate", "linear:USDT", FakeClient({POSITIONS: answer}))


def test_a_position_that_closes_between_two_pages_hides_no_other() -> None:
    book = Book(150)

    def answer(params: Mapping[str, Any]) -> Any:
        page = book(params)
        del book.rows[0]
        return page

    with pytest.raises(UnreadableAnswer, match="changed while it was read"):
        read_scope("gate", "linear:USDT", FakeClient({POSITIONS: answer}))


def test_pages_that_go_round_in_a_circle_end_with_an_error() -> None:
    book = Book(100)

    def answer(params: Mapping[str, Any]) -> Any:
        return [book.rows[-1], *book.rows[:-1]] if params["offset"] else book.rows

    with pytest.raises(UnreadableAnswer, match="circle"):
        read_scope("gate", "linear:USDT", FakeClient({POSITIONS: answer}))


def test_pages_without_end_are_given_up() -> None:
    with pytest.raises(UnreadableAnswer, match="after 20 pages"):
        read_scope("gate", "linear:USDT", FakeClient({POSITIONS: Book(3_000)}))


def test_a_list_longer_than_was_asked_for_is_the_whole() -> None:
    reading = read(*Book(650).rows)

    assert len(reading.positions) == 650


@pytest.mark.parametrize("garbage", [None, {}, {"label": "odd"}, "text", 5])
def test_an_answer_without_a_list_is_no_empty_book(garbage: Any) -> None:
    with pytest.raises(UnreadableAnswer):
        read_scope("gate", "linear:USDT", FakeClient({POSITIONS: garbage}))


def test_no_account_in_a_further_settle_coin_is_an_empty_book() -> None:
    client = FakeClient({POSITIONS: NO_ACCOUNT})

    assert read_scope("gate", "inverse:BTC", client).positions == ()


def test_no_futures_account_at_all_is_a_failure() -> None:
    with pytest.raises(PermissionRefused, match="USER_NOT_FOUND"):
        read_scope("gate", "linear:USDT", FakeClient({POSITIONS: NO_ACCOUNT}))


def test_another_refusal_in_a_further_settle_coin_is_a_failure() -> None:
    with pytest.raises(VenueRefused):
        read_scope("gate", "inverse:BTC", FakeClient({POSITIONS: VenueRefused("FORBIDDEN")}))


@pytest.mark.parametrize("told", ["0", "0.0", "", None, "99999999", "99999998", "-3"])
def test_stand_ins_for_no_liquidation_price(told: str | None) -> None:
    [held] = read(row(liq_price=told)).positions

    assert shown(held.liquidation_price) == ("unknown", NONE)


@pytest.mark.parametrize(
    ("fields", "mode"),
    [
        ({"leverage": "10", "pos_margin_mode": "isolated"}, "isolated"),
        ({"leverage": "0", "pos_margin_mode": "cross"}, "cross"),
        ({"leverage": "10", "pos_margin_mode": None}, "isolated"),
        ({"leverage": "0", "pos_margin_mode": None}, "cross"),
        ({"leverage": None, "pos_margin_mode": None, "lever": "0"}, "cross"),
        ({"leverage": None, "pos_margin_mode": None, "lever": "30"}, None),
        ({"leverage": None, "pos_margin_mode": "isolated"}, "isolated"),
        ({"leverage": "0", "pos_margin_mode": "isolated"}, None),
        ({"leverage": "5", "pos_margin_mode": "cross"}, None),
    ],
)
def test_the_margin_mode_by_name_and_by_leverage(fields: dict[str, Any], mode: str | None) -> None:
    [held] = read(row(**fields)).positions

    assert held.margin_mode == mode
    assert held.collateral.is_known is (mode == "isolated")


@pytest.mark.parametrize(
    ("mode", "size", "slot"),
    [
        ("single", "5", "net"),
        ("single", "-5", "net"),
        ("dual_long", "5", "long"),
        ("dual_short", "-5", "short"),
        ("dual_plus", "-5", "short"),
        (None, "5", "long"),
    ],
)
def test_slots_by_the_position_mode(mode: str | None, size: str, slot: str) -> None:
    [held] = read(row(mode=mode, size=size)).positions

    assert held.slot == slot
    assert held.side == ("short" if size.startswith("-") else "long")
    assert shown(held.contracts) == ("reported", "5")


@pytest.mark.parametrize(("mode", "size"), [("dual_long", "-5"), ("dual_short", "5")])
def test_a_size_against_its_side_is_refused(mode: str, size: str) -> None:
    reading = read(row(mode=mode, size=size), row())

    assert len(reading.positions) == 1
    assert "contradicts" in reading.refusals[0].reason
    assert reading.refusals[0].venue_symbol == "BTC_USDT"


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "1e400", "1,5", "abc", True, [], {}])
@pytest.mark.parametrize(
    "field",
    [
        "size",
        "leverage",
        "margin",
        "entry_price",
        "mark_price",
        "liq_price",
        "value",
        "unrealised_pnl",
        "maintenance_rate",
        "average_maintenance_rate",
        "maintenance_margin",
        "adl_ranking",
    ],
)
def test_a_bad_number_spoils_its_own_row_alone(field: str, bad: Any) -> None:
    reading = read(row(contract="BAD", **{field: bad}), row())

    assert [held.market.symbol for held in reading.positions] == ["BTC/USDT:USDT"]
    assert [refusal.venue_symbol for refusal in reading.refusals] == ["BAD"]
    assert field in reading.refusals[0].reason


def test_split_positions_that_cannot_be_told_apart_are_listed_as_refused() -> None:
    reading = read(row(mode="dual_plus", pid=1), row(mode="dual_plus", pid=2, size="7"))

    assert len(reading.positions) == 1
    assert "twice" in reading.refusals[0].reason


@pytest.mark.parametrize(
    ("average", "amount"),
    [
        ("0.004", ("derived", "0")),
        ("0.003", ("derived", "12.2")),
        ("0", ("unknown", "it comes with the table of tiers")),
        (None, ("unknown", "it comes with the table of tiers")),
        ("0.005", ("unknown", "the average maintenance rate is above the tier's own")),
    ],
)
def test_the_deduction_follows_from_the_average_rate(
    average: str | None, amount: tuple[str, str]
) -> None:
    [held] = read(row(average_maintenance_rate=average)).positions

    assert shown(held.maintenance_rate) == ("reported", "0.004")
    assert shown(held.maintenance_amount) == amount


def test_a_coin_that_pays_for_another_makes_no_inverse_contract() -> None:
    quanto = replace(
        LISTED,
        symbol="ETH/USD:BTC",
        venue_symbol="ETH_USD",
        kind=ContractKind.INVERSE,
        asset="ETH",
        settle="BTC",
    )
    client = FakeClient({POSITIONS: [row(contract="ETH_USD")]}, markets=[quanto])

    [held] = read_scope("gate", "inverse:BTC", client).positions

    assert held.market.kind is ContractKind.QUANTO


def test_cross_and_isolated_on_one_contract_are_two_positions() -> None:
    reading = read(row(), cross_row(), **{ACCOUNTS: {"margin_mode": "0"}})

    assert [held.margin_mode for held in reading.positions] == ["isolated", "cross"]
    assert shown(reading.positions[1].leverage) == ("reported", "10")


def test_the_balance_behind_cross_positions(replay: Replay) -> None:
    check_standings(replay, "gate", "positions_mixed")


def test_isolated_positions_alone_ask_for_no_balance() -> None:
    client = fake(row())

    assert read_scope("gate", "linear:USDT", client).standings == ()
    assert [method for method, _ in client.asked] == [POSITIONS]


@pytest.mark.parametrize("mode", ["1", "2"])
def test_a_unified_account_backs_its_positions_as_a_whole(mode: str) -> None:
    unified = {"total_margin_balance": "5000", "total_maintenance_margin": "125"}

    reading = read(cross_row(), **{ACCOUNTS: {"margin_mode": mode}, UNIFIED: unified})

    wanted = {
        "settle": "",
        "margin_mode": "cross",
        "ratio": ["derived", "0.025"],
        "equity": ["reported", "5000"],
        "required": ["reported", "125"],
    }
    check_standing(reading.standings[0], wanted)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({ACCOUNTS: Unavailable("down")}, "the account's balance could not be read"),
        ({ACCOUNTS: []}, "the account's balance could not be read"),
        (
            {ACCOUNTS: {"margin_mode": "3"}},
            "Gate tells no ratio in single-currency margin mode",
        ),
        ({ACCOUNTS: {"margin_mode": "0"}}, NONE),
        (
            {ACCOUNTS: {"cross_margin_balance": "0", "cross_maintenance_margin": "5"}},
            "bankrupt",
        ),
        (
            {ACCOUNTS: {"margin_mode": "1"}, UNIFIED: PermissionRefused("no")},
            "the account's balance could not be read",
        ),
    ],
)
def test_a_balance_that_is_not_told_hides_no_position(
    answers: Mapping[str, Any], reason: str
) -> None:
    reading = read(cross_row(), **answers)

    assert len(reading.positions) == 1
    assert [shown(standing.ratio) for standing in reading.standings] == [("unknown", reason)]


def test_risk_limits_become_tiers_with_their_deductions(replay: Replay) -> None:
    check_tiers(replay, "gate")


def test_funding_names_rate_interval_and_the_next_settlement(replay: Replay) -> None:
    check_funding(replay, "gate")


def test_the_european_venue_reads_the_same_rows(replay: Replay) -> None:
    base = replay.url("gate", "positions_hedge_pair")

    found = read_account("gateeu", base, {"scopes": "linear:USDT"})["linear:USDT"]

    assert isinstance(found, ScopeReading), found
    assert [held.identity for held in found.positions] == [
        ("BTC/USDT:USDT", "long", "isolated"),
        ("BTC/USDT:USDT", "short", "isolated"),
    ]
