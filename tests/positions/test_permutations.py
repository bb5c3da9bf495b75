"""Replies in any order: after each of 10,000, every account shows the newest that has come."""

from __future__ import annotations

import random

import pytest

from positions.models import Position
from tests.factories import make_account
from tests.positions.readings import SIGHTED, outcome, reading
from tests.positions.test_ingest import store

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

ORDERS, ACCOUNTS, REPLIES = 10, 5, 200


def test_an_older_reply_never_overwrites_a_newer_one_in_any_order():
    chance = random.Random(14)
    wrong = 0

    for _ in range(ORDERS):
        accounts = [make_account() for _ in range(ACCOUNTS)]
        newest = 0
        for second in chance.sample(range(1, REPLIES + 1), REPLIES):
            newest = max(newest, second)
            told = reading(contracts=SIGHTED(str(second)))
            store(*(outcome(each, told, seconds=second) for each in accounts))
            held = Position.objects.filter(account__in=accounts)
            shown = held.values_list("contracts", flat=True)
            wrong += sum(size != float(newest) for size in shown) + (len(shown) != ACCOUNTS)

    assert wrong == 0
