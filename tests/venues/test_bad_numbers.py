"""One bad number spoils its own row and no other: each numeric field by each bad value."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import json
from decimal import Decimal, InvalidOperation
from typing import Any

import pytest

from tests.venues import corpus
from tests.venues.corpus import Call
from tests.venues.replay import Replay
from tests.venues.test_garbage import VENUES, read_account
from venues.base import PositionReading, ScopeReading
from venues.figures import Figure

# As they stand in the answer, without quotes unless they are written here.
BAD = ("NaN", "-Infinity", "1e400", '""', "null", '"1,5"', '"NaN"', "true", "[]", '"0x10"')
NAMES = ("symbol", "instId", "coin", "contract", "market")


def is_row(value: Any) -> bool:
    if not isinstance(value, dict) or "assetId" in value:
        # A balance of dYdX names a coin too.
        return False
    return any(name in core(value) for name in NAMES)


def find_rows(answer: Any) -> list[Any] | dict[str, Any] | None:
    """Return the first collection of rows in an answer: a list, or an object by name."""
    nested = list(answer.values() if isinstance(answer, dict) else answer)
    if nested and all(is_row(value) for value in nested):
        found: list[Any] | dict[str, Any] = answer
        return found
    inner = (find_rows(value) for value in nested if isinstance(value, dict | list))
    return next((rows for rows in inner if rows is not None), None)


def replace_rows(rows: list[Any] | dict[str, Any], new: list[Any]) -> None:
    if isinstance(rows, list):
        rows[:] = new
        return
    rows.clear()
    rows.update({str(number): row for number, row in enumerate(new)})


def core(row: dict[str, Any]) -> dict[str, Any]:
    """Return the object that holds a row's fields."""
    nested: dict[str, Any] = row.get("position", row)
    return nested


def is_number(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and Decimal(str(value)).is_finite()
    except InvalidOperation:
        return False


def spoiled_rows(good: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a row for each numeric field and bad value, under a symbol of its own."""
    fields = [name for name, value in core(good).items() if is_number(value)]
    rows = []
    for number, (name, bad) in enumerate(itertools.product(fields, BAD)):
        row = copy.deepcopy(good)
        symbol = next(key for key in NAMES if key in core(row))
        core(row)[symbol] = f"BAD{number}"
        core(row)[name] = f"@{bad}@"
        rows.append(row)
    return rows, fields


def spoil_call(call: Call) -> tuple[Call, int]:
    """Return a call whose rows are spoiled ones and, at the end, the good one; and how many."""
    answer = json.loads(call.body_text)
    rows = find_rows(answer)
    if rows is None:
        return call, 0
    good = rows[0] if isinstance(rows, list) else next(iter(rows.values()))
    spoiled, _ = spoiled_rows(good)
    count = len(spoiled) + 1
    replace_rows(rows, [*spoiled, good])
    # One page, however many rows it has.
    if isinstance(answer, dict) and "nextPageCursor" in (answer.get("result") or {}):
        answer["result"]["nextPageCursor"] = ""
    text = json.dumps(answer)
    for bad in BAD:
        text = text.replace(json.dumps(f"@{bad}@"), bad)
    return dataclasses.replace(call, body_text=text), count


def figures_of(position: PositionReading) -> list[Figure]:
    return [value for value in position if isinstance(value, Figure)]


@pytest.mark.parametrize("venue", VENUES)
def test_a_bad_number_spoils_its_own_row_alone(replay: Replay, venue: str) -> None:
    calls, _ = corpus.scenario(corpus.OWN, venue, "positions_long")
    spoiled, counts = zip(*(spoil_call(call) for call in calls), strict=True)
    base = replay.compose(venue, "numbers", *spoiled)

    outcome = read_account(venue, base)
    # Some adapters ask for more about each symbol; these made-up ones are not listed.
    replay.missed.clear()

    scope: ScopeReading = max(outcome.scopes, key=lambda each: len(each.refusals))
    figures = [figure for position in scope.positions for figure in figures_of(position)]
    symbols = {position.market.symbol for position in scope.positions}
    assert len(scope.positions) + len(scope.refusals) == max(counts)
    assert any("BAD" not in symbol for symbol in symbols)
    assert len(scope.refusals) >= len(BAD)
    assert all(figure.value is None or figure.value.is_finite() for figure in figures)
