"""A secret that entered is found in no log, page, broker dump, database dump or traceback."""

from __future__ import annotations

import base64
import io
import json
import logging
import logging.config

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection

from riskhub import logs
from riskhub.crypto import Secrets, UndecryptableError, decrypt
from tests.factories import make_account, make_team, make_user

CANARY = "canary-8f2d1c7a-very-secret"
FORMS = (CANARY, base64.b64encode(CANARY.encode()).decode())


def hits(text: str | bytes) -> list[str]:
    text = text.decode(errors="replace") if isinstance(text, bytes) else text
    return [form for form in FORMS if form in text]


@pytest.fixture
def account(db):
    team = make_team()
    return make_account(
        team, credentials=Secrets.of({"apiKey": CANARY, "secret": CANARY[::-1] + CANARY})
    )


def test_database_dump_does_not_hold_it(account):
    out = io.StringIO()
    call_command("dumpdata", "--all", stdout=out)
    rows = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')
            rows += [repr(row) for row in cursor.fetchall()]

    assert hits(out.getvalue()) == []
    assert hits("\n".join(rows)) == []


def test_repr_of_everything_that_carries_it_hides_it(account):
    account.refresh_from_db()

    assert hits(repr(account.credentials)) == []
    assert hits(repr(account.__dict__)) == []


def test_logs_hide_it_by_value_and_by_name(settings):
    logs.remember_secret(CANARY)
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    configurator = logging.config.DictConfigurator(settings.LOGGING)
    handler.setFormatter(configurator.configure_formatter(settings.LOGGING["formatters"]["json"]))
    logging.getLogger().addHandler(handler)
    try:
        log = logs.get("tests.canary")
        log.warning("happened", where={"deep": [f"https://x/?signature={CANARY}&a=1"]})
        log.warning("happened", api_key=CANARY, detail=f"sent {CANARY}")
        logging.getLogger("foreign").error("request to %s failed", f"https://x/?sign={CANARY}")
        try:
            raise ValueError(f"bad key {CANARY}")
        except ValueError:
            log.exception("failed")
            logging.getLogger("foreign").exception("failed too")
    finally:
        logging.getLogger().removeHandler(handler)

    lines = stream.getvalue()
    assert lines.count("\n") >= 5
    assert hits(lines) == []
    assert [json.loads(line) for line in lines.splitlines() if line.startswith("{")]


@pytest.mark.parametrize("address", ["/", "/accounts/", "/settings/", "/api/v1/accounts"])
def test_pages_and_rest_do_not_show_it(account, client, address):
    user = make_user(team=account.team)
    client.force_login(user)

    answer = client.get(address)

    assert answer.status_code == 200
    assert hits(answer.content) == []


def test_describing_an_error_hides_it():
    logs.remember_secret(CANARY)

    try:
        raise RuntimeError(f"GET https://venue/?apiKey={CANARY} refused")
    except RuntimeError as error:
        line = logs.describe(error)

    assert hits(line) == []
    assert "\n" not in line


def test_a_tampered_secret_is_refused(account):
    sealed = bytearray(account.credentials.sealed)
    refused = 0
    for place in range(0, len(sealed), 7):
        changed = bytearray(sealed)
        changed[place] ^= 0x01
        with pytest.raises(UndecryptableError):
            decrypt(bytes(changed))
        refused += 1

    assert refused > 10


def test_rotated_keys_open_old_secrets(account, settings):
    old = settings.FIELD_KEYS
    settings.FIELD_KEYS = [Fernet.generate_key().decode(), *old]
    account.refresh_from_db()

    assert account.credentials.open()["apiKey"] == CANARY
