"""A key that the venue stops taking: few calls, one alert, nothing deleted, nobody else's data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from positions import ingest, scheduling, staleness
from positions.alerts.defaults import ensure_defaults
from positions.alerts.models import Incident
from positions.models import Position
from riskhub import clock
from riskhub.teams.models import Team
from tests.alerts.steps import evaluate_staleness
from tests.factories import look_at_keys, make_team
from tests.venues import corpus
from tests.venues.conftest import replay, replay_server
from tests.venues.probe import asked_of
from tests.venues.reading_checks import account_of
from tests.venues.replay import Fault, Replay
from venues import reading, registry, services
from venues.models import Account, CoverageEntry

__all__ = ["replay", "replay_server"]
pytestmark = pytest.mark.django_db
HELD = "positions_long"
OTHERS = "positions_short"
REVOKED = {
    "binance": Fault(status=401, text='{"code": -2015, "msg": "Invalid API-key."}'),
    "bybit": Fault(text='{"retCode": 33004, "retMsg": "Your api key has expired."}'),
    "okx": Fault(status=401, text='{"code": "50119", "msg": "API key doesn\'t exist."}'),
}
ADDRESS = {
    "bybit": Fault(text='{"retCode": 10010, "retMsg": "Unmatched IP."}'),
    "okx": Fault(status=401, text='{"code": "50110", "msg": "Your IP is not in the whitelist."}'),
}


@dataclass
class Turns:
    """The polls of a system whose clock is moved by hand."""

    now: datetime

    def later(self, **passed: float) -> None:
        self.now += timedelta(**passed)

    def poll(self) -> list[int]:
        """Poll what is due and say who was."""
        cycle, claimed = scheduling.claim_due(now=self.now)
        ids = [account_id for _, account_id in claimed]
        for group in reading.read_accounts(account_ids=ids, now=self.now):
            ingest.ingest_outcomes(outcomes=group, cycle=cycle, now=self.now)
        return ids


@pytest.fixture
def team() -> Team:
    team = make_team()
    ensure_defaults(team=team, now=clock.now())
    return team


@pytest.fixture
def turns() -> Turns:
    return Turns(clock.now())


def hold(replay: Replay, team: Team, venue: str, *, now: datetime) -> Account:
    """Make an account with one part and a position there."""
    expected = json.loads((corpus.OWN / venue / f"{HELD}.json").read_text())["expected"]
    options = {**expected.get("options", {}), "scopes": list(expected["scopes"])[:1]}
    account = services.create_account(
        team=team,
        venue=venue,
        label=venue,
        environment=replay.url(venue, HELD),
        now=now,
        **account_of(registry.get(venue), options),
    )
    look_at_keys()
    return account


@pytest.mark.parametrize("venue", sorted(REVOKED))
def test_a_revoked_key_is_tried_twice_told_once_and_deletes_nothing(
    replay: Replay, team: Team, turns: Turns, venue: str
) -> None:
    account = hold(replay, team, venue, now=turns.now)
    turns.poll()
    held = Position.objects.count()
    replay.spoil(venue, HELD, REVOKED[venue])
    before = len(replay.asked(venue))

    told = []
    for _ in range(20):
        turns.later(seconds=34)
        turns.poll()
        told += evaluate_staleness(turns.now)
    staleness.mark_stale(now=turns.now)

    account.refresh_from_db()
    states = set(Position.objects.values_list("state", flat=True))
    assert 1 <= len(replay.asked(venue)) - before <= 2
    assert told == ["first"]
    assert (Incident.objects.get().severity, held) == ("critical", 1)
    assert (Position.objects.count(), states) == (1, {"stale"})
    assert account.blocked_reason
    assert account.credentials.open()


@pytest.mark.parametrize("venue", sorted(ADDRESS))
def test_an_address_that_is_not_listed_is_named_in_the_first_turn(
    replay: Replay, team: Team, turns: Turns, venue: str
) -> None:
    account = hold(replay, team, venue, now=turns.now)
    turns.poll()
    replay.spoil(venue, HELD, ADDRESS[venue])

    turns.later(minutes=6)
    turns.poll()

    entry = CoverageEntry.objects.get(account=account)
    assert entry.error_kind == "permission"
    assert "this machine's address" in entry.error
    assert "add it to the key" in entry.error


def enter(team: Team, label: str, url: str, *, now: datetime) -> Account:
    return services.create_account(
        team=team,
        venue="binance",
        label=label,
        environment=url,
        credentials={"apiKey": f"key-of-{label}-1", "secret": f"secret-of-{label}-1"},
        options={"scopes": ["linear"]},
        now=now,
    )


def test_a_wrong_key_is_its_own_accounts_error_and_no_data_crosses(
    replay: Replay, team: Team, turns: Turns
) -> None:
    urls = {"right": replay.url("binance", HELD), "wrong": replay.url("binance", OTHERS)}
    accounts = {label: enter(team, label, url, now=turns.now) for label, url in urls.items()}
    look_at_keys()
    replay.spoil("binance", OTHERS, REVOKED["binance"])

    turns.poll()

    wrong = CoverageEntry.objects.get(account=accounts["wrong"])
    right = CoverageEntry.objects.get(account=accounts["right"])
    sent = {
        (asked.scenario, asked.headers["X-MBX-APIKEY"])
        for asked in asked_of(replay, "/fapi/v3/positionRisk")
    }
    assert (right.error, right.rows) == ("", 1)
    assert wrong.error_kind == "credentials"
    assert list(Position.objects.values_list("account__label", "side")) == [("right", "long")]
    assert sent == {(HELD, "key-of-right-1"), (OTHERS, "key-of-wrong-1")}
