from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from positions.engine.types import ContractKind
from tests.venues import corpus
from tests.venues.corpus import answering
from tests.venues.probe import (
    API_KEY,
    BRACKETS,
    CALL_BRACKETS,
    CALL_RISK,
    RISK,
    SECRET,
    ask_risk,
    asked_of,
    make_adapter,
    risk_call,
    use,
)
from tests.venues.replay import Fault, Replay
from venues import client
from venues.errors import (
    UnreadableAnswer,
    WriteRefused,
)

SECRETS_OF_BITGET = ("apiKey", "secret", "password")


def test_numbers_arrive_as_their_exact_text(replay: Replay) -> None:
    text = '[{"a": 0.10, "b": [1.50, 2], "c": 1e400, "d": 12345678901234567890.1}]'
    base = replay.compose("binance", "numbers", answering(RISK, text=text))

    rows = ask_risk(base)

    assert rows == [{"a": "0.10", "b": ["1.50", "2"], "c": "1e400", "d": "12345678901234567890.1"}]


def test_nan_spoils_its_own_field_and_no_other(replay: Replay) -> None:
    text = '[{"mark": NaN, "entry": 1.0}, {"mark": -Infinity, "entry": 2.0}]'
    base = replay.compose("binance", "nan", answering(RISK, text=text))

    rows = ask_risk(base)

    assert rows == [{"mark": "NaN", "entry": "1.0"}, {"mark": "-Infinity", "entry": "2.0"}]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  \n",
        b"null",
        b"NaN",
        b"{}",
        b'"OK"',
        b"17",
        b"true",
        b'[{"symbol": "BTCUSDT", "positionAmt": "0.5',
        b'[{"a": 1}] trailing',
        b"<!DOCTYPE html><html><body>Just a moment</body></html>",
        b'[{"a": "\xff\xfe"}]',
        b'[{"a": "\\ud800"}]',
        b'[{"a": "\\u0000"}]',
        b"[" * 100_000,
    ],
)
def test_status_200_without_a_complete_object_or_list_is_refused(
    replay: Replay, body: bytes
) -> None:
    base = replay.compose("binance", "garbage", risk_call())
    replay.spoil("binance", "garbage", Fault(endpoint=RISK, text=body))

    with pytest.raises(UnreadableAnswer, match=r"^Probe: the answer .+\.$"):
        ask_risk(base)


def test_an_empty_list_is_an_answer(replay: Replay) -> None:
    base = replay.compose("binance", "flat", answering(RISK, []))

    rows = ask_risk(base)

    assert rows == []


def test_base_url_keeps_its_path_and_replaces_every_host(replay: Replay) -> None:
    base = replay.compose("binance", "based", risk_call(), answering(BRACKETS, []))

    async def ask_both_products(asked: client.CcxtClient) -> None:
        await asked.call(CALL_RISK)
        await asked.call(CALL_BRACKETS)

    use(base, ask_both_products)

    assert {RISK, BRACKETS} <= {asked.path for asked in replay.asked("binance", "based")}


def test_base_url_reaches_nested_and_templated_addresses() -> None:
    urls = {
        "public": {"spot": "https://api.{hostname}/v4", "swap": "wss://fx.example.com"},
        "rest": "https://www.okx.com",
        "limit": 5,
    }

    based = client.rebase(urls, "http://127.0.0.1:1/p")

    assert based == {
        "public": {"spot": "http://127.0.0.1:1/p/v4", "swap": "http://127.0.0.1:1/p"},
        "rest": "http://127.0.0.1:1/p",
        "limit": 5,
    }


def test_two_accounts_load_the_markets_once(replay: Replay) -> None:
    base = replay.compose("binance", "shared", risk_call())

    ask_risk(base, account_id=1)
    ask_risk(base, account_id=2)

    assert len(asked_of(replay, "/fapi/v1/exchangeInfo")) == 1
    assert len(asked_of(replay, RISK)) == 2


