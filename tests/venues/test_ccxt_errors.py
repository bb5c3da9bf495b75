from __future__ import annotations

import asyncio
import importlib
from typing import Any

import pytest

from riskhub import clock
from tests.paths import needs_recordings
from tests.venues import corpus
from tests.venues.probe import API_KEY, SECRET, WALLET, make_adapter, use
from tests.venues.replay import Replay
from venues import client
from venues.ccxt_errors import RefusedAnswer, local_error, retry_after_s, said
from venues.errors import (
    BadAccount,
    BadCredentials,
    Banned,
    ClockSkewed,
    PermissionRefused,
    RateLimited,
    Unavailable,
    VenueError,
    VenueRefused,
)
from venues.wire import Answer, decode

# venue, status, body: the envelope is the venue's, the wording ours. What it must mean.
REFUSALS: list[tuple[str, int, str, type[VenueError]]] = [
    ("binance", 401, '{"code":-2014,"msg":"format"}', BadCredentials),
    ("binance", 401, '{"code":-2015,"msg":"key, IP, or permissions"}', BadCredentials),
    ("binance", 400, '{"code":-1022,"msg":"signature"}', BadCredentials),
    ("binance", 400, '{"code":-1021,"msg":"time"}', ClockSkewed),
    ("binance", 429, '{"code":-1003,"msg":"many"}', RateLimited),
    ("binance", 418, '{"code":-1003,"msg":"many"}', Banned),
    ("binance", 503, '{"code":-1008,"msg":"busy"}', Unavailable),
    ("binance", 451, '{"code":0,"msg":"restricted location"}', PermissionRefused),
    ("binance", 400, '{"code":-1121,"msg":"symbol"}', VenueRefused),
    ("bybit", 200, '{"retCode":10003,"retMsg":"key"}', BadCredentials),
    ("bybit", 200, '{"retCode":33004,"retMsg":"expired"}', BadCredentials),
    ("bybit", 200, '{"retCode":10010,"retMsg":"Unmatched IP"}', PermissionRefused),
    ("bybit", 200, '{"retCode":10024,"retMsg":"Compliance rules"}', PermissionRefused),
    ("bybit", 200, '{"retCode":10002,"retMsg":"time"}', ClockSkewed),
    ("bybit", 200, '{"retCode":10006,"retMsg":"visits"}', RateLimited),
    ("bybit", 200, '{"retCode":10018,"retMsg":"ip rate"}', RateLimited),
    ("bybit", 200, '{"retCode":10016,"retMsg":"server"}', Unavailable),
    ("bybit", 200, '{"retCode":10000,"retMsg":"server timeout"}', Unavailable),
    ("bybit", 403, "<html>access too frequent</html>", Banned),
    ("bybit", 403, "<html>block access from your country</html>", PermissionRefused),
    ("bybit", 403, "<html>Request blocked.</html>", RateLimited),
    ("okx", 403, "<html>Request blocked.</html>", Unavailable),
    ("okx", 401, '{"code":"50119","msg":"no such key"}', BadCredentials),
    ("okx", 401, '{"code":"50105","msg":"passphrase"}', BadCredentials),
    ("okx", 401, '{"code":"50120","msg":"permission"}', PermissionRefused),
    ("okx", 401, '{"code":"50110","msg":"Your IP is not in the whitelist"}', PermissionRefused),
    ("okx", 429, '{"code":"50011","msg":"many"}', RateLimited),
    ("okx", 200, '{"code":"50061","msg":"many"}', RateLimited),
    ("okx", 401, '{"code":"50102","msg":"expired"}', ClockSkewed),
    ("okx", 503, '{"code":"50001","msg":"maintenance"}', Unavailable),
    ("bitget", 400, '{"code":"40018","msg":"Invalid IP"}', PermissionRefused),
    ("bitget", 400, '{"code":"40037","msg":"no such key"}', BadCredentials),
    ("bitget", 400, '{"code":"40008","msg":"expired"}', ClockSkewed),
    ("bitget", 200, '{"code":"40200","msg":"upgrade"}', Unavailable),
    ("gate", 403, '{"label":"IP_FORBIDDEN","message":"no"}', PermissionRefused),
    ("gate", 403, '{"label":"REQUEST_EXPIRED","message":"no"}', ClockSkewed),
    ("kucoinfutures", 401, '{"code":"400006","msg":"no"}', PermissionRefused),
    ("delta", 401, '{"error":{"code":"SignatureExpired"}}', ClockSkewed),
    ("bingx", 200, '{"code":100410,"msg":"frequency"}', RateLimited),
    ("hyperliquid", 429, "null", RateLimited),
    ("hyperliquid", 422, "Failed to deserialize the JSON body", VenueRefused),
    ("dydx", 404, '{"errors":[{"msg":"No subaccounts found"}]}', VenueRefused),
    ("binance", 502, "<html>Bad gateway</html>", Unavailable),
    ("binance", 404, "<html>Not found</html>", VenueRefused),
    ("binance", 302, "", Unavailable),
]


