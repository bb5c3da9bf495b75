"""What is said of a key, for each thing that a venue may tell of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.factories import NOW
from venues import hygiene
from venues.hygiene import Finding, FindingSeverity, Holder
from venues.key_facts import KeyFacts

KEYED = Holder(label="Binance", credentials=("apiKey", "secret"))
WALLET = Holder(label="Hyperliquid", wallet="0x" + "ab" * 20)
CLEAN = KeyFacts(can_withdraw=False, can_transfer=False, can_trade=False, is_address_bound=True)


def judged(facts: KeyFacts | None, holder: Holder = KEYED) -> dict[str, str]:
    found = hygiene.judge(facts=facts, holder=holder, now=NOW)
    return {each.code: str(each.severity) for each in found}


def told(facts: KeyFacts | None, holder: Holder = KEYED) -> str:
    return " ".join(each.sentence for each in hygiene.judge(facts=facts, holder=holder, now=NOW))


def with_facts(**facts: Any) -> KeyFacts:
    return replace(CLEAN, **facts)


def test_a_key_that_may_only_read_from_one_address_is_said_nothing_of() -> None:
    assert judged(CLEAN) == {}


@pytest.mark.parametrize(
    ("facts", "code", "severity"),
    [
        ({"can_withdraw": True}, "withdraw", "refused"),
        ({"can_transfer": True}, "transfer", "refused"),
        ({"can_trade": True}, "trade", "warning"),
        ({"is_address_bound": False}, "no_address_lock", "warning"),
        ({"expires_at": NOW - timedelta(seconds=1)}, "expired", "warning"),
        ({"expires_at": NOW}, "expired", "warning"),
        ({"expires_at": NOW + timedelta(days=14)}, "expires_soon", "warning"),
        ({"can_withdraw": None}, "permissions_unknown", "warning"),
        ({"can_transfer": None}, "permissions_unknown", "warning"),
        ({"can_trade": None}, "permissions_unknown", "warning"),
        ({"is_address_bound": None}, "address_lock_unknown", "warning"),
    ],
)
def test_each_thing_a_venue_tells_has_its_finding(
    facts: dict[str, Any], code: str, severity: str
) -> None:
    assert judged(with_facts(**facts)) == {code: severity}


def test_a_key_that_lasts_long_enough_is_said_nothing_of() -> None:
    assert judged(with_facts(expires_at=NOW + timedelta(days=14, seconds=1))) == {}


def test_the_gravest_comes_first() -> None:
    facts = KeyFacts(can_withdraw=True, can_transfer=True, can_trade=True, is_address_bound=False)

    assert list(judged(facts)) == ["withdraw", "transfer", "trade", "no_address_lock"]


@pytest.mark.parametrize("facts", [None, KeyFacts()])
def test_what_nobody_tells_is_unknown_and_never_safe(facts: KeyFacts | None) -> None:
    sentence = told(facts)

    assert judged(facts) == {"permissions_unknown": "warning"}
    assert sentence.startswith("Permissions unknown: Binance does not tell")
    assert "withdraw, move money to other accounts or trade" in sentence
    assert "safe" not in sentence


def test_a_permission_that_is_known_is_not_said_to_be_unknown() -> None:
    sentence = told(KeyFacts(can_withdraw=False, can_transfer=None, can_trade=None))

    assert "may move money to other accounts or trade" in sentence


def test_a_refused_key_is_told_what_to_do() -> None:
    found = hygiene.judge(facts=with_facts(can_withdraw=True), holder=KEYED, now=NOW)

    assert hygiene.is_refused(found)
    assert hygiene.refusal(found) == (
        "This key can withdraw money, so it was not kept. "
        "Make a key at Binance that may only read, and enter that one."
    )


def test_a_wallet_address_alone_has_no_permissions() -> None:
    assert judged(None, WALLET) == {}


def test_an_agents_wallet_is_refused_and_its_main_wallet_named() -> None:
    facts = KeyFacts(wallet_role="agent", main_wallet="0x" + "cd" * 20)

    assert judged(facts, WALLET) == {"agent_wallet": "refused"}
    assert f"Add the main wallet 0x{'cd' * 20} instead." in told(facts, WALLET)


def test_an_agents_wallet_whose_main_wallet_is_not_told_is_refused_as_well() -> None:
    assert "Add the main wallet instead." in told(KeyFacts(wallet_role="agent"), WALLET)


def test_a_wallet_that_the_venue_has_never_seen_is_warned_of() -> None:
    assert judged(KeyFacts(wallet_role="missing"), WALLET) == {"unused_wallet": "warning"}


@pytest.mark.parametrize("role", ["", "main", "vault"])
def test_any_other_wallet_is_said_nothing_of(role: str) -> None:
    assert judged(KeyFacts(wallet_role=role), WALLET) == {}


def test_a_stored_private_key_is_warned_of_unless_the_venue_limits_it() -> None:
    holder = replace(KEYED, credentials=("walletAddress", "privateKey"))

    assert list(judged(None, holder)) == ["private_key", "permissions_unknown"]
    assert judged(CLEAN, holder) == {}


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://testnet.binancefuture.com", "test_environment"),
        ("https://demo-fapi.binance.com/x", "test_environment"),
        ("http://127.0.0.1:8000", "test_environment"),
        ("https://proxy.example", "other_environment"),
    ],
)
def test_another_base_url_is_told(url: str, code: str) -> None:
    holder = replace(KEYED, environment=url)

    assert judged(CLEAN, holder) == {code: "told"}


def test_for_an_account_that_is_read_what_would_be_refused_is_critical() -> None:
    found = hygiene.judge(
        facts=with_facts(can_withdraw=True, can_trade=True), holder=KEYED, now=NOW
    )

    softened = hygiene.soften(found)

    assert [str(each.severity) for each in softened] == ["critical", "warning"]
    assert "Take that permission away at the venue at once" in softened[0].sentence
    assert "go on being read" in softened[0].sentence
    assert not hygiene.is_refused(softened)


def test_findings_survive_being_stored() -> None:
    found = hygiene.judge(facts=None, holder=KEYED, now=NOW)

    assert hygiene.read(hygiene.write(found)) == found


@pytest.mark.parametrize("stored", [None, {}, "x", [None], [{"severity": "odd"}], [{"code": "a"}]])
def test_what_has_another_shape_is_left_out(stored: object) -> None:
    assert hygiene.read(stored) == ()


def test_each_further_warning_measures_more_and_a_critical_one_beyond_all() -> None:
    def measured(*severities: FindingSeverity) -> float:
        return hygiene.measure([Finding("x", each, "y") for each in severities])

    warned, critical = FindingSeverity.WARNING, FindingSeverity.CRITICAL

    assert [measured(), measured(warned), measured(warned, warned)] == [0, 1, 2]
    assert measured(critical) > measured(*[warned] * 10)
    assert measured(FindingSeverity.TOLD) == 0
