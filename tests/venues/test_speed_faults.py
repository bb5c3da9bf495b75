"""Many accounts at a venue that misbehaves: who is delayed, how often it is asked, what is kept."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from riskhub import clock
from tests.venues.corpus import answering
from tests.venues.probe import (
    BRACKETS,
    CALL_RISK,
    RISK,
    Probe,
    ask_risk,
    asked_of,
    make_adapter,
    make_job,
    risk_call,
    use,
)
from tests.venues.replay import Asked, Fault, Replay
from tests.venues.test_reading import failures_of, read_all
from venues import client, clocks, endpoint, reading
from venues.base import AccountOutcome, VenueClient
from venues.errors import (
    BadCredentials,
    KeyRejected,
    PermissionRefused,
    RateLimited,
    TimedOut,
    Unavailable,
    UnreadableAnswer,
    VenueError,
)

TIME = "/fapi/v1/time"
THREE = {"scopes": ["linear", "second", "third"]}


def test_429_is_waited_out_to_the_second(replay: Replay, monkeypatch: pytest.MonkeyPatch) -> None:
    base = replay.compose("binance", "limited", risk_call())
    ask_risk(base)
    fault = Fault(status=429, text="{}", headers={"Retry-After": "7"}, times=1)
    replay.spoil("binance", "limited", fault)
    begun_s = clock.monotonic_s()
    now_s = [begun_s]
    monkeypatch.setattr("venues.passage.clock.monotonic_s", lambda: now_s[0])
    answered_at_s: list[float] = []
    for tick in range(100):
        now_s[0] = begun_s + tick / 10
        before = len(asked_of(replay, RISK))
        with suppress(RateLimited):
            ask_risk(base, account_id=tick % 5)
        if len(asked_of(replay, RISK)) > before:
            answered_at_s.append(tick / 10)

    refused, first, *_ = answered_at_s
    assert refused == 0
    assert 7 <= first <= 9
    assert len(answered_at_s) == 1 + sum(1 for tick in range(100) if tick / 10 >= first)


class Flaky:
    """Answers three requests in ten with 503, by a fixed seed, and counts them all."""

    def __init__(self, seed: int) -> None:
        self._draw = random.Random(seed)
        self.asked = 0

    async def __call__(self, sent: Any, *, timeout_s: float) -> Any:
        from venues.wire import Answer

        await asyncio.sleep(0)
        if not sent.path.endswith("positionRisk"):
            return await self.real(sent, timeout_s=timeout_s)
        self.asked += 1
        if self._draw.random() < 0.3:
            return Answer(status=503, reason="", headers={}, text="<html>")
        return Answer(status=200, reason="", headers={}, text=risk_call().body_text)


def test_three_server_faults_in_ten_leave_nearly_all_fresh(
    replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = replay.compose("binance", "burst", risk_call())
    ask_risk(base)
    flaky = Flaky(seed=7)
    transport = client._pool._transport  # type: ignore[union-attr]
    flaky.real = transport.send  # type: ignore[attr-defined]
    monkeypatch.setattr(transport, "send", flaky)
    monkeypatch.setattr(client, "_RETRY_DELAYS_S", (0.01, 0.02, 0.03))
    fresh: set[int] = set()
    polls = 0
    for _ in range(2):
        jobs = [make_job(base, account_id=number) for number in range(1, 501)]
        polls += len(jobs)
        outcomes = read_all(jobs, concurrency=500)
        fresh |= {each for each, outcome in outcomes.items() if outcome.scopes}

    assert len(fresh) >= 0.999 * 500
    assert flaky.asked <= 1.5 * polls


def test_a_venue_that_is_down_is_asked_by_one_probe_at_a_time(
    replay: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = replay.compose("binance", "outage", risk_call())
    ask_risk(base)
    replay.spoil("binance", "outage", Fault(endpoint=RISK, status=503, text="<html>"))
    now_s = [clock.monotonic_s()]
    monkeypatch.setattr("venues.breaker.clock.monotonic_s", lambda: now_s[0])
    asked: list[int] = []
    for _ in range(20):
        before = len(asked_of(replay, RISK))
        outcomes = read_all([make_job(base, account_id=number) for number in range(1, 21)])
        asked.append(len(asked_of(replay, RISK)) - before)
        errors = [failure.error for each in outcomes.values() for failure in each.failures]
        assert len(errors) == 20
        assert all(isinstance(error, Unavailable) for error in errors)
        now_s[0] += 40

    replay.spoil("binance", "outage", Fault(times=0))
    outcomes = read_all([make_job(base, account_id=1)])

    assert asked[1:] == [1] * 19
    assert outcomes[1].scopes


@pytest.mark.parametrize("skew_s", [-3600, -60, -1.5, 1.5, 60, 3600])
def test_a_skewed_clock_costs_one_request_and_no_poll(
    replay: Replay, monkeypatch: pytest.MonkeyPatch, skew_s: float
) -> None:
    noted: list[clocks.Drift] = []
    monkeypatch.setattr(
        endpoint.clocks, "note", lambda **fields: noted.append(clocks.Drift(**fields))
    )
    theirs = clock.to_milliseconds(clock.now()) + int(1000 * skew_s)
    base = replay.compose("binance", "skew", risk_call(), answering(TIME, {"serverTime": theirs}))
    skewed = '{"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."}'
    replay.spoil("binance", "skew", Fault(endpoint=RISK, status=400, text=skewed, times=1))

    outcomes = read_all([make_job(base)])
    again = read_all([make_job(base)])

    assert outcomes[1].scopes
    assert again[1].scopes
    # The refused one, its repetition, and the next poll, which knows the venue's time.
    assert (len(asked_of(replay, RISK)), len(asked_of(replay, TIME))) == (3, 1)
    assert [abs(each.milliseconds - 1000 * skew_s) < 1000 for each in noted] == [True]


def read_parts(base: str) -> AccountOutcome:
    return read_all([make_job(base, options=THREE)])[1]


@pytest.mark.parametrize("code", ["-2014", "-2008", "-1022"])
def test_a_key_that_is_surely_wrong_is_tried_once(replay: Replay, code: str) -> None:
    base = replay.compose("binance", "revoked", risk_call())
    text = f'{{"code": {code}, "msg": "Invalid Api-Key ID."}}'
    replay.spoil("binance", "revoked", Fault(status=401, text=text))

    outcome = read_parts(base)

    assert set(failures_of(outcome).values()) == {KeyRejected}
    assert issubclass(KeyRejected, BadCredentials)
    assert len(asked_of(replay, RISK)) == 1


def test_an_address_that_is_not_allowed_is_named(replay: Replay) -> None:
    base = replay.compose("binance", "address", risk_call())
    text = '{"code": -2011, "msg": "IP is not in the whitelist of this key"}'
    replay.spoil("binance", "address", Fault(status=401, text=text))

    outcome = read_all([make_job(base)])[1]

    assert failures_of(outcome) == {"linear": PermissionRefused}
    assert "address" in str(outcome.failures[0].error)


def test_parts_are_read_at_the_same_time_after_the_first(replay: Replay) -> None:
    base = replay.compose("binance", "parts", risk_call())
    running: list[int] = []
    most: list[int] = []

    class Counting(Probe):
        async def read_scope(self, *, client: VenueClient, scope: str) -> Any:
            running.append(1)
            most.append(len(running))
            try:
                return await super().read_scope(client=client, scope=scope)
            finally:
                running.pop()

    outcome = read_all([make_job(base, adapter=make_adapter(base=Counting), options=THREE)])[1]

    assert [scope.scope for scope in outcome.scopes] == THREE["scopes"]
    assert most == [1, 1, 2]


def test_one_accounts_wrong_secret_is_no_matter_of_another(replay: Replay) -> None:
    bad = replay.compose("binance", "bad", risk_call())
    good = replay.compose("binance", "good", risk_call())
    text = '{"code": -1022, "msg": "Signature for this request is not valid."}'
    replay.spoil("binance", "bad", Fault(status=400, text=text))

    outcomes = read_all([make_job(bad), *(make_job(good, account_id=n) for n in range(2, 6))])

    assert failures_of(outcomes[1]) == {"linear": KeyRejected}
    assert all(outcomes[number].scopes for number in range(2, 6))


def keys_of(asked: Sequence[Asked]) -> list[str]:
    return [each.headers["X-MBX-APIKEY"] for each in asked]


def test_accounts_never_share_what_signs(replay: Replay) -> None:
    base = replay.compose("binance", "mixed", risk_call())
    jobs = [
        make_job(base, account_id=number, credentials={"apiKey": f"key-{number}", "secret": "s"})
        for number in range(1, 51)
    ]

    read_all(jobs, concurrency=50)

    assert sorted(keys_of(asked_of(replay, RISK))) == sorted(f"key-{n}" for n in range(1, 51))


def test_an_instance_keeps_what_it_learns_to_itself(replay: Replay) -> None:
    base = replay.compose("binance", "learning", risk_call())

    async def learn(asked: client.CcxtClient) -> Any:
        asked._exchange.options["learned"] = asked.request.account_id
        asked._exchange.options["networks"]["learned"] = asked.request.account_id
        return asked._exchange.options

    one = use(base, learn, account_id=1)
    two = use(base, _options, account_id=2)

    assert one["learned"] == 1
    assert ("learned" in two, "learned" in two["networks"]) == (False, False)


async def _options(asked: client.CcxtClient) -> Any:
    return asked._exchange.options


@pytest.mark.slow
def test_an_answer_of_any_size_is_cut_off_and_costs_the_others_nothing(replay: Replay) -> None:
    huge = replay.compose("binance", "huge", risk_call())
    good = replay.compose("binance", "good", risk_call())
    text = b'[{"symbol": "' + b"x" * (40 * 1024 * 1024) + b'"}]'
    replay.spoil("binance", "huge", Fault(endpoint=RISK, text=text))

    outcomes = read_all([make_job(huge), *(make_job(good, account_id=n) for n in range(2, 12))])

    assert failures_of(outcomes[1]) == {"linear": UnreadableAnswer}
    assert "larger" in str(outcomes[1].failures[0].error)
    assert outcomes[1].answers == ()
    assert all(outcomes[number].scopes for number in range(2, 12))


def test_one_that_never_answers_holds_no_other_back(replay: Replay) -> None:
    good = replay.compose("binance", "good", risk_call())
    silent = replay.compose("binance", "silent", risk_call())
    replay.spoil("binance", "silent", Fault(is_hanging=True))
    jobs = [make_job(silent), *(make_job(good, account_id=number) for number in range(2, 51))]
    groups = reading.read_jobs(jobs=jobs, deadline_s=1.5, concurrency=50)

    early: list[AccountOutcome] = []
    while len(early) < 49:
        early += next(groups)
    (last,) = next(groups)

    assert all(outcome.scopes for outcome in early)
    assert failures_of(last) == {"linear": TimedOut}


def test_two_parts_that_want_to_know_the_same_ask_once(replay: Replay) -> None:
    base = replay.compose("binance", "recalled", risk_call(), answering(BRACKETS, []))
    asked: list[str] = []

    async def ask() -> int:
        asked.append("once")
        await asyncio.sleep(0.01)
        return 7

    async def both(client: client.CcxtClient) -> list[int]:
        calls = [client.recall("mode", about=("x",), max_age_s=60, ask=ask) for _ in range(2)]
        return list(await asyncio.gather(*calls))

    assert use(base, both) == [7, 7]
    assert asked == ["once"]


def test_a_failed_call_of_one_part_is_no_trouble_of_another(replay: Replay) -> None:
    base = replay.compose("binance", "beside", risk_call(), answering(BRACKETS, []))
    replay.spoil("binance", "beside", Fault(endpoint=BRACKETS, text="<html>"))

    async def both(asked: client.CcxtClient) -> list[Any]:
        calls = [asked.call(CALL_RISK), asked.call("dapiPrivateV2GetLeverageBracket")]
        return list(await asyncio.gather(*calls, return_exceptions=True))

    rows, error = use(base, both)

    assert len(rows) == 1
    assert isinstance(error, VenueError)