def test_a_market_is_found_by_id_and_by_symbol(replay: Replay) -> None:
    base = replay.compose("binance", "listed", risk_call())

    async def find(asked: client.CcxtClient) -> list[Any]:
        return [
            asked.market("BTCUSDT", kind=ContractKind.LINEAR),
            asked.market("BTC/USDT:USDT"),
            asked.market("BTCUSDT", kind=ContractKind.INVERSE),
            asked.market("<img onerror>"),
        ]

    by_id, by_symbol, of_other_kind, unknown = use(base, find)

    assert by_id == by_symbol
    assert (by_id.symbol, by_id.venue_symbol, by_id.kind) == ("BTC/USDT:USDT", "BTCUSDT", "linear")
    assert by_id.contract_size == 1.0
    assert by_id.tick_size is not None
    assert (of_other_kind.is_known, unknown.is_known) == (False, False)
    assert unknown.symbol == "<img onerror>"


def test_changed_credentials_are_used_at_once(replay: Replay) -> None:
    base = replay.compose("binance", "rotated", risk_call())

    ask_risk(base)
    ask_risk(base, credentials={"apiKey": "another-key", "secret": SECRET})

    keys = [asked.headers["X-MBX-APIKEY"] for asked in asked_of(replay, RISK)]
    assert keys == [API_KEY, "another-key"]


def test_an_empty_result_needs_a_list_in_the_answer(replay: Replay) -> None:
    base = replay.compose("bybit", "no_list", answering("/v5/position/list", {"retCode": 0}))
    adapter = make_adapter("bybit", reads=("GET /v5/position/list",))

    with pytest.raises(UnreadableAnswer, match="without a list"):
        use(base, lambda asked: asked.fetch("fetch_positions"), adapter=adapter)


def test_a_failure_that_ccxt_passes_over_is_not_passed_over(replay: Replay) -> None:
    positions = answering("/api/v2/mix/position/all-position", {"code": "00000", "data": []})
    base = replay.compose("bitget", "probing", positions)
    adapter = make_adapter(
        "bitget", reads=("GET /api/v2/mix/position/all-position",), credentials=SECRETS_OF_BITGET
    )
    adapter.ccxt_options = {"uta": None}
    secrets = {"apiKey": API_KEY, "secret": SECRET, "password": "canary-passphrase"}

    with pytest.raises(WriteRefused, match="/api/v3/account/settings"):
        use(
            base,
            lambda asked: asked.fetch("fetch_positions"),
            adapter=adapter,
            credentials=secrets,
        )


def test_corpus_documents_what_the_readme_names() -> None:
    files = [path for path in corpus.OWN.glob("*/*.json") if isinstance(path, Path)]

    unsourced = [path for path in files if '"shape_source"' not in path.read_text()]
    assert unsourced == []


@pytest.mark.parametrize(
    ("venue", "read"),
    [
        ("bitget", "GET /api/v2/mix/position/all-position"),
        ("okx", "GET /api/v5/account/positions"),
    ],
)
def test_ccxt_makes_the_same_of_numbers_as_text(
    replay: Replay, monkeypatch: pytest.MonkeyPatch, venue: str, read: str
) -> None:
    base = replay.url(venue, "positions_hedge_pair")
    kind = make_adapter(venue, reads=(read,), credentials=SECRETS_OF_BITGET)
    kind.ccxt_options = {"uta": False}
    secrets = {"apiKey": API_KEY, "secret": SECRET, "password": "canary-passphrase"}

    def fetch(account_id: int) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = use(
            base,
            lambda asked: asked.fetch("fetch_positions"),
            adapter=kind,
            account_id=account_id,
            credentials=secrets,
        )
        return [{key: row[key] for key in row if key != "info"} for row in rows]

    as_text = fetch(1)
    monkeypatch.setattr("venues.wire._parse", json.loads)
    as_numbers = fetch(2)

    assert as_text == as_numbers
    assert len(as_text) == 2
