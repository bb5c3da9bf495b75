"""What the tests of the reference venue share: running it, and its state as plain values."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Sum

from positions.engine.types import Side
from riskhub.teams.models import Team
from tests.factories import make_team
from venues.models import Account
from venues.reference import demo, services, steps
from venues.reference.models import (
    ReferenceBalance,
    ReferenceEntry,
    ReferenceMarket,
    ReferencePosition,
    ReferenceRun,
)

START = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
SEED = 6


def at(step: int) -> datetime:
    """Return the instant at which that step is due."""
    return START + timedelta(seconds=step)


def run_steps(first: int, last: int, *, stride: int = 1) -> None:
    """Advance from step `first` to `last`, `stride` steps at a time."""
    for step in range(first + stride - 1, last + 1, stride):
        assert steps.advance(now=at(step)).steps == stride


def make_paper_account(*, style: str = "binance", label: str = "paper", **balances: str) -> Account:
    """Return a paper account that holds the balances, by settle coin; the venue is started."""
    steps.begin_run(seed=SEED, now=START)
    account = Account.objects.create(
        team=Team.objects.first() or make_team(),
        venue="reference",
        label=label,
        options=services.style_options(style=style),
        is_simulated=True,
        created_at=START,
    )
    for unit, amount in (balances or {"USDT": "100000"}).items():
        services.deposit(account=account, unit=unit, amount=Decimal(amount), now=START)
    return account


def open_long(account: Account, symbol: str = "BTC/USDT:USDT", **order: Any) -> ReferencePosition:
    """Return a long position, by default 0.1 BTC at 10x."""
    values = {"side": Side.LONG, "contracts": Decimal("0.1"), "leverage": 10, "now": START}
    return services.open_position(account=account, symbol=symbol, **(values | order))


def start_demo() -> Team:
    """Return a team whose demo stands at step 0."""
    team = make_team()
    demo.ensure_demo(team=team, now=START)
    return team


def wipe() -> None:
    """Forget everything about the reference venue."""
    Account.objects.all().delete()
    ReferenceMarket.objects.all().delete()
    ReferenceRun.objects.all().delete()


def state() -> str:
    """Return the whole venue, ledger included, as text without database ids and instants."""
    entries = ReferenceEntry.objects.order_by("pk").values_list(
        "step",
        "account__label",
        "position__market__symbol",
        "position__slot",
        "reason",
        "payer",
        "payee",
        "unit",
        "amount",
    )
    positions = ReferencePosition.objects.order_by("pk").values_list(
        "account__label", "market__symbol", "slot", "state", "opened_step", "ended_step", "record"
    )
    markets = ReferenceMarket.objects.order_by("symbol").values_list(
        "symbol", "step", "index_ticks", "mark_ticks", "funding_ppb"
    )
    balances = ReferenceBalance.objects.order_by("account__label", "unit").values_list(
        "account__label", "unit", "amount"
    )
    run = ReferenceRun.objects.values_list("step", "assets", "premiums")
    parts = [list(part) for part in (entries, positions, markets, balances, run)]
    return json.dumps(parts, sort_keys=True)


def purse(name: str, **filters: Any) -> int:
    """Return what a purse holds by the ledger: paid in less paid out."""
    entries = ReferenceEntry.objects.filter(**filters)
    got = entries.filter(payee=name).aggregate(total=Sum("amount"))["total"] or 0
    gave = entries.filter(payer=name).aggregate(total=Sum("amount"))["total"] or 0
    return int(got - gave)
