"""What a poll reads of an account whose parts only the venue knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.venues.corpus import Call, answering
from tests.venues.probe import WALLET, make_job
from tests.venues.replay import Fault, Replay
from venues import reading, registry
from venues.base import AccountOutcome
from venues.errors import UnreadableAnswer, VenueRefused

registry.load()


def state(dex: str | None, *rows: Any) -> Call:
    body = {"type": "clearinghouseState", "dex": dex}
    return answering("/info", {"assetPositions": list(rows)}, method="POST", body=body)


def poll(venue: str, base: str, options: Mapping[str, Any] | None = None) -> AccountOutcome:
    fields = {"wallet": WALLET, "credentials": {}, "options": options or {}}
    job = make_job(base, adapter=registry.get(venue), **fields)
    [[outcome]] = list(reading.read_jobs(jobs=[job]))
    return outcome


def test_a_poll_reads_every_exchange_that_the_venue_lists(replay: Replay) -> None:
    base = replay.compose("hyperliquid", "all", state(None), state("flx"))

    outcome = poll("hyperliquid", base)

    assert [read.scope for read in outcome.scopes] == ["dex:main", "dex:flx"]
    assert outcome.failures == ()


def test_an_exchange_that_cannot_be_read_fails_under_its_name(replay: Replay) -> None:
    base = replay.compose(
        "hyperliquid",
        "torn",
        state(None),
        answering(
            "/info",
            method="POST",
            text="<html>",
            body={"type": "clearinghouseState", "dex": "flx"},
        ),
    )

    outcome = poll("hyperliquid", base)

    assert [read.scope for read in outcome.scopes] == ["dex:main"]
    [failure] = outcome.failures
    assert failure.scope == "dex:flx"
    assert isinstance(failure.error, UnreadableAnswer)


def test_a_deadline_cuts_off_every_exchange_by_name(replay: Replay) -> None:
    base = replay.compose("hyperliquid", "slow", state(None), state("flx"))
    poll("hyperliquid", base)
    replay.spoil("hyperliquid", "slow", Fault(endpoint="/info", is_hanging=True))
    job = make_job(base, adapter=registry.get("hyperliquid"), wallet=WALLET, credentials={})

    [[outcome]] = list(reading.read_jobs(jobs=[job], deadline_s=0.3))

    assert [failure.scope for failure in outcome.failures] == ["dex:main", "dex:flx"]


def test_only_what_options_name_is_asked_for(replay: Replay) -> None:
    base = replay.compose("hyperliquid", "one", state("flx"))

    outcome = poll("hyperliquid", base, {"scopes": "dex:flx"})

    assert [read.scope for read in outcome.scopes] == ["dex:flx"]


def test_where_the_venue_does_not_say_what_there_is_the_known_part_is_read(
    replay: Replay,
) -> None:
    unknown = {"errors": [{"msg": "No subaccounts found for address dydx1x"}]}
    base = replay.compose(
        "dydx",
        "nobody",
        answering("/v4/addresses/{address}", unknown, status=404),
        answering("/v4/addresses/{address}/parentSubaccountNumber/0", unknown, status=404),
    )

    outcome = poll("dydx", base)

    [failure] = outcome.failures
    assert failure.scope == "subaccount:0"
    assert isinstance(failure.error, VenueRefused)
