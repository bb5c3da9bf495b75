from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from riskhub.teams.models import AuditEntry, Team
from tests.factories import NOW, make_account, make_team, make_user
from tests.venues.probe import API_KEY, SECRET, WALLET
from venues import services
from venues.errors import BadAccount
from venues.models import Account

pytestmark = pytest.mark.django_db

PRIVATE_KEY = "0x" + "4f" * 32
SEED = "legal winner thank year wave sausage worth useful legal winner thank yellow"


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    path = tmp_path / "binance.json"
    path.write_text(json.dumps({"apiKey": API_KEY, "secret": SECRET}))
    return path


def add(*arguments: str) -> str:
    out = io.StringIO()
    call_command("add_account", *arguments, stdout=out)
    return out.getvalue()


def refused(*arguments: str) -> str:
    with pytest.raises(CommandError) as error:
        add(*arguments)
    assert not Account.objects.exists()
    return str(error.value)


def test_an_account_is_added_to_an_empty_database(credentials: Path) -> None:
    out = add("--venue", "binance", "--label", "main", "--credentials", str(credentials))

    account = Account.objects.get()
    assert "Added binance/main" in out
    assert Team.objects.count() == 1
    assert account.credentials.open() == {"apiKey": API_KEY, "secret": SECRET}
    assert account.next_poll_at == account.created_at
    assert (account.is_enabled, account.is_simulated, account.environment) == (True, False, "")


def test_secrets_are_stored_sealed_and_told_to_nobody(credentials: Path) -> None:
    out = add("--venue", "binance", "--label", "main", "--credentials", str(credentials))

    account, entry = Account.objects.get(), AuditEntry.objects.get()
    told = [out, repr(account.credentials), json.dumps(entry.detail), entry.subject]
    assert bytes(account.credentials.sealed).find(SECRET.encode()) == -1
    assert all(canary not in text for text in told for canary in (API_KEY, SECRET))
    assert (entry.action, entry.actor) == ("account.added", "command")
    assert entry.detail["credentials"] == ["apiKey", "secret"]


