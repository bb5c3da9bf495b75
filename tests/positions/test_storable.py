"""One unusable byte of a venue costs no account its reading, on either database."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from positions.models import Position
from positions.storable import storable
from tests.factories import make_account
from tests.positions.readings import at, failure, outcome, reading
from tests.positions.test_ingest import store
from venues.base import RawAnswer, Refusal
from venues.errors import Unreachable

BAD = ["a\x00b", "a\ud800b"]


def test_what_can_be_stored_is_returned_as_it_is():
    row = {"text": "a\\u0000 é 😀", "number": 1.5, "none": None, "list": [True, 10**40]}

    assert storable(row) == row


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (BAD[0], "a\ufffdb"),
        (BAD[1], "a\ufffdb"),
        ({BAD[0]: [BAD[1]]}, {"a\ufffdb": ["a\ufffdb"]}),
        (float("nan"), "nan"),
        ([float("-inf"), 1.5], ["-inf", 1.5]),
        ({"price": Decimal("1.50")}, {"price": "1.50"}),
    ],
)
def test_what_cannot_be_stored_becomes_text_that_can(value, kept):
    assert storable(value) == kept


@pytest.mark.django_db
@pytest.mark.parametrize("value", [*BAD, float("nan")])
def test_a_raw_row_that_no_database_keeps_is_stored_mended(value):
    account = make_account()

    store(outcome(account, reading(raw={"note": value})))

    assert "\x00" not in Position.objects.get().raw["note"]


@pytest.mark.django_db
@pytest.mark.parametrize("text", BAD)
def test_refusals_errors_and_answers_with_unusable_text_are_stored(text):
    account = make_account()
    told = outcome(account, reading(), refusals=[Refusal(f"bad {text}", text)])
    answered = replace(told, answers=(RawAnswer("GET /x", 200, text.replace("\x00", ""), at(0)),))

    stored = store(answered)
    failed = store(failure(account, Unreachable(text), seconds=30))

    assert stored == failed == [account.pk]
