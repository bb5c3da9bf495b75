from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from positions.engine.types import ContractKind
from positions.models import Position
from tests.paths import PROJECT
from tests.venues.probe import make_request, read_row, risk_row
from venues.base import MarketSpec, PositionReading
from venues.errors import BadAccount
from venues.figures import Row
from venues.models import CoverageEntry, Market
from venues.rows import LONGEST_NAMES, LONGEST_SCOPE, LONGEST_SLOT, choose_scopes, read_rows

MARKET = MarketSpec(
    symbol="BTC/USDT:USDT",
    venue_symbol="BTCUSDT",
    kind=ContractKind.LINEAR,
    asset="BTC",
    quote="USDT",
    settle="USDT",
)


def read(row: Row) -> PositionReading:
    """Return the reading of a row: its market and slot are what the row says."""
    market = replace(MARKET, **row.fields.get("market", {}))
    return read_row(row.fields, market)._replace(slot=row.fields.get("slot", "net"))


def read_beside_a_good_row(row: dict[str, Any]) -> Any:
    good = risk_row(market={"symbol": "ETH/USDT:USDT"})
    return read_rows(scope="linear", rows=[row, good], read_row=read)


@pytest.mark.parametrize("name", LONGEST_NAMES)
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A" * 81, "is longer than"),
        ("A\0B", "holds a control character"),
        ("A\x1bB", "holds a control character"),
        ("A\x85B", "holds a control character"),
        ("A\ud800B", "holds a control character"),
    ],
)
def test_a_name_that_no_column_holds_refuses_its_row_alone(
    name: str, text: str, reason: str
) -> None:
    found = read_beside_a_good_row(risk_row(market={name: text}))

    assert [each.market.symbol for each in found.positions] == ["ETH/USDT:USDT"]
    (refusal,) = found.refusals
    assert refusal.venue_symbol == "BTCUSDT"
    assert refusal.reason.startswith(f"{name.replace('_', ' ')} {reason}")
    assert text not in refusal.reason


@pytest.mark.parametrize("slot", ["long-and-short", "net\0"])
def test_a_slot_that_no_column_holds_refuses_its_row_alone(slot: str) -> None:
    found = read_beside_a_good_row(risk_row(slot=slot))

    assert len(found.positions) == len(found.refusals) == 1
    assert found.refusals[0].reason.startswith("slot ")


@pytest.mark.parametrize("name", LONGEST_NAMES)
def test_a_name_as_long_as_its_column_is_kept(name: str) -> None:
    longest = "币" * LONGEST_NAMES[name]

    found = read_beside_a_good_row(risk_row(market={name: longest}))

    assert (len(found.positions), found.refusals) == (2, ())


def test_the_limits_are_those_of_the_columns() -> None:
    columns = {name: Market._meta.get_field(name).max_length for name in LONGEST_NAMES}

    assert columns == LONGEST_NAMES
    assert Position._meta.get_field("slot").max_length == LONGEST_SLOT
    assert CoverageEntry._meta.get_field("scope").max_length == LONGEST_SCOPE


def test_rows_are_read_in_the_one_place_that_checks_them() -> None:
    package = PROJECT / "venues"

    makers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "ScopeReading(" in path.read_text().replace("class ScopeReading", "")
    }

    assert makers == {"rows.py"}


@pytest.mark.parametrize("name", ["dex:" + "x" * 57, "dex:a\0b"])
def test_a_scope_that_no_column_holds_is_a_bad_account(name: str) -> None:
    request = make_request("")

    with pytest.raises(BadAccount, match="of this account's options"):
        choose_scopes(request=request, available=[name])
