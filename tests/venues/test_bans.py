"""A ban of this machine's address: met by one request, kept by all, ended by time alone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from positions import context, scheduling, tasks
from riskhub import clock, crypto
from tests.factories import NOW, make_account, make_team
from tests.venues.probe import API_KEY, SECRET, Probe, asked_of, risk_call
from tests.venues.replay import Fault, Replay
from venues import bans, reading
from venues.base import REGISTRY
from venues.errors import Banned
from venues.models import Account, HostBan

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("probed")]

RISK = "/fapi/v3/positionRisk"
HOUR = timedelta(hours=1)


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Probe, "slug", "probed")
    monkeypatch.setitem(REGISTRY, "probed", Probe)


def banned_venue(replay: Replay, *, seconds: int = 900) -> str:
    """Return a venue that answers each signed request with a ban."""
    base = replay.compose("binance", "banned", risk_call())
    until = clock.to_milliseconds(clock.now()) + 1000 * seconds
    text = f'{{"code": -1003, "msg": "Way too many requests; IP banned until {until}."}}'
    replay.spoil("binance", "banned", Fault(status=418, text=text))
    return base


def accounts_at(base: str, count: int = 3) -> list[int]:
    secrets = crypto.Secrets.of({"apiKey": API_KEY, "secret": SECRET})
    made = [
        make_account(venue="probed", environment=base, credentials=secrets) for _ in range(count)
    ]
    return [account.pk for account in made]


def read(ids: list[int], **more: Any) -> dict[int, Any]:
    groups = reading.read_accounts(account_ids=ids, now=clock.now(), deadline_s=5.0, **more)
    return {outcome.account_id: outcome for group in groups for outcome in group}


def errors_of(outcomes: dict[int, Any]) -> list[type[Exception]]:
    return [type(failure.error) for each in outcomes.values() for failure in each.failures]


def host_ban(base: str, **columns: Any) -> HostBan:
    given = {"begun_at": clock.now(), "until": clock.now() + HOUR, "reason": "Banned."}
    given["venue"] = "probed"
    return HostBan.objects.create(environment=base, **{**given, **columns})


def test_a_ban_is_in_the_database_when_its_account_is_told(replay: Replay) -> None:
    base = banned_venue(replay)
    (first,) = accounts_at(base, 1)

    groups = reading.read_accounts(account_ids=[first], now=clock.now())
    next(groups)

    row = HostBan.objects.get()
    assert (row.venue, row.environment) == ("probed", base)
    assert row.until - clock.now() == pytest.approx(
        timedelta(seconds=900), abs=timedelta(seconds=30)
    )
    assert "banned" in row.reason


def test_no_account_sends_anything_before_the_ban_ends(replay: Replay) -> None:
    base = banned_venue(replay)
    ids = accounts_at(base)
    read(ids[:1])

    outcomes = read(ids)

    assert errors_of(outcomes) == [Banned] * 3
    assert len(asked_of(replay, RISK)) == 1


def test_a_worker_that_starts_anew_keeps_the_ban(replay: Replay) -> None:
    base = banned_venue(replay)
    ids = accounts_at(base)
    host_ban(base)
    bans.forget()

    outcomes = read(ids)

    assert errors_of(outcomes) == [Banned] * 3
    assert all(each.failures[0].error.retry_after_s > 3590 for each in outcomes.values())
    assert replay.asked() == []


def test_prices_too_are_not_asked_for(replay: Replay) -> None:
    base = banned_venue(replay)
    host_ban(base)

    tasks.refresh_prices(venue="probed", environment=base, symbols=["BTC/USDT:USDT"])

    assert replay.asked() == []


def test_the_same_venue_at_another_address_is_asked(replay: Replay) -> None:
    base = replay.compose("binance", "other", risk_call())
    host_ban("https://elsewhere.example")

    outcomes = read(accounts_at(base, 1))

    assert errors_of(outcomes) == []


def test_a_ban_that_is_over_stops_nobody(replay: Replay) -> None:
    base = replay.compose("binance", "free", risk_call())
    host_ban(base, begun_at=clock.now() - HOUR, until=clock.now() - timedelta(seconds=1))

    outcomes = read(accounts_at(base, 1))

    assert errors_of(outcomes) == []


def test_the_next_poll_comes_after_the_ban(replay: Replay) -> None:
    base = banned_venue(replay)
    (account_id,) = accounts_at(base, 1)
    cycle, _ = scheduling.claim(accounts=[account_id], now=clock.now())

    tasks.poll_batch(account_ids=[account_id], cycle=cycle)

    wait = Account.objects.get().next_poll_at - HostBan.objects.get().until
    assert timedelta(seconds=-1) < wait < timedelta(seconds=3)


def test_fifty_requests_on_their_way_make_one_ban(replay: Replay) -> None:
    ids = accounts_at(banned_venue(replay), 50)

    outcomes = read(ids, concurrency=50)

    assert errors_of(outcomes) == [Banned] * 50
    assert HostBan.objects.count() == len(bans.current_bans(now=clock.now())) == 1


def test_a_page_shows_one_banner_a_ban_until_it_ends() -> None:
    host_ban("", venue="binance", until=NOW + HOUR, begun_at=NOW)
    team = make_team()

    (shown,) = [each for each in context.banners(team=team, now=NOW) if "ban-" in each["id"]]

    assert shown["level"] == "error"
    assert shown["text"].startswith("Binance has banned this machine's address until")
    assert not [each for each in context.banners(team=team, now=NOW + HOUR) if each["id"]]


def met(base: str, *, seconds: float, after_s: float = 0.0) -> None:
    error = Banned("Banned.", retry_after_s=seconds)
    bans.begin(host=("probed", base), error=error, now=NOW + timedelta(seconds=after_s))
    bans.settle()


def test_a_longer_ban_prolongs_a_shorter_one_and_not_the_other_way() -> None:
    met("x", seconds=120)
    met("x", seconds=600, after_s=60)
    bans.forget()
    met("x", seconds=10, after_s=90)

    row = HostBan.objects.get()
    assert (row.begun_at, row.until) == (NOW, NOW + timedelta(seconds=660))


def test_a_ban_after_the_end_of_another_is_a_new_one() -> None:
    met("x", seconds=120)
    met("x", seconds=120, after_s=500)

    row = HostBan.objects.get()
    assert row.begun_at == NOW + timedelta(seconds=500)


def test_a_ban_that_cannot_be_stored_now_is_stored_later(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("venues.bans._store", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            met("x", seconds=120)

    bans.settle()

    assert HostBan.objects.count() == 1


def test_an_operator_ends_a_ban_by_removing_it(replay: Replay) -> None:
    base = replay.compose("binance", "pardoned", risk_call())
    ids = accounts_at(base, 1)
    row = host_ban(base)
    stopped = errors_of(read(ids))
    row.delete()

    assert (stopped, errors_of(read(ids))) == ([Banned], [])
