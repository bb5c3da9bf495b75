"""Keys are looked at before the first read with one, and daily after."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from positions import key_checks, scheduling, services, tasks
from positions.alerts.defaults import ensure_defaults
from positions.alerts.models import Incident
from positions.models import Position
from riskhub.teams.models import AuditEntry, Team
from tests.alerts.steps import evaluate_staleness
from tests.factories import NOW, make_account, make_team, make_user
from tests.system.book import RISK, binance_key
from tests.venues.conftest import replay, replay_server
from tests.venues.corpus import answering
from tests.venues.probe import API_KEY, SECRET, WALLET, asked_of, risk_call
from tests.venues.replay import Fault, Replay
from venues import hygiene
from venues import services as accounts
from venues.errors import RateLimited, TimedOut
from venues.key_facts import KeyFacts
from venues.key_reads import KeyOutcome
from venues.models import Account, HostBan, KeyCheck

__all__ = ["replay", "replay_server"]
pytestmark = pytest.mark.django_db
KEYS = "/sapi/v1/account/apiRestrictions"
BAD = KeyFacts(can_withdraw=True, can_transfer=False, can_trade=False, is_address_bound=True)
GOOD = KeyFacts(can_withdraw=False, can_transfer=False, can_trade=False, is_address_bound=True)
DAY = timedelta(days=1)


@pytest.fixture
def team() -> Team:
    team = make_team()
    ensure_defaults(team=team, now=NOW)
    return team


def enter(team: Team, *, now: datetime = NOW, **fields: Any) -> Account:
    """Enter an account with a key, as a person does."""
    given = {"venue": "binance", "credentials": {"apiKey": API_KEY, "secret": SECRET}, **fields}
    return accounts.create_account(team=team, label="main", now=now, **given)


def look(account: Account, facts: KeyFacts | None, *, now: datetime = NOW, **more: Any) -> KeyCheck:
    """Store what one look at an account's key finds."""
    lease, claimed = key_checks.claim(account_ids=[account.pk], now=now)
    assert claimed == [account.pk]
    outcome = KeyOutcome(account.pk, now, facts=facts, **more)
    assert key_checks.store_outcome(outcome=outcome, lease=lease, now=now)
    account.refresh_from_db()
    return KeyCheck.objects.get()


def codes(check: KeyCheck) -> dict[str, str]:
    return {each.code: str(each.severity) for each in hygiene.read(check.findings)}


def due(now: datetime) -> list[int]:
    return [account_id for _, account_id in scheduling.claim_due(now=now)[1]]


def test_nothing_is_read_with_a_key_that_nobody_has_looked_at(team: Team) -> None:
    account = enter(team)

    assert due(NOW) == []
    assert scheduling.claim(accounts=[account.pk], now=NOW)[1] == []


def test_a_new_key_is_looked_at_first_of_all(team: Team) -> None:
    old = make_account(team, label="old")
    KeyCheck.objects.create(account=old, checked_at=NOW - DAY, next_at=NOW - DAY)
    account = enter(team)

    _, claimed = key_checks.claim_due(now=NOW, limit=1)

    assert claimed == [account.pk]


def test_a_key_that_may_only_read_lets_its_account_be_read(team: Team) -> None:
    account = enter(team)

    check = look(account, GOOD)

    assert codes(check) == {}
    assert due(NOW) == [account.pk]
    assert NOW + timedelta(hours=18) <= check.next_at <= NOW + timedelta(hours=22)


@pytest.mark.parametrize(
    "facts", [BAD, KeyFacts(can_withdraw=False, can_transfer=True, can_trade=True)]
)
def test_a_key_that_may_move_money_away_is_refused_and_forgotten(
    team: Team, facts: KeyFacts
) -> None:
    account = enter(team)

    check = look(account, facts)

    entry = AuditEntry.objects.latest("pk")
    assert not account.credentials
    assert "may only read, and enter that one" in account.blocked_reason
    assert (entry.action, entry.actor) == ("account.key_refused", "riskhub")
    assert check.next_at is None
    assert due(NOW + DAY) == []
    assert key_checks.claim_due(now=NOW + DAY)[1] == []


def test_a_refused_key_is_one_critical_incident(team: Team) -> None:
    look(enter(team), BAD)

    told = evaluate_staleness(NOW)

    incident = Incident.objects.get()
    assert told == ["first"]
    assert (incident.severity, incident.rule.kind) == ("critical", "key")
    assert "can withdraw money" in incident.headline


def test_reading_a_refused_account_again_needs_another_key(team: Team) -> None:
    account, user = enter(team), make_user(team=team)
    look(account, BAD)

    services.poll_now(team=team, account_id=account.pk, user=user, now=NOW)

    account.refresh_from_db()
    assert "can withdraw" in account.blocked_reason
    assert not AuditEntry.objects.filter(action="account.unblocked").exists()


def test_another_key_is_looked_at_anew_and_then_read(team: Team) -> None:
    account = enter(team)
    look(account, BAD)
    secrets = {"apiKey": "another-key-77", "secret": "another-secret-77"}
    accounts.replace_key(team=team, account_id=account.pk, credentials=secrets, now=NOW)

    waiting = due(NOW)
    check = look(account, GOOD)

    assert waiting == []
    assert account.blocked_reason == ""
    assert codes(check) == {}
    assert due(NOW) == [account.pk]