@pytest.fixture(scope="module")
def exchanges() -> dict[str, Any]:
    """Instances of ccxt, which here only judge answers and send nothing."""

    async def make() -> dict[str, Any]:
        adapters = {name: make_adapter(name) for name, *_ in REFUSALS}
        return {name: client.make_exchange(adapter, "", {}) for name, adapter in adapters.items()}

    return asyncio.run(make())


def judge(exchange: Any, status: int, text: str, **headers: str) -> VenueError:
    answer = Answer(status=status, reason="", headers=headers, text=text)
    try:
        decoded = decode(answer)
    except VenueError:
        decoded = None
    raised = None
    try:
        exchange.handle_errors(status, "", "", "GET", headers, text, decoded, {}, None)
        exchange.handle_http_status_code(status, "", "", "GET", text)
    except Exception as error:  # noqa: BLE001 - ccxt's own classes
        raised = error
    return RefusedAnswer(exchange.id, "Venue", answer, decoded, raised).error()


@pytest.mark.parametrize(("venue", "status", "body", "kind"), REFUSALS)
def test_a_refusal_means_what_the_venue_means(
    exchanges: dict[str, Any], venue: str, status: int, body: str, kind: type[VenueError]
) -> None:
    error = judge(exchanges[venue], status, body)

    assert error.kind == kind.kind
    assert isinstance(error, kind)
    assert str(error).startswith("Venue ")
    assert len(str(error)) < 300


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        ('{"code":"50110","msg":"Your IP 1.2.3.4 is not in the whitelist"}', "add it to the key"),
        ('{"code":"50120","msg":"no"}', "allow reading"),
        ('{"code":"50119","msg":"no"}', "make a new key"),
        ('{"code":"50102","msg":"no"}', "NTP"),
    ],
)
def test_a_sentence_says_what_to_do(exchanges: dict[str, Any], body: str, hint: str) -> None:
    error = judge(exchanges["okx"], 401, body)

    assert hint in str(error)
    assert "It says: 50" in str(error)


def test_a_message_of_a_venue_is_cut_and_made_printable(exchanges: dict[str, Any]) -> None:
    error = judge(exchanges["okx"], 400, '{"code":"51000","msg":"a\\nb' + "x" * 500 + '"}')

    assert "\n" not in str(error)
    assert len(str(error)) < 200


@pytest.mark.parametrize(
    ("headers", "text", "wish"),
    [
        ({"Retry-After": "7"}, "", 7.0),
        ({"retry-after": "Sun, 22 Nov 2026 15:00:30 GMT"}, "", 30.0),
        ({"X-Bapi-Limit-Reset-Timestamp": "1795359602500"}, "", 2.5),
        ({}, "IP banned until 1795359900000.", 300.0),
        ({}, "IP banned until 1600000000000.", None),
        ({"Retry-After": "²"}, "", None),
        ({"Retry-After": "-5"}, "", None),
        ({"Retry-After": "999999999"}, "", 259_200.0),
        ({}, "", None),
    ],
)
def test_the_wish_of_a_venue_is_read(
    headers: dict[str, str], text: str, wish: float | None
) -> None:
    now = clock.from_milliseconds(1_795_359_600_000)

    wait = retry_after_s(Answer(429, "", headers, text), now=now)

    assert wait == wish


