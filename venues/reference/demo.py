"""The demo: paper accounts under six venues' margin rules, filled before the first page is seen."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from riskhub.teams.models import Team
from venues.models import Account
from venues.reference.book import hold_run, load_book
from venues.reference.keeper import OPTION, seats_of, take_seat
from venues.reference.services import SLUG, style_options
from venues.reference.steps import begin_run
from venues.reference.world import quotes

# With this seed a position dies within the first two minutes (tests/venues/test_reference_demo.py).
SEED = 19

# Label of the paper account -> the venue whose margin rules it follows.
ACCOUNTS: tuple[tuple[str, str], ...] = (
    ("paper-binance", "binance"),
    ("paper-bybit", "bybit"),
    ("paper-okx", "okx"),
    ("paper-hyperliquid", "hyperliquid"),
    ("paper-coinm", "binance"),
    ("paper-gate", "gate"),
)


def ensure_demo(*, team: Team, now: datetime) -> None:
    """Make the team's paper accounts and open their positions; what exists stays as it is.

    An account that was disabled or emptied is left alone: only a new account is filled here, the
    rest is the keeper's.
    """
    begin_run(seed=SEED, now=now)
    with transaction.atomic():
        run = hold_run()
        made = [account for account in _accounts(team, now) if account is not None]
        book = load_book(step=run.step, at=now, account__in=made)
        prices = quotes(world=run.world)
        for account in made:
            for seat in seats_of(account):
                take_seat(book=book, account=account, seat=seat, price=prices[seat.symbol])
        book.store()


def _accounts(team: Team, now: datetime) -> list[Account | None]:
    """Return the accounts that were made just now, None for those that were there."""
    rows = []
    for label, style in ACCOUNTS:
        account, is_new = Account.objects.get_or_create(
            team=team,
            venue=SLUG,
            label=label,
            defaults={
                "options": style_options(style=style, **{OPTION: label}),
                "is_simulated": True,
                "next_poll_at": now,
                "created_at": now,
            },
        )
        rows.append(account if is_new else None)
    return rows
