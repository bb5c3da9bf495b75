"""The system at work: what is added is read, what happens is told, whatever the broker loses."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from django.test import Client
from standardwebhooks.webhooks import Webhook

from positions.alerts.models import Delivery, Incident, Message
from positions.models import Poll, Position
from riskhub import clock
from riskhub.teams.models import Team
from tests.alerts.receivers import Answer, serve_hook
from tests.factories import make_user
from tests.system import book
from tests.system.databases import Databases
from tests.system.echo import MODES, EchoVenue, serve_echo
from tests.system.leaks import Search, overhearing
from tests.system.live import BUDGET_S, Live, running_system
from tests.venues.replay import Replay
from venues import registry, services
from venues.models import Account

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


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

    assert live.sees(lambda: polls(account) >= 3)
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
    assert live.sees(lambda: polls(account) >= before + 2)
    assert live.sees(lambda: received(live, account))
    with live.orm():
        uids = list(Message.objects.filter(incident__account=account).values_list("uid", flat=True))
    assert received(live, account) == uids
    assert len(uids) == 1


CANARIES = {
    "apiKey": "canary-key-5f1c9ae07b34",
    "secret": "canary-secret-d02e6b815c7f",
    "password": "canaryPw!7",
}
SIGNING = ("binance", "bybit", "okx", "bitget")


def add_canaries(live: Live, echo: EchoVenue) -> None:
    """Add an account for each venue and way to misbehave, and one whose key cannot sign."""
    team = Team.objects.get(pk=live.team_id)
    unusable = f"-----BEGIN PRIVATE KEY-----\n{CANARIES['secret']}\n-----END PRIVATE KEY-----"
    wanted = [(venue, mode, {}) for venue in SIGNING for mode in MODES]
    for venue, mode, changed in [*wanted, ("binance", "unusable", {"secret": unusable})]:
        names = registry.get(venue).credentials
        services.create_account(
            team=team,
            venue=venue,
            label=f"canary {venue} {mode}",
            environment=echo.url(venue, mode),
            credentials={name: CANARIES[name] for name in names} | changed,
            now=clock.now(),
        )


def unread_canaries() -> bool:
    return Account.objects.filter(label__startswith="canary", polls=None).exists()


def proofs_of(live: Live, echo: EchoVenue) -> set[str]:
    """Return every signature that a venue or the receiver got."""
    signed = {headers["webhook-signature"].partition(",")[2] for headers, _ in live.hook.requests}
    return echo.proofs | signed


def pages() -> list[str]:
    """Return the address of everything that shows a position, an account or an incident."""
    position, incident = Position.objects.latest("pk"), Incident.objects.latest("pk")
    account = Account.objects.latest("pk")
    return [
        *("/", "/summary", "/frame", "/accounts/", "/alerts/", "/settings/", "/accounts/add/"),
        *("/export/positions.csv", "/export/positions.json"),
        *(f"/positions/{position.pk}/", f"/alerts/{incident.pk}/"),
        *(f"/api/v1/{name}" for name in ("positions", "accounts", "incidents")),
        *(f"/api/v1/positions/{position.pk}{part}" for part in ("", "/history", "/events")),
        *(f"/api/v1/accounts/{account.pk}", f"/api/v1/incidents/{incident.pk}"),
    ]


def assert_search_works(live: Live, client: Client, heard: bytes) -> None:
    """What is no secret is found in every place that is searched."""
    search = Search(
        {
            "label": "canary okx refused",
            "stored": "positionRisk",
            "sent": "account_ids",
            "kept": "riskhub:live",
        }
    )

    assert search.hits("it", heard) == ["kept in it", "sent in it"]
    assert "kept in the broker" in search.in_broker(live.redis())
    assert {"label in venues_account.label", "stored in positions_rawanswer.body"} <= set(
        search.in_tables()
    )
    assert "label in /accounts/" in search.in_pages(client, ["/accounts/"])
    assert search.in_files(live.folder)


def test_no_secret_is_found_in_anything_that_the_system_leaves_behind(
    live: Live, client: Client
) -> None:
    with serve_echo() as echo, overhearing(str(live.folder / "redis.sock")) as heard:
        with live.orm():
            add_canaries(live, echo)
        assert live.sees(lambda: not unread_canaries(), within_s=40)
        # The receiver refuses, and repeats the secret that it shares with us.
        live.hook.script[:] = [Answer(status=401, body=live.secret.encode())] * 3
        live.add_account("refused", mark=55_000)
        assert live.sees(lambda: Delivery.objects.exclude(last_error="").exists())

    search = Search({**CANARIES, "webhook secret": live.secret.removeprefix("whsec_")})
    proofs = Search(
        {f"proof {number}": proof for number, proof in enumerate(proofs_of(live, echo))}
    )
    assert all(echo.signed[f"{venue}/{mode}"] for venue in SIGNING for mode in MODES)
    assert len(heard) > 10_000
    with live.orm():
        client.force_login(make_user(team=Team.objects.get(pk=live.team_id)))
        assert_search_works(live, client, bytes(heard))
        for each in (search, proofs):
            assert each.in_broker(live.redis()) == []
            assert each.hits("what the broker was told", bytes(heard)) == []
            assert each.in_tables() == []
            assert each.in_pages(client, pages()) == []
            assert each.in_files(live.folder) == []
    assert "Traceback" in "".join(path.read_text() for path in (live.folder / "logs").iterdir())