def test_a_ban_without_an_end_lasts_two_minutes(exchanges: dict[str, Any]) -> None:
    error = judge(exchanges["binance"], 418, '{"code":-1003,"msg":"banned"}')

    assert error.retry_after_s == 120


@pytest.mark.parametrize(
    ("decoded", "code", "message"),
    [
        ({"retCode": "1", "retMsg": "m"}, "1", "m"),
        ({"error": {"code": "13004", "message": "m"}}, "13004", "m"),
        ({"errors": [{"msg": "m"}]}, "", "m"),
        ({"errors": []}, "", ""),
        ({"status": "err", "response": "m"}, "", "m"),
        (["not an object"], "", ""),
        (None, "", ""),
    ],
)
def test_code_and_message_are_found(decoded: Any, code: str, message: str) -> None:
    found = said(decoded)

    assert found == (code, message)


RECORDED: dict[str, type[VenueError]] = {
    "bad_signature": BadCredentials,
    "bad_passphrase": BadCredentials,
    "invalid_key": BadCredentials,
    "invalid_key_ip_or_permission": BadCredentials,
    "key_not_exist": BadCredentials,
    "key_expired": BadCredentials,
    "demo_env_mismatch": BadCredentials,
    "ip_not_whitelisted": PermissionRefused,
    "permission_denied": PermissionRefused,
    "region_block": PermissionRefused,
    "rate_limit": RateLimited,
    "rate_429": RateLimited,
    "ip_banned": Banned,
    "timestamp": ClockSkewed,
    "overloaded": Unavailable,
    "maintenance": Unavailable,
    "unavailable": Unavailable,
    "server_error": Unavailable,
    "bad_user_422": VenueRefused,
}
POSITIONS = {
    "binance": ("call", "fapiPrivateV3GetPositionRisk", "GET /fapi/v3/positionRisk"),
    "bybit": ("call", "privateGetV5PositionList", "GET /v5/position/list"),
    "okx": ("call", "privateGetAccountPositions", "GET /api/v5/account/positions"),
    "bitget": (
        "call",
        "privateMixGetV2MixPositionAllPosition",
        "GET /api/v2/mix/position/all-position",
    ),
    "gate": (
        "call",
        "privateFuturesGetSettlePositions",
        "GET /api/v4/futures/{settle}/positions",
    ),
    "kucoinfutures": ("call", "futuresPrivateGetPositions", "GET /api/v1/positions"),
    "hyperliquid": ("call", "publicPostInfo", "POST /info"),
}
PARAMS = {
    "gate": {"settle": "usdt"},
    "hyperliquid": {"type": "clearinghouseState", "user": WALLET},
}


def recorded_errors() -> list[tuple[str, str]]:
    found = [
        (venue, name)
        for venue in POSITIONS
        for name in corpus.scenarios(corpus.RECORDED, venue, "errors_")
    ]
    return [pair for pair in found if pair[1].removeprefix("errors_") in RECORDED]


@needs_recordings
@pytest.mark.parametrize(("venue", "name"), recorded_errors())
def test_a_recorded_error_has_its_class(replay: Replay, venue: str, name: str) -> None:
    base = replay.recorded_url(venue, name)
    _, method, read = POSITIONS[venue]
    adapter = make_adapter(venue, reads=(read,), credentials=("apiKey", "secret", "password"))
    secrets = {"apiKey": API_KEY, "secret": SECRET, "password": "canary-passphrase"}

    with pytest.raises(RECORDED[name.removeprefix("errors_")]):
        use(
            base,
            lambda asked: asked.call(method, PARAMS.get(venue, {})),
            adapter=adapter,
            credentials=secrets,
        )


def test_what_ccxt_misses_before_sending_is_the_owners_to_enter() -> None:
    ccxt = importlib.import_module("ccxt")
    errors = [
        ccxt.AuthenticationError('x requires "secret" credential'),
        ccxt.ArgumentsRequired("x requires a user"),
        ccxt.InvalidAddress("x"),
        ccxt.AuthenticationError("anything"),
    ]

    kinds = [type(local_error(error, label="Venue")) for error in errors]

    assert kinds == [BadAccount] * 4
