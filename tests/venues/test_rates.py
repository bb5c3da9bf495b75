"""One rate budget for all accounts and workers: through Redis, and without it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.test import override_settings

from riskhub import clock
from tests.system.parts import running_broker
from tests.venues.probe import Probe, make_adapter, make_job
from tests.venues.replay import Replay
from venues import rates, reading, registry
from venues.base import VenueAdapter
from venues.errors import TimedOut
from venues.market_data import RateBudget
from venues.rates import Leases, Rate, Window

NOWHERE = "unix:///nowhere/redis.sock"
BUDGET = RateBudget(requests=20, window_s=0.4)


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = Path(tmp_path_factory.mktemp("r"))
    with running_broker(folder):
        yield f"unix://{folder / 'redis.sock'}"


def make_rate(leases: Leases, *, name: str = "venue:x:default", **more: Any) -> Rate:
    given = {"budget": BUDGET, "on_ban": lambda _: None, **more}
    return Rate(name=name, leases=leases, **given)


async def send_for(seconds: float, *takers: Rate) -> list[float]:
    """Let each taker send as often as it may; return when each request left."""
    sent: list[float] = []

    async def send(taker: Rate) -> None:
        while True:
            await taker.take()
            sent.append(clock.monotonic_s())

    async with asyncio.timeout(seconds) as limit:
        try:
            await asyncio.gather(*(send(taker) for taker in takers for _ in range(10)))
        except asyncio.CancelledError:
            if not limit.expired():
                raise
            return sorted(sent)
    return sorted(sent)


def most_within(window_s: float, sent: list[float]) -> int:
    return max(sum(1 for each in sent if start <= each < start + window_s) for start in sent)


def run_workers(seconds: float, *, name: str, count: int) -> list[float]:
    """Run so many workers, each with leases of its own, and return what they sent together."""

    async def work() -> list[float]:
        leases = [Leases() for _ in range(count)]
        try:
            return await send_for(seconds, *(make_rate(each, name=name) for each in leases))
        finally:
            for each in leases:
                await each.close()

    return asyncio.run(work())


@override_settings(REDIS_URL=NOWHERE, RATE_SHARE=0.5)
def test_without_redis_a_worker_takes_its_share_and_no_more() -> None:
    sent = run_workers(1.2, name="alone:x:default", count=1)

    assert 10 <= most_within(BUDGET.window_s, sent) <= 10
    assert len(sent) >= 20


def test_three_workers_share_one_budget_through_redis(redis_url: str) -> None:
    with override_settings(REDIS_URL=redis_url):
        sent = run_workers(1.2, name="shared:x:default", count=3)

    assert most_within(BUDGET.window_s, sent) <= BUDGET.requests
    assert len(sent) >= 2 * BUDGET.requests


def test_two_addresses_have_a_budget_each(redis_url: str) -> None:
    with override_settings(REDIS_URL=redis_url):
        one = run_workers(0.2, name="v:x:first", count=1)
        other = run_workers(0.2, name="v:x:second", count=1)

    assert len(one) == len(other) == BUDGET.requests


def test_a_flushed_redis_costs_no_more_than_one_budget(redis_url: str) -> None:
    async def work() -> list[float]:
        leases = Leases()
        rate = make_rate(leases, name="flushed:x:default")
        first = await send_for(0.1, rate)
        redis.Redis.from_url(redis_url).flushall()
        later = await send_for(0.1, rate)
        await leases.close()
        return first + later

    with override_settings(REDIS_URL=redis_url):
        sent = asyncio.run(work())

    assert len(sent) <= 2 * BUDGET.requests


def test_many_requests_cost_few_round_trips(redis_url: str) -> None:
    class Counting(Leases):
        asked = 0

        async def _ask(self, *args: Any) -> Any:
            self.asked += 1
            return await super()._ask(*args)

    async def work() -> int:
        leases = Counting()
        budget = RateBudget(requests=5_000, window_s=1.0)
        rate = make_rate(leases, name="slices:x:default", budget=budget)
        await asyncio.gather(*(rate.take() for _ in range(500)))
        await leases.close()
        return leases.asked

    with override_settings(REDIS_URL=redis_url):
        asked = asyncio.run(work())

    assert asked <= 2


def test_another_workers_ban_is_learned_with_the_next_lease(redis_url: str) -> None:
    async def work() -> list[float]:
        learned: list[float] = []
        banned, other = Leases(), Leases()
        await banned.ban("venue:banned:default", seconds=60)
        await make_rate(other, name="venue:banned:elsewhere", on_ban=learned.append).take()
        await banned.close()
        await other.close()
        return learned

    with override_settings(REDIS_URL=redis_url):
        (learned,) = asyncio.run(work())

    assert 59 < learned <= 60


@override_settings(REDIS_URL=NOWHERE, RATE_SHARE=1.0)
def test_who_gives_up_waiting_loses_no_request_of_the_others() -> None:
    async def work() -> int:
        rate = make_rate(Leases(), name="gone:x:default")
        waiting = [asyncio.create_task(rate.take()) for _ in range(30)]
        await asyncio.sleep(0.05)
        first = sum(task.done() for task in waiting)
        for task in waiting[20:25]:
            task.cancel()
        await asyncio.wait_for(asyncio.gather(*waiting[25:]), timeout=5)
        return first

    assert asyncio.run(work()) == 20


def test_the_window_slides(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [1000.0]
    monkeypatch.setattr("venues.rates.clock.monotonic_s", lambda: now_s[0])
    window, granted = Window(RateBudget(requests=100, window_s=10.0)), []
    for _ in range(600):
        now_s[0] += 0.1
        granted.append((now_s[0], window.lease(3, share=1.0).granted))

    for start, _ in granted:
        within = sum(count for at, count in granted if start <= at < start + 10)
        assert within <= 100
    assert sum(count for _, count in granted) >= 500


def test_a_venue_without_a_budget_gets_half_of_what_ccxt_would_send() -> None:
    class Undeclared(Probe):
        rate = VenueAdapter.rate

    budget = rates.budget_of(make_adapter(base=Undeclared), ccxt_rate_limit_ms=50)

    assert (budget.requests, budget.window_s) == (100, 10.0)
    assert rates.budget_of(make_adapter(), ccxt_rate_limit_ms=50) == Probe.rate


def test_a_base_url_is_no_part_of_a_key() -> None:
    name = rates.shared_name("venue", "https://user:canary@host/path")

    assert "canary" not in name
    assert name.startswith("venue:")


@override_settings(REDIS_URL=NOWHERE, RATE_SHARE=1.0)
def test_waiting_for_the_budget_ends_with_the_accounts_deadline(replay: Replay) -> None:
    class Slow(Probe):
        rate = RateBudget(requests=8, window_s=60.0)

    adapter = make_adapter(base=Slow)
    base = replay.url("binance", "positions_long")
    jobs = [make_job(base, adapter=adapter, account_id=number) for number in range(1, 20)]

    groups = list(reading.read_jobs(jobs=jobs, deadline_s=1.0, concurrency=50))

    failures = [each.failures for group in groups for each in group if each.failures]
    assert 0 < len(failures) < 19
    assert all(isinstance(failure.error, TimedOut) for (failure,) in failures)
    assert all("other accounts" in str(failure.error) for (failure,) in failures)
    assert len(replay.asked()) == 8


def test_bans_are_named_by_host_alone() -> None:
    names = {rates._ban_key(f"v:x:{egress}") for egress in ("one", "two")}

    assert len(names) == 1


HEAVY = RateBudget(requests=100, window_s=10.0, weights={"POST /heavy": 30, "GET /light": 2})


def test_weight_is_counted_and_never_more_than_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [1000.0]
    monkeypatch.setattr("venues.rates.clock.monotonic_s", lambda: now_s[0])
    window, granted = Window(HEAVY), []
    for turn in range(900):
        now_s[0] += 0.1
        sizes = [30] if turn % 2 else [2, 2, 2]
        granted.append((now_s[0], window.lease(1, sizes=sizes, share=1.0).granted))

    for start, _ in granted:
        assert sum(weight for at, weight in granted if start <= at < start + 10) <= 100
    # The heavy ones come through beside the light ones.
    assert sum(weight == 30 for _, weight in granted) >= 8


def test_a_heavy_request_waits_for_its_whole_weight_through_redis(redis_url: str) -> None:
    async def work() -> int:
        leases = Leases()
        rate = Rate(name="heavy:x:default", budget=HEAVY, leases=leases, on_ban=lambda _: None)
        takers = [asyncio.create_task(rate.take(30)) for _ in range(6)]
        await asyncio.sleep(0.2)
        done = sum(task.done() for task in takers)
        for task in takers:
            task.cancel()
        await leases.close()
        return done

    with override_settings(REDIS_URL=redis_url):
        assert asyncio.run(work()) == 3


@pytest.mark.parametrize(
    ("slug", "line", "weight"),
    [
        ("binance", "GET /fapi/v3/positionRisk?timestamp=1", 5),
        ("binance", "GET /fapi/v1/premiumIndex?symbol=BTCUSDT", 1),
        ("binance", "GET /fapi/v1/premiumIndex", 10),
        ("hyperliquid", 'POST /info {"type": "clearinghouseState", "user": "0x1"}', 2),
        ("hyperliquid", 'POST /info {"type": "metaAndAssetCtxs"}', 20),
        ("hyperliquid", 'POST /info {"type":"userRole"}', 60),
        ("bybit", "GET /v5/position/list?category=linear", 1),
    ],
)
def test_a_request_weighs_what_its_venue_says(slug: str, line: str, weight: int) -> None:
    registry.load()

    assert registry.get(slug).rate.weigh_line(line) == weight
