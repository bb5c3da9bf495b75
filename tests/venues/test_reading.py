from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import pytest

from positions.engine.types import ContractKind
from riskhub import crypto
from tests.factories import NOW, make_account
from tests.venues.corpus import answering
from tests.venues.probe import (
    API_KEY,
    BRACKETS,
    PREMIUM,
    RISK,
    SECRET,
    Probe,
    asked_of,
    make_adapter,
    make_job,
    make_request,
    premium_call,
    read_row,
    risk_call,
    risk_row,
)
from tests.venues.replay import Fault, Replay
from venues import reading
from venues.base import (
    REGISTRY,
    AccountOutcome,
    AccountRequest,
    Held,
    PositionEnd,
    PriceReading,
    QuoteReading,
    ScopeReading,
    VenueAdapter,
    VenueClient,
)
from venues.errors import (
    BadAccount,
    BadCredentials,
    Banned,
    ClockSkewed,
    PermissionRefused,
    RateLimited,
    TimedOut,
    UnreadableAnswer,
    VenueError,
    VenueRefused,
)
from venues.figures import Figure, RowError
from venues.jobs import Job


class Faulty(Probe):
    """Fails in the way that its account's options name."""

    def scopes(self, request: AccountRequest) -> Sequence[str]:
        if request.options.get("scopes") == "broken":
            raise KeyError("no such option")
        return super().scopes(request)

    async def read_scope(self, *, client: VenueClient, scope: str) -> ScopeReading:
        failure = client.request.options.get("raise")
        if failure is not None and scope in ("linear", "account"):
            raise failure
        return await super().read_scope(client=client, scope=scope)


class Local(VenueAdapter):
    """Lives in our own database: reads what `prepare` found."""

    label = "Local"

    def scopes(self, request: AccountRequest) -> Sequence[str]:
        return ("book",)

    def prepare(self, *, requests: Sequence[AccountRequest], now: Any) -> dict[int, Any]:
        if any(request.options.get("raise") for request in requests):
            raise RuntimeError("the table is gone")
        return {request.account_id: f"book of {request.account_id}" for request in requests}

    async def read_scope(self, *, client: VenueClient, scope: str) -> ScopeReading:
        if client.request.prepared is None:
            await client.call("anything")
        spec = client.market(client.request.prepared, kind=ContractKind.LINEAR)
        return ScopeReading(scope=scope, positions=(read_row(risk_row(), spec),))

    async def read_prices(self, *, client: VenueClient, symbols: Sequence[str]) -> PriceReading:
        quote = QuoteReading(symbol=client.request.prepared, mark_price=Figure.derived(1))
        return PriceReading(quotes=(quote,))


def read_all(jobs: Sequence[Job], **limits: Any) -> dict[int, AccountOutcome]:
    groups = list(reading.read_jobs(jobs=jobs, **{"deadline_s": 5.0, "concurrency": 10, **limits}))
    outcomes = [outcome for group in groups for outcome in group]
    assert len({outcome.account_id for outcome in outcomes}) == len(outcomes) == len(jobs)
    return {outcome.account_id: outcome for outcome in outcomes}


def failures_of(outcome: AccountOutcome) -> dict[str, type[VenueError]]:
    return {failure.scope: type(failure.error) for failure in outcome.failures}


def test_an_account_becomes_an_outcome(replay: Replay) -> None:
    base = replay.compose("binance", "one", risk_call())

    outcome = read_all([make_job(base)])[1]

    (scope,) = outcome.scopes
    assert (scope.scope, outcome.failures) == ("linear", ())
    assert scope.positions[0].mark_price.text == "62000.00000000"
    assert [market.symbol for market in outcome.markets] == ["BTC/USDT:USDT"]
    assert [answer.status for answer in outcome.answers] == [200]
    assert len(outcome.poll_id) == 32
    assert outcome.started_at <= outcome.received_at


@pytest.mark.parametrize("fault", [Fault(is_hanging=True), Fault(drip_s=0.2)])
def test_a_slow_venue_delays_no_other_account(replay: Replay, fault: Fault) -> None:
    good = replay.compose("binance", "good", risk_call())
    slow = replay.compose("binance", "slow", risk_call())
    replay.spoil("binance", "slow", fault)
    jobs = [make_job(slow, account_id=1), *(make_job(good, account_id=i) for i in range(2, 7))]

    groups = list(reading.read_jobs(jobs=jobs, deadline_s=1.5, concurrency=10))

    *early, last = groups
    assert sorted(o.account_id for group in early for o in group) == [2, 3, 4, 5, 6]
    assert all(o.scopes for group in early for o in group)
    assert [(o.account_id, failures_of(o)) for o in last] == [(1, {"linear": TimedOut})]


