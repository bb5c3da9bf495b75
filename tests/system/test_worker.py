"""The system at work: what is added is read, what happens is told, whatever the broker loses."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from positions.alerts.models import Incident, Message
from positions.models import Poll, Position
from tests.alerts.receivers import serve_hook
from tests.system import book
from tests.system.databases import Databases
from tests.system.live import BUDGET_S, Live, running_system
from tests.venues.replay import Replay
from venues.models import Account

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def live(folder: Path, databases: Databases, venues: Replay) -> Iterator[Live]:
    with (
        serve_hook() as hook,
        running_system(folder=folder, databases=databases, venues=venues, hook=hook) as live,
    ):
        yield live


def received(live: Live, account: Account) -> list[str]:
    """Return the ids of the messages about an account that the receiver got, verified."""
    verified = [
        (headers["webhook-id"], Webhook(live.secret).verify(body, headers))
        for headers, body in tuple(live.hook.requests)
    ]
    return [uid for uid, told in verified if f'"{account.label}"' in json.dumps(told)]


def polls(account: Account) -> int:
    return Poll.objects.filter(account=account).count()


def test_an_added_account_is_read_by_the_worker(live: Live) -> None:
    account = live.add_account("added")

    assert live.sees(lambda: Position.objects.filter(account=account).exists())
    with live.orm():
        position = Position.objects.get(account=account)
        assert (position.state, position.contracts, position.life_id is None) == (
            "open",
            0.5,
            False,
        )
        assert position.venue_liquidation_price == pytest.approx(54_216.867, abs=0.001)


def test_a_price_change_reaches_the_receiver_once_and_signed(live: Live) -> None:
    account = live.add_account("moved")
    assert live.sees(lambda: Position.objects.filter(account=account, mark_price=64_000).exists())

    live.tell("moved", amount=0.5, mark=55_000)

    assert live.sees(lambda: received(live, account))
    assert live.sees(lambda: Position.objects.filter(account=account, mark_price=55_000).exists())
    with live.orm():
        uids = list(Message.objects.filter(incident__account=account).values_list("uid", flat=True))
        severities = Incident.objects.filter(account=account).values_list("severity", flat=True)
        assert list(severities) == ["critical"]
    assert received(live, account) == uids
    assert len(uids) == 1


def test_two_schedulers_have_each_account_read_once_a_cycle(live: Live) -> None:
    account = live.add_account("paced")

    assert live.sees(lambda: polls(account) >= 4)
    with live.orm():
        stored = list(Poll.objects.filter(account=account).order_by("started_at"))
        asked = [each.path for each in live.venues.asked(scenario="paced")]
    assert Counter(asked)[book.RISK] - len(stored) in (0, 1)
    assert len({poll.cycle for poll in stored}) == len(stored)
    for one, next_one in pairwise(stored):
        assert next_one.started_at - one.committed_at >= timedelta(seconds=BUDGET_S)


@pytest.mark.parametrize("loss", ["flush", "restart"])
def test_a_broker_that_loses_everything_loses_no_alert(live: Live, loss: str) -> None:
    account = live.add_account(f"lost-{loss}")
    assert live.sees(lambda: Position.objects.filter(account=account).exists())
    live.tell(f"lost-{loss}", amount=0.5, mark=55_000)

    if loss == "flush":
        live.redis().flushall()
    else:
        live.lose_broker()

    with live.orm():
        before = polls(account)
    assert live.sees(lambda: polls(account) >= before + 3)
    assert live.sees(lambda: received(live, account))
    with live.orm():
        uids = list(Message.objects.filter(incident__account=account).values_list("uid", flat=True))
    assert received(live, account) == uids
    assert len(uids) == 1
