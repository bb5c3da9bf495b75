from __future__ import annotations

import pytest

from positions import freshness
from positions.alerts import pipeline
from positions.alerts.defaults import ensure_defaults
from positions.alerts.models import Incident, Message
from tests.alerts.steps import evaluate_staleness, later
from tests.factories import NOW, make_account, make_coverage, make_team

BUDGET_S = 30.0
# The default rule waits this long before it tells anybody.
FOR_S = 30.0


STALE = freshness.stale_after_s(BUDGET_S)


@pytest.fixture
def account(team, channel):
    ensure_defaults(team=team, now=NOW)
    account = make_account(team, poll_budget_s=BUDGET_S, label="main")
    for scope in ("linear", "inverse"):
        make_coverage(account, scope)
    return account


def see(account, *scopes, at):
    account.coverage.filter(scope__in=scopes).update(seen_at=at)


def test_a_blind_account_is_one_incident_however_long_and_however_many_scopes(account):
    told = [evaluate_staleness(later(at)) for at in (STALE, STALE + 1, STALE + 1 + FOR_S, 3600)]

    incident = Incident.objects.get()
    assert told == [[], [], ["first"], []]
    assert (incident.state, incident.account, incident.position) == ("firing", account, None)


def test_one_part_that_is_not_seen_makes_the_account_blind(account):
    see(account, "linear", at=later(3600))

    evaluate_staleness(later(3600))
    told = evaluate_staleness(later(3600 + FOR_S))

    assert told == ["first"]
    assert "Binance main has not been seen completely for 1 h" in Incident.objects.get().headline


def test_a_blind_account_that_is_seen_again_is_over(account):
    evaluate_staleness(later(3600))
    evaluate_staleness(later(3600 + FOR_S))
    see(account, "linear", "inverse", at=later(3700))

    told = [evaluate_staleness(later(at)) for at in (3705, 3764, 3765)]

    assert told == [[], [], ["resolved"]]
    assert Incident.objects.get().resolution == "seen again"
    assert Message.objects.last().payload["data"]["headline"] == "Over: Binance main, seen again"


def test_a_part_that_was_never_seen_counts_from_the_accounts_creation(account):
    see(account, "linear", "inverse", at=later(200))
    make_coverage(account, "linear:USDC", seen_at=None)

    evaluate_staleness(later(200))
    told = evaluate_staleness(later(200 + FOR_S))

    assert told == ["first"]


def test_an_account_without_any_coverage_is_blind_after_its_allowance(team, channel):
    ensure_defaults(team=team, now=NOW)
    make_account(team, last_seen_at=None)

    early = evaluate_staleness(later(STALE)), evaluate_staleness(later(STALE + 1))
    told = evaluate_staleness(later(STALE + 1 + FOR_S))

    assert early == ([], [])
    assert told == ["first"]


def test_the_first_look_after_a_restart_cries_no_wolf(account):
    told = evaluate_staleness(later(86_400))
    see(account, "linear", "inverse", at=later(86_405))

    assert told + evaluate_staleness(later(86_410)) == []
    assert not Incident.objects.exists()


def test_a_refused_key_is_one_incident_and_not_also_a_blind_account(account):
    account.blocked_reason = "The venue refuses the key."
    account.save()

    told = [evaluate_staleness(later(at)) for at in (1, 2, 3600, 7200)]

    incident = Incident.objects.get()
    assert told == [["first"], [], [], []]
    assert incident.severity == "critical"
    assert incident.headline == "Binance main is not polled any more: The venue refuses the key."


def test_a_key_that_is_mended_ends_the_incident(account):
    account.blocked_reason = "The venue refuses the key."
    account.save()
    evaluate_staleness(later(1))
    account.blocked_reason = ""
    account.save()

    told = evaluate_staleness(later(2))

    assert told == ["resolved"]
    assert Incident.objects.get().resolution == "polled again"


def test_an_account_that_is_switched_off_is_not_missed(account):
    evaluate_staleness(later(3600))
    evaluate_staleness(later(3600 + FOR_S))
    account.is_enabled = False
    account.save()

    told = evaluate_staleness(later(3700))

    assert told == []
    assert Incident.objects.get().resolution == "the account was switched off"


def test_the_why_names_what_was_not_seen(account):
    account.coverage.filter(scope="inverse").update(error="HTTP 503", seen_at=later(-100))

    evaluate_staleness(later(3600))

    scopes = {scope["scope"]: scope for scope in Incident.objects.get().why["scopes"]}
    assert scopes["inverse"]["error"] == "HTTP 503"
    assert scopes["linear"]["seen_at"] == "2026-11-22T15:00:00.000Z"


def test_queries_do_not_grow_with_accounts(team, channel, django_assert_num_queries):
    ensure_defaults(team=team, now=NOW)
    for _ in range(30):
        make_coverage(make_account(team))

    with django_assert_num_queries(6):
        pipeline.evaluate_staleness(now=later(5))


def test_teams_are_judged_each_by_its_own_rules(account):
    make_coverage(make_account(make_team()))

    evaluate_staleness(later(3600))

    assert Incident.objects.get().team == account.team
