"""Garbage under HTTP 200 is refused by every real adapter: nothing is read, nothing is closed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.venues.probe import API_KEY, SECRET, WALLET, make_request
from tests.venues.replay import Fault, Replay
from venues import reading, registry
from venues.errors import UnreadableAnswer
from venues.jobs import Job

VENUES = ("binance", "bybit", "okx", "hyperliquid", "bitget")
GARBAGE = {
    "html": "<!DOCTYPE html><html><head><title>Attention required</title></head></html>",
    "empty": "",
    "null": "null",
    "cut": '{"code": "0", "data": [{"symbol": "BTCUSDT", "positionAmt": "0.5',
    "text": '"maintenance"',
    "object": "{}",
    "rows as text": '{"code": "OK", "retCode": 0, "data": "<html>", "result": "<html>"}',
}


# What each venue's code says when all is well.
WELL = {"okx": "0", "bitget": "00000"}


def read_account(venue: str, base: str) -> Any:
    """Read an account through the venue's real adapter."""
    adapter = registry.get(venue)
    request = make_request(
        base,
        wallet=WALLET if adapter.needs_wallet else "",
        credentials={
            name: {"apiKey": API_KEY, "secret": SECRET}.get(name, "canary-passphrase")
            for name in adapter.credentials
        },
    )
    groups = reading.read_jobs(jobs=[Job(adapter, request)], deadline_s=10.0, concurrency=5)
    ((outcome,),) = list(groups)
    return outcome


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_under_status_200_is_refused(replay: Replay, venue: str, body: str) -> None:
    base = replay.compose(venue, "garbage")
    replay.spoil(venue, "garbage", Fault(text=body.replace("OK", WELL.get(venue, "0"))))

    outcome = read_account(venue, base)

    kinds = {failure.scope: failure.error.kind for failure in outcome.failures}
    assert outcome.scopes == ()
    assert set(kinds.values()) == {UnreadableAnswer.kind}
