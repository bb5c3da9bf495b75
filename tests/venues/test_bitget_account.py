"""How a position at Bitget ended, what its key may do, and which contract is leaving."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from positions.engine.types import PositionState
from riskhub import clock
from tests.venues.fake_client import FakeClient
from tests.venues.own_answers import ask, own, shown
from tests.venues.replay import Replay
from venues import registry
from venues.base import Held, PositionEnd
from venues.errors import PermissionRefused
from venues.figures import Row
from venues.key_facts import KeyFacts
from venues.parts.bitget_ends import judge_end

registry.load()
BITGET = registry.get("bitget")
SEEN_AT = clock.from_milliseconds(1_780_000_000_000)
REFUSED = PermissionRefused("Bitget knows the key. It says: 40085 You are in Unified Account mode")


def test_the_list_of_contracts_says_which_is_leaving() -> None:
    [here, leaving] = own("bitget", "markets")["calls"][0]["answer"]["data"]

    staying, ending = (BITGET.read_listing(Row(each)) for each in (here, leaving))

    assert (staying.delists_at, staying.funding_interval_h, staying.is_active) == (None, 8.0, True)
    assert ending.delists_at == clock.from_milliseconds(1_780_300_000_000)
    assert (ending.funding_interval_h, ending.is_active) == (4.0, False)


def missing(symbol: str, slot: str, mode: str = "isolated", scope: str = "linear:USDT") -> Held:
    return Held(scope=scope, symbol=symbol, slot=slot, margin_mode=mode, seen_at=SEEN_AT)


def read_ends(replay: Replay, *held: Held) -> Sequence[PositionEnd]:
    found: Sequence[PositionEnd] = ask(
        replay,
        "bitget",
        "ends",
        lambda client: BITGET.read_ends(client=client, scope=held[0].scope, missing=held),
    )
    return found


def test_the_fills_say_how_each_side_of_a_hedge_ended(replay: Replay) -> None:
    long, short = read_ends(
        replay, missing("BTC/USDT:USDT", "long"), missing("BTC/USDT:USDT", "short")
    )

    assert (long.state, long.reference) == (PositionState.LIQUIDATED, "bitget-11")
    assert (short.state, short.reference) == (PositionState.DELEVERAGED, "bitget-12")
    assert long.at == SEEN_AT + timedelta(seconds=60)
    assert shown(long.price) == ("reported", "54249")


def test_a_close_by_the_owner_is_closed(replay: Replay) -> None:
    [end] = read_ends(replay, missing("ETH/USDT:USDT", "net", "cross"))

    assert (end.state, end.slot, end.margin_mode) == (PositionState.CLOSED, "net", "cross")


def test_a_life_of_another_margin_mode_is_not_the_one_missing(replay: Replay) -> None:
    assert read_ends(replay, missing("ETH/USDT:USDT", "net", "isolated")) == []


def test_silent_fills_leave_the_end_unexplained(replay: Replay) -> None:
    assert read_ends(replay, missing("BTC/USDC:USDC", "long", scope="linear:USDC")) == []


def test_a_life_that_ended_before_it_was_seen_is_another(replay: Replay) -> None:
    held = replace(missing("BTC/USDT:USDT", "long"), seen_at=SEEN_AT + timedelta(hours=1))

    assert read_ends(replay, held) == []


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("reduce_close_long", PositionState.LIQUIDATED),
        ("offset_close_long", PositionState.LIQUIDATED),
        ("burst_sell_single", PositionState.LIQUIDATED),
        ("liquidation", PositionState.LIQUIDATED),
        ("dte_sys_adl_sell_in_single_side_mode", PositionState.DELEVERAGED),
        ("delivery_close_long", PositionState.SETTLED),
        ("close", PositionState.CLOSED),
        ("sell_single", PositionState.CLOSED),
        ("burst_close_short", None),
        ("something_new", None),
    ],
)
def test_every_word_of_a_fill_has_its_state(word: str, state: PositionState | None) -> None:
    assert judge_end([(SEEN_AT, word)], at=SEEN_AT, held=missing("X", "long")) is state


def key(data: Any, *, unified: bool = False) -> KeyFacts | None:
    client = FakeClient(
        {
            "privateSpotGetV2SpotAccountInfo": REFUSED if unified else {"data": data},
            "privateUtaGetV3AccountInfo": {"data": data},
        }
    )
    return asyncio.run(BITGET.read_key(client=client))


def test_a_key_that_may_only_read(replay: Replay) -> None:
    facts = ask(replay, "bitget", "key", lambda client: BITGET.read_key(client=client))

    assert (facts.can_withdraw, facts.can_transfer, facts.can_trade) == (False, False, False)
    assert facts.is_address_bound is True
    assert ("authorities", "coor,cpor") in facts.told


@pytest.mark.parametrize(
    ("codes", "rights"),
    [
        (["coow", "cpow", "stow"], (False, False, True)),
        (["readonly", "trade"], (False, False, True)),
        (["coor", "wtow"], (None, None, None)),
        (["coow", "wtow"], (None, None, True)),
        (["withdraw", "readonly"], (True, None, None)),
        ([], (None, None, None)),
    ],
)
def test_a_code_that_nobody_documents_is_not_called_safe(
    codes: list[str], rights: tuple[bool | None, ...]
) -> None:
    facts = key({"authorities": codes, "ips": ""})

    assert facts is not None
    assert (facts.can_withdraw, facts.can_transfer, facts.can_trade) == rights
    assert facts.is_address_bound is None


@pytest.mark.parametrize(
    ("kind", "permissions", "rights"),
    [
        ("read-only", ["uta_mgt", "uta_trade"], (False, False, False)),
        ("read_only", ["uta_mgt"], (False, False, False)),
        ("read-and-write", ["uta_mgt", "uta_trade"], (False, False, True)),
        ("read-and-write", ["uta_mgt", "withdraw", "transfer"], (True, True, True)),
        ("odd", ["uta_mgt"], (None, None, None)),
    ],
)
def test_a_unified_key_says_its_rights(
    kind: str, permissions: list[str], rights: tuple[bool | None, ...]
) -> None:
    facts = key({"permType": kind, "permissions": permissions, "ips": "192.0.2.1"}, unified=True)

    assert facts is not None
    assert (facts.can_withdraw, facts.can_transfer, facts.can_trade) == rights
    assert facts.is_address_bound is True
