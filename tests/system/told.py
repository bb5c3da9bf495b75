"""What a database says after a crash: each account's book and news, and whether it is sound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.db import connection
from django.db.models import Count, F, Q

from positions.alerts.models import Channel, Delivery, Incident, Message
from positions.models import Event, Life, Poll, Position, Reading
from venues.models import Account, CoverageEntry

Book = dict[str, list[tuple[Any, ...]]]


def books() -> dict[str, Book]:
    """Return each account's positions, events, incidents and messages, by its label."""
    return {account.label: _book(account) for account in Account.objects.order_by("pk")}


def _book(account: Account) -> Book:
    market = F("market__symbol")
    positions = Position.objects.filter(account=account).values_list(
        market, "slot", "state", "contracts", "mark_price", "collateral", "liquidation_price"
    )
    events = Event.objects.filter(position__account=account).values_list(
        "position__market__symbol", "kind"
    )
    incidents = Incident.objects.filter(account=account).values_list(
        "rule__name", "position__market__symbol", "severity", "state"
    )
    messages = Message.objects.filter(incident__account=account).values_list(
        "incident__rule__name", "incident__position__market__symbol", "reason"
    )
    return {
        "positions": sorted(positions),
        "events": sorted(events),
        "incidents": sorted(incidents),
        "messages": sorted(messages),
    }


def faults() -> list[str]:
    """Return what must never be, however a process died."""
    return [*_broken_file(), *_broken_links(), *_twice()]


def _broken_file() -> list[str]:
    if connection.vendor != "sqlite":
        return []
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA foreign_key_check")
        orphans = cursor.fetchall()
        cursor.execute("PRAGMA integrity_check")
        verdicts = [row[0] for row in cursor.fetchall() if row[0] != "ok"]
    return [f"orphan {row}" for row in orphans] + verdicts


def _broken_links() -> list[str]:
    """What commits together stands together, or not at all."""
    live = Position.objects.exclude(state="gone")
    wanted = Channel.objects.filter(is_enabled=True).count()
    sent_to = Message.objects.annotate(deliveries_made=Count("deliveries"))
    found = {
        "position without a life": live.filter(life=None),
        "life of another position": Position.objects.exclude(life__position=F("pk")),
        "position without an open life": live.exclude(life__ended_at=None),
        "incident told to nobody": Incident.objects.filter(state="firing", messages=None),
        "message that nobody delivers": sent_to.exclude(deliveries_made=wanted),
        "event of another life": Event.objects.exclude(life__position=F("position")),
        "poll that is not settled": Poll.objects.exclude(cycle__lte=F("account__ingested_cycle")),
        "account settled without its poll": Account.objects.filter(
            ~Q(ingested_cycle=0), ~Q(polls__cycle=F("ingested_cycle"))
        ),
        "part seen without its account": CoverageEntry.objects.exclude(
            seen_at=F("account__last_seen_at")
        ),
    }
    return [f"{name}: {rows.count()}" for name, rows in found.items() if rows.exists()]


def _twice() -> list[str]:
    rows = {
        "poll": Poll.objects.values_list("account", "cycle"),
        "reading": Reading.objects.values_list("position", "poll"),
        "open life": Life.objects.filter(ended_at=None).values_list("position"),
        "incident": Incident.objects.values_list("rule", "subject"),
        "message": Message.objects.values_list("incident", "reason"),
        "event": Event.objects.values_list("position", "life", "kind"),
        "delivery": Delivery.objects.values_list("message", "channel"),
    }
    return [f"{name} twice: {key}" for name, keys in rows.items() for key in _repeated(keys)]


def _repeated(keys: Iterable[Any]) -> list[Any]:
    return [key for key, times in Counter(keys).items() if times > 1]