def test_a_slow_market_list_delays_no_other_venue(replay: Replay) -> None:
    good = replay.compose("binance", "good", risk_call())
    slow = replay.compose("binance", "slow", risk_call())
    replay.spoil("binance", "slow", Fault(endpoint="/fapi/v1/exchangeInfo", is_hanging=True))

    outcomes = read_all([make_job(slow), make_job(good, account_id=2)], deadline_s=1.5)

    assert failures_of(outcomes[1]) == {"linear": TimedOut}
    assert outcomes[2].scopes


def test_what_was_read_before_the_deadline_is_kept(replay: Replay) -> None:
    base = replay.compose("binance", "half", risk_call(), answering(BRACKETS, []))
    replay.spoil("binance", "half", Fault(endpoint=BRACKETS, is_hanging=True))

    outcome = read_all([make_job(base, options={"scopes": ["linear", "inverse"]})], deadline_s=1.5)[
        1
    ]

    assert [scope.scope for scope in outcome.scopes] == ["linear"]
    assert failures_of(outcome) == {"inverse": TimedOut}


def test_one_part_that_fails_leaves_the_other_readable(replay: Replay) -> None:
    base = replay.compose("binance", "parts", risk_call(), answering(BRACKETS, []))
    replay.spoil("binance", "parts", Fault(endpoint=RISK, text="<html>"))

    outcome = read_all([make_job(base, options={"scopes": ["linear", "inverse"]})])[1]

    assert failures_of(outcome) == {"linear": UnreadableAnswer}
    assert [scope.scope for scope in outcome.scopes] == ["inverse"]


REFUSED_KEY = '{"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}'
BOTH = {"scopes": ["linear", "inverse"]}


def test_a_key_that_is_refused_everywhere_is_tried_once_a_part(replay: Replay) -> None:
    base = replay.compose("binance", "revoked", risk_call(), answering(BRACKETS, []))
    replay.spoil("binance", "revoked", Fault(status=401, text=REFUSED_KEY))

    outcome = read_all([make_job(base, options=BOTH)])[1]

    assert failures_of(outcome) == {"linear": BadCredentials, "inverse": BadCredentials}
    assert len(asked_of(replay, RISK)) == len(asked_of(replay, BRACKETS)) == 1


@pytest.mark.parametrize(("closed", "opened"), [(RISK, "inverse"), (BRACKETS, "linear")])
def test_a_key_for_one_product_reads_that_one_whichever_is_asked_first(
    replay: Replay, closed: str, opened: str
) -> None:
    base = replay.compose("binance", "product", risk_call(), answering(BRACKETS, []))
    replay.spoil("binance", "product", Fault(endpoint=closed, status=401, text=REFUSED_KEY))

    outcome = read_all([make_job(base, options=BOTH)])[1]

    (failure,) = outcome.failures
    assert [scope.scope for scope in outcome.scopes] == [opened]
    assert isinstance(failure.error, PermissionRefused)
    assert "other parts" in str(failure.error)
    assert len(asked_of(replay, closed)) == 1


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (418, '{"code": -1003, "msg": "banned"}', Banned),
        (429, '{"code": -1003, "msg": "Too many requests"}', RateLimited),
    ],
)
def test_what_holds_for_the_whole_account_is_not_asked_again(
    replay: Replay, status: int, text: str, kind: type[VenueError]
) -> None:
    base = replay.compose("binance", "whole", risk_call(), answering(BRACKETS, []))
    replay.spoil("binance", "whole", Fault(endpoint=RISK, status=status, text=text))

    outcome = read_all([make_job(base, options=BOTH)])[1]

    assert failures_of(outcome) == {"linear": kind, "inverse": kind}
    assert asked_of(replay, BRACKETS) == []


@pytest.mark.parametrize("error", [BadAccount("x"), ClockSkewed("x")])
def test_a_bad_account_or_clock_ends_the_reading_of_the_account(
    replay: Replay, error: VenueError
) -> None:
    base = replay.compose("binance", "ends-it", risk_call(), answering(BRACKETS, []))
    options = {**BOTH, "raise": error}

    outcome = read_all([make_job(base, adapter=make_adapter(base=Faulty), options=options)])[1]

    assert failures_of(outcome) == {"linear": type(error), "inverse": type(error)}
    assert asked_of(replay, BRACKETS) == []


