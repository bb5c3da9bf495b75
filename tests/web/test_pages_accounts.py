"""Pages of accounts."""

import re
from datetime import timedelta

import pytest

from riskhub.teams.models import AuditEntry
from tests.factories import NOW, make_account, make_coverage, make_position
from tests.web.pages import browser, text_of
from venues.base import REGISTRY
from venues.models import Account

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]

SECRET = "very-secret-4f1c"
WALLET = "0x" + "3f" * 20


def test_each_part_says_when_it_was_seen_and_what_was_refused(team):
    account = make_account(team, label="main")
    make_coverage(account, "linear", rows=3)
    refusals = [{"symbol": "BTC-SWAP", "reason": "liqPx is no number"}]
    make_coverage(account, "inverse", rows=0, refused=4, refusals=refusals)

    words = text_of(browser(team).get("/accounts/"))

    assert "calm The one account is seen" in words
    assert "linear 3 0 none 0 s" in words
    assert "inverse 0 4 Refused rows BTC-SWAP liqPx is no number and 3 more" in words


def test_what_is_not_seen_stands_first_with_its_sentence(team):
    make_coverage(make_account(team, label="fine"))
    blocked = make_account(team, label="old", blocked_reason="Binance refuses this key.")
    late = NOW - timedelta(minutes=4)
    make_coverage(blocked, seen_at=late, error="Invalid API-key")

    words = text_of(browser(team).get("/accounts/"))

    assert "warning 1 of 2 accounts is not seen" in words
    assert words.index("Binance old blind") < words.index("Binance fine")
    assert "Binance refuses this key. Invalid API-key" in words
    assert "stopped Read again" in words


def test_what_all_parts_say_is_said_once_with_their_names(team):
    refused = "Binance refuses this key."
    blocked = make_account(team, label="old", blocked_reason=refused)
    down = make_account(team, venue="okx", label="down")
    for scope in ("linear", "inverse"):
        make_coverage(blocked, scope, error=refused)
        make_coverage(down, scope, error=f"OKX is down: {scope}.")

    words = text_of(browser(team).get("/accounts/"))

    assert words.count(refused) == 1
    assert "inverse 1 0 Binance refuses this key. (inverse, linear)" in words
    assert "linear 1 0 the same" in words
    assert "inverse 1 0 OKX is down: inverse." in words
    assert "linear 1 0 OKX is down: linear." in words


def test_an_account_that_was_never_read_says_so(team):
    make_account(team, label="new")

    assert "It has not been read yet." in text_of(browser(team).get("/accounts/"))


def test_a_part_that_is_late_without_an_error_is_said_to_be_late(team):
    late = NOW - timedelta(minutes=4)
    make_coverage(make_account(team), seen_at=late)

    words = text_of(browser(team).get("/accounts/"))

    assert "linear 1 0 It was not read in its time. 4 min" in words


def test_a_long_list_has_pages(team):
    for number in range(53):
        make_account(team, label=f"account-{number:02}")

    page = browser(team).get("/accounts/?page=2")

    assert page.content.count(b'<th scope="rowgroup"') == 3
    assert "51–53 of 53 accounts" in text_of(page)


def test_reading_again_ends_a_block_and_is_due_at_once(team):
    account = make_account(
        team, blocked_reason="refused", auth_failures=2, failures=5, next_poll_at=None
    )

    browser(team).post(f"/accounts/{account.pk}/poll/")

    account.refresh_from_db()
    assert (account.blocked_reason, account.auth_failures, account.failures) == ("", 0, 0)
    assert account.next_poll_at == NOW
    assert AuditEntry.objects.get().action == "account.unblocked"


def test_stopping_an_account_takes_it_out_of_the_overview_and_back(team):
    account = make_account(team, label="main")
    make_position(account)
    client = browser(team)

    stopped = client.post(f"/accounts/{account.pk}/switch/", {"is_enabled": "0"}, follow=True)
    without = text_of(client.get("/"))
    client.post(f"/accounts/{account.pk}/switch/", {"is_enabled": "1"})

    assert "Binance main disabled" in text_of(stopped)
    assert "BTC long" not in without
    assert "BTC long" in text_of(client.get("/"))
    actions = AuditEntry.objects.order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["account.disabled", "account.enabled"]


def test_a_viewer_may_not_add_or_change(team):
    account = make_account(team)
    client = browser(team, role="viewer")

    answers = [
        client.get("/accounts/add/"),
        client.post("/accounts/add/", {"venue": "binance"}),
        client.post(f"/accounts/{account.pk}/poll/"),
        client.post(f"/accounts/{account.pk}/switch/"),
    ]

    assert [answer.status_code for answer in answers] == [403] * 4
    assert Account.objects.count() == 1


def given(**fields):
    secrets = {
        f"secret-{name}": fields.pop(name) for name in ("apiKey", "secret") if name in fields
    }
    return {
        "venue": "binance",
        "label": "main",
        "environment": "",
        "options": "",
        **fields,
        **secrets,
    }


