from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from positions import ingest, scheduling
from riskhub.crypto import Secrets
from riskhub.teams.models import AuditEntry
from tests.factories import NOW, make_account, make_team
from tests.positions.readings import outcome, reading
from tests.venues.probe import API_KEY, SECRET, WALLET
from venues import services
from venues.errors import BadAccount
from venues.models import Account, KeyCheck

pytestmark = pytest.mark.django_db

OLD = {"apiKey": "canary-old-key-51d0", "secret": "canary-old-secret-51d0"}
NEW = {"apiKey": API_KEY, "secret": SECRET}


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(NEW))
    return str(path)


def make_blocked(**columns: Any) -> Account:
    given = {"label": "main", "credentials": Secrets.of(OLD), "blocked_reason": "refused"}
    return make_account(columns.pop("team", None), **{**given, "auth_failures": 2, **columns})


def replace_key(*arguments: str) -> str:
    out = io.StringIO()
    call_command("replace_key", *arguments, stdout=out)
    return out.getvalue()


def refused(*arguments: str) -> str:
    with pytest.raises(CommandError) as error:
        replace_key(*arguments)
    message = str(error.value)
    assert "\n" not in message
    assert API_KEY not in message
    assert SECRET not in message
    assert not AuditEntry.objects.exists()
    return message


def test_a_key_is_replaced_from_a_file(file: str) -> None:
    account = make_blocked()

    out = replace_key("--account", "main", "--credentials", file)

    account.refresh_from_db()
    entry = AuditEntry.objects.get()
    assert "binance/main has its new key" in out
    assert account.credentials.open() == NEW
    assert (account.blocked_reason, account.auth_failures) == ("", 0)
    assert account.next_poll_at == entry.at
    assert (entry.action, entry.actor) == ("account.key_replaced", "command")


def test_an_account_that_is_switched_off_stays_so_and_says_it(file: str) -> None:
    account = make_blocked(is_enabled=False)

    out = replace_key("--account", "main", "--credentials", file)

    account.refresh_from_db()
    assert (account.is_enabled, account.credentials.open()) == (False, NEW)
    assert "It stays switched off" in out


def test_no_output_and_no_record_holds_a_secret(
    file: str, caplog: pytest.LogCaptureFixture
) -> None:
    make_blocked()

    out = replace_key("--account", "main", "--credentials", file)

    told = [out, caplog.text, json.dumps(AuditEntry.objects.get().detail)]
    secrets = [*OLD.values(), *NEW.values()]
    assert [secret for secret in secrets for text in told if secret in text] == []


def test_a_key_is_replaced_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    account = make_blocked(venue="okx")
    text = f"API_KEY={API_KEY}\nAPI_SECRET={SECRET}\npassphrase=canary-passphrase"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    replace_key("--account", "okx/main", "--credentials", "-")

    account.refresh_from_db()
    assert account.credentials.open() == {**NEW, "password": "canary-passphrase"}


def test_a_label_used_twice_is_told_apart_by_venue_and_team(file: str) -> None:
    one, two = make_team("One"), make_team("Two")
    make_blocked(team=one, venue="bybit")
    mine, theirs = make_blocked(team=one), make_blocked(team=two)

    several = refused("--account", "main", "--credentials", file)
    twice = refused("--account", "binance/main", "--credentials", file)
    replace_key("--account", "binance/main", "--team", "One", "--credentials", file)

    mine.refresh_from_db()
    theirs.refresh_from_db()
    assert "bybit/main of team One" in several
    assert "binance/main of team Two; name one by VENUE/LABEL, and by --team" in twice
    assert mine.credentials.open() == NEW
    assert theirs.credentials.open() == OLD


def test_an_account_that_is_not_there_is_a_sentence(file: str) -> None:
    make_blocked()

    assert "no account 'x'. Known: binance/main." in refused(
        "--account", "x", "--credentials", file
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"apiKey={API_KEY}", "missing: secret."),
        (f"apiKey={API_KEY}\nsecret={SECRET}\npin=1", "not 'pin'"),
        (f"{SECRET}", "KEY=VALUE"),
        ("", "empty"),
    ],
)
def test_a_key_that_is_not_complete_changes_nothing(
    tmp_path: Path, text: str, sentence: str
) -> None:
    account = make_blocked()
    path = tmp_path / "key"
    path.write_text(text)

    message = refused("--account", "main", "--credentials", str(path))

    account.refresh_from_db()
    assert sentence in message
    assert account.credentials.open() == OLD
    assert account.blocked_reason == "refused"


def test_where_a_wallet_is_enough_there_is_no_key_to_replace(file: str) -> None:
    make_account(venue="hyperliquid", label="w", wallet=WALLET)

    assert "Hyperliquid needs no key" in refused("--account", "w", "--credentials", file)


def test_no_key_at_all_does_not_take_the_old_one_away() -> None:
    account = make_blocked()

    with pytest.raises(BadAccount, match="Enter the new key: apiKey and secret"):
        services.replace_key(team=account.team, account_id=account.pk, credentials={}, now=NOW)

    account.refresh_from_db()
    assert account.credentials.open() == OLD


def test_another_teams_account_is_not_there() -> None:
    account = make_blocked()

    with pytest.raises(Account.DoesNotExist):
        services.replace_key(team=make_team(), account_id=account.pk, credentials=NEW, now=NOW)


def test_what_the_old_key_is_still_asked_neither_delays_nor_replaces_the_new_one() -> None:
    account = make_blocked(blocked_reason="")
    cycle, _ = scheduling.claim(accounts=[account.pk], now=NOW)

    services.replace_key(team=account.team, account_id=account.pk, credentials=NEW, now=NOW)
    late = outcome(account, reading())
    stored = ingest.ingest_outcomes(outcomes=[late], cycle=cycle, now=NOW)
    KeyCheck.objects.update(checked_at=NOW)
    due = scheduling.claim_due(now=NOW)[1]

    assert list(stored) == []
    assert due == [(account.venue, account.pk)]