@pytest.mark.parametrize(
    "failure",
    [KeyError("secret-like"), TypeError("x"), RowError("mark is 'abc'"), ZeroDivisionError()],
)
def test_what_no_adapter_foresaw_fails_one_part_of_one_account(
    replay: Replay, caplog: pytest.LogCaptureFixture, failure: Exception
) -> None:
    base = replay.compose("binance", "odd", risk_call(), answering(BRACKETS, []))
    adapter = make_adapter(base=Faulty)
    odd = {"scopes": ["linear", "inverse"], "raise": failure}
    jobs = [
        make_job(base, adapter=adapter, options=odd),
        make_job(base, adapter=adapter, account_id=2),
    ]

    outcomes = read_all(jobs)

    assert failures_of(outcomes[1]) == {"linear": UnreadableAnswer}
    assert str(outcomes[1].failures[0].error).startswith("Probe sent something")
    assert [scope.scope for scope in outcomes[1].scopes] == ["inverse"]
    assert outcomes[2].scopes
    assert "Traceback" in caplog.text


def test_parts_that_cannot_be_named_fail_as_one(replay: Replay) -> None:
    base = replay.compose("binance", "unnamed", risk_call())
    adapter = make_adapter(base=Faulty)
    options = {"scopes": "broken", "raise": VenueRefused("No.")}

    outcome = read_all([make_job(base, adapter=adapter, options=options)])[1]

    assert failures_of(outcome) == {"account": VenueRefused}


def test_ends_that_cannot_be_read_cost_no_position(replay: Replay) -> None:
    class Ending(Probe):
        async def read_ends(
            self, *, client: VenueClient, scope: str, missing: Sequence[Held]
        ) -> Sequence[PositionEnd]:
            raise UnreadableAnswer("no history")

    base = replay.compose("binance", "ends", risk_call())

    outcome = read_all([make_job(base, adapter=make_adapter(base=Ending))])[1]

    assert len(outcome.scopes[0].positions) == 1
    assert (outcome.ends, outcome.failures) == ((), ())


def test_more_accounts_than_slots_are_all_read(replay: Replay) -> None:
    base = replay.compose("binance", "many", risk_call())

    outcomes = read_all([make_job(base, account_id=i) for i in range(1, 61)], concurrency=7)

    assert all(outcome.scopes for outcome in outcomes.values())


def test_groups_hold_up_to_fifty_in_order_of_id(replay: Replay) -> None:
    base = replay.compose("binance", "groups", risk_call())
    jobs = [make_job(base, account_id=i) for i in range(1, 61)]

    groups = list(reading.read_jobs(jobs=jobs, deadline_s=5, concurrency=60))

    ids = [[outcome.account_id for outcome in group] for group in groups]
    assert max(map(len, ids)) <= 50
    assert all(group == sorted(group) for group in ids)


def test_a_reader_that_stops_early_leaves_nothing_running(replay: Replay) -> None:
    good = replay.compose("binance", "first", risk_call())
    slow = replay.compose("binance", "slow", risk_call())
    replay.spoil("binance", "slow", Fault(is_hanging=True))
    groups = reading.read_jobs(
        jobs=[make_job(good), make_job(slow, account_id=2)], deadline_s=60, concurrency=10
    )

    first = next(groups)
    groups.close()  # type: ignore[attr-defined]

    assert [outcome.account_id for outcome in first] == [1]
    assert read_all([make_job(good, account_id=3)])[3].scopes


def test_a_local_venue_reads_what_was_prepared() -> None:
    request = make_request("", account_id=7)
    prepared = AccountRequest(
        account_id=7, venue="local", environment="", label="paper", prepared="BTC"
    )

    outcomes = read_all([Job(Local(), prepared), Job(Local(), make_request("", account_id=8))])

    assert request.account_id in outcomes
    assert outcomes[7].scopes[0].positions[0].market.symbol == "BTC"
    assert failures_of(outcomes[8]) == {"book": VenueRefused}


