"""A page of three that is lost, and an answer that is too large: nothing is closed by them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from positions.alerts import pipeline
from positions.alerts.defaults import ensure_defaults
from positions.alerts.models import Message
from positions.models import Position
from riskhub import clock
from tests.factories import NOW, look_at_keys, make_channel, make_team
from tests.system import book
from tests.system.test_garbage import coverage, poll, standing
from tests.venues import corpus
from tests.venues.corpus import Call, answering
from tests.venues.reading_checks import account_of
from tests.venues.replay import Fault, Replay
from venues import reading, registry, services
from venues.models import Account

pytestmark = pytest.mark.django_db
LOST = {
    "page": "<!DOCTYPE html><html></html>",
    "empty": "",
    "cut": '{"retCode": 0, "code": "00000", "result": {"list": [{"symbol": "C',
}
TOO_LARGE = 33 * 1024 * 1024


def row_of(venue: str) -> dict[str, Any]:
    """Return the row of a venue's composed answer with one long."""
    own, _ = corpus.scenario(corpus.OWN, venue, "positions_long")
    answers = [json.loads(call.body_text) for call in own]
    lists = [_list_of(answer) for answer in answers]
    return next(rows[0] for rows in lists if rows)


def _list_of(answer: Any) -> Any:
    if isinstance(answer, list):
        return answer
    return answer.get("data") or answer.get("result", {}).get("list")


def bybit(lost: str | None) -> tuple[Call, ...]:
    """Return three pages of 200, the second as `lost` says."""
    row = {**row_of("bybit"), "tradeMode": "1"}
    cursors, calls = ["", "second", "third", ""], []
    for number in range(3):
        page = [{**row, "symbol": f"C{200 * number + n}USDT"} for n in range(200)]
        told = {"category": "linear", "list": page, "nextPageCursor": cursors[number + 1]}
        answer = {"retCode": 0, "retMsg": "OK", "result": told, "time": book.BEFORE_MS}
        query = {"cursor": cursors[number] or None}
        text = lost if number == 1 else None
        text = json.dumps(answer) if text is None else text
        calls.append(answering("/v5/position/list", text=text, query=query))
    return tuple(calls)


def gate(lost: str | None) -> tuple[Call, ...]:
    """Return three pages of 100, each from the last row of the one before."""
    row = row_of("gate")
    rows = [{**row, "contract": f"C{number}_USDT"} for number in range(250)]
    pages = {start: json.dumps(rows[start : start + 100]) for start in (0, 99, 198)}
    if lost is not None:
        pages[99] = lost
    endpoint = "/api/v4/futures/usdt/positions"
    return tuple(
        answering(endpoint, text=text, query={"offset": start}) for start, text in pages.items()
    )


def bitget(lost: str | None) -> tuple[Call, ...]:
    """Return the lists of three products, which have no pages; the second as `lost` says."""
    row = row_of("bitget")
    endpoint, calls = "/api/v2/mix/position/all-position", []
    for product in ("USDT-FUTURES", "USDC-FUTURES", "COIN-FUTURES"):
        coin = "PERP" if product == "USDC-FUTURES" else "USDT"
        data = [] if product == "COIN-FUTURES" else [
            {**row, "symbol": f"C{number}{coin}"} for number in range(50)
        ]  # fmt: skip
        answer = {"code": "00000", "msg": "success", "requestTime": book.BEFORE_MS, "data": data}
        text = lost if product == "USDC-FUTURES" else None
        text = json.dumps(answer) if text is None else text
        calls.append(answering(endpoint, text=text, query={"productType": product}))
    return tuple(calls)


BOOKS: dict[str, tuple[Callable[[str | None], tuple[Call, ...]], list[str], int]] = {
    "bybit": (bybit, ["linear:USDT"], 600),
    "gate": (gate, ["linear:USDT"], 250),
    "bitget": (bitget, ["linear:USDT", "linear:USDC", "inverse"], 100),
}


def add(venue: str, url: str, scopes: list[str], *, label: str = "") -> Account:
    account = services.create_account(
        team=make_team(),
        venue=venue,
        label=label or venue,
        environment=url,
        now=clock.now(),
        **account_of(registry.get(venue), {"scopes": scopes}),
    )
    look_at_keys()
    return account


@pytest.mark.parametrize("venue", BOOKS)
@pytest.mark.parametrize("lost", LOST.values(), ids=LOST.keys())
def test_the_second_of_three_that_is_lost_closes_nothing(
    venues: Replay, venue: str, lost: str
) -> None:
    compose, scopes, count = BOOKS[venue]
    name = f"lost-{len(lost)}"
    account = add(venue, venues.compose(venue, name, *compose(None)), scopes)
    poll(account)
    rows, events = standing(account)
    assert len(rows) == count

    venues.compose(venue, name, *compose(lost))
    poll(account)

    later, later_events = standing(account)
    assert {row[1] for row in later} == {"open"}
    assert (len(later), later_events) == (count, events)
    blind = account.coverage.exclude(error="")
    assert [entry.error_kind for entry in blind] == ["unreadable"]
    assert all(entry.seen_at < entry.tried_at for entry in blind)


def test_an_answer_of_33_mb_costs_its_own_account_alone_and_is_one_message(
    venues: Replay,
) -> None:
    long = book.binance_long(amount=0.5, mark=64_000.0)
    names = ("one", "huge", "three")
    urls = [venues.compose("binance", f"size-{name}", *book.binance(long)) for name in names]
    accounts = [add("binance", url, ["linear"]) for url in urls]
    for account in accounts:
        poll(account)
    venues.spoil("binance", "size-huge", Fault(endpoint=book.RISK, text=b" " * TOO_LARGE))

    groups = reading.read_accounts(
        account_ids=[account.pk for account in accounts], now=clock.now()
    )
    failed = {each.account_id: each.failures for group in groups for each in group}
    poll(accounts[1])

    assert [bool(failed[account.pk]) for account in accounts] == [False, True, False]
    assert coverage(accounts[1]).error_kind == "unreadable"
    assert Position.objects.filter(state="open").count() == 3
    assert messages_about(accounts[1]) == ["first"]


def messages_about(account: Account) -> list[str]:
    """Let the account go unseen for an hour and return why messages about it were written."""
    ensure_defaults(team=account.team, now=NOW)
    make_channel(account.team)
    for second in range(0, 3600, 10):
        pipeline.evaluate_staleness(now=clock.now() + timedelta(seconds=second))
    rows = Message.objects.filter(incident__account=account).order_by("pk")
    return list(rows.values_list("reason", flat=True))
