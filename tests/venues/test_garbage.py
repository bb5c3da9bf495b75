"""Garbage under HTTP 200 is refused by every real adapter: nothing is read, nothing is closed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.venues import corpus
from tests.venues.probe import make_request
from tests.venues.reading_checks import account_of
from tests.venues.replay import Fault, Replay
from tests.venues.test_never_writes import REMOTE, is_singly, know_one_contract
from venues import reading, registry
from venues.base import AccountOutcome
from venues.errors import BadAccount, UnreadableAnswer
from venues.jobs import Job
from venues.market_data import RateBudget

# The venues with answers of their own, whose fields and pages other tests spoil too.
VENUES = sorted(path.name for path in corpus.OWN.iterdir() if path.is_dir())
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
WELL = {"okx": "0", "myokx": "0", "okxus": "0", "bitget": "00000", "aster": "200"}
# These are refused as an error of the venue or of the account before any row is looked for.
EXPLAINED = {UnreadableAnswer.kind, "refused", "unavailable", "credentials", BadAccount.kind}


def read_account(venue: str, base: str) -> AccountOutcome:
    """Read an account through the venue's real adapter."""
    adapter = registry.get(venue)
    options = {"symbols": "BTC/USDT:USDT"} if is_singly(adapter) else {}
    request = make_request(base, **account_of(adapter, options))
    groups = reading.read_jobs(jobs=[Job(adapter, request)], deadline_s=10.0, concurrency=5)
    ((outcome,),) = list(groups)
    return outcome


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for the rate limit of a venue on loopback would prove nothing."""
    for venue in REMOTE:
        budget = RateBudget(requests=100_000, window_s=1.0)
        monkeypatch.setattr(type(registry.get(venue)), "rate", budget)


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_under_status_200_is_refused(replay: Replay, venue: str, body: str) -> None:
    base = replay.compose(venue, "garbage")
    replay.spoil(venue, "garbage", Fault(text=body.replace("OK", WELL.get(venue, "0"))))

    outcome = read_account(venue, base)

    kinds = {failure.scope: failure.error.kind for failure in outcome.failures}
    assert outcome.scopes == ()
    assert set(kinds.values()) == {UnreadableAnswer.kind}


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("venue", [each for each in REMOTE if each not in VENUES])
def test_garbage_is_refused_by_venues_without_answers_of_their_own(
    replay: Replay, monkeypatch: pytest.MonkeyPatch, venue: str
) -> None:
    know_one_contract(monkeypatch)
    told: dict[str, Any] = {}

    for name, body in GARBAGE.items():
        base = replay.compose(venue, name)
        replay.spoil(venue, name, Fault(text=body.replace("OK", WELL.get(venue, "0"))))
        told[name] = read_account(venue, base)

    assert {name: outcome.scopes for name, outcome in told.items() if outcome.scopes} == {}
    kinds = {each.error.kind for outcome in told.values() for each in outcome.failures}
    assert kinds <= EXPLAINED
    assert all(outcome.failures for outcome in told.values())
