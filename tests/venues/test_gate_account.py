"""How a position at Gate ended, what its key may do, and which contract is leaving."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
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
from venues.errors import PermissionRefused, Unavailable
from venues.figures import Row
from venues.key_facts import KeyFacts

registry.load()
GATE = registry.get("gate")
SEEN_AT = clock.from_milliseconds(1_780_000_000_000)
CLOSES = "privateFuturesGetSettlePositionClose"
LIQUIDATIONS = "privateFuturesGetSettleLiquidates"
DELEVERAGINGS = "privateFuturesGetSettleAutoDeleverages"
DETAIL = "privateAccountGetDetail"
KEYS = "privateAccountGetMainKeys"


def missing(symbol: str, slot: str, scope: str = "linear:USDT") -> Held:
    return Held(scope=scope, symbol=symbol, slot=slot, margin_mode="isolated", seen_at=SEEN_AT)


def read_ends(replay: Replay, *held: Held) -> Sequence[PositionEnd]:
    return ask(
        replay,
        "gate",
        "ends",
        lambda client: GATE.read_ends(client=client, scope=held[0].scope, missing=held),
    )


def judge(*closes: Any, held: Held | None = None, **answers: Any) -> Sequence[PositionEnd]:
    told = {CLOSES: list(closes), LIQUIDATIONS: [], DELEVERAGINGS: [], **answers}
    asked = held or missing("BTC_USDT", "net")
    return asyncio.run(GATE.read_ends(client=FakeClient(told), scope=asked.scope, missing=[asked]))


def close(**fields: Any) -> dict[str, Any]:
    return {
        "time": "1780000060.5", "contract": "BTC_USDT", "side": "long", "text": "web",
        "long_price": "60000", "short_price": "61000", **fields,
    }  # fmt: skip


def test_a_liquidation_explains_the_close_of_its_own_side(replay: Replay) -> None:
    long, short = read_ends(
        replay, missing("BTC/USDT:USDT", "long"), missing("BTC/USDT:USDT", "short")
    )

    assert (long.state, long.slot) == (PositionState.LIQUIDATED, "long")
    assert long.at == SEEN_AT + timedelta(seconds=60.25)
    assert shown(long.price) == ("reported", "54249.5")
    assert (short.state, short.slot) == (PositionState.CLOSED, "short")
    assert shown(short.price) == ("reported", "61000")
    assert long.reference != short.reference


def test_a_deleveraging_explains_a_close(replay: Replay) -> None:
    [end] = read_ends(replay, missing("ETH/USDT:USDT", "net"))

    assert end.state is PositionState.DELEVERAGED


def test_a_close_before_the_position_was_seen_is_another_life(replay: Replay) -> None:
    held = replace(missing("BTC/USDT:USDT", "long"), seen_at=SEEN_AT + timedelta(hours=1))

    assert read_ends(replay, held) == []


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("web", PositionState.CLOSED),
        ("t-my-adl", PositionState.CLOSED),
        ("", PositionState.CLOSED),
        ("liquidation", PositionState.LIQUIDATED),
        ("auto_deleveraging", PositionState.DELEVERAGED),
        ("settlement", PositionState.SETTLED),
        ("delisted", PositionState.SETTLED),
    ],
)
def test_the_text_of_the_last_order_names_a_force(text: str, state: PositionState) -> None:
    [end] = judge(close(text=text))

    assert end.state is state


def test_no_close_and_no_liquidation_leave_the_end_unexplained() -> None:
    assert judge() == []


def test_a_liquidation_that_is_not_yet_a_close_is_told() -> None:
    taken = {"time": "1780000060", "size": "5", "order_id": "7", "fill_price": "54000"}

    [end] = judge(**{LIQUIDATIONS: [taken]})

    assert (end.state, end.reference) == (PositionState.LIQUIDATED, "gate-liquidation-7")


def test_a_liquidation_of_the_other_side_explains_nothing() -> None:
    taken = {"time": "1780000060", "size": "-5", "order_id": "7", "fill_price": "54000"}
    held = missing("BTC_USDT", "long")

    assert judge(held=held, **{LIQUIDATIONS: [taken]}) == []


def test_a_deleveraging_in_part_is_no_end() -> None:
    part = {"time": "1780000060", "position_size": "3"}

    [end] = judge(close(), **{DELEVERAGINGS: [part]})

    assert end.state is PositionState.CLOSED


@pytest.mark.parametrize("unread", [LIQUIDATIONS, DELEVERAGINGS])
def test_a_close_is_not_called_the_owners_while_a_list_is_unread(unread: str) -> None:
    with pytest.raises(Unavailable):
        judge(close(), **{unread: Unavailable("down")})


def key(answers: Mapping[str, Any], *, own_key: str = "canary-key") -> KeyFacts:
    client = FakeClient(answers)
    client.request = replace(client.request, credentials={"apiKey": own_key})
    facts = asyncio.run(GATE.read_key(client=client))
    assert facts is not None
    return facts


def perms(**rights: bool) -> dict[str, Any]:
    return {"perms": [{"name": name, "read_only": right} for name, right in rights.items()]}


def test_a_key_is_judged_by_its_own_row_alone(replay: Replay) -> None:
    facts = ask(replay, "gate", "key", lambda client: GATE.read_key(client=client))

    assert facts is not None
    assert (facts.can_withdraw, facts.can_transfer, facts.can_trade) == (False, False, False)
    assert facts.is_address_bound is True
    assert facts.told == (("futures", "read only"), ("account", "read only"))


@pytest.mark.parametrize(
    ("rights", "judged"),
    [
        ({"futures": True}, (False, False, False)),
        ({"futures": False}, (False, False, True)),
        ({"futures": True, "wallet": False}, (None, True, False)),
        ({"futures": True, "wallet": True}, (False, False, False)),
        ({"withdraw": False}, (True, True, False)),
        ({"futures": True, "custody": False}, (None, None, None)),
        ({}, (None, None, None)),
    ],
)
def test_rights_to_write_are_judged_by_name(
    rights: dict[str, bool], judged: tuple[bool | None, ...]
) -> None:
    facts = key({DETAIL: {"ip_whitelist": []}, KEYS: perms(**rights)})

    assert (facts.can_withdraw, facts.can_transfer, facts.can_trade) == judged
    assert facts.is_address_bound is False


def test_a_key_that_may_not_ask_about_itself_is_not_called_safe() -> None:
    facts = key({DETAIL: PermissionRefused("no"), KEYS: PermissionRefused("no")})

    assert facts == KeyFacts()


def test_two_keys_of_one_beginning_cannot_be_told_apart() -> None:
    rows = [{"key": "canary*****", **perms(futures=True)}, {"key": "canary-k*", **perms()}]

    facts = key({DETAIL: {"ip_whitelist": ["192.0.2.1"]}, KEYS: rows})

    assert facts.can_withdraw is None
    assert facts.is_address_bound is True


def test_a_venue_that_is_down_is_no_fact_about_the_key() -> None:
    with pytest.raises(Unavailable):
        key({DETAIL: Unavailable("down"), KEYS: []})


def test_the_list_of_contracts_says_which_is_leaving() -> None:
    [here, leaving] = own("gate", "markets")["calls"][0]["answer"]

    staying, ending = (GATE.read_listing(Row(each)) for each in (here, leaving))

    assert (staying.delists_at, staying.funding_interval_h, staying.is_active) == (None, 8.0, True)
    assert ending.delists_at == clock.from_milliseconds(1_780_300_000_000)
    assert (ending.funding_interval_h, ending.is_active) == (4.0, False)