def test_what_was_asked_of_the_old_key_says_nothing_of_the_new_one(team: Team) -> None:
    account = enter(team)
    lease, _ = key_checks.claim(account_ids=[account.pk], now=NOW)
    secrets = {"apiKey": "another-key-77", "secret": "another-secret-77"}
    accounts.replace_key(team=team, account_id=account.pk, credentials=secrets, now=NOW)

    outcome = KeyOutcome(account.pk, NOW, facts=BAD)
    is_stored = key_checks.store_outcome(outcome=outcome, lease=lease, now=NOW)

    account.refresh_from_db()
    assert not is_stored
    assert account.credentials.open() == secrets
    assert due(NOW) == []


@pytest.mark.parametrize("error", [TimedOut("Binance did not answer."), RateLimited("slower")])
def test_a_look_that_cannot_be_made_holds_nobody_up_and_is_made_again_soon(
    team: Team, error: Any
) -> None:
    account = enter(team)

    check = look(account, None, error=error)

    assert codes(check) == {"permissions_unknown": "warning"}
    assert (account.blocked_reason, check.error) == ("", str(error))
    assert check.next_at <= NOW + timedelta(minutes=10)
    assert due(NOW) == [account.pk]


def test_the_venues_wish_to_wait_is_kept(team: Team) -> None:
    check = look(enter(team), None, error=RateLimited("slower", retry_after_s=3600.0))

    assert check.next_at == NOW + timedelta(hours=1)


def test_a_venue_that_does_not_tell_is_unknown_and_read(team: Team) -> None:
    account = enter(team)

    check = look(account, None)

    assert codes(check) == {"permissions_unknown": "warning"}
    assert due(NOW) == [account.pk]


def test_a_permission_that_comes_later_is_critical_and_the_account_is_read_on(team: Team) -> None:
    account = enter(team)
    first = look(account, GOOD)
    Account.objects.update(last_seen_at=NOW)
    evaluate_staleness(NOW)

    check = look(account, BAD, now=first.next_at)
    told = evaluate_staleness(first.next_at)

    incident = Incident.objects.exclude(rule__kind="staleness").get()
    assert first.next_at - NOW <= DAY
    assert codes(check) == {"withdraw": "critical"}
    assert account.blocked_reason == ""
    assert account.credentials.open()["apiKey"] == API_KEY
    assert told.count("first") == 1
    assert (incident.severity, incident.rule.kind) == ("critical", "hygiene")
    assert "Take that permission away at the venue at once" in incident.headline
    assert account.pk in due(first.next_at)


def test_a_permission_found_after_looks_that_failed_does_not_blind_who_is_read(team: Team) -> None:
    account = enter(team)
    look(account, None, error=TimedOut("late"))
    Account.objects.update(last_seen_at=NOW)

    check = look(account, BAD, now=NOW + DAY)

    assert codes(check) == {"withdraw": "critical"}
    assert account.blocked_reason == ""


def test_a_permission_found_after_looks_that_failed_is_refused_where_nothing_was_read(
    team: Team,
) -> None:
    account = enter(team)
    look(account, None, error=TimedOut("late"))

    check = look(account, BAD, now=NOW + DAY)

    assert codes(check) == {"withdraw": "refused"}
    assert not account.credentials


def test_what_was_found_stays_for_two_days_without_an_answer(team: Team) -> None:
    account = enter(team)
    look(account, KeyFacts(can_withdraw=False, can_transfer=False, can_trade=True))
    kept = look(account, None, now=NOW + DAY, error=TimedOut("late"))

    lost = look(account, None, now=NOW + 3 * DAY, error=TimedOut("late"))

    assert "trade" in codes(kept)
    assert codes(lost) == {"permissions_unknown": "warning"}


def test_two_beats_claim_a_key_once_and_a_dead_worker_gives_it_back(team: Team) -> None:
    account = enter(team)

    first = key_checks.claim_due(now=NOW)[1]
    second = key_checks.claim_due(now=NOW + timedelta(seconds=1))[1]
    after = key_checks.claim_due(now=NOW + key_checks.LEASE)[1]

    assert (first, second, after) == ([account.pk], [], [account.pk])


def test_accounts_that_are_older_than_looking_are_read_meanwhile(team: Team) -> None:
    account = make_account(team, last_seen_at=NOW, next_poll_at=NOW)

    claimed = key_checks.claim_due(now=NOW)[1]

    assert claimed == [account.pk]
    assert due(NOW) == [account.pk]


@pytest.mark.parametrize(
    "columns",
    [{"is_enabled": False}, {"blocked_reason": "refused"}, {"is_simulated": True}],
)
def test_accounts_that_are_not_read_are_not_looked_at(team: Team, columns: Any) -> None:
    make_account(team, **columns)

    assert key_checks.claim_due(now=NOW)[1] == []


