"""What Bybit says beside positions: how they ended, what a key may do, its contracts' rules."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from positions.engine.types import PositionState
from riskhub import clock
from tests.venues.fake_client import FakeClient
from tests.venues.own_answers import ask, check_tiers, own, shown
from tests.venues.replay import Replay
from venues import registry
from venues.base import Held, PositionEnd
from venues.client import CcxtClient
from venues.errors import (
    UnreadableAnswer,
    VenueError,
    VenueRefused,
)
from venues.figures import Row, RowError
from venues.key_facts import KeyFacts

registry.load()
BYBIT = registry.get("bybit")
CLOSED = "privateGetV5PositionClosedPnl"
# When the composed answers were sent.
AT = datetime(2026, 5, 28, 20, 26, 41, tzinfo=UTC)


def lost(symbol: str, slot: str = "net", *, scope: str = "linear:USDT") -> Held:
    return Held(scope, symbol, slot, "isolated", AT)


def ends_of(replay: Replay, scope: str, *missing: Held) -> Sequence[PositionEnd]:
    async def work(client: CcxtClient) -> Sequence[PositionEnd]:
        return await BYBIT.read_ends(client=client, scope=scope, missing=missing)

    return ask(replay, "bybit", "ends", work)


def test_how_missing_positions_ended(replay: Replay) -> None:
    missing = [lost("BTC/USDT:USDT", "long"), lost("BTC/USDT:USDT", "short")]

    long, short = ends_of(replay, "linear:USDT", *missing)

    assert (long.slot, long.state) == ("long", PositionState.LIQUIDATED)
    assert (short.slot, short.state) == ("short", PositionState.DELEVERAGED)
    assert shown(long.price) == ("reported", "54300")
    assert long.at == AT + timedelta(seconds=3)
    assert long.reference == "bybit-3"
    [asked] = [each for each in replay.asked() if each.path.endswith("closed-pnl")]
    assert int(asked.query["startTime"]) == clock.to_milliseconds(AT - timedelta(seconds=15))


def test_the_latest_record_ended_a_one_way_position(replay: Replay) -> None:
    [end] = ends_of(replay, "linear:USDT", lost("BTC/USDT:USDT"))

    assert (end.slot, end.state, end.reference) == ("net", PositionState.DELEVERAGED, "bybit-4")


def test_a_delivered_contract_is_settled(replay: Replay) -> None:
    [end] = ends_of(replay, "inverse", lost("BTC/USD:BTC", scope="inverse"))

    assert end.state is PositionState.SETTLED


def test_a_record_of_an_unknown_kind_explains_nothing(replay: Replay) -> None:
    assert ends_of(replay, "linear:USDT", lost("ETH/USDT:USDT")) == []


def test_records_from_before_are_no_end() -> None:
    record = {"symbol": "BTCUSDT", "orderId": "1", "side": "Sell", "execType": "Trade",
              "updatedTime": str(clock.to_milliseconds(AT - timedelta(minutes=1)))}  # fmt: skip
    client = FakeClient({CLOSED: {"result": {"list": [record]}}})

    found = asyncio.run(
        BYBIT.read_ends(client=client, scope="linear:USDT", missing=[lost("BTC/USDT:USDT")])
    )

    assert found == []


def key_of(**fields: Any) -> KeyFacts:
    [call] = own("bybit", "key")["calls"]
    result = {**call["answer"]["result"], **fields}
    client = FakeClient({"privateGetV5UserQueryApi": {**call["answer"], "result": result}})
    facts = asyncio.run(BYBIT.read_key(client=client))
    assert facts is not None
    return facts


def test_a_key_that_only_reads(replay: Replay) -> None:
    async def work(client: CcxtClient) -> KeyFacts | None:
        return await BYBIT.read_key(client=client)

    facts = ask(replay, "bybit", "key", work)

    assert facts is not None
    assert (facts.can_withdraw, facts.can_transfer, facts.can_trade) == (False, False, False)
    assert facts.is_address_bound is True
    assert facts.expires_at is None
    assert dict(facts.told)["permissions.Wallet"] == "AccountTransfer, SubMemberTransferList"
    assert "XXXXXX" not in str(facts)


def test_a_key_with_rights() -> None:
    facts = key_of(
        readOnly=0,
        permissions={"Wallet": ["AccountTransfer", "Withdraw"], "ContractTrade": ["Order"]},
        ips=["*"],
        expiredAt="2026-08-15T03:21:05Z",
    )

    assert (facts.can_withdraw, facts.can_transfer, facts.can_trade) == (True, True, True)
    assert facts.is_address_bound is False
    assert facts.expires_at == datetime(2026, 8, 15, 3, 21, 5, tzinfo=UTC)


@pytest.mark.parametrize(("ips", "bound"), [([], False), (["*"], False), (["192.0.2.1"], True)])
def test_addresses_of_a_key(ips: list[str], bound: bool) -> None:
    assert key_of(ips=ips).is_address_bound is bound


def test_an_unreadable_expiry_is_taken_from_the_days_left() -> None:
    assert key_of(expiredAt="", deadlineDay=30).expires_at == AT + timedelta(days=30)


def test_a_key_answer_without_permissions_is_refused() -> None:
    with pytest.raises(UnreadableAnswer, match="cannot be read"):
        key_of(permissions=None)


def test_maintenance_tables_have_their_deductions(replay: Replay) -> None:
    check_tiers(replay, "bybit")


@pytest.mark.parametrize(
    ("fields", "at", "hours", "is_active"),
    [
        ({"deliveryTime": "0", "fundingInterval": 480, "status": "Trading"}, None, 8.0, True),
        ({"deliveryTime": "1780000001000", "fundingInterval": 60}, AT, 1.0, True),
        ({"deliveryTime": "1780000001000", "status": "Delivering"}, AT, None, False),
        ({"status": "PreLaunch", "fundingInterval": 240}, None, 4.0, False),
        # Some of Bybit's own samples count hours.
        ({"fundingInterval": 8}, None, None, True),
        ({"contractType": "InverseFutures", "fundingInterval": 480}, None, None, True),
    ],
)
def test_a_listing(
    fields: dict[str, Any], at: datetime | None, hours: float | None, is_active: bool
) -> None:
    listing = BYBIT.read_listing(Row(fields))

    assert (listing.delists_at, listing.funding_interval_h) == (at, hours)
    assert listing.is_active is is_active


def test_a_listing_with_a_bad_number_is_refused() -> None:
    with pytest.raises(RowError):
        BYBIT.read_listing(Row({"fundingInterval": "NaN"}))


def test_a_venue_error_of_the_key_is_raised() -> None:
    client = FakeClient({"privateGetV5UserQueryApi": VenueRefused("no")})

    with pytest.raises(VenueError):
        asyncio.run(BYBIT.read_key(client=client))
