"""What befalls a whole venue is one incident of it: a ban, silence, a clock that is off."""

from __future__ import annotations

from datetime import timedelta

import pytest

from positions import freshness
from positions.alerts.defaults import VENUE_NOT_READ, ensure_defaults
from positions.alerts.models import AlertRule, Incident, Message
from tests.alerts.steps import evaluate_staleness, later
from tests.factories import NOW, make_account, make_coverage, make_team
from venues import clocks
from venues.models import HostBan

STALE = freshness.stale_after_s(30.0)
HOUR = range(0, 3600, 5)


@pytest.fixture
def accounts(team, channel):
    ensure_defaults(team=team, now=NOW)
    made = [make_account(team, label=f"a{number}") for number in range(5)]
    for account in made:
        for scope in ("linear", "inverse"):
            make_coverage(account, scope)
    return made


def fail(account, *, kind="unreachable", at=NOW, scopes=("linear", "inverse")):
    rows = account.coverage.filter(scope__in=scopes)
    rows.update(error_kind=kind, error="The host cannot be reached.", tried_at=at)


def see(account, *, at):
    account.coverage.update(error_kind="", error="", seen_at=at)


def ban(*, seconds, venue="binance", begun_at=NOW):
    until = begun_at + timedelta(seconds=seconds)
    HostBan.objects.update_or_create(
        venue=venue, defaults={"begun_at": begun_at, "until": until, "reason": "banned"}
    )


def headlines():
    return list(Message.objects.order_by("pk").values_list("payload__data__headline", flat=True))


def test_an_outage_of_an_hour_is_one_message_for_all_accounts(accounts):
    for account in accounts:
        fail(account)

    told = [reason for second in HOUR for reason in evaluate_staleness(later(second))]

    incident = Incident.objects.get()
    assert told == ["first"]
    assert incident.rule.name == VENUE_NOT_READ
    assert incident.headline == (
        "All accounts at Binance are not seen any more. The host cannot be reached."
    )
    # Two polls of 30 s and some slack: before that nothing is too old.
    assert later(STALE) <= incident.fired_at <= later(STALE + 5)


def test_an_outage_that_the_polls_meet_one_after_the_other_is_one_message(accounts):
    told = []
    for second in range(0, 300, 5):
        for number, account in enumerate(accounts):
            if second % 30 == 5 * number:
                fail(account, at=later(second))
        told += evaluate_staleness(later(second))

    assert told == ["first"]


def test_the_end_of_an_outage_is_told_once(accounts):
    for account in accounts:
        fail(account)
    evaluate_staleness(later(STALE + 1))
    for account in accounts:
        see(account, at=later(STALE + 10))

    told = [reason for s in range(80, 145, 5) for reason in evaluate_staleness(later(s))]

    assert told == ["resolved"]
    assert headlines()[-1] == "Over: All accounts at Binance, read again"


def test_one_account_that_is_not_seen_speaks_for_itself(accounts):
    fail(accounts[0])
    for account in accounts[1:]:
        see(account, at=later(3600))

    evaluate_staleness(later(3500))
    told = evaluate_staleness(later(3600))

    assert told == ["first"]
    assert Incident.objects.get().account == accounts[0]
    assert Incident.objects.get().rule.kind == "staleness"


def test_accounts_that_fail_for_reasons_of_their_own_speak_for_themselves(accounts):
    for account in accounts:
        fail(account, kind="permission")

    evaluate_staleness(later(3500))
    told = evaluate_staleness(later(3600))

    assert told == ["first"] * len(accounts)
    assert set(Incident.objects.values_list("rule__kind", flat=True)) == {"staleness"}


def test_a_ban_is_one_critical_message_however_many_accounts_and_evaluations(accounts):
    ban(seconds=3000)
    for account in accounts:
        fail(account, kind="banned")

    told = [reason for s in range(0, 2990, 5) for reason in evaluate_staleness(later(s))]

    incident = Incident.objects.get()
    assert told == ["first"]
    assert incident.severity == "critical"
    assert incident.headline.startswith("All accounts at Binance are not read before ")


def test_a_ban_that_is_prolonged_is_no_further_message(accounts):
    ban(seconds=100)
    told = evaluate_staleness(later(5))
    ban(seconds=600)

    told += [reason for s in range(10, 500, 5) for reason in evaluate_staleness(later(s))]

    assert told == ["first"]


def test_a_ban_elsewhere_is_nothing_to_a_team_without_accounts_there(accounts):
    ban(seconds=600, venue="okx")

    assert evaluate_staleness(later(5)) == []


def test_each_team_with_accounts_there_is_told_of_a_ban(accounts):
    other = make_team()
    ensure_defaults(team=other, now=NOW)
    make_coverage(make_account(other))
    ban(seconds=600)

    evaluate_staleness(later(5))

    assert Incident.objects.values("team").distinct().count() == 2
    assert Incident.objects.count() == 2


def test_a_clock_that_is_off_is_one_warning_for_each_venue(accounts, monkeypatch):
    monkeypatch.setattr(clocks, "current_drifts", lambda: [clocks.Drift("binance", 2400)])
    monkeypatch.setattr(
        "positions.alerts.wording.current_drifts", lambda: [clocks.Drift("binance", 2400)]
    )

    told = [reason for s in range(0, 60, 5) for reason in evaluate_staleness(later(s))]

    incident = Incident.objects.get()
    assert told == ["first"]
    assert incident.severity == "warning"
    assert "a clock that is 2.4 s from the venue's" in incident.headline


def test_without_the_rule_each_account_speaks_for_itself(accounts):
    AlertRule.objects.filter(name=VENUE_NOT_READ).update(is_enabled=False)
    for account in accounts:
        fail(account)

    evaluate_staleness(later(3500))
    told = evaluate_staleness(later(3600))

    assert told == ["first"] * len(accounts)


def test_what_was_told_of_an_account_is_not_resolved_by_the_outage_of_its_venue(accounts):
    for account in accounts[1:]:
        see(account, at=later(2000))
    evaluate_staleness(later(1000))
    assert evaluate_staleness(later(1100)) == ["first"]
    for account in accounts:
        fail(account)

    told = evaluate_staleness(later(2000 + STALE + 1))

    assert told == ["first"]
    assert Incident.objects.get(rule__kind="staleness").resolution == "told of the venue as a whole"
