"""OKX's own rows: what is asked of an account and of contracts, and what is made of the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from positions.engine.batch import build_batch
from positions.engine.solver import solve
from positions.engine.types import ContractKind, MarginMode, PositionState, Side, Terms, Tier
from riskhub import clock
from tests.venues.fake_client import BTC, FakeClient, read_prices, read_scope
from tests.venues.own_answers import ask, check_funding, check_standings, check_tiers, own, shown
from tests.venues.replay import Replay
from venues import registry
from venues.base import Held, PositionEnd, Standing
from venues.ccxt_errors import RefusedAnswer
from venues.client import CcxtClient
from venues.errors import (
    BadCredentials,
    KeyRejected,
    PermissionRefused,
    Unavailable,
    UnreadableAnswer,
    VenueError,
    VenueRefused,
)
from venues.figures import Row
from venues.key_facts import KeyFacts
from venues.wire import Answer

registry.load()
OKX = registry.get("okx")
POSITIONS, CONFIG = "privateGetAccountPositions", "privateGetAccountConfig"
BALANCE, TIERS = "privateGetAccountBalance", "publicGetPublicPositionTiers"
SWAP = replace(BTC, venue_symbol="BTC-USDT-SWAP", contract_size=0.01)
# When the composed positions were last seen.
AT = datetime(2026, 5, 28, 20, 26, 41, tzinfo=UTC)


def row(**fields: Any) -> dict[str, Any]:
    return {**own("okx", "positions_long")["calls"][0]["answer"]["data"][0], **fields}


def answer(*rows: Any) -> dict[str, Any]:
    return {"code": "0", "msg": "", "data": list(rows)}


def fake(*rows: Any, **answers: Any) -> FakeClient:
    return FakeClient({POSITIONS: answer(*rows), **answers}, markets=[SWAP])


def cross(**fields: Any) -> dict[str, Any]:
    return row(mgnMode="cross", margin="", **fields)


def standings_of(level: str, balance: Any) -> Sequence[Standing]:
    answers = {CONFIG: answer({"acctLv": level}), BALANCE: balance}
    return read_scope("okx", "all", fake(cross(), **answers)).standings


def test_cross_and_isolated_on_one_contract_are_two_positions() -> None:
    reading = read_scope("okx", "all", fake(row(), cross(), **{CONFIG: answer({"acctLv": "2"})}))

    assert [held.margin_mode for held in reading.positions] == ["isolated", "cross"]
    assert reading.refusals == ()


def test_a_short_of_the_hedge_mode_has_no_sign() -> None:
    [held] = read_scope("okx", "all", fake(row(posSide="short"))).positions

    assert (held.slot, held.side) == ("short", Side.SHORT)
    assert held.contracts.text == "25"


@pytest.mark.parametrize(("size", "side"), [("25", Side.LONG), ("-25", Side.SHORT)])
def test_the_sign_is_the_side_in_net_mode(size: str, side: Side) -> None:
    [held] = read_scope("okx", "all", fake(row(posSide="net", pos=size))).positions

    assert (held.slot, held.side, held.contracts.text) == ("net", side, "25")


@pytest.mark.parametrize(
    "fields", [{"posSide": "long", "pos": "-25"}, {"posSide": "both"}, {"mgnMode": "cash"}]
)
def test_a_row_that_contradicts_itself_is_refused(fields: dict[str, str]) -> None:
    reading = read_scope("okx", "all", fake(row(**fields)))

    assert reading.positions == ()
    assert reading.refusals[0].venue_symbol == "BTC-USDT-SWAP"


@pytest.mark.parametrize("size", ["0", "0.00"])
def test_a_row_that_holds_only_transferred_margin_is_flat(size: str) -> None:
    reading = read_scope("okx", "all", fake(row(pos=size)))

    assert (reading.positions, reading.refusals) == ((), ())


def test_650_positions_are_650() -> None:
    rows = [row(instId=f"COIN{number}-USDT-SWAP") for number in range(650)]

    reading = read_scope("okx", "all", fake(*rows))

    assert len(reading.positions) == 650


def test_isolated_positions_alone_ask_for_no_balance() -> None:
    client = fake(row())

    assert read_scope("okx", "all", client).standings == ()
    assert [method for method, _ in client.asked] == [POSITIONS]


def test_the_accounts_level_is_asked_for_once(replay: Replay) -> None:
    async def work(client: CcxtClient) -> list[Any]:
        return [await OKX.read_scope(client=client, scope="all") for _ in range(3)]

    ask(replay, "okx", "positions_portfolio", work)

    asked = [each.path.rpartition("/")[2] for each in replay.asked() if "public" not in each.path]
    assert asked.count("positions") == asked.count("balance") == 3
    assert asked.count("config") == 1


@pytest.mark.parametrize(
    ("level", "mode"),
    [("2", MarginMode.CROSS), ("3", MarginMode.CROSS), ("4", MarginMode.PORTFOLIO)],
)
def test_cross_rows_of_a_portfolio_account_are_called_so(level: str, mode: MarginMode) -> None:
    client = fake(cross(), row(), **{CONFIG: answer({"acctLv": level})})

    pooled, isolated = read_scope("okx", "all", client).positions

    assert pooled.margin_mode is mode
    assert isolated.margin_mode is MarginMode.ISOLATED


@pytest.mark.parametrize("config", [VenueRefused("no"), answer(), answer({})])
def test_a_level_that_may_not_be_asked_leaves_the_rows_word(config: Any) -> None:
    [held] = read_scope("okx", "all", fake(cross(), **{CONFIG: config})).positions

    assert held.margin_mode is MarginMode.CROSS


def test_a_passing_fault_of_the_level_fails_the_scope_and_changes_no_mode() -> None:
    with pytest.raises(Unavailable):
        read_scope("okx", "all", fake(cross(), **{CONFIG: Unavailable("busy")}))


@pytest.mark.parametrize("name", ["positions_cross", "positions_portfolio", "positions_mixed"])
def test_the_balance_behind_cross_positions(replay: Replay, name: str) -> None:
    check_standings(replay, "okx", name)


@pytest.mark.parametrize(
    "balance", [Unavailable("down"), VenueRefused("no"), answer(), {"data": 5}]
)
def test_a_balance_that_cannot_be_read_hides_no_position(balance: Any) -> None:
    answers = {CONFIG: answer({"acctLv": "3"}), BALANCE: balance}

    reading = read_scope("okx", "all", fake(cross(), **answers))

    assert len(reading.positions) == 1
    [standing] = reading.standings
    assert shown(standing.ratio) == ("unknown", "the balance of the account could not be read")


def test_an_account_ratio_is_turned_over() -> None:
    [standing] = standings_of("3", answer({"adjEq": "900", "mmr": "90", "mgnRatio": "8"}))

    assert (standing.settle, shown(standing.ratio)) == ("", ("derived", "0.125"))
    assert shown(standing.equity) == ("reported", "900")


def test_a_coins_pool_is_without_isolated_equity() -> None:
    pool = {"ccy": "USDT", "eq": "1000", "isoEq": "400", "mmr": "30", "mgnRatio": "16"}

    [standing] = standings_of("2", answer({"adjEq": "", "mgnRatio": "", "details": [None, pool]}))

    assert (standing.settle, shown(standing.ratio)) == ("USDT", ("derived", "0.0625"))
    assert shown(standing.equity) == ("derived", "600")


@pytest.mark.parametrize("details", [None, [], [{"ccy": "BTC", "eq": "1", "mgnRatio": "9"}]])
def test_a_coin_that_the_balance_does_not_list_is_unknown(details: Any) -> None:
    [standing] = standings_of("2", answer({"mgnRatio": "", "details": details}))

    assert standing.settle == "USDT"
    assert standing.ratio.reason == "OKX prints no margin ratio of what backs it"


def test_a_pool_without_equity_is_bankrupt() -> None:
    [standing] = standings_of("3", answer({"adjEq": "-1", "mmr": "90", "mgnRatio": "0.01"}))

    assert shown(standing.ratio) == ("unknown", "bankrupt")


def lost(symbol: str, slot: str = "net", mode: str = "isolated", seen_at: datetime = AT) -> Held:
    return Held("all", symbol, slot, mode, seen_at)


def ends_of(replay: Replay, *missing: Held) -> Sequence[PositionEnd]:
    async def work(client: CcxtClient) -> Sequence[PositionEnd]:
        return await OKX.read_ends(client=client, scope="all", missing=missing)

    return ask(replay, "okx", "ends", work)


@pytest.mark.parametrize(
    ("mode", "state", "price"),
    [
        ("isolated", PositionState.LIQUIDATED, "54250"),
        ("cross", PositionState.CLOSED, "61500"),
        ("portfolio", PositionState.CLOSED, "61500"),
    ],
)
def test_an_end_is_that_of_its_own_margin_mode(
    replay: Replay, mode: str, state: PositionState, price: str
) -> None:
    [end] = ends_of(replay, lost("BTC/USDT:USDT", mode=mode))

    assert (end.symbol, end.slot, end.state) == ("BTC/USDT:USDT", "net", state)
    assert end.margin_mode == mode
    assert shown(end.price) == ("reported", price)


def test_only_what_is_missing_is_asked_about(replay: Replay) -> None:
    ends_of(replay, lost("BTC/USDT:USDT"), lost("BTC/USDT:USDT", mode="cross"))

    [asked] = [each for each in replay.asked() if each.path.endswith("positions-history")]
    assert asked.query["instId"] == "BTC-USDT-SWAP"
    assert int(asked.query["before"]) == clock.to_milliseconds(AT - timedelta(seconds=15))


def test_a_whole_deleveraging_is_an_end_and_a_partial_liquidation_is_none(replay: Replay) -> None:
    missing = [lost("ETH/USDT:USDT", "long"), lost("ETH/USDT:USDT", "short")]

    [end] = ends_of(replay, *missing)

    assert (end.slot, end.state) == ("short", PositionState.DELEVERAGED)
    assert end.reference.startswith("okx-32-")


def test_a_future_that_closed_on_its_day_was_delivered(replay: Replay) -> None:
    seen_at = datetime(2026, 12, 25, 7, 59, 50, tzinfo=UTC)

    [end] = ends_of(replay, lost("ETH/USD:ETH-261225", "long", seen_at=seen_at))

    assert end.state is PositionState.SETTLED


def test_an_end_from_before_is_none(replay: Replay) -> None:
    assert ends_of(replay, lost("BTC/USDT:USDT", seen_at=AT + timedelta(minutes=1))) == []


def key_of(**fields: str) -> KeyFacts:
    [call] = own("okx", "key")["calls"]
    client = FakeClient({CONFIG: answer({**call["answer"]["data"][0], **fields})})
    facts = asyncio.run(OKX.read_key(client=client))
    assert facts is not None
    return facts


def test_a_key_that_only_reads(replay: Replay) -> None:
    async def work(client: CcxtClient) -> KeyFacts | None:
        return await OKX.read_key(client=client)

    facts = ask(replay, "okx", "key", work)

    assert facts is not None
    assert (facts.can_withdraw, facts.can_transfer, facts.can_trade) == (False, False, False)
    assert (facts.is_address_bound, facts.expires_at) == (True, None)
    assert dict(facts.told)["perm"] == "read_only"


@pytest.mark.parametrize(
    ("perm", "rights"),
    [
        ("read_only,withdraw,trade", (True, True, True)),
        ("read_only, trade", (False, None, True)),
        ("read_only,withdraw", (True, True, False)),
    ],
)
def test_a_key_with_rights(perm: str, rights: tuple[bool | None, ...]) -> None:
    facts = key_of(perm=perm)

    assert (facts.can_withdraw, facts.can_transfer, facts.can_trade) == rights


def test_a_key_without_addresses_works_from_anywhere() -> None:
    assert key_of(ip="").is_address_bound is False


def test_a_key_answer_without_permissions_is_refused() -> None:
    with pytest.raises(UnreadableAnswer, match="perm"):
        key_of(perm="")


def test_maintenance_tables_count_quantities(replay: Replay) -> None:
    check_tiers(replay, "okx")


def test_tiers_that_do_not_ascend_are_left_out() -> None:
    rows = [
        {"minSz": "5", "mmr": "0.01"},
        {"minSz": "5", "mmr": "0.02"},
        {"minSz": "0", "mmr": "1"},
    ]
    client = FakeClient({TIERS: answer(*rows)}, markets=[SWAP])

    found = asyncio.run(OKX.read_tiers(client=client, symbols=[SWAP.symbol]))

    assert found == []


def test_the_whole_position_bears_the_rate_of_the_tier_that_its_contracts_reach() -> None:
    tiers = (Tier(0.0, 0.004), Tier(10.0001, 0.005))
    rule = OKX.rule_for(kind=ContractKind.LINEAR, options={})
    assert rule is not None

    def solved(quantity: float) -> float:
        terms = Terms(
            rule=rule,
            side=Side.LONG,
            quantity=quantity,
            entry_price=60_000.0,
            collateral=6_000.0 * quantity,
            trigger_price=61_000.0,
            tiers=tiers,
            fee_rate=0.0005,
        )
        return float(solve(build_batch(terms=[terms])).liquidation_price[0])

    # (60,000 - 6,000) / (1 - rate - fee), whatever the value in USDT.
    assert solved(10.0) == pytest.approx(54_000 / 0.9955, rel=1e-12)
    assert solved(10.5) == pytest.approx(54_000 / 0.9945, rel=1e-12)


def test_funding_names_rate_interval_and_the_next_settlement(replay: Replay) -> None:
    check_funding(replay, "okx")


def test_funding_that_cannot_be_read_leaves_the_price() -> None:
    answers = {
        "publicGetPublicMarkPrice": answer({"instId": "BTC-USDT-SWAP", "markPx": "61000"}),
        "publicGetMarketIndexTickers": VenueRefused("no"),
        "publicGetPublicFundingRate": answer({"instId": "BTC-USDT-SWAP", "fundingRate": "NaN"}),
    }

    reading = read_prices("okx", [SWAP.symbol], FakeClient(answers, markets=[SWAP]))

    [quote] = reading.quotes
    assert quote.mark_price.text == "61000"
    assert shown(quote.funding_rate) == ("unknown", "funding could not be read")


@pytest.mark.parametrize(
    ("fields", "at", "is_active", "size"),
    [
        ({"state": "live", "expTime": "", "ctVal": "0.01", "ctMult": "1"}, None, True, 0.01),
        ({"state": "live", "expTime": "1780000001000"}, AT, True, None),
        ({"state": "post_only", "ctVal": "100", "ctMult": "10"}, None, True, 1000.0),
        ({"state": "suspend", "ctVal": "", "ctMult": ""}, None, False, None),
        ({"state": "preopen"}, None, False, None),
    ],
)
def test_a_listing(
    fields: dict[str, str], at: datetime | None, is_active: bool, size: float | None
) -> None:
    listing = OKX.read_listing(Row(fields))

    assert (listing.delists_at, listing.is_active) == (at, is_active)
    assert listing.contract_size == size


def test_sizes_count_value_times_multiplier(replay: Replay) -> None:
    [markets] = [
        call["answer"]["data"]
        for call in own("okx", "markets")["calls"]
        if call["query"]["instType"] == "SWAP"
    ]
    [swap] = [each for each in markets if each["instId"] == "BTC-USDT-SWAP"]

    async def work(client: CcxtClient) -> Any:
        return client.market("BTC-USDT-SWAP")

    market = ask(replay, "okx", "positions_long", work)

    assert market.contract_size == float(swap["ctVal"]) * float(swap["ctMult"]) == 0.01
    assert market.is_listing_read


@pytest.mark.parametrize("venue", ["okx", "myokx", "okxus"])
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        # A liquidation under way: the account must go on being read.
        ("50009", Unavailable),
        ("50022", Unavailable),
        ("50035", PermissionRefused),
        ("50100", BadCredentials),
        ("50119", KeyRejected),
    ],
)
def test_a_code_means_the_same_in_every_region(
    venue: str, code: str, kind: type[VenueError]
) -> None:
    told = Answer(status=200, reason="", headers={}, text="{}")
    refused = RefusedAnswer(venue, "OKX", told, {"code": code, "msg": "words"}, None)

    assert isinstance(refused.error(), kind)
