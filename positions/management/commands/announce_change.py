"""Enter a change of margin rules that a venue has announced, list them, or cancel one."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils.dateparse import parse_datetime

from positions import announcements, market_selectors
from positions.announced_terms import (
    LIMIT_NAMES,
    AnnouncementError,
    check_instants,
    collect_terms,
)
from positions.pages.markets import moved_rows
from positions.pages.rules import WHAT, change_words
from riskhub import clock, formatting
from venues.models import AnnouncedChange, Market


class Command(BaseCommand):
    """Enter an announced change; it comes into force by itself, for all teams."""

    help = (
        "Enter a change that a venue has announced: a maintenance table, limits, funding interval "
        "or delisting. Prints which positions it moves. It holds for every team."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--list", action="store_true", help="Print what is waiting, and stop.")
        parser.add_argument("--cancel", type=int, metavar="ID", help="Take one back, and stop.")
        parser.add_argument("--venue", default="", help="Slug of the venue.")
        parser.add_argument("--symbol", default="", help="Unified symbol: BTC/USDT:USDT.")
        parser.add_argument(
            "--environment", default="", help="Base URL, where it is not the venue."
        )
        parser.add_argument(
            "--at", metavar="TIME", help="When it comes into force: 2026-12-01T08:00Z."
        )
        parser.add_argument(
            "--tiers", metavar="FILE", help='Lines "floor rate [amount [leverage]]"; - for stdin.'
        )
        for name in LIMIT_NAMES:
            parser.add_argument(f"--{name.replace('_', '-')}", type=float)
        parser.add_argument("--funding-interval-h", type=float)
        parser.add_argument("--delists-at", metavar="TIME", help="When trading ends.")
        parser.add_argument("--note", default="", help="Where it was announced.")
        parser.add_argument("--dry-run", action="store_true", help="Print whom it moves, no more.")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            if options["list"]:
                self._list()
            elif options["cancel"] is not None:
                self._cancel(options["cancel"])
            else:
                self._announce(options)
        except AnnouncementError as error:
            raise CommandError(str(error)) from None
        except DatabaseError as error:
            raise CommandError(
                f"The database cannot be used ({error}); has `manage.py migrate` been run?"
            ) from None

    def _list(self) -> None:
        rows = AnnouncedChange.objects.filter(applied_at=None, cancelled_at=None)
        for row in rows.select_related("market").order_by("effective_at", "pk"):
            at = formatting.timestamp(row.effective_at)
            words = change_words({}, row.change)
            self.stdout.write(f"{row.pk}  {at}  {row.market}  {WHAT[row.kind]}  {words}")

    def _cancel(self, announced_id: int) -> None:
        if not announcements.cancel(announced_id=announced_id, now=clock.now()):
            raise CommandError(f"There is no announced change {announced_id} that is waiting.")
        self.stdout.write(f"The announced change {announced_id} was cancelled.")

    def _announce(self, options: dict[str, Any]) -> None:
        market, at = _market(options), _instant(options["at"], "--at")
        if at is None:
            raise CommandError("Say when it comes into force: --at 2026-12-01T08:00Z.")
        terms = collect_terms(
            market=market,
            tiers=_read(options["tiers"]),
            limits={name: options[name] for name in LIMIT_NAMES},
            delists_at=_instant(options["delists_at"], "--delists-at"),
            funding_interval_h=options["funding_interval_h"],
        )
        check_instants(terms=terms, effective_at=at, now=clock.now())
        self._preview(market, terms)
        if options["dry_run"]:
            return
        rows = announcements.announce(
            market=market, terms=terms, effective_at=at, note=options["note"], now=clock.now()
        )
        ids = ", ".join(str(row.pk) for row in rows)
        self.stdout.write(f"Announced as {ids}; in force {formatting.timestamp(at)}.")

    def _preview(self, market: Market, terms: dict[str, dict[str, Any]]) -> None:
        held = market_selectors.held_positions(team=None, market=market)
        for row in moved_rows(announcements.preview(positions=held, terms=terms, now=clock.now())):
            price = f"{row['price_before']} → {row['price_after']}"
            ratio = f"{row['ratio_before']} → {row['ratio_after']}"
            what = f"liquidation {price}, margin ratio {ratio}" if row["is_moved"] else "not moved"
            self.stdout.write(f"{row['account']}  {row['name']}  {what}")
        if not held:
            self.stdout.write("No open position is in this market.")


def _market(options: dict[str, Any]) -> Market:
    venue, symbol = options["venue"], options["symbol"]
    rows = Market.objects.filter(venue=venue, environment=options["environment"], symbol=symbol)
    market = rows.select_related("tier_table").first()
    if market is None:
        raise CommandError(
            f"No market {symbol or '(none)'} of {venue or '(no venue)'} is known here; give "
            "--venue and --symbol of one that an account holds."
        )
    return market


def _read(path: str | None) -> str:
    if not path:
        return ""
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise CommandError(f"{path} cannot be read as a text file.") from None


def _instant(text: str | None, option: str) -> datetime | None:
    if not text:
        return None
    try:
        value = parse_datetime(text)
    except ValueError:
        value = None
    if value is None:
        raise CommandError(f"{option}: give an instant such as 2026-12-01T08:00Z.")
    return value if value.tzinfo else value.replace(tzinfo=UTC)
