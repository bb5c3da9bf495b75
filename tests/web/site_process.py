"""The site of tests/web/site.py: a web server in a thread, and acts told on standard input.

Each line is [name, arguments]; each answer {"result": ...} or {"error": ...}. It ends with its
input. Django is set up before this module is imported.
"""

from __future__ import annotations

import json
import logging
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import uvicorn
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.db import transaction

from positions import ingest, pricing, scheduling, staleness
from positions.alerts.defaults import ensure_defaults
from positions.models import Position
from riskhub import clock, heartbeat, live, notices
from riskhub.teams.models import Team
from tests import factories
from tests.positions.readings import end, outcome, prices, reading
from venues.figures import Figure
from venues.models import Account, AssetPrice

ACTS: dict[str, Callable[..., Any]] = {}


def act(function: Callable[..., Any]) -> Callable[..., Any]:
    ACTS[function.__name__] = function
    return function


def account_of(label: str) -> Account:
    """Return the account of that label, made with its team and person if it is not there."""
    account = Account.objects.filter(label=label).first()
    if account is None:
        team = factories.make_team(f"Team of {label}")
        ensure_defaults(team=team, now=clock.now())
        factories.make_user(f"person-{label}", team=team)
        # An environment of its own: its prices move nobody else's positions.
        account = factories.make_account(
            team, venue="bybit", label=label, environment=f"https://{label}.example"
        )
        AssetPrice.objects.get_or_create(
            asset="USDT", venue="bybit", defaults={"usd": 1.0, "received_at": clock.now()}
        )
    return account


@act
def session(label: str) -> str:
    """Return the session of the person whose team holds the account."""
    account = account_of(label)
    user = account.team.memberships.select_related("user").get().user
    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.save()
    return str(store.session_key)


@act
def team(label: str) -> int:
    """Return the id of the team that holds the account."""
    return account_of(label).team_id


@act
def poll(label: str, marks: dict[str, str], ended: str = "") -> dict[str, int]:
    """Store a complete answer: longs of 1 at 10x, entered at 100; return asset -> position.

    marks   asset -> mark price of each position held
    ended   asset whose liquidation the venue tells of
    """
    account, now = account_of(label), clock.now()
    rows = [_held(asset, mark) for asset, mark in marks.items()]
    ends = [replace(end(f"{ended}/USDT:USDT", seconds=0), at=now)] if ended else []
    seen = replace(outcome(account, *rows, ends=ends), started_at=now, received_at=now)
    cycle = scheduling.new_cycle(now=now)
    assert ingest.ingest_outcomes(outcomes=[seen], cycle=cycle, now=now) == [account.pk]
    held = Position.objects.filter(account=account).select_related("market")
    return {position.market.asset: position.pk for position in held}


def _held(asset: str, mark: str) -> Any:
    return reading(
        f"{asset}/USDT:USDT",
        entry_price=Figure.reported("100"),
        mark_price=Figure.reported(mark),
        collateral=Figure.reported("10"),
        liquidation_price=Figure.reported("90.452"),
        unrealized_pnl=Figure.reported(str(float(mark) - 100)),
        maintenance_margin=Figure.reported("0.5"),
        venue_time=clock.now(),
    )


@act
def price(label: str, **marks: str) -> int:
    """Store a price refresh; return how many positions it moved."""
    return pricing.ingest_prices(outcome=_quotes(label, marks), now=clock.now())


@act
def price_undone(label: str, **marks: str) -> None:
    """Store a price refresh in a transaction that fails after it."""
    try:
        with transaction.atomic():
            pricing.ingest_prices(outcome=_quotes(label, marks), now=clock.now())
            raise RuntimeError("undone")
    except RuntimeError:
        pass


def _quotes(label: str, marks: dict[str, str]) -> Any:
    now: datetime = clock.now()
    return replace(prices(account_of(label), seconds=0, venue_time=now, **marks), received_at=now)


@act
def grow_stale(label: str) -> int:
    """Let the account's last answer be an hour old; return how many positions are stale."""
    late = clock.now() - timedelta(hours=1)
    Position.objects.filter(account__label=label).update(received_at=late)
    return staleness.mark_stale(now=clock.now())


@act
def vanish(label: str, keep: dict[str, str]) -> None:
    """Store a complete answer in which only these are held; the rest is gone without a word."""
    poll(label, keep)


@act
def add_history(label: str, asset: str, points: int) -> None:
    """Give a position readings of the last hours."""
    position = Position.objects.get(account__label=label, market__asset=asset)
    for number in range(points):
        at = clock.now() - timedelta(minutes=10 * (points - number))
        factories.make_reading(position, at=at, mark_price=100 + number % 7)


@act
def hold_hostile(label: str, text: str) -> int:
    """Hold a position of which every text is `text`; return its id."""
    account = account_of(label)
    other = factories.make_account(account.team, venue="okx", label=text[:60], wallet=text[:120])
    names = dict.fromkeys(("asset", "quote", "settle"), text[:30])
    market = factories.make_market(text[:80], venue="okx", **names)
    reasons = {"index_price": text}
    position = factories.make_position(
        other,
        market=market,
        raw={"row": text},
        index_price=None,
        provenance=factories.make_provenance(sources={}, reasons=reasons),
        received_at=clock.now(),
    )
    factories.make_coverage(other).__class__.objects.filter(account=other).update(error=text)
    factories.make_event(position, detail={"reference": text})
    factories.make_incident(position, headline=text, why={"blocked_reason": text})
    factories.make_channel(account.team, label=text[:60], config={"url": text})
    return position.pk


@act
def alert(label: str) -> int:
    """Open an incident on the first position of the account; return its id."""
    position = Position.objects.filter(account__label=label).order_by("pk")[0]
    return factories.make_incident(position, headline="It is near", severity="critical").pk


@act
def publish(label: str, event: str, data: Any = None) -> None:
    """Tell the team's browsers."""
    live.publish(team_id=account_of(label).team_id, event=event, data=data)


@act
def cut_stream(label: str) -> None:
    """Forget every event of the team, as the cap does with old ones."""
    live._redis().xtrim(live.stream_key(account_of(label).team_id), maxlen=0)


@act
def beat(cycle: str, seconds_ago: float) -> None:
    """Let a cycle have come round for the last time so long ago; it is everybody's."""
    heartbeat.beat(cycle=cycle, now=clock.now() - timedelta(seconds=seconds_ago))


@act
def notify(texts: list[str]) -> None:
    """Let the supervisor tell every page of what is over."""
    told = [
        notices.Notice(f"part-{number}", "warning", text, clock.now())
        for number, text in enumerate(texts)
    ]
    notices.write(folder=settings.DATA_DIR, notices=told)


@act
def count_teams() -> int:
    """Return how many teams there are."""
    return Team.objects.count()


def serve() -> str:
    """Serve from a thread; return the address. The static files are there already."""
    from riskhub.asgi import application

    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        application, lifespan="off", log_level="warning", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, args=([listener],), daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def main() -> None:
    """Prepare, serve, and act until standard input ends."""
    logging.disable(logging.INFO)
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    print(json.dumps({"result": serve()}), flush=True)  # noqa: T201
    for line in sys.stdin:
        name, arguments = json.loads(line)
        try:
            answer = {"result": ACTS[name](**arguments)}
        except Exception:  # noqa: BLE001 - whatever it was, the test is to show it
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), flush=True)  # noqa: T201
