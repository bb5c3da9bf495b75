"""The page on which an account gets another key."""

import re

import pytest

from positions import scheduling
from riskhub.crypto import Secrets
from riskhub.teams.models import AuditEntry, Role
from tests.factories import NOW, make_account, make_coverage, make_team
from tests.web.pages import browser, text_of
from venues.models import KeyCheck

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]

OLD = {"apiKey": "canary-old-key-51d0", "secret": "canary-old-secret-51d0"}
NEW = {"apiKey": "canary-new-key-77aa", "secret": "canary-new-secret-77aa"}
FORM = {f"secret-{name}": value for name, value in NEW.items()}


@pytest.fixture
def account(team):
    return make_account(
        team,
        label="main",
        credentials=Secrets.of(OLD),
        blocked_reason="Binance refuses this key.",
        failures=5,
        auth_failures=2,
    )


def address(account):
    return f"/accounts/{account.pk}/key/"


def holds_a_secret(*pages):
    return [value for page in pages for value in [*OLD.values(), *NEW.values()]
            if value.encode() in page.content]  # fmt: skip


def test_the_accounts_page_leads_to_the_form(team, account):
    make_coverage(account)
    client = browser(team)

    body = client.get("/accounts/").content.decode()

    assert f'href="{address(account)}"' in body
    assert "Replace the key of main" in text_of(client.get(address(account)))


def test_a_new_key_replaces_the_old_one_and_reading_begins_again_at_once(team, account):
    client = browser(team)

    page = client.post(address(account), FORM, follow=True)

    account.refresh_from_db()
    assert page.redirect_chain == [("/accounts/", 302)]
    assert "main has its new key" in text_of(page)
    assert account.credentials.open() == NEW
    assert (account.blocked_reason, account.failures, account.auth_failures) == ("", 0, 0)
    assert account.next_poll_at == NOW
    assert scheduling.claim_due(now=NOW)[1] == []
    KeyCheck.objects.update(checked_at=NOW)
    assert scheduling.claim_due(now=NOW)[1] == [("binance", account.pk)]


def test_the_audit_log_names_the_person_and_the_fields(team, account):
    client = browser(team, role=Role.TRADER)

    client.post(address(account), FORM)

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.subject) == ("account.key_replaced", "binance/main")
    assert entry.user is not None
    assert entry.detail == {"credentials": ["apiKey", "secret"]}


def test_no_answer_holds_a_secret(team, account):
    client = browser(team)

    blank = client.get(address(account))
    half = client.post(address(account), {"secret-apiKey": NEW["apiKey"]})
    long = client.post(address(account), {**FORM, "secret-secret": NEW["secret"] * 500})
    done = client.post(address(account), FORM, follow=True)

    assert holds_a_secret(blank, half, long, done) == []
    assert "Binance needs this: Secret." in text_of(half)
    assert "secret is empty, too long or no text." in text_of(long)
    assert [page["Cache-Control"] for page in (blank, half, long)] == ["no-store"] * 3


def test_a_key_that_is_not_complete_changes_nothing(team, account):
    browser(team).post(address(account), {"secret-apiKey": NEW["apiKey"], "secret-secret": " "})

    account.refresh_from_db()
    assert account.credentials.open() == OLD
    assert account.blocked_reason
    assert not AuditEntry.objects.exists()


def test_an_account_that_is_switched_off_stays_so_and_says_it(team):
    account = make_account(team, label="main", is_enabled=False, credentials=Secrets.of(OLD))

    page = browser(team).post(address(account), FORM, follow=True)

    account.refresh_from_db()
    assert (account.is_enabled, account.credentials.open()) == (False, NEW)
    assert "main has its new key and stays switched off." in text_of(page)


def test_a_viewer_may_not_replace_a_key_and_is_not_offered_it(team, account):
    client = browser(team, role=Role.VIEWER)

    answers = [client.get(address(account)), client.post(address(account), FORM)]

    account.refresh_from_db()
    assert [answer.status_code for answer in answers] == [403, 403]
    assert address(account) not in client.get("/accounts/").content.decode()
    assert account.credentials.open() == OLD


def test_another_teams_account_is_not_found(account):
    client = browser(make_team("Others"))

    answers = [client.get(address(account)), client.post(address(account), FORM)]

    account.refresh_from_db()
    assert [answer.status_code for answer in answers] == [404, 404]
    assert account.credentials.open() == OLD
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("venue", ["hyperliquid", "reference", "atlantis"])
def test_where_there_is_no_key_there_is_no_form(team, venue):
    account = make_account(team, venue=venue)
    client = browser(team)

    assert client.get(address(account)).status_code == 404
    assert address(account) not in client.get("/accounts/").content.decode()


def test_each_field_of_the_venue_is_asked_for_and_none_is_filled_in(team):
    account = make_account(team, venue="okx", credentials=Secrets.of({**OLD, "password": "p"}))

    body = browser(team).get(address(account)).content.decode()

    fields = re.findall(r'<input type="password"[^>]*>', body)
    assert [re.search(r'name="(.*?)"', field)[1] for field in fields] == [
        "secret-apiKey",
        "secret-secret",
        "secret-password",
    ]
    assert not any("value=" in field for field in fields)
