"""One bad number in a row of a generic venue spoils that row alone, through ccxt's own parser."""

from __future__ import annotations

import importlib
import json
from decimal import Decimal, InvalidOperation
from typing import Any

import pytest

from tests.venues.fake_client import FakeClient, read_scope
from tests.venues.reading_checks import check_scope
from tests.venues.test_generic_wire_rows import ROWS, Rows, make_market
from venues import registry
from venues.strict import Strict

registry.load()

BAD = ("NaN", "Infinity", "-Infinity", "1e400", "", None, "1,5", "abc", True, [], {})
OTHERS = 19
# Wherever these are wrong, the row cannot be told from a good one: ccxt drops what it cannot read.
SOFT = ("", None)


def unify(case: Rows, row: Any) -> Any:
    """Return what the strict client's ccxt makes of a row; what it cannot read stays a bare row."""
    venue, *market = case[:4]
    base = getattr(importlib.import_module("ccxt"), venue)
    exchange = type(f"Strict_{venue}", (Strict, base), {})()
    exchange.set_markets([make_market(exchange, *market)])  # type: ignore[arg-type]
    return exchange.parse_position(json.loads(json.dumps(row), parse_float=str, parse_int=str))


def numbers(row: Any) -> list[str]:
    return [name for name, value in row.items() if is_number(value)]


def is_number(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and Decimal(str(value)).is_finite()
    except InvalidOperation:
        return False


@pytest.mark.parametrize("case", ROWS, ids=lambda case: case[0])
def test_nineteen_others_survive_whatever_one_row_holds(case: Rows) -> None:
    venue, _, _, _, row, _ = case
    unified = unify(case, row)
    good = [{**unified, "symbol": f"GOOD{number}"} for number in range(OTHERS)]
    names = {f"GOOD{number}" for number in range(OTHERS)}

    for name in numbers(row):
        for bad in BAD:
            spoiled = {**unify(case, {**row, name: bad}), "symbol": "BAD"}
            fake = FakeClient({"fetch_positions": [*good[:9], spoiled, *good[9:]]})
            full = registry.get(venue).scopes(fake.request)[0]
            reading = read_scope(venue, full, fake)

            check_scope(reading)
            shown = {position.market.symbol for position in reading.positions}
            assert shown - {"BAD"} == names, (name, bad)
            if bad not in SOFT and is_told(name, case):
                assert [each.venue_symbol for each in reading.refusals] == ["BAD"], (name, bad)


def is_told(name: str, case: Rows) -> bool:
    """Tell whether the adapter reads this very field of the row; no collateral in cross margin."""
    facts: Any = registry.get(case[0])
    is_isolated = " isolated " in case[-1]
    return any(
        name in getattr(reader, "names", ())[:1]
        for figure, reader in facts.facts.fields.items()
        if figure != "collateral" or is_isolated
    )
