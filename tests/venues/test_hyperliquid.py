"""Hyperliquid: its exchanges, what backs cross positions, ends, tables, wallets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from positions.engine.types import ContractKind, MarginMode, PositionState, Source, Tier
from riskhub import clock
from tests.venues import corpus
from tests.venues.fake_client import FakeClient, read_prices, read_scope
from tests.venues.own_answers import check_standings, check_tiers
from tests.venues.probe import WALLET, use
from tests.venues.replay import Replay
from venues import registry
from venues.base import Held, MarketSpec, PositionEnd, Standing
from venues.client import CcxtClient
from venues.errors import BadAccount, RateLimited, Unreachable, UnreadableAnswer
from venues.figures import Row
from venues.key_facts import KeyFacts
from venues.market_data import TierReading

registry.load()
ADAPTER = registry.get("hyperliquid")
SEEN_AT = clock.from_milliseconds(1_780_000_000_000)


def listed(coin: str, *, settle: str = "USDC") -> MarketSpec:
    base = coin.upper().replace(":", "-")
    return MarketSpec(
        symbol=f"{base}/{settle}:{settle}",
        venue_symbol=coin,
        kind=ContractKind.LINEAR,
        settle=settle,
        contract_size=1.0,
    )


MARKETS = (
    listed("BTC"),
    listed("ETH"),
    listed("xyz:NVDA"),
    listed("flx:TSLA", settle="USDH"),
)


def row(coin: str, *, mode: str = "cross", size: str = "1.0", used: str = "10.0") -> dict[str, Any]:
    position = {
        "coin": coin,
        "szi": size,
        "leverage": {"type": mode, "value": 10, **({"rawUsd": "-90"} if mode != "cross" else {})},
        "entryPx": "100.0",
        "positionValue": "100.0",
        "unrealizedPnl": "0.0",
        "liquidationPx": None,
        "marginUsed": used,
        "maxLeverage": 10,
    }
    return {"type": "oneWay", "position": position}


def state(*rows: Any, required: str = "0.0", equity: str = "0.0") -> dict[str, Any]:
    return {
        "crossMarginSummary": {"accountValue": equity},
        "crossMaintenanceMarginUsed": required,
        "assetPositions": list(rows),
        "time": 1780000000000,
    }


def balances(*pairs: tuple[str, str], **more: Any) -> dict[str, Any]:
    rows = [{"coin": coin, "token": 0, "total": total, "hold": "0.0"} for coin, total in pairs]
    return {"balances": rows, **more}


def wallet(
    states: Mapping[str, Any], spot: Any = None, *, options: Mapping[str, Any] | None = None
) -> FakeClient:
    def answer(params: Mapping[str, Any]) -> Any:
        if params["type"] == "clearinghouseState":
            return states[params.get("dex", "main")]
        assert params["type"] == "spotClearinghouseState"
        return balances() if spot is None else spot

    return FakeClient({"publicPostInfo": answer}, markets=MARKETS, options=options)


def discover(fake: FakeClient) -> list[str]:
    return list(asyncio.run(ADAPTER.discover_scopes(client=fake)))


def test_every_exchange_that_lists_contracts_is_a_scope() -> None:
    assert discover(wallet({})) == ["dex:main", "dex:flx", "dex:xyz"]


@pytest.mark.parametrize(
    ("options", "scopes"),
    [
        ({"dex": "flx, xyz,flx"}, ["dex:main", "dex:flx", "dex:xyz"]),
        ({"scopes": "dex:flx"}, ["dex:flx"]),
        ({"scopes": ["dex:xyz", "dex:main"]}, ["dex:xyz", "dex:main"]),
        ({"dex": "flx", "scopes": "dex:main"}, ["dex:main"]),
    ],
)
def test_options_narrow_the_exchanges(options: Mapping[str, Any], scopes: list[str]) -> None:
    assert discover(wallet({}, options=options)) == scopes


def test_without_the_list_of_contracts_the_main_exchange_is_known() -> None:
    fake = FakeClient({}, markets=())

    assert discover(fake) == ["dex:main"]
    assert list(ADAPTER.scopes(fake.request)) == ["dex:main"]


@pytest.mark.parametrize("scopes", ["flx", "dex:", "dex:a b", "dex:" + "x" * 40])
def test_a_scope_that_is_no_exchange_is_refused(scopes: str) -> None:
    with pytest.raises(BadAccount, match="no scope"):
        ADAPTER.scopes(wallet({}, options={"scopes": scopes}).request)


def test_a_scope_that_options_leave_out_is_not_read() -> None:
    fake = wallet({"xyz": state()}, options={"dex": "flx"})

    with pytest.raises(BadAccount, match="no scope 'dex:xyz'"):
        read_scope("hyperliquid", "dex:xyz", fake)

    assert fake.asked == []


def test_an_isolated_book_is_one_request() -> None:
    fake = wallet({"xyz": state(row("xyz:NVDA", mode="isolated"))})

    reading = read_scope("hyperliquid", "dex:xyz", fake)

    wanted = {"type": "clearinghouseState", "user": fake.request.wallet, "dex": "xyz"}
    assert fake.asked == [("publicPostInfo", wanted)]
    assert reading.standings == ()


def test_the_wallet_is_asked_in_its_canonical_spelling() -> None:
    fake = FakeClient({"publicPostInfo": state()}, wallet=" 0x" + "AB" * 20)

    read_scope("hyperliquid", "dex:main", fake)

    wanted = {"type": "clearinghouseState", "user": "0x" + "ab" * 20}
    assert fake.asked == [("publicPostInfo", wanted)]


def standing(fake: FakeClient, scope: str = "dex:main") -> Standing:
    [found] = read_scope("hyperliquid", scope, fake).standings
    return found


def test_an_exchange_of_its_own_backs_its_cross_positions() -> None:
    fake = wallet({"main": state(row("BTC"), required="5.0", equity="40.0")})

    found = standing(fake)

    assert (found.margin_mode, found.settle) == (MarginMode.CROSS, "USDC")
    assert (found.equity.text, found.required.text) == ("40.0", "5.0")
    assert found.ratio.source is Source.DERIVED
    assert found.ratio.number == 0.125
    assert not found.is_shared


def test_a_unified_account_is_backed_by_its_coin_over_all_exchanges_of_it() -> None:
    states = {
        "main": state(row("BTC"), row("ETH", mode="isolated", used="20.0"), required="5.0"),
        "xyz": state(row("xyz:NVDA"), required="7.0"),
        # Another coin: it draws on another balance.
        "flx": state(row("flx:TSLA"), required="900.0"),
    }
    pooled = {"tokenToAvailableAfterMaintenance": [[0, "108.0"]]}
    fake = wallet(states, balances(("HYPE", "3"), ("USDC", "140.0"), **pooled))

    found = standing(fake)

    assert (found.equity.value, found.required.value) == (Decimal(120), Decimal(12))
    assert found.is_shared
    assert found.ratio.number == 0.1
    assert found.equity.source is Source.DERIVED


def test_a_portfolio_is_measured_by_the_ratio_from_which_it_is_liquidated() -> None:
    spot = balances(
        ("USDC", "140.0"),
        tokenToAvailableAfterMaintenance=[],
        portfolioMarginEnabled=True,
        portfolioMarginRatio="0.475",
    )

    found = standing(wallet({"main": state(row("BTC"), required="5.0")}, spot))

    assert found.settle == ""
    assert found.ratio.number == 0.5
    assert not found.equity.is_known


@pytest.mark.parametrize(
    ("states", "spot", "words"),
    [
        ({"main": state(row("BTC"), required="5.0", equity="0.0")}, None, "bankrupt"),
        ({"main": {"assetPositions": [row("BTC")]}}, None, "crossMarginSummary|object"),
        ({"main": state(row("BTC"))}, RateLimited("wait"), "did not say"),
        ({"main": state(row("BTC"))}, {"balances": None}, "did not say"),
        (
            {"main": state(row("BTC")), "xyz": Unreachable("gone")},
            balances(("USDC", "1"), tokenToAvailableAfterMaintenance=[]),
            "gone",
        ),
        (
            {"main": state(row("BTC")), "xyz": state()},
            balances(("HYPE", "1"), tokenToAvailableAfterMaintenance=[]),
            "no balance of USDC",
        ),
    ],
)
def test_an_unknown_pool_hides_no_position(
    states: Mapping[str, Any], spot: Any, words: str
) -> None:
    reading = read_scope("hyperliquid", "dex:main", wallet(states, spot))

    [found] = reading.standings
    assert len(reading.positions) == 1
    assert found.ratio.value is None
    assert any(word in found.ratio.reason for word in words.split("|"))


def held(symbol: str, *, seen_at: datetime = SEEN_AT) -> Held:
    return Held(
        scope="dex:main", symbol=symbol, slot="net", margin_mode="isolated", seen_at=seen_at
    )


def read_ends(replay: Replay, *missing: Held) -> dict[str, PositionEnd]:
    async def work(client: CcxtClient) -> Sequence[PositionEnd]:
        return await ADAPTER.read_ends(client=client, scope="dex:main", missing=missing)

    base = replay.url("hyperliquid", "ends")
    found = use(base, work, adapter=ADAPTER, wallet=WALLET, credentials={})
    return {end.symbol: end for end in found}


def test_ends_are_the_venues_own_word(replay: Replay) -> None:
    symbols = ("ETH/USDC:USDC", "BTC/USDC:USDC", "HYPE/USDC:USDC", "FLX-TSLA/USDH:USDH")

    found = read_ends(replay, *map(held, symbols))

    assert {
        symbol: (end.state, end.price.text, end.reference) for symbol, end in found.items()
    } == {
        "ETH/USDC:USDC": (PositionState.CLOSED, "3001.0", "11"),
        "BTC/USDC:USDC": (PositionState.LIQUIDATED, "66000.0", "12"),
        "HYPE/USDC:USDC": (PositionState.DELEVERAGED, "30.0", "13"),
        "FLX-TSLA/USDH:USDH": (PositionState.SETTLED, "400.0", "14"),
    }
    assert found["ETH/USDC:USDC"].at == SEEN_AT + timedelta(seconds=2)


def test_an_end_before_the_position_was_last_seen_explains_nothing(replay: Replay) -> None:
    later = SEEN_AT + timedelta(hours=1)

    assert read_ends(replay, held("ETH/USDC:USDC", seen_at=later)) == {}


def fill(**fields: Any) -> dict[str, Any]:
    told = {"coin": "BTC", "px": "99.0", "sz": "1.0", "side": "A", "startPosition": "1.0"}
    return {**told, "time": 1780000001000, "dir": "Close Long", "tid": 5, **fields}


def ends_of(*fills: Any) -> list[PositionEnd]:
    fake = FakeClient({"publicPostInfo": list(fills)}, markets=MARKETS)
    missing = [held("BTC/USDC:USDC")]
    read = ADAPTER.read_ends(client=fake, scope="dex:main", missing=missing)
    return list(asyncio.run(read))


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, PositionState.CLOSED),
        ({"liquidation": {"liquidatedUser": WALLET.upper()}}, PositionState.LIQUIDATED),
        ({"liquidation": {"liquidatedUser": "0x" + "cd" * 20}}, PositionState.CLOSED),
        ({"dir": "Liquidated Cross Long"}, PositionState.LIQUIDATED),
    ],
)
def test_who_was_liquidated_decides(fields: Mapping[str, Any], state: PositionState) -> None:
    [end] = ends_of(fill(**fields))

    assert end.state == state


@pytest.mark.parametrize(
    "fills",
    [
        [],
        [fill(startPosition="2.0")],
        [fill(dir="Net Child Vaults")],
        [fill(liquidation={"method": "market"})],
        [fill(side="?")],
        [fill(coin="ETH")],
        [fill(), fill(time=1780000002000, side="B", startPosition="0.0", dir="Open Long")],
        ["no object", None],
    ],
)
def test_fills_that_do_not_end_it_leave_it_unexplained(fills: list[Any]) -> None:
    assert ends_of(*fills) == []


def test_fills_are_read_page_by_page() -> None:
    first = [fill(time=1780000000000 + i, startPosition="5.0") for i in range(2_000)]
    pages = {1779999940000: first, 1780000001999: [fill(time=1780000009000)]}
    fake = FakeClient(
        {"publicPostInfo": lambda params: pages[params["startTime"]]}, markets=MARKETS
    )

    read = ADAPTER.read_ends(client=fake, scope="dex:main", missing=[held("BTC/USDC:USDC")])
    [end] = asyncio.run(read)

    assert end.state == PositionState.CLOSED
    assert len(fake.asked) == 2


def test_tables_are_by_slices_with_their_deductions_worked_out(replay: Replay) -> None:
    # BTC: 150 million x (2.5 % - 1.25 %). TSLA: an id below 50 is not listed, but a leverage.
    check_tiers(replay, "hyperliquid")


def test_the_composed_pool_is_read_as_its_answer_says(replay: Replay) -> None:
    check_standings(replay, "hyperliquid", "positions_cross")


def tables_of(meta: Any) -> list[TierReading]:
    fake = FakeClient({"publicPostInfo": meta}, markets=MARKETS)
    return list(asyncio.run(ADAPTER.read_tiers(client=fake, symbols=["BTC/USDC:USDC"])))


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [{"lowerBound": "5.0", "maxLeverage": 40}],
        [{"lowerBound": "0.0", "maxLeverage": 0}],
        [{"lowerBound": "0.0", "maxLeverage": 40}, {"lowerBound": "0.0", "maxLeverage": 20}],
        [{"lowerBound": "0.0"}],
    ],
)
def test_a_broken_table_is_no_table(steps: list[Any]) -> None:
    universe = [{"name": "BTC", "maxLeverage": 40, "marginTableId": 56}]
    tables = [[56, {"description": "", "marginTiers": steps}]]

    assert tables_of({"universe": universe, "marginTables": tables}) == []


def test_a_listed_table_that_is_missing_is_not_guessed() -> None:
    universe = [{"name": "BTC", "maxLeverage": 40, "marginTableId": 56}]

    with pytest.raises(UnreadableAnswer):
        tables_of({"universe": universe, "marginTables": []})


def test_a_contract_without_table_keeps_its_highest_leverage() -> None:
    [table] = tables_of({"universe": [{"name": "BTC", "maxLeverage": 25}]})

    assert table.tiers == (Tier(floor=0.0, rate=0.02, amount=0.0),)


def test_one_exchange_that_fails_leaves_the_prices_of_the_others() -> None:
    def answer(params: Mapping[str, Any]) -> Any:
        if params.get("dex") == "xyz":
            return RateLimited("wait")
        return [{"universe": [{"name": "BTC"}]}, [{"markPx": "5", "oraclePx": "5", "funding": "0"}]]

    fake = FakeClient({"publicPostInfo": answer}, markets=MARKETS)

    found = read_prices("hyperliquid", ["BTC/USDC:USDC", "XYZ-NVDA/USDC:USDC"], fake)

    assert [quote.symbol for quote in found.quotes] == ["BTC/USDC:USDC"]
    with pytest.raises(RateLimited):
        read_prices("hyperliquid", ["XYZ-NVDA/USDC:USDC"], fake)


def test_lists_of_unequal_length_are_refused() -> None:
    fake = FakeClient({"publicPostInfo": [{"universe": [{"name": "BTC"}]}, []]}, markets=MARKETS)

    with pytest.raises(UnreadableAnswer):
        read_prices("hyperliquid", ["BTC/USDC:USDC"], fake)


@pytest.mark.parametrize(("told", "is_active"), [(True, False), (False, True), (None, True)])
def test_a_delisted_contract_takes_no_positions(told: bool | None, is_active: bool) -> None:
    listing = ADAPTER.read_listing(Row({"name": "BTC", "isDelisted": told}))

    assert listing.is_active is is_active
    assert listing.funding_interval_h == 1.0


def read_key(answer: Callable[[Mapping[str, Any]], Any] | Any) -> KeyFacts | None:
    return asyncio.run(ADAPTER.read_key(client=FakeClient({"publicPostInfo": answer})))


def test_the_role_of_a_wallet_and_its_sub_accounts(replay: Replay) -> None:
    async def work(client: CcxtClient) -> KeyFacts | None:
        return await ADAPTER.read_key(client=client)

    base = replay.url("hyperliquid", "key")
    facts = use(base, work, adapter=ADAPTER, wallet=WALLET, credentials={})

    assert facts is not None
    assert facts.wallet_role == "main"
    assert facts.told == (("role", "user"), ("sub-account grid", "0x" + "cd" * 20))
    assert (facts.can_withdraw, facts.can_transfer, facts.can_trade) == (False, False, False)


@pytest.mark.parametrize(
    ("answer", "role", "main"),
    [
        ({"role": "agent", "data": {"user": "0x" + "cd" * 20}}, "agent", "0x" + "cd" * 20),
        ({"role": "missing"}, "missing", ""),
        ({"role": "subAccount", "data": {"master": "0x" + "cd" * 20}}, "main", ""),
        ({"role": "vault"}, "main", ""),
        ({"role": "something new"}, "", ""),
    ],
)
def test_other_roles(answer: Any, role: str, main: str) -> None:
    facts = read_key(answer)

    assert facts is not None
    assert (facts.wallet_role, facts.main_wallet) == (role, main)


def test_no_sub_accounts_is_no_failure() -> None:
    def answer(params: Mapping[str, Any]) -> Any:
        return {"role": "user"} if params["type"] == "userRole" else UnreadableAnswer("null")

    facts = read_key(answer)

    assert facts is not None
    assert facts.told == (("role", "user"),)


def test_a_role_that_cannot_be_read_is_said() -> None:
    with pytest.raises(UnreadableAnswer, match="role"):
        read_key({"status": "ok"})


@pytest.mark.parametrize("prefix", ["0x", ""])
def test_a_private_key_is_refused_without_repeating_it(prefix: str) -> None:
    key = prefix + "1f" * 32

    with pytest.raises(BadAccount, match="private key") as caught:
        ADAPTER.check_wallet(key)

    assert "1f1f" not in str(caught.value)


@pytest.mark.parametrize("address", ["", "0x12", "ab" * 20, "0x" + "zz" * 20, "0x" + "ab" * 21])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(BadAccount, match="40 digits"):
        ADAPTER.check_wallet(address)


def test_composed_margins_add_up() -> None:
    answer = json.loads((corpus.OWN / "hyperliquid" / "positions_cross.json").read_text())
    told = answer["calls"][0]["answer"]
    rows = [each["position"] for each in told["assetPositions"]]
    cross = [each for each in rows if each["leverage"]["type"] == "cross"]

    required = sum(Decimal(p["positionValue"]) / (2 * p["maxLeverage"]) for p in cross)

    assert required == Decimal(told["crossMaintenanceMarginUsed"])
