from __future__ import annotations

import logging
from typing import Any

import pytest

from riskhub import clock, logs
from tests.paths import needs_recordings
from tests.venues.corpus import answering
from tests.venues.probe import (
    API_KEY,
    CALL_RISK,
    RISK,
    SECRET,
    WALLET,
    ask_risk,
    asked_of,
    make_adapter,
    risk_call,
    risk_row,
    use,
)
from tests.venues.replay import Fault, Replay
from venues import client
from venues.errors import (
    Unavailable,
    VenueError,
    WriteRefused,
)


def test_a_request_that_is_not_listed_never_leaves(replay: Replay) -> None:
    base = replay.compose("binance", "guard", risk_call())
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}

    with pytest.raises(WriteRefused, match="POST /fapi/v1/order"):
        use(base, lambda asked: asked.call("fapiPrivatePostOrder", order))

    assert {asked.method for asked in replay.asked()} == {"GET"}


def test_a_unified_method_that_writes_never_leaves(replay: Replay) -> None:
    base = replay.compose("binance", "leverage", risk_call())

    with pytest.raises(WriteRefused):
        use(base, lambda asked: asked.fetch("set_leverage", 5, "BTC/USDT:USDT"))

    assert {asked.method for asked in replay.asked()} == {"GET"}


def test_a_redirect_is_not_followed(replay: Replay) -> None:
    base = replay.compose("binance", "moved", risk_call())
    target = replay.compose("binance", "target", risk_call())
    fault = Fault(endpoint=RISK, status=302, text="", headers={"Location": f"{target}{RISK}"})
    replay.spoil("binance", "moved", fault)

    with pytest.raises(Unavailable, match="never followed"):
        ask_risk(base)

    assert replay.asked("binance", "target") == []


def test_loading_markets_sends_no_key(replay: Replay) -> None:
    base = replay.compose("binance", "keyless", risk_call())

    ask_risk(base)

    loading = [asked for asked in replay.asked() if asked.path != RISK]
    assert all(API_KEY not in asked.headers.values() for asked in loading)
    assert len(loading) == 2


def test_a_credential_sets_no_other_setting_of_ccxt(replay: Replay) -> None:
    base = replay.compose("binance", "named", risk_call())
    odd = {"apiKey": API_KEY, "secret": SECRET, "urls": {"api": "http://127.0.0.1:9"}}

    rows = ask_risk(base, credentials=odd)

    assert rows == [risk_row()]


def test_raw_answers_are_kept_without_signature(replay: Replay) -> None:
    base = replay.compose("binance", "raw", risk_call())

    async def ask(asked: client.CcxtClient) -> tuple[Any, ...]:
        await asked.call(CALL_RISK, {"symbol": "BTCUSDT"})
        return asked.answers

    (answer,) = use(base, ask)

    assert answer.request.startswith(f"GET {RISK}?")
    assert "symbol=BTCUSDT" in answer.request
    assert "signature" not in answer.request
    assert (answer.status, answer.body) == (200, risk_call().body_text)
    assert answer.received_at <= clock.now()


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_no_secret_comes_back_from_a_venue_that_echoes_it(
    replay: Replay, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    base = replay.compose("binance", "echo", risk_call())
    text = f'{{"code": -2015, "msg": "bad key {{echo}} {SECRET} signature=abcdef0123456789"}}'
    fault = Fault(status=status, text=text, echo="X-MBX-APIKEY")
    replay.spoil("binance", "echo", fault)
    caplog.set_level(logging.DEBUG)

    async def ask(asked: client.CcxtClient) -> tuple[Exception, tuple[Any, ...]]:
        try:
            await asked.call(CALL_RISK)
        except VenueError as error:
            return error, asked.answers
        raise AssertionError("an error was read as an answer")

    error, answers = use(base, ask)

    signatures = [asked.query["signature"] for asked in asked_of(replay, RISK)]
    told = [str(error), repr(error), repr(error.__context__), repr(answers), caplog.text]
    for canary in (API_KEY, SECRET, *signatures):
        assert all(canary not in text for text in told)
    assert error.__context__ is None


def test_a_secret_in_a_value_is_known_to_the_log_scrubber() -> None:
    logs.remember_secret(SECRET)

    assert SECRET not in logs.scrub(f"before {SECRET} after")


HYPERLIQUID_READS = ("POST /info",)
# A guard that lets everything pass: here it is ccxt's switches alone that are tested.
ANY_PATH = tuple(
    f"{method} /{'/'.join(['{segment}'] * size)}"
    for method in ("GET", "POST")
    for size in range(1, 6)
)
READ_BY_POST = {
    "/info",
    "/auth/api_key/login",
    "/full/v1/all_instruments",
    "/full/v1/instruments",
    "/full/v1/positions",
}


def test_a_private_key_makes_hyperliquid_write_nothing(replay: Replay) -> None:
    state = {"assetPositions": [], "marginSummary": {}, "time": 1}
    body = {"type": "clearinghouseState"}
    base = replay.compose(
        "hyperliquid", "keyed", answering("/info", state, method="POST", body=body)
    )
    adapter = make_adapter("hyperliquid", reads=HYPERLIQUID_READS, credentials=("privateKey",))

    rows = use(
        base,
        lambda asked: asked.fetch("fetch_positions"),
        adapter=adapter,
        wallet=WALLET,
        credentials={"privateKey": "0x" + "11" * 32},
    )

    assert rows == []
    assert {asked.path for asked in replay.asked()} == {"/info"}


@needs_recordings
@pytest.mark.parametrize(
    ("venue", "scenario"),
    [
        ("hyperliquid", "positions_isolated_eth_doc"),
        ("aster", "positions_isolated_long_doc"),
        ("grvt", "positions_isolated_short_btc"),
    ],
)
def test_venues_whose_reading_writes_are_only_read(
    replay: Replay, venue: str, scenario: str
) -> None:
    base = replay.recorded_url(venue, scenario)
    adapter = make_adapter(
        venue,
        reads=ANY_PATH,
        credentials=("apiKey", "secret", "privateKey"),
    )

    async def ask(asked: client.CcxtClient) -> None:
        try:
            await asked.fetch("fetch_positions")
        except VenueError:
            assert replay.asked()

    use(
        base,
        ask,
        adapter=adapter,
        wallet=WALLET,
        credentials={"privateKey": "0x" + "11" * 32, "apiKey": API_KEY},
    )

    posted = {asked.path for asked in replay.asked() if asked.method == "POST"}
    assert posted <= READ_BY_POST