def test_a_banned_venue_is_not_asked(team: Team) -> None:
    enter(team)
    HostBan.objects.create(venue="binance", begun_at=NOW, until=NOW + DAY)

    assert key_checks.claim_due(now=NOW)[1] == []
    assert len(key_checks.claim_due(now=NOW + DAY)[1]) == 1


def test_an_agents_wallet_is_refused_before_it_is_read(team: Team) -> None:
    account = enter(team, venue="hyperliquid", wallet=WALLET, credentials={})

    check = look(account, KeyFacts(wallet_role="agent", main_wallet="0x" + "cd" * 20))

    assert codes(check) == {"agent_wallet": "refused"}
    assert "0x" + "cd" * 20 in account.blocked_reason
    assert due(NOW) == []


def test_the_facts_a_venue_tells_are_kept_without_any_secret(team: Team) -> None:
    account = enter(team)
    echoed = KeyFacts(told=(("apiKey", API_KEY), ("readOnly", "1")))

    check = look(account, echoed)

    assert check.facts["readOnly"] == "1"
    assert API_KEY not in str(check.facts)


# Asked of a venue on loopback.


def test_a_refused_key_is_never_used_to_ask_for_a_position(replay: Replay, team: Team) -> None:
    url = replay.compose("binance", "bad", *binance_key(enableWithdrawals=True), risk_call())
    account = enter(team, environment=url, options={"scopes": ["linear"]})

    with pytest.raises(CommandError, match="1 of 1 accounts could not be seen"):
        call_command("poll", account="main", stdout=io.StringIO())
    tasks.poll_batch(account_ids=[account.pk], cycle=scheduling.new_cycle(now=NOW))

    account.refresh_from_db()
    assert len(asked_of(replay, KEYS)) == 1
    assert asked_of(replay, RISK) == []
    assert not Position.objects.exists()
    assert not account.credentials
    assert "can withdraw money" in account.blocked_reason


def test_a_batch_that_was_rung_for_before_the_key_was_replaced_asks_nothing(
    replay: Replay, team: Team
) -> None:
    url = replay.compose("binance", "late", *binance_key(), risk_call())
    account = enter(team, environment=url, options={"scopes": ["linear"]})

    stored = tasks.poll_batch(account_ids=[account.pk], cycle=scheduling.new_cycle(now=NOW))

    assert stored == 0
    assert asked_of(replay, RISK) == []


def test_the_tasks_claim_ask_and_store(replay: Replay, team: Team, monkeypatch: Any) -> None:
    url = replay.compose("binance", "good", *binance_key())
    enter(team, environment=url)
    rung: list[dict[str, Any]] = []
    monkeypatch.setattr(tasks.check_keys, "apply_async", lambda **message: rung.append(message))

    claimed = tasks.dispatch_due_key_checks()
    stored = tasks.check_keys(**rung[0]["kwargs"])

    check = KeyCheck.objects.get()
    assert (claimed, stored, len(rung)) == (1, 1, 1)
    assert codes(check) == {"test_environment": "told"}
    assert check.facts["enableReading"] == "true"
    assert check.checked_at is not None


def test_a_venue_that_is_down_does_not_hold_the_account_up(replay: Replay, team: Team) -> None:
    url = replay.compose("binance", "down", *binance_key(), risk_call())
    account = enter(team, environment=url)
    replay.spoil("binance", "down", Fault(endpoint=KEYS, status=503, text="{}"))
    lease, claimed = key_checks.claim_due(now=NOW)

    stored = key_checks.check_now(account_ids=claimed, lease=lease)

    assert stored == [account.pk]
    assert codes(KeyCheck.objects.get())["permissions_unknown"] == "warning"
    assert due(NOW) == [account.pk]


def test_the_command_looks_at_once_and_prints_what_it_found(replay: Replay, team: Team) -> None:
    url = replay.compose("binance", "trades", *binance_key(enableFutures=True))
    enter(team, environment=url)
    out = io.StringIO()

    call_command("check_keys", account="main", stdout=out)

    assert "binance/main  warning: This key can trade" in out.getvalue()


def test_the_command_ends_with_an_error_where_a_key_must_be_changed(
    replay: Replay, team: Team
) -> None:
    enter(team, environment=replay.compose("binance", "bad", *binance_key(enableWithdrawals=True)))
    out = io.StringIO()

    with pytest.raises(CommandError, match="1 of 1 accounts have a key that must be changed"):
        call_command("check_keys", stdout=out)

    assert "binance/main  refused: This key can withdraw money" in out.getvalue()


def test_the_command_without_any_account_says_so() -> None:
    with pytest.raises(CommandError, match="no account with a key"):
        call_command("check_keys")


def test_an_answer_about_the_key_that_cannot_be_read_is_unknown(replay: Replay, team: Team) -> None:
    url = replay.compose("binance", "odd", answering(KEYS, text="<html>"))
    enter(team, environment=url)
    lease, claimed = key_checks.claim_due(now=NOW)

    key_checks.check_now(account_ids=claimed, lease=lease)

    check = KeyCheck.objects.get()
    assert "web page" in check.error
    assert codes(check)["permissions_unknown"] == "warning"
