from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections
from django.test.utils import CaptureQueriesContext

from positions.engine.types import PositionState, Side
from tests.venues.reference_book import (
    SEED,
    START,
    at,
    make_paper_account,
    open_long,
    purse,
    run_steps,
    start_demo,
    state,
    wipe,
)
from venues.reference import services, steps
from venues.reference.models import (
    ReferenceBalance,
    ReferenceEntry,
    ReferenceMarket,
    ReferencePosition,
    ReferenceRun,
)
from venues.reference.world import next_worlds, quotes

pytestmark = pytest.mark.django_db


def test_nothing_advances_before_a_run_was_begun() -> None:
    done = steps.advance(now=START)

    assert done == steps.Advance()


def test_one_step_is_due_each_second_whatever_the_jitter() -> None:
    steps.begin_run(seed=SEED, now=START)

    taken = [
        steps.advance(now=START + timedelta(seconds=seconds)).steps
        for seconds in (0.9, 1.03, 1.2, 2.01, 2.99, 3.0, 5.4)
    ]

    assert taken == [0, 1, 0, 1, 0, 1, 2]


def test_a_pause_is_not_caught_up() -> None:
    steps.begin_run(seed=SEED, now=START)

    after_pause = steps.advance(now=at(3_600))
    next_second = steps.advance(now=at(3_601))

    assert (after_pause.steps, after_pause.step) == (steps.MAX_STEPS, steps.MAX_STEPS)
    assert (next_second.steps, next_second.step) == (1, steps.MAX_STEPS + 1)


def test_two_runs_of_one_seed_are_the_same_to_the_byte() -> None:
    start_demo()
    run_steps(1, 30)
    first = state()
    wipe()

    start_demo()
    run_steps(1, 30)

    assert state() == first


def test_catching_up_gives_the_ledger_of_an_undisturbed_run() -> None:
    start_demo()
    run_steps(1, 80)
    first = state()
    wipe()

    start_demo()
    run_steps(1, 50, stride=5)
    run_steps(51, 80, stride=2)

    assert "funding" in first
    assert "liquidated" in first
    assert state() == first


def test_a_crash_inside_a_step_leaves_nothing_of_it_behind() -> None:
    start_demo()
    run_steps(1, 70)
    undisturbed = state()
    fatal = _first_end()
    wipe()
    start_demo()
    run_steps(1, fatal - 1)
    before = state()

    for broken in ("market", "position", "entry"):
        wrapper = _fail_on_write_to(f"reference_reference{broken}")
        with pytest.raises(DatabaseError), connection.execute_wrapper(wrapper):
            steps.advance(now=at(fatal))
        assert state() == before
    run_steps(fatal, 70)

    assert state() == undisturbed


def _first_end() -> int:
    ended = ReferencePosition.objects.exclude(ended_step=None).order_by("ended_step")
    return ended.values_list("ended_step", flat=True)[0] or 0


def _fail_on_write_to(table: str) -> Callable[..., Any]:
    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if table in sql and not sql.startswith("SELECT"):
            raise DatabaseError("the disk is gone")
        return execute(sql, params, many, context)

    return wrapper


def test_a_step_that_another_worker_took_is_left_to_it() -> None:
    start_demo()
    seen_by_both = ReferenceRun.objects.get()
    next_world = next_worlds(world=seen_by_both.world, seed=SEED, count=1)[0]

    claims = [steps.claim(run=seen_by_both, world=next_world, now=at(1)) for _ in range(2)]

    assert claims == [True, False]
    assert ReferenceRun.objects.get().step == 1


@pytest.fixture
def workers(
    transactional_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], ThreadPoolExecutor]]:
    """Four threads that find the database as it is when they are asked for.

    SQLite in memory has one writer and no waiting, unlike the file of a real installation: there
    the threads get a file of the same content.
    """

    def start() -> ThreadPoolExecutor:
        if connection.vendor == "sqlite":
            with closing(sqlite3.connect(tmp_path / "shared.sqlite3")) as copy:
                connection.connection.backup(copy)
            path = str(tmp_path / "shared.sqlite3")
            monkeypatch.setitem(connections.settings["default"], "NAME", path)
        return pool

    with ThreadPoolExecutor(4) as pool:
        yield start


def test_workers_that_advance_at_the_same_time_do_no_double_work(
    workers: Callable[[], ThreadPoolExecutor],
) -> None:
    start_demo()
    run_steps(1, 70, stride=5)
    one_worker = state()
    wipe()
    start_demo()
    pool = workers()

    done = [sum(pool.map(_advance, [at(step)] * 4)) for step in range(1, 71)]
    four_workers = pool.submit(_state).result()

    assert done == [1] * 70
    assert four_workers == one_worker


def _advance(now: datetime) -> int:
    with closing(connection):
        return steps.advance(now=now).steps


def _state() -> str:
    with closing(connection):
        return state()


def test_a_second_call_in_the_same_second_does_nothing() -> None:
    start_demo()
    steps.advance(now=at(1))
    after_one = state()

    again = steps.advance(now=at(1))

    assert again == steps.Advance(step=1)
    assert state() == after_one