@pytest.fixture
def venues(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two venues of this file in the registry: "probed" over ccxt and "local"."""
    monkeypatch.setattr(Faulty, "slug", "probed")
    monkeypatch.setattr(Local, "slug", "local")
    monkeypatch.setitem(REGISTRY, "probed", Faulty)
    monkeypatch.setitem(REGISTRY, "local", Local)


def read_stored(*accounts: Any) -> dict[int, AccountOutcome]:
    ids = [account.pk for account in accounts]
    groups = list(reading.read_accounts(account_ids=ids, now=NOW, deadline_s=5.0))
    return {outcome.account_id: outcome for group in groups for outcome in group}


def sealed(**secrets: str) -> Any:
    return crypto.Secrets.of(secrets)


@pytest.mark.django_db
@pytest.mark.usefixtures("venues")
def test_stored_accounts_are_read_with_their_secrets(replay: Replay) -> None:
    base = replay.compose("binance", "stored", risk_call())
    account = make_account(
        venue="probed", environment=base, credentials=sealed(apiKey=API_KEY, secret=SECRET)
    )

    outcomes = read_stored(account)

    assert outcomes[account.pk].scopes
    assert asked_of(replay, RISK)[0].headers["X-MBX-APIKEY"] == API_KEY


@pytest.mark.django_db
@pytest.mark.usefixtures("venues")
def test_a_secret_that_does_not_open_fails_its_account_alone(replay: Replay) -> None:
    base = replay.compose("binance", "stored", risk_call())
    broken = make_account(
        venue="probed", environment=base, credentials=crypto.Secrets(sealed=b"not sealed by us")
    )
    sound = make_account(
        venue="probed", environment=base, credentials=sealed(apiKey=API_KEY, secret=SECRET)
    )

    outcomes = read_stored(broken, sound)

    assert failures_of(outcomes[broken.pk]) == {"linear": BadAccount}
    assert "RISKHUB_FIELD_KEYS" in str(outcomes[broken.pk].failures[0].error)
    assert outcomes[sound.pk].scopes


@pytest.mark.django_db
@pytest.mark.usefixtures("venues")
def test_an_account_of_a_venue_that_is_gone_says_so() -> None:
    account = make_account(venue="atlantis")

    outcome = read_stored(account)[account.pk]

    assert failures_of(outcome) == {"account": BadAccount}
    assert "atlantis" in str(outcome.failures[0].error)


@pytest.mark.django_db
@pytest.mark.usefixtures("venues")
def test_a_local_venue_that_cannot_prepare_fails_its_accounts_alone(replay: Replay) -> None:
    base = replay.compose("binance", "beside", risk_call())
    local = make_account(venue="local", options={"raise": True})
    other = make_account(
        venue="probed", environment=base, credentials=sealed(apiKey=API_KEY, secret=SECRET)
    )

    outcomes = read_stored(local, other)

    assert failures_of(outcomes[local.pk]) == {"book": UnreadableAnswer}
    assert outcomes[other.pk].scopes


@pytest.mark.django_db
def test_loading_a_batch_is_two_queries(django_assert_num_queries: Any) -> None:
    accounts = [make_account(venue="binance") for _ in range(5)]

    # The bans that last, and the accounts.
    with django_assert_num_queries(2):
        reading.load_jobs(account_ids=[account.pk for account in accounts], now=NOW)


@pytest.mark.usefixtures("venues")
def test_each_price_feed_has_its_own_outcome(replay: Replay) -> None:
    good = replay.compose("binance", "good", premium_call())
    bad = replay.compose("binance", "bad", premium_call())
    slow = replay.compose("binance", "slow", premium_call())
    replay.spoil("binance", "bad", Fault(text="null"))
    replay.spoil("binance", "slow", Fault(is_hanging=True))
    feeds = [
        ("probed", good, ["BTC/USDT:USDT"]),
        ("probed", bad, ["BTC/USDT:USDT"]),
        ("probed", slow, ["BTC/USDT:USDT"]),
        ("local", "", ["X"]),
        ("atlantis", "", []),
    ]

    outcomes = reading.read_prices(feeds=feeds, now=NOW, deadline_s=1.5)

    kinds = [outcome.error.kind if outcome.error else "" for outcome in outcomes]
    assert kinds == ["", "unreadable", "timeout", "", "account"]
    assert outcomes[0].reading.quotes[0].mark_price.text == "62000.00000000"
    assert outcomes[3].reading.quotes[0].symbol == "book of 0"
    assert [outcome.environment for outcome in outcomes] == [good, bad, slow, "", ""]


@pytest.mark.usefixtures("venues")
def test_prices_are_asked_without_a_key(replay: Replay) -> None:
    base = replay.compose("binance", "public", premium_call())

    (outcome,) = reading.read_prices(feeds=[("probed", base, ["BTC/USDT:USDT"])], now=NOW)

    (asked,) = asked_of(replay, PREMIUM)
    assert outcome.error is None
    assert "X-MBX-APIKEY" not in asked.headers


def test_no_secret_reaches_a_log(replay: Replay, caplog: pytest.LogCaptureFixture) -> None:
    base = replay.compose("binance", "logged", risk_call())
    replay.spoil(
        "binance", "logged", Fault(status=400, text='{"msg": "{echo}"}', echo="X-MBX-APIKEY")
    )
    caplog.set_level(logging.DEBUG)

    outcome = read_all([make_job(base)])[1]

    assert outcome.failures
    assert API_KEY not in caplog.text + repr(outcome)
