"""What is wrong with a key, and rows that cannot be read, as alerts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from positions.alerts import defaults
from positions.alerts.models import AlertRule, Incident, Message
from positions.alerts.rules import RuleKind
from tests.alerts.steps import evaluate_staleness, later, make_ratio_rule
from tests.factories import NOW, make_account, make_coverage, make_team
from venues.models import Account, KeyCheck

TRADE = {"code": "trade", "severity": "warning", "sentence": "This key can trade."}
LOCK = {"code": "no_address_lock", "severity": "warning", "sentence": "It works from anywhere."}
GRAVE = {"code": "withdraw", "severity": "critical", "sentence": "This key can now withdraw."}
NOTE = {"code": "test_environment", "severity": "told", "sentence": "Read at a testnet."}


@pytest.fixture
def account(team, channel):
    defaults.ensure_defaults(team=team, now=NOW)
    account = make_account(team, label="main", poll_budget_s=1e9)
    make_coverage(account)
    KeyCheck.objects.create(account=account, checked_at=NOW)
    return account


def find(account: Account, *findings: dict[str, str]) -> None:
    KeyCheck.objects.filter(account=account).update(findings=list(findings))


def told(account: Account, *findings: dict[str, str], at: float) -> list[str]:
    find(account, *findings)
    return evaluate_staleness(later(at))


def test_findings_are_one_incident_and_told_once(account):
    days = [told(account, TRADE, LOCK, at=day * 86_400) for day in range(4)]

    incident = Incident.objects.get()
    assert days == [["first"], [], [], []]
    assert (incident.account, incident.severity) == (account, "warning")
    assert incident.headline == (
        "Binance main has a key to look at. This key can trade. And 1 more about this key."
    )
    assert [each["code"] for each in incident.why["findings"]] == ["trade", "no_address_lock"]


def test_one_more_finding_is_news_and_a_critical_one_is_worse(account):
    steps = [
        told(account, TRADE, at=0),
        told(account, TRADE, LOCK, at=1),
        told(account, GRAVE, TRADE, LOCK, at=2),
    ]

    incident = Incident.objects.get()
    assert steps == [["first"], ["worse"], ["worse"]]
    assert incident.severity == "critical"
    assert incident.headline.startswith("Binance main has a key to look at. This key can now")


def test_an_incident_ends_when_nothing_is_wrong_any_more(account):
    told(account, TRADE, at=0)

    steps = [told(account, at=1), told(account, at=2)]

    assert steps == [["resolved"], []]
    assert Incident.objects.get().resolution == "nothing is wrong with the key any more"


def test_what_is_only_told_alerts_nobody(account):
    assert told(account, NOTE, at=0) == []
    assert not Incident.objects.exists()


def test_a_key_that_nobody_has_looked_at_is_unknown(account):
    told(account, TRADE, at=0)
    KeyCheck.objects.update(checked_at=None, findings=[], error="")

    assert evaluate_staleness(later(1)) == []
    assert Incident.objects.get().is_open


def test_a_refused_key_is_told_by_its_own_rule_alone(account):
    refused = {**GRAVE, "severity": "refused"}
    Account.objects.update(blocked_reason="This key can withdraw money, so it was not kept.")

    steps = told(account, refused, TRADE, at=0)

    assert steps == ["first"]
    assert Incident.objects.get().rule.kind == RuleKind.KEY


def test_rows_that_stay_unreadable_are_an_incident_that_names_their_part(account):
    make_coverage(account, "inverse", refused=2)

    steps = [evaluate_staleness(later(at)) for at in (0, 59, 60)]

    incident = Incident.objects.get()
    assert steps == [[], [], ["first"]]
    assert incident.headline == "Binance main has 2 rows that cannot be read (inverse)"
    assert {each["scope"]: each["refused"] for each in incident.why["scopes"]} == {
        "linear": 0,
        "inverse": 2,
    }


def test_rows_that_are_read_again_end_it(account):
    make_coverage(account, "inverse", refused=2)
    evaluate_staleness(later(0))
    evaluate_staleness(later(60))
    account.coverage.update(refused=0)

    steps = [evaluate_staleness(later(at)) for at in (70, 129, 130)]

    assert steps == [[], [], ["resolved"]]
    assert Incident.objects.get().resolution == "every row is read again"


def test_one_odd_answer_is_no_news(account):
    make_coverage(account, "inverse", refused=2)
    evaluate_staleness(later(0))
    account.coverage.update(refused=0)

    assert evaluate_staleness(later(30)) == []
    assert not Incident.objects.exists()


def test_the_parts_that_make_an_account_blind_are_named(team, channel):
    defaults.ensure_defaults(team=team, now=NOW)
    account = make_account(team, label="main")
    for scope in ("linear", "inverse", "linear:USDC", "dex:a", "dex:b"):
        make_coverage(account, scope, seen_at=later(-600))
    account.coverage.filter(scope="linear").update(seen_at=later(30))

    evaluate_staleness(later(0))
    evaluate_staleness(later(30))

    (incident,) = Incident.objects.filter(rule__kind="staleness")
    assert incident.headline == (
        "Binance main has not been seen completely for 10 min 30 s "
        "(dex:a, dex:b, inverse and 1 more)"
    )


def test_a_rule_may_look_at_refusals_of_one_venue_alone(team, channel):
    levels = [{"level": 0, "rearm": 0, "severity": "critical"}]
    scope: dict[str, Any] = {"venue": ["okx"]}
    make_ratio_rule(team, kind="refusals", measure="", levels=levels, scope=scope)
    for venue in ("okx", "bybit"):
        make_coverage(make_account(team, venue=venue, poll_budget_s=1e9), refused=1)

    evaluate_staleness(NOW)

    assert Incident.objects.get().account.venue == "okx"


def test_a_team_of_an_earlier_release_gets_the_new_rules_once(team):
    older = [rule for rule in defaults.DEFAULT_RULES if rule["kind"] == RuleKind.STALENESS]
    AlertRule.objects.create(team=team, created_at=NOW, **older[0])

    for _ in range(2):
        defaults.ensure_defaults(team=team, now=NOW)

    kinds = sorted(AlertRule.objects.filter(team=team).values_list("kind", flat=True))
    assert kinds == ["event", "hygiene", "refusals", "staleness", "threshold", "venue"]


def test_a_rule_of_the_new_kinds_that_was_switched_off_stays_so(team):
    defaults.ensure_defaults(team=team, now=NOW)
    AlertRule.objects.filter(kind="hygiene").update(is_enabled=False)

    defaults.ensure_defaults(team=team, now=NOW + timedelta(days=1))

    assert AlertRule.objects.filter(kind="hygiene").count() == 1
    assert not AlertRule.objects.get(kind="hygiene").is_enabled


def test_another_teams_findings_tell_this_one_nothing(account):
    other = make_account(make_team(), label="other", poll_budget_s=1e9)
    KeyCheck.objects.create(account=other, checked_at=NOW, findings=[GRAVE])

    assert evaluate_staleness(NOW) == []
    assert not Message.objects.exists()