def test_a_position_dies_at_the_first_mark_that_meets_the_condition() -> None:
    account = make_paper_account(style="okx", USDT="10000")
    position = open_long(
        account, "ETH/USDT:USDT", side=Side.SHORT, contracts=Decimal("5.2"), leverage=60
    )
    held = position.compartment
    worlds = next_worlds(world=ReferenceRun.objects.get().world, seed=SEED, count=239)
    marks = [(world.step, quotes(world=world)["ETH/USDT:USDT"]) for world in worlds]
    fatal = next((step, mark) for step, mark in marks if held.is_liquidatable(price=mark.mark))

    run_steps(1, fatal[0] - 1)
    alive = ReferencePosition.objects.get()
    run_steps(fatal[0], fatal[0])
    dead = ReferencePosition.objects.get()

    assert alive.state == PositionState.OPEN
    assert alive.compartment == held
    assert dead.state == PositionState.LIQUIDATED
    assert (dead.ended_step, dead.end_ticks) == (fatal[0], fatal[1].mark_ticks)
    assert dead.ended_at == at(fatal[0])


def test_one_end_changes_no_other_position() -> None:
    account = make_paper_account(style="okx", USDT="20000")
    calm = open_long(account, contracts=Decimal("0.05"), leverage=3)
    open_long(account, "ETH/USDT:USDT", side=Side.SHORT, contracts=Decimal("5.2"), leverage=60)
    paid = purse("owner", position=calm)

    run_steps(1, 235, stride=5)

    assert ReferencePosition.objects.get(market__symbol="ETH/USDT:USDT").state == "liquidated"
    assert ReferencePosition.objects.get(pk=calm.pk).record == calm.record
    assert purse("owner", position=calm) == paid


def test_longs_pay_shorts_when_the_rate_is_positive() -> None:
    account = make_paper_account(style="bybit")
    long = open_long(account, "SOL/USDT:USDT", contracts=Decimal(10), leverage=2, slot="long")
    short = open_long(
        account,
        "SOL/USDT:USDT",
        side=Side.SHORT,
        contracts=Decimal(10),
        leverage=2,
        slot="short",
    )

    run_steps(1, 240, stride=5)

    market = ReferenceMarket.objects.get(symbol="SOL/USDT:USDT")
    due = Fraction(10 * market.mark_ticks, 100) * 10**8 * Fraction(market.funding_ppb, 10**9)
    assert market.funding_ppb > 0
    assert 0 <= -purse("compartment", position=long, reason="funding") - due < 1
    assert 0 <= due - purse("compartment", position=short, reason="funding") < 1


def test_money_is_conserved_over_a_long_run() -> None:
    start_demo()

    run_steps(1, 300, stride=5)

    rows = ReferencePosition.objects.select_related("account", "market")
    assert {row.state for row in rows} >= {"open", "liquidated"}
    for row in rows:
        assert purse("compartment", position=row) == row.compartment.collateral
        if row.state == PositionState.LIQUIDATED:
            assert row.compartment.collateral == 0
    for unit in ("USDT", "USDC", "BTC", "ETH"):
        purses = set(ReferenceEntry.objects.values_list("payer", flat=True))
        purses |= set(ReferenceEntry.objects.values_list("payee", flat=True))
        assert sum(purse(name, unit=unit) for name in purses) == 0


def test_the_balances_are_the_sum_of_the_owners_entries() -> None:
    start_demo()

    run_steps(1, 300, stride=5)

    for row in ReferenceBalance.objects.all():
        assert row.amount == purse("owner", account=row.account_id, unit=row.unit)


def test_a_crash_costs_the_owner_the_collateral_and_not_a_unit_more() -> None:
    account = make_paper_account()
    position = open_long(account, leverage=20)
    free = services.find_balance(account=account, unit="USDT")
    _multiply_price("BTC", Fraction(3, 4))

    done = steps.advance(now=at(1))

    row = ReferencePosition.objects.get(pk=position.pk)
    assert done.liquidated == 1
    assert row.compartment.collateral == 0
    assert purse("compartment", position=row) == 0
    assert purse("insurance", position=row) < 0
    assert services.find_balance(account=account, unit="USDT") == free


def test_what_a_liquidation_leaves_goes_back_to_the_owner() -> None:
    account = make_paper_account()
    position = open_long(account, leverage=20)
    _multiply_price("BTC", Fraction(953, 1000))

    steps.advance(now=at(1))

    row = ReferencePosition.objects.get(pk=position.pk)
    assert row.state == PositionState.LIQUIDATED
    left = purse("owner", position=row, reason="leftover")
    fee = purse("insurance", position=row, reason="liquidation_fee")
    assert fee > 0 or left > 0
    assert 0 <= left + fee < position.compartment.collateral
    assert purse("insurance", position=row) == fee


def _multiply_price(asset: str, factor: Fraction) -> None:
    run = ReferenceRun.objects.get()
    run.assets[asset] = int(run.assets[asset] * factor)
    run.save(update_fields=["assets"])


def test_a_quiet_step_takes_few_queries_however_many_are_due() -> None:
    start_demo()
    run_steps(1, 10)

    with CaptureQueriesContext(connection) as one:
        steps.advance(now=at(11))
    with CaptureQueriesContext(connection) as five:
        steps.advance(now=at(16))

    assert len(one) == len(five) <= 9
