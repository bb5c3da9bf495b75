"""Options of an account: what no adapter reads is refused when the account is added."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.factories import NOW, make_team
from tests.venues.probe import WALLET
from venues import registry, services
from venues.base import REGISTRY, AccountRequest
from venues.entry import read_options
from venues.errors import BadAccount
from venues.models import Account

BOUNDLESS = "canary-4f1c9a7e-secret-in-the-wrong-place"


def refusal(venue: str, options: dict[str, Any]) -> str:
    with pytest.raises(BadAccount) as error:
        services.check_options(options, adapter=registry.get(venue))
    return str(error.value)


@pytest.mark.parametrize(
    ("venue", "options", "sentence"),
    [
        (
            "binance",
            {"foo": "bar"},
            "no option 'foo'. Its options: scopes, position_risk, account_type.",
        ),
        ("binance", {"scope": "linear"}, "no option 'scope'; did you mean 'scopes'? Its options"),
        ("binance", {"scopes": "zzz"}, "option scopes is some of: linear, inverse."),
        ("binance", {"scopes": "linaer"}, "linear, inverse; did you mean 'linear'?"),
        ("binance", {"scopes": ["linear", "zzz"]}, "some of: linear, inverse"),
        ("binance", {"scopes": ""}, "scopes should be some of: linear, inverse"),
        ("binance", {"scopes": 5}, "scopes should be some of"),
        ("binance", {"position_risk": "v9"}, "position_risk is one of: v2, v3"),
        ("bybit", {"scopes": "linear"}, "linear:USDT, linear:USDC, inverse"),
        ("okx", {"scopes": "linear"}, "some of: all"),
        ("hyperliquid", {"scopes": "flx"}, "one of: dex:main"),
        ("hyperliquid", {"dex": [1]}, "dex should be names separated by commas"),
        ("phemex", {"setle": "usd"}, "did you mean 'settle'?"),
        ("bitget", {"uta": "maybe"}, "option uta is one of: true, false"),
        ("bingx", {"subType": {"a": 1}}, "subType should be one of: linear, inverse"),
        ("reference", {"style_of": "nowhere"}, "style_of is one of: binance"),
        ("reference", {"rules": {"linaer": "linear-mark"}}, "rules should be an object with"),
        ("reference", {"rules": {"linear": "linear-marks"}}, "did you mean 'linear-mark'?"),
    ],
)
def test_what_no_adapter_reads_is_refused_with_what_there_is(
    venue: str, options: dict[str, Any], sentence: str
) -> None:
    assert sentence in refusal(venue, options)


@pytest.mark.parametrize(
    "options", [{BOUNDLESS: "x"}, {"scopes": BOUNDLESS}, {"scopes": [BOUNDLESS]}]
)
def test_what_may_be_a_secret_is_not_repeated(options: dict[str, Any]) -> None:
    assert BOUNDLESS not in refusal("binance", options)


@pytest.mark.parametrize(
    ("venue", "pairs"),
    [
        ("binance", ["scopes=linear, inverse", "position_risk=v2"]),
        ("bybit", ['scopes=["linear:USDT"]']),
        ("hyperliquid", ["dex=flx,xyz", "scopes=dex:main,dex:xyz"]),
        ("derive", ["subaccount_id=1"]),
        ("phemex", ["settle=usd"]),
        ("bitget", ["scopes=inverse", "uta=true"]),
        ("gate", ["scopes=linear:USDT,inverse:BTC"]),
        ("hashkey", ["symbols=BTC/USDT:USDT,ETH/USDT:USDT"]),
        ("reference", ["style_of=okx", 'rules={"linear": "linear-mark"}', "keeper=calm"]),
    ],
)
def test_what_an_adapter_reads_is_kept_as_given(venue: str, pairs: list[str]) -> None:
    options = read_options(pairs)

    assert services.check_options(options, adapter=registry.get(venue)) == options


@pytest.mark.parametrize("slug", sorted(REGISTRY))
def test_every_value_that_an_adapter_names_is_accepted_by_it(slug: str) -> None:
    adapter = registry.get(slug)

    for option in adapter.account_options:
        values = dict.fromkeys(option.keys, option.choices[0]) if option.keys else None
        for value in [values] if values else option.choices:
            services.check_options({option.name: value}, adapter=adapter)
    assert len({option.name for option in adapter.account_options}) == len(adapter.account_options)


@pytest.mark.parametrize("slug", sorted(REGISTRY))
def test_the_scopes_that_are_read_are_those_that_may_be_chosen(slug: str) -> None:
    adapter = registry.get(slug)
    request = AccountRequest(account_id=1, venue=slug, environment="", label="a")
    declared = [each for each in adapter.account_options if each.name == "scopes"]

    for option in declared:
        assert not option.choices or set(option.choices) == set(adapter.scopes(request))
    assert declared or adapter.is_simulated


@pytest.mark.django_db
def test_no_way_of_adding_an_account_takes_an_option_that_nobody_reads(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    row = {"venue": "hyperliquid", "label": "w", "wallet": WALLET, "options": {"dexes": "flx"}}
    path.write_text(json.dumps([row]))
    out = io.StringIO()
    words = ("--venue", "hyperliquid", "--label", "w", "--wallet", WALLET, "--option", "foo=bar")

    with pytest.raises(CommandError, match="no option 'foo'"):
        call_command("add_account", *words)
    with pytest.raises(CommandError, match="1 of 1 rows"):
        call_command("import_accounts", str(path), "--apply", stdout=out)
    with pytest.raises(BadAccount, match="did you mean 'dex'"):
        services.create_account(
            team=make_team(), venue="hyperliquid", label="w", now=NOW, options={"dexs": "flx"}
        )

    assert "did you mean 'dex'?" in out.getvalue()
    assert not Account.objects.exists()
