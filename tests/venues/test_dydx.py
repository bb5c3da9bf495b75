"""dYdX: subaccounts and what they back, ends, tables, wallets."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from positions.engine.batch import build_batch
from positions.engine.solver import solve
from positions.engine.types import ContractKind, MarginMode, PositionState, Terms, Tier
from tests.venues import corpus
from tests.venues.fake_client import FakeClient, read_prices, read_scope
from tests.venues.own_answers import ask, check_standings, check_tiers, own
from tests.venues.reading_checks import check_scope, read_account
from tests.venues.replay import Replay
from venues import registry
from venues.base import Held, MarketSpec, PositionEnd, PositionReading, ScopeReading
from venues.client import CcxtClient
from venues.errors import (
    BadAccount,
    RateLimited,
    Unreachable,
    UnreadableAnswer,
    VenueRefused,
)
from venues.figures import Row
from venues.key_facts import KeyFacts

registry.load()
ADAPTER = registry.get("dydx")
SCOPE = "subaccount:0"
PARENT = "indexerGetAddressesAddressParentSubaccountNumberNumber"
ADDRESSES = "indexerGetAddressesAddress"
MARKETS = "indexerGetPerpetualMarkets"
ENDED = "indexerGetPerpetualPositionsParentSubaccountNumber"
FILLS = "indexerGetFillsParentSubaccountNumber"
SEEN_AT = datetime(2026, 5, 28, 20, 5, tzinfo=UTC)
ADDRESS = "dydx14zzueazeh0hj67cghhf9jypslcf9sh2n5k6art"
BTC = MarketSpec(
    symbol="BTC/USDC:USDC",
    venue_symbol="BTC-USD",
    kind=ContractKind.LINEAR,
    asset="BTC",
    settle="USDC",
    contract_size=1.0,
)
FRACTIONS = {"markets": {"BTC-USD": {"ticker": "BTC-USD", "maintenanceMarginFraction": "0.03"}}}


def row(size: str = "1", entry: str = "100", profit: str = "10", **more: Any) -> dict[str, Any]:
    side = "SHORT" if size.startswith("-") else "LONG"
    told = {"market": "BTC-USD", "side": side, "size": size, "entryPrice": entry}
    return {**told, "unrealizedPnl": profit, **more}


def child(number: int, *rows: Any, quote: str = "-50", equity: str = "60") -> dict[str, Any]:
    side = "SHORT" if quote.startswith("-") else "LONG"
    return {
        "subaccountNumber": number,
        "equity": equity,
        "openPerpetualPositions": {str(index): each for index, each in enumerate(rows)},
        "assetPositions": {"USDC": {"size": quote.lstrip("-"), "side": side}},
    }


def wallet(*children: Any, answers: Mapping[str, Any] | None = None, **options: Any) -> FakeClient:
    told = {PARENT: {"subaccount": {"childSubaccounts": list(children)}}, MARKETS: FRACTIONS}
    return FakeClient({**told, **(answers or {})}, markets=[BTC], options=options, wallet=ADDRESS)


def read(*children: Any, **more: Any) -> ScopeReading:
    reading = read_scope("dydx", SCOPE, wallet(*children, **more))
    check_scope(reading)
    return reading


def test_a_warm_poll_is_one_request() -> None:
    fake = wallet(child(0, quote="5", equity="5"))

    read_scope("dydx", SCOPE, fake)

    assert fake.asked == [(PARENT, {"address": ADDRESS, "number": "0"})]


@pytest.mark.parametrize(
    ("number", "mode", "slot"),
    [
        (0, MarginMode.CROSS, "net"),
        (127, MarginMode.CROSS, "127"),
        (128, MarginMode.ISOLATED, "128"),
        (128_000, MarginMode.ISOLATED, "128000"),
    ],
)
def test_the_subaccount_decides_what_backs_a_position(
    number: int, mode: MarginMode, slot: str
) -> None:
    [held] = read(child(number, row())).positions

    assert (held.margin_mode, held.slot) == (mode, slot)


def test_a_child_with_several_positions_backs_them_together() -> None:
    eth = row(market="ETH-USD")

    reading = read(child(128, row(), eth))

    assert {held.margin_mode for held in reading.positions} == {MarginMode.CROSS}
    assert reading.standings[0].equity.text == "60"


def test_a_flat_row_is_no_position_and_shares_nothing() -> None:
    [held] = read(child(128, row(), row("0", market="ETH-USD"))).positions

    assert held.margin_mode is MarginMode.ISOLATED


def test_collateral_and_profit_are_the_equity_of_the_subaccount() -> None:
    [held] = read(child(128, row(), quote="-50", equity="60")).positions

    assert held.collateral.value == 50
    assert held.collateral.plus(held.unrealized_pnl).value == 60
    assert held.mark_price.value == 110


def test_a_subaccount_without_usdc_owes_none() -> None:
    bare = {**child(128, row(), equity="110"), "assetPositions": {}}

    [held] = read(bare).positions

    assert held.collateral.value == 100


def test_the_pool_of_the_parent_is_required_over_equity(replay: Replay) -> None:
    check_standings(replay, "dydx", "positions_hedge_pair")


def test_an_isolated_book_has_no_pool() -> None:
    assert read(child(0, quote="5", equity="5"), child(128, row())).standings == ()


def test_several_pools_are_not_taken_for_one() -> None:
    eth = row(market="ETH-USD")

    [standing] = read(child(0, row()), child(128, row(), eth)).standings

    assert standing.ratio.reason == "several subaccounts back the cross positions of this part"


@pytest.mark.parametrize(
    ("rows", "equity", "answers", "reason"),
    [
        ([row()], "0", {}, "bankrupt"),
        ([row()], "-5", {}, "bankrupt"),
        ([row(), row("1,5", market="ETH-USD")], "60", {}, "could not be read"),
        ([row()], "60", {MARKETS: RateLimited("wait")}, "wait"),
        ([row(market="ETH-USD")], "60", {}, "does not hold it"),
        ([row()], "60", {MARKETS: {"markets": None}}, "no list of markets"),
    ],
)
def test_a_pool_that_is_not_known_hides_no_position(
    rows: list[Any], equity: str, answers: Mapping[str, Any], reason: str
) -> None:
    reading = read(child(0, *rows, equity=equity), answers=answers)

    [standing] = reading.standings
    assert standing.ratio.value is None
    assert reason in standing.ratio.reason
    assert len(reading.positions) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"size": "1,5"},
        {"size": None},
        {"entryPrice": "NaN"},
        {"unrealizedPnl": "Infinity"},
        {"side": "SHORT"},
        {"side": "BOTH"},
        {"market": ""},
    ],
)
def test_a_bad_row_spoils_itself_alone(fields: Mapping[str, Any]) -> None:
    bad = {**row(market="BAD-USD"), **fields}

    reading = read(child(0, *[row(market=f"C{i}-USD") for i in range(19)], bad))

    assert len(reading.positions) == 19
    assert len(reading.refusals) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"subaccount": {"childSubaccounts": None}},
        {"subaccount": {"childSubaccounts": [None]}},
        {"subaccount": {"childSubaccounts": [{"subaccountNumber": 0, "equity": "5"}]}},
        {"subaccount": {"childSubaccounts": [{**child(0, row()), "equity": None}]}},
        {"subaccount": {"childSubaccounts": [{**child(0, row()), "assetPositions": []}]}},
        {"subaccount": {"childSubaccounts": [{**child(0, row()), "subaccountNumber": "x"}]}},
    ],
)
def test_a_subaccount_that_cannot_be_read_fails_the_whole_answer(answer: Any) -> None:
    with pytest.raises(UnreadableAnswer):
        read_scope("dydx", SCOPE, wallet(answers={PARENT: answer}))


def test_a_wallet_that_never_held_anything_is_an_error(replay: Replay) -> None:
    found = read_account("dydx", replay.url("dydx", "errors_unknown_wallet"), {})

    error = found[SCOPE]
    assert isinstance(error, VenueRefused)
    assert "knows no subaccount 0 of this wallet" in str(error)


def discover(fake: FakeClient) -> list[str]:
    return list(asyncio.run(ADAPTER.discover_scopes(client=fake)))


def test_every_parent_that_the_wallet_has_is_a_scope(replay: Replay) -> None:
    async def work(client: CcxtClient) -> Sequence[str]:
        return await ADAPTER.discover_scopes(client=client)

    assert list(ask(replay, "dydx", "key", work)) == ["subaccount:0", "subaccount:1"]


@pytest.mark.parametrize(
    ("options", "scopes"),
    [
        ({"subaccounts": "0, 3"}, ["subaccount:0", "subaccount:3"]),
        ({"scopes": "subaccount:3"}, ["subaccount:3"]),
        ({"subaccounts": ["5"]}, ["subaccount:5"]),
    ],
)
def test_options_narrow_the_parents(options: Mapping[str, Any], scopes: list[str]) -> None:
    fake = wallet(**options)

    assert discover(fake) == scopes
    assert fake.asked == []


@pytest.mark.parametrize(
    "options", [{"subaccounts": "128"}, {"subaccounts": "-1"}, {"scopes": "all"}]
)
def test_a_parent_that_there_is_not_is_refused(options: Mapping[str, Any]) -> None:
    with pytest.raises(BadAccount, match="no scope or parent"):
        ADAPTER.scopes(wallet(**options).request)


def test_a_parent_that_options_leave_out_is_not_read() -> None:
    fake = wallet(subaccounts="3")

    with pytest.raises(BadAccount, match="no scope 'subaccount:0'"):
        read_scope("dydx", SCOPE, fake)


def missing(symbol: str, slot: str, *, seen_at: datetime = SEEN_AT) -> Held:
    return Held(scope=SCOPE, symbol=symbol, slot=slot, margin_mode="isolated", seen_at=seen_at)


def read_ends(replay: Replay, *held: Held) -> dict[tuple[str, str], PositionEnd]:
    async def work(client: CcxtClient) -> Sequence[PositionEnd]:
        return await ADAPTER.read_ends(client=client, scope=SCOPE, missing=held)

    return {(end.symbol, end.slot): end for end in ask(replay, "dydx", "ends", work)}


def test_ends_are_the_venues_own_word(replay: Replay) -> None:
    found = read_ends(
        replay,
        missing("BTC/USDC:USDC", "net"),
        missing("BTC/USDC:USDC", "128"),
        missing("ETH/USDC:USDC", "256"),
        missing("OLD/USDC:USDC", "512"),
    )

    told = {key: (end.state, end.price.text, end.reference) for key, end in found.items()}
    assert told == {
        # The later fill opened another position.
        ("BTC/USDC:USDC", "net"): (PositionState.CLOSED, "59000", "hand"),
        ("BTC/USDC:USDC", "128"): (PositionState.LIQUIDATED, "58000", "sold"),
        ("ETH/USDC:USDC", "256"): (PositionState.DELEVERAGED, "2900", "offset"),
        # The same word as for a bankrupt position, but the market is in final settlement.
        ("OLD/USDC:USDC", "512"): (PositionState.SETTLED, "2", "settled"),
    }
    assert found["BTC/USDC:USDC", "net"].at == datetime(2026, 5, 28, 20, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("symbol", "slot"),
    [
        ("WIF/USDC:USDC", "384"),
        # Ended before it was last seen.
        ("ETH/USDC:USDC", "net"),
        # Ended in another subaccount.
        ("BTC/USDC:USDC", "256"),
        ("BTC/USDC:USDC", "odd"),
        ("NEW/USDC:USDC", "net"),
    ],
)
def test_what_is_not_told_stays_unexplained(replay: Replay, symbol: str, slot: str) -> None:
    assert read_ends(replay, missing(symbol, slot)) == {}


def end_of(kind: str, *, status: str = "CLOSED", market: str = "ACTIVE") -> PositionEnd | None:
    at = "2026-05-28T20:10:00.000Z"
    closed = {"market": "BTC-USD", "status": status, "closedAt": at, "subaccountNumber": 0}
    fill = {"market": "BTC-USD", "subaccountNumber": 0, "type": kind, "createdAt": at, "price": "9"}
    answers = {
        ENDED: {"positions": [closed, None]},
        FILLS: {"fills": [fill, "no object"]},
        MARKETS: {"markets": {"BTC-USD": {"ticker": "BTC-USD", "status": market}}},
    }
    read = ADAPTER.read_ends(
        client=wallet(answers=answers), scope=SCOPE, missing=[missing("BTC/USDC:USDC", "net")]
    )
    return next(iter(asyncio.run(read)), None)


@pytest.mark.parametrize(
    ("kind", "more", "state"),
    [
        ("LIMIT", {}, PositionState.CLOSED),
        ("LIQUIDATION", {}, PositionState.CLOSED),
        ("DELEVERAGED", {}, PositionState.LIQUIDATED),
        ("OFFSETTING", {}, PositionState.DELEVERAGED),
        ("OFFSETTING", {"market": "FINAL_SETTLEMENT"}, PositionState.SETTLED),
        ("LIMIT", {"market": "FINAL_SETTLEMENT"}, PositionState.CLOSED),
        ("LIMIT", {"status": "LIQUIDATED"}, PositionState.LIQUIDATED),
    ],
)
def test_the_kind_of_the_last_fill_decides(
    kind: str, more: Mapping[str, str], state: PositionState
) -> None:
    end = end_of(kind, **more)

    assert end is not None
    assert end.state == state


def test_an_unknown_kind_of_fill_explains_nothing() -> None:
    assert end_of("SOMETHING_NEW") is None


def test_tables_have_one_tier(replay: Replay) -> None:
    check_tiers(replay, "dydx")


@pytest.mark.parametrize(
    ("status", "is_active"),
    [("ACTIVE", True), ("CANCEL_ONLY", False), ("FINAL_SETTLEMENT", False), (None, False)],
)
def test_a_market_that_is_not_active_takes_no_positions(
    status: str | None, is_active: bool
) -> None:
    listing = ADAPTER.read_listing(Row({"status": status}))

    assert (listing.is_active, listing.funding_interval_h) == (is_active, 1.0)


def test_a_wallet_is_known_by_its_subaccounts(replay: Replay) -> None:
    async def work(client: CcxtClient) -> KeyFacts | None:
        return await ADAPTER.read_key(client=client)

    facts = ask(replay, "dydx", "key", work)

    assert facts is not None
    assert (facts.wallet_role, facts.told) == ("main", (("subaccounts", "0, 128, 129"),))
    assert (facts.can_withdraw, facts.can_transfer, facts.can_trade) == (False, False, False)


def read_key(answer: Any) -> KeyFacts | None:
    return asyncio.run(ADAPTER.read_key(client=wallet(answers={ADDRESSES: answer})))


def test_a_wallet_that_nobody_knows_is_missing() -> None:
    facts = read_key(VenueRefused("It says: No subaccounts found for address dydx1x"))

    assert facts is not None
    assert (facts.wallet_role, facts.told) == ("missing", ())


@pytest.mark.parametrize("error", [Unreachable("gone"), VenueRefused("another reason")])
def test_a_failure_says_nothing_of_the_wallet(error: Exception) -> None:
    with pytest.raises(type(error)):
        read_key(error)


def test_an_address_is_taken_in_small_letters() -> None:
    assert ADAPTER.check_wallet(f" {ADDRESS.upper()} ") == ADDRESS


@pytest.mark.parametrize(
    ("wallet_text", "words"),
    [
        ("0x" + "ab" * 20, "Ethereum address"),
        ("0x" + "1f" * 32, "private key"),
        ("1f" * 32, "private key"),
        (" ".join(["abandon"] * 12), "seed phrase"),
        (ADDRESS[:-1] + "q", "mistake"),
        (ADDRESS.replace("zz", "z"), "38 letters"),
        ("cosmos1" + ADDRESS[5:], "38 letters"),
        ("", "38 letters"),
    ],
)
def test_what_is_no_address_is_refused(wallet_text: str, words: str) -> None:
    with pytest.raises(BadAccount, match=words) as caught:
        ADAPTER.check_wallet(wallet_text)

    assert "1f1f" not in str(caught.value)
    assert "abandon" not in str(caught.value)


ISOLATED = [
    name for name in corpus.scenarios(corpus.OWN, "dydx", "positions_") if "empty" not in name
]


@pytest.mark.parametrize("name", ISOLATED)
def test_composed_rows_add_up(replay: Replay, name: str) -> None:
    answer = own("dydx", name)["calls"][0]["answer"]
    children = {each["subaccountNumber"]: each for each in answer["subaccount"]["childSubaccounts"]}

    reading = read_account("dydx", replay.url("dydx", name), {"scopes": SCOPE})[SCOPE]

    assert isinstance(reading, ScopeReading)
    isolated = [held for held in reading.positions if held.margin_mode is MarginMode.ISOLATED]
    assert isolated
    for held in isolated:
        equity = held.collateral.plus(held.unrealized_pnl).value
        assert equity == Decimal(children[int(held.slot)]["equity"])


def test_our_price_is_where_the_venues_own_condition_is_met() -> None:
    [held] = read(child(128, row(), quote="-50", equity="60")).positions

    price = price_of(held)

    # Liquidated where quote + value < 3 % of value: -50 + P = 0.03 P.
    assert price == pytest.approx(50 / 0.97, rel=1e-12)


def price_of(held: PositionReading) -> float:
    terms = Terms(
        rule="dydx-v4",
        side=held.side,
        quantity=held.contracts.number,
        entry_price=held.entry_price.number,
        collateral=held.collateral.number,
        trigger_price=held.mark_price.number,
        tiers=(Tier(0.0, held.maintenance_rate.number),),
        fee_rate=0.0,
    )
    return float(solve(build_batch(terms=[terms])).liquidation_price[0])


@pytest.mark.parametrize("size", ["0", "0.00", "-0"])
def test_a_flat_row_beside_a_position_makes_it_no_cross_one(size: str) -> None:
    [held] = read(child(128, row(), row(size), quote="-50", equity="60")).positions

    assert held.margin_mode is MarginMode.ISOLATED


@pytest.mark.parametrize(("markets", "requests"), [(3, 3), (4, 1)])
def test_the_prices_of_many_markets_are_one_request(markets: int, requests: int) -> None:
    listed = [
        replace(BTC, symbol=f"C{index}/USDC:USDC", venue_symbol=f"C{index}-USD")
        for index in range(markets)
    ]
    fake = FakeClient({MARKETS: {"markets": {}}}, markets=listed)

    read_prices("dydx", [each.symbol for each in listed], fake)

    assert len(fake.asked) == requests
