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
NAMES = ("symbol", "instId", "coin")


def find_rows(answer: Any) -> list[Any] | None:
    """Return the first list of objects in an answer."""
    if isinstance(answer, list):
        return answer if answer and isinstance(answer[0], dict) else None
    nested = answer.values() if isinstance(answer, dict) else ()
    return next((rows for value in nested if (rows := find_rows(value)) is not None), None)


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
    if rows is None or not any(name in core(rows[0]) for name in NAMES):
        return call, 0
    spoiled, _ = spoiled_rows(rows[0])
    count = len(spoiled) + 1
    rows[:] = [*spoiled, rows[0]]
    # One page, however many rows it has.
    if isinstance(answer, dict) and "nextPageCursor" in (answer.get("result") or {}):
        answer["result"]["nextPageCursor"] = ""
    text = json.dumps(answer)
    for bad in BAD:
        text = text.replace(json.dumps(f"@{bad}@"), bad)
    return dataclasses.replace(call, body_text=text), count


def figures_of(position: PositionReading) -> list[Figure]:
    values = (getattr(position, item.name) for item in dataclasses.fields(position))
    return [value for value in values if isinstance(value, Figure)]


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
