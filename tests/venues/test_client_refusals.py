from __future__ import annotations

from typing import Any

import pytest

from riskhub import clock
from tests.venues.corpus import answering
from tests.venues.probe import (
    API_KEY,
    CALL_RISK,
    RISK,
    ask_risk,
    asked_of,
    risk_call,
    risk_row,
    use,
)
from tests.venues.replay import Fault, Replay
from venues import client, loop
from venues.errors import (
    BadAccount,
    Banned,
    ClockSkewed,
    RateLimited,
    TimedOut,
    Unavailable,
    Unreachable,
    VenueError,
)

TIME = "/fapi/v1/time"


def test_a_refused_time_costs_one_request_and_one_retry(replay: Replay) -> None:
    theirs = clock.to_milliseconds(clock.now()) + 3_600_000
    base = replay.compose("binance", "skewed", risk_call(), answering(TIME, {"serverTime": theirs}))
    skewed = '{"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."}'
    replay.spoil("binance", "skewed", Fault(endpoint=RISK, status=400, text=skewed, times=1))

    rows = ask_risk(base)

    first, second = asked_of(replay, RISK)
    assert rows == [risk_row()]
    assert len(asked_of(replay, TIME)) == 1
    assert int(second.query["timestamp"]) - int(first.query["timestamp"]) > 3_500_000


def test_a_time_refused_twice_is_a_clock_failure(replay: Replay) -> None:
    theirs = clock.to_milliseconds(clock.now())
    base = replay.compose("binance", "wrong", risk_call(), answering(TIME, {"serverTime": theirs}))
    fault = Fault(endpoint=RISK, status=400, text='{"code": -1021, "msg": "Timestamp"}')
    replay.spoil("binance", "wrong", fault)

    with pytest.raises(ClockSkewed, match="NTP"):
        ask_risk(base)

    assert len(asked_of(replay, RISK)) == 2


def test_after_429_nothing_is_sent_until_the_wish_has_passed(replay: Replay) -> None:
    base = replay.compose("binance", "limited", risk_call())
    fault = Fault(status=429, text='{"code": -1003, "msg": "x"}', headers={"Retry-After": "7"})
    replay.spoil("binance", "limited", fault)

    with pytest.raises(RateLimited) as first:
        ask_risk(base, account_id=1)
    with pytest.raises(RateLimited) as second:
        ask_risk(base, account_id=2)

    assert first.value.retry_after_s == 7
    assert second.value.retry_after_s is not None
    assert 6 < second.value.retry_after_s <= 7
    assert len(asked_of(replay, RISK)) == 1


def test_a_ban_stops_every_account_at_that_address(replay: Replay) -> None:
    base = replay.compose("binance", "banned", risk_call())
    until = clock.to_milliseconds(clock.now()) + 900_000
    text = f'{{"code": -1003, "msg": "Way too many requests; IP banned until {until}."}}'
    replay.spoil("binance", "banned", Fault(status=418, text=text))

    with pytest.raises(Banned) as first:
        ask_risk(base, account_id=1)
    with pytest.raises(Banned):
        ask_risk(base, account_id=2)

    assert first.value.retry_after_s == pytest.approx(900, abs=5)
    assert len(asked_of(replay, RISK)) == 1


def test_a_server_fault_is_tried_again(replay: Replay) -> None:
    base = replay.compose("binance", "faulty", risk_call())
    replay.spoil("binance", "faulty", Fault(endpoint=RISK, status=502, text="<html>", times=2))

    rows = ask_risk(base)

    assert rows == [risk_row()]
    assert len(asked_of(replay, RISK)) == 3


def test_a_venue_that_is_down_is_not_tried_harder(replay: Replay) -> None:
    base = replay.compose("binance", "down", risk_call())
    replay.spoil("binance", "down", Fault(endpoint=RISK, status=503, text="<html>"))

    async def ask_often(asked: client.CcxtClient) -> None:
        for _ in range(6):
            with pytest.raises(Unavailable):
                await asked.call(CALL_RISK)

    use(base, ask_often)

    # Four tries each for the first two calls, two for the third; then the breaker is open.
    assert len(asked_of(replay, RISK)) == 10


def test_an_answer_cut_off_anywhere_is_never_accepted(replay: Replay) -> None:
    base = replay.compose("binance", "cut", risk_call())
    whole = len(risk_call().body_text)
    session = client.Transport()
    sent = client_sent(f"{base}{RISK}")

    async def send() -> list[str]:
        outcomes = []
        for cut in range(0, whole, 17):
            replay.spoil("binance", "cut", Fault(endpoint=RISK, cut_after=cut))
            try:
                await session.send(sent, timeout_s=5)
            except VenueError as error:
                outcomes.append(error.kind)
            else:
                outcomes.append("accepted")
        await session.close()
        return outcomes

    outcomes = loop.submit(send()).result(30)

    assert set(outcomes) == {Unreachable.kind}


def client_sent(url: str) -> Any:
    from venues.wire import Sent

    return Sent(method="GET", path=RISK, url=url)


@pytest.mark.parametrize("fault", [Fault(is_hanging=True), Fault(drip_s=0.05)])
def test_one_request_has_one_total_time(replay: Replay, fault: Fault) -> None:
    base = replay.compose("binance", "slow", risk_call())
    replay.spoil("binance", "slow", fault)

    with pytest.raises(TimedOut):
        ask_risk(base, timeout_s=0.4)


def test_a_host_that_is_not_there_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="Probe"):
        ask_risk("http://127.0.0.1:9")


def test_a_missing_secret_is_named(replay: Replay) -> None:
    base = replay.compose("binance", "half", risk_call())

    with pytest.raises(BadAccount, match="Probe needs secret"):
        use(
            base,
            lambda asked: asked.fetch("fetch_positions"),
            credentials={"apiKey": API_KEY},
        )