def test_an_account_is_added_and_due_at_once(team):
    form = given(apiKey="key-1", secret=SECRET, options="scopes=linear\n\n")

    page = browser(team).post("/accounts/add/", form, follow=True)

    account = Account.objects.get()
    assert (account.team, account.venue, account.label) == (team, "binance", "main")
    assert account.credentials.open() == {"apiKey": "key-1", "secret": SECRET}
    assert account.options == {"scopes": "linear"}
    assert account.next_poll_at == NOW
    assert AuditEntry.objects.get().action == "account.added"
    assert (
        "main was added. Its key is looked at first, then it is read, within seconds."
        in text_of(page)
    )
    assert SECRET.encode() not in page.content


def test_a_missing_field_is_a_sentence_at_the_field_and_keeps_what_was_typed(team):
    form = given(label="desk-1", apiKey="key-1", environment="https://proxy.example")

    page = browser(team).post("/accounts/add/", form)

    assert page.status_code == 200
    body = page.content.decode()
    assert "Binance needs this: Secret." in body
    assert 'value="desk-1"' in body
    assert 'value="https://proxy.example"' in body
    assert "key-1" not in body
    assert 'aria-invalid="true"' in re.search(r'<input[^>]*name="secret-secret"[^>]*>', body)[0]
    assert not Account.objects.exists()


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"label": ""}, "label", "Give the account a label"),
        ({"environment": "ftp://x"}, "environment", "The base URL should look like"),
        ({"options": "nonsense"}, "options", "An option is written NAME=VALUE."),
        ({"options": "scope=linear"}, "options", "Binance has no option 'scope'; did you mean"),
        ({"options": "scopes=zzz"}, "options", "Binance’s option scopes is some of: linear, inv"),
        ({"label": "0x" + "a1" * 32}, "label", "The label looks like a private key"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(team, fields, field, sentence):
    page = browser(team).post("/accounts/add/", given(apiKey="k", secret=SECRET, **fields))

    assert page.status_code == 200
    assert page.context["form"].errors[field][0].startswith(sentence)
    assert SECRET.encode() not in page.content
    assert not Account.objects.exists()


def test_a_label_used_twice_is_a_sentence(team):
    make_account(team, venue="binance", label="main")

    page = browser(team).post("/accounts/add/", given(apiKey="k", secret=SECRET))

    assert "There is already an account binance/main; choose another label." in text_of(page)
    assert Account.objects.count() == 1


def test_a_venue_that_needs_a_wallet_asks_for_nothing_else(team):
    client = browser(team)

    body = client.get("/accounts/add/?venue=hyperliquid&label=kept").content.decode()
    missing = client.post("/accounts/add/", {"venue": "hyperliquid", "label": "w"})
    client.post("/accounts/add/", {"venue": "hyperliquid", "label": "w", "wallet": WALLET})

    assert 'name="wallet"' in body
    assert 'type="password"' not in body
    assert 'value="kept"' in body
    assert "Hyperliquid needs the wallet address." in text_of(missing)
    assert Account.objects.get().wallet == WALLET


def test_a_private_key_in_the_wallets_field_is_refused_and_not_shown(team):
    key = "0x" + "ab" * 32

    page = browser(team).post(
        "/accounts/add/", {"venue": "hyperliquid", "label": "w", "wallet": key}
    )

    assert page.status_code == 200
    assert "private key" in text_of(page)
    assert key.encode() not in page.content


@pytest.mark.parametrize("slug", sorted(REGISTRY))
def test_each_venue_has_a_form_with_the_fields_it_needs(team, slug):
    adapter = REGISTRY[slug]

    body = browser(team).get(f"/accounts/add/?venue={slug}").content.decode()

    if adapter.is_simulated:
        assert f'value="{slug}"' not in body
    else:
        assert f'<option value="{slug}" selected>' in body
        found = re.findall(r'type="password" name="secret-(\w+)"', body)
        # A public address is asked for once, in the open.
        assert found == [name for name in adapter.credentials if name != "walletAddress"]


def test_without_scripts_the_fields_of_another_venue_are_shown_first(team):
    form = {"venue": "okx", "label": "main", "choose": "1", "secret-apiKey": SECRET}

    body = browser(team).post("/accounts/add/", form).content.decode()

    assert 'name="secret-password"' in body
    assert 'value="main"' in body
    assert SECRET not in body
    assert "needs this" not in body


def test_a_form_with_secrets_is_kept_by_no_cache(team):
    assert browser(team).get("/accounts/add/")["Cache-Control"] == "no-store"


def test_a_wallet_that_is_part_of_the_key_is_asked_for_once(team):
    client = browser(team)
    form = {"venue": "aster", "label": "main", "secret-privateKey": "0x" + "1" * 64}

    shown = client.get("/accounts/add/?venue=aster").content.decode()
    without = client.post("/accounts/add/", form)
    client.post("/accounts/add/", {**form, "wallet": WALLET})

    assert shown.count("Wallet address</label>") == 1
    assert "Aster needs the wallet address." in text_of(without)
    assert Account.objects.get().credentials.open()["walletAddress"].lower() == WALLET


def test_the_form_says_what_key_the_chosen_venue_needs(team):
    page = text_of(browser(team).get("/accounts/add/?venue=bybit"))

    assert f"What it needs: {REGISTRY['bybit'].permission}" in page
