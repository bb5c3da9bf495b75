"""A poll waits for a price refresh at the same rows: neither writes over what it has not read."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, connections, transaction

from positions.models import Position
from tests.factories import make_account
from tests.positions.readings import SIGHTED, at, outcome, prices, reading
from tests.positions.test_ingest import kinds, store
from tests.positions.test_pricing import refresh


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite has one writer at a time: nothing to wait"
)
def test_a_poll_that_meets_a_price_refresh_reads_what_the_refresh_wrote():
    account = make_account()
    store(outcome(account, reading()))
    poll = threading.Thread(target=_poll, args=(account,))

    with transaction.atomic():
        refresh(prices(account, seconds=31, BTC="54000"))
        poll.start()
        _wait_until_it_waits()
    poll.join(timeout=10)

    position = Position.objects.get()
    assert position.mark_price == 54_000.0
    assert position.received_at == at(30)
    assert kinds(position) == ["opened", "breached"]


def _poll(account):
    try:
        store(outcome(account, reading(mark_price=SIGHTED("58000")), seconds=30))
    finally:
        connections.close_all()


def _wait_until_it_waits():
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    for _ in range(100):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(waiting)
            if cursor.fetchone()[0]:
                return
        threading.Event().wait(0.05)
    raise AssertionError("the poll does not wait for the price refresh")