@pytest.mark.parametrize(
    "text",
    [
        f"apiKey={API_KEY}\nsecret={SECRET}\n",
        f"# read only\nexport API_KEY='{API_KEY}'\nAPI_SECRET=\"{SECRET}\"\n",
        f'\ufeff{{"api_key": "{API_KEY}", "Secret": "{SECRET}", "note": null}}',
    ],
)
def test_credentials_are_read_in_any_common_spelling(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys"
    path.write_text(text)

    add("--venue", "Binance", "--label", "main", "--credentials", str(path))

    assert Account.objects.get().credentials.open() == {"apiKey": API_KEY, "secret": SECRET}


def test_credentials_are_read_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"apiKey={API_KEY}\nsecret={SECRET}\npassphrase=canary-passphrase"
    stdin = io.TextIOWrapper(io.BytesIO(text.encode()))
    monkeypatch.setattr("sys.stdin", stdin)

    add("--venue", "okx", "--label", "main", "--credentials", "-")

    assert Account.objects.get().credentials.open()["password"] == "canary-passphrase"


def test_a_wallet_is_enough_where_the_venue_says_so() -> None:
    add(
        *("--venue", "hyperliquid", "--label", "w", "--wallet", f" {WALLET} "),
        *(
            "--base-url",
            "http://127.0.0.1:8900/p/",
            "--option",
            "dex=flx",
            "--option",
            'scopes=["dex:flx"]',
        ),
    )

    account = Account.objects.get()
    assert account.wallet == WALLET
    assert not account.credentials
    assert account.environment == "http://127.0.0.1:8900/p"
    assert account.options == {"dex": "flx", "scopes": ["dex:flx"]}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--venue", "nowhere", "--label", "a"), "no venue 'nowhere'; one of:"),
        (("--venue", "binance", "--label", "a"), "secret; missing: apiKey and secret"),
        (("--venue", "binance", "--label", " "), "needs a label"),
        (("--venue", "binance", "--label", "x" * 61), "up to 60"),
        (("--venue", "binance", "--label", PRIVATE_KEY), "looks like a private key"),
        (("--venue", "hyperliquid", "--label", "a"), "needs the wallet address"),
        (("--venue", "hyperliquid", "--label", "a", "--wallet", "0x12"), "wallet|address"),
        (("--venue", "hyperliquid", "--label", "a", "--wallet", PRIVATE_KEY), "private key"),
        (("--venue", "hyperliquid", "--label", "a", "--wallet", SEED), "seed phrase"),
        (("--venue", "binance", "--label", "a", "--wallet", WALLET), "takes no wallet"),
        (("--venue", "binance", "--label", "a", "--base-url", "ftp://x"), "should look like"),
        (("--venue", "binance", "--label", "a", "--base-url", "http://"), "should look like"),
        (("--venue", "binance", "--label", "a", "--base-url", "http://[x"), "should look like"),
        (("--venue", "binance", "--label", "a", "--base-url", "http://u:p@x"), "no user"),
        (("--venue", "binance", "--label", "a", "--base-url", "http://x/?k=v"), "query"),
        (("--venue", "binance", "--label", "a", "--option", "nothing"), "NAME=VALUE"),
        (("--venue", "binance", "--label", "a", "--credentials", "/no/file"), "cannot be read"),
        (("--venue", "binance", "--label", "a", "--credentials", "/"), "cannot be read"),
    ],
)
def test_bad_input_is_one_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    message = refused(*arguments)

    assert re.search(sentence, message)
    assert "\n" not in message
    assert PRIVATE_KEY not in message
    assert SEED not in message


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f'{{"apiKey": "{API_KEY}"}}', "missing: secret."),
        (f'{{"apiKey": "{API_KEY}", "secret": ""}}', "secret is empty"),
        (f'{{"apiKey": "{API_KEY}", "secret": "{SECRET}", "pin": "1"}}', "not 'pin'"),
        (f'{{"{SECRET}": "x"}}', "a field of another name"),
        (f'{{"apiKey": "{API_KEY}", "secret": "{SECRET}', "not complete"),
        (f'["{SECRET}"]', "KEY=VALUE"),
        (f"{SECRET}\n{API_KEY}", "KEY=VALUE"),
        ("", "empty"),
    ],
)
def test_bad_credentials_are_named_and_never_repeated(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = tmp_path / "keys"
    path.write_text(text)

    message = refused("--venue", "binance", "--label", "a", "--credentials", str(path))

    assert sentence in message
    assert SECRET not in message
    assert API_KEY not in message


def test_a_binary_file_is_no_credentials(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"\xff\xfe\x00")

    message = refused("--venue", "binance", "--label", "a", "--credentials", str(path))

    assert "UTF-8" in message


def test_a_label_is_used_once_in_a_team_and_venue(credentials: Path) -> None:
    arguments = ("--venue", "binance", "--label", "main", "--credentials", str(credentials))
    add(*arguments)

    with pytest.raises(CommandError, match="already an account binance/main"):
        add(*arguments)

    assert Account.objects.count() == 1


def test_a_wallet_is_not_read_twice() -> None:
    add("--venue", "hyperliquid", "--label", "one", "--wallet", WALLET)

    with pytest.raises(CommandError, match="already read as hyperliquid/one"):
        add("--venue", "hyperliquid", "--label", "two", "--wallet", WALLET)


def test_another_team_may_use_the_same_label_and_wallet() -> None:
    mine, theirs = make_team(), make_team()

    for team in (mine, theirs):
        services.create_account(team=team, venue="hyperliquid", label="w", wallet=WALLET, now=NOW)

    assert Account.objects.filter(label="w").count() == 2


def test_a_label_taken_at_the_same_moment_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    team = make_team()
    make_account(team, venue="hyperliquid", label="w")
    monkeypatch.setattr(services, "_refuse_twin", lambda _: None)

    with pytest.raises(BadAccount, match="choose another label"):
        services.create_account(team=team, venue="hyperliquid", label="w", wallet=WALLET, now=NOW)

    assert AuditEntry.objects.count() == 0


def test_the_audit_log_names_the_person() -> None:
    team = make_team()
    user = make_user("ada", team=team)

    services.create_account(
        team=team, venue="hyperliquid", label="w", wallet=WALLET, now=NOW, user=user
    )

    assert AuditEntry.objects.get().actor == "ada"


CSV = f"""venue,label,wallet,base_url,apiKey,secret,password,option.scopes
binance,one,,,{API_KEY},{SECRET},,linear
okx,two,,,{API_KEY},{SECRET},canary-passphrase,
hyperliquid,three,{WALLET},http://127.0.0.1:1/x,,,,
binance,one,,,{API_KEY},{SECRET},,
okx,four,,,{API_KEY},,,
,five,,,,,,
"""


def run_import(path: Path, *flags: str) -> tuple[str, str]:
    out, problem = io.StringIO(), ""
    try:
        call_command("import_accounts", str(path), *flags, stdout=out)
    except CommandError as error:
        problem = str(error)
    return out.getvalue(), problem


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "accounts.csv"
    path.write_text(CSV)
    return path


def test_an_import_is_a_rehearsal_unless_applied(listed: Path) -> None:
    out, problem = run_import(listed)

    assert not Account.objects.exists()
    assert not Team.objects.exists()
    assert [line.partition(":")[0] for line in out.splitlines()[:6]] == [
        f"row {number}" for number in range(1, 7)
    ]
    assert "row 1: binance/one is good" in out
    assert "row 4: refused: There is already an account binance/one" in out
    assert "3 good, 3 refused; nothing written" in out
    assert "3 of 6 rows were refused" in problem


def test_an_applied_import_writes_the_good_rows(listed: Path) -> None:
    out, problem = run_import(listed, "--apply")

    labels = set(Account.objects.values_list("label", flat=True))
    assert labels == {"one", "two", "three"}
    assert Account.objects.get(label="one").options == {"scopes": "linear"}
    assert Account.objects.get(label="three").environment == "http://127.0.0.1:1/x"
    assert "row 5: refused: OKX needs apiKey, secret and password" in out
    assert "3 added, 3 refused." in out
    assert problem


def test_no_result_of_an_import_holds_a_secret(listed: Path) -> None:
    out, problem = run_import(listed)

    assert API_KEY not in out + problem
    assert SECRET not in out + problem


def test_an_import_reads_json(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    rows: list[dict[str, Any]] = [
        {
            "venue": "binance",
            "label": "one",
            "credentials": {"apiKey": API_KEY, "secret": SECRET},
            "options": {"scopes": ["linear"]},
        }
    ]
    path.write_text(json.dumps(rows))

    out, problem = run_import(path, "--apply")

    assert (out.splitlines()[0], problem) == ("row 1: binance/one added", "")
    assert Account.objects.get().options == {"scopes": ["linear"]}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "name the columns"),
        ("a,b\n1,2\n", "name the columns"),
        ("[{", "not complete"),
        ("{}", "JSON list"),
        ('[{"venue": "binance", "label": "a", "credentials": [1]}]', "Row 1"),
        ('"venue","label"\n"a\0b","c"\n', "venue|CSV"),
    ],
)
def test_a_file_that_is_no_list_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "accounts"
    path.write_text(text)

    out, problem = run_import(path, "--apply")

    assert any(part in out + problem for part in sentence.split("|"))
    assert "\n" not in problem
    assert not Account.objects.exists()


def test_rows_that_are_no_objects_are_refused_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    path.write_text('[1, null, {"venue": "binance"}]')

    out, problem = run_import(path)

    assert out.count("refused:") == 3
    assert "3 of 3 rows" in problem
