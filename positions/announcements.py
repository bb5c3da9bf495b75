"""Changes of margin rules that a venue has announced: a person enters them, time applies them.

They hold for every team of the installation, as all that a venue says to everybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime

from positions import feeds
from positions.announced_terms import AnnouncementError, check_instants, read_table
from positions.columns import exposure_of
from positions.engine.types import ENDED_STATES
from positions.market_changes import (
    DELISTING,
    OPERATOR,
    TIERS,
    RuleChange,
    put_in_force,
)
from positions.market_rules import columns_change, table_change
from positions.markets import TierTableInForce, tier_tables
from positions.models import Position
from positions.risk.assess import Assessment, assess
from positions.tier_tables import tables_in_force
from positions.valuation import value_at
from riskhub import logs
from riskhub.teams import audit
from riskhub.teams.models import Team
from venues.models import AnnouncedChange, FeedKind, Market

log = logs.get(__name__)

_COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Moved:
    """A position that a change concerns: our liquidation price and the ratio, before and after."""

    position: Position
    price_before: float | None
    price_after: float | None
    ratio_before: float | None
    ratio_after: float | None
    why: str = ""

    @property
    def is_moved(self) -> bool:
        """Tell whether a figure differs."""
        before = (self.price_before, self.ratio_before)
        return before != (self.price_after, self.ratio_after)


def announce(
    *,
    market: Market,
    terms: Mapping[str, Mapping[str, Any]],
    effective_at: datetime,
    note: str = "",
    team: Team | None = None,
    user: User | None = None,
    now: datetime,
) -> list[AnnouncedChange]:
    """Keep what a venue has announced, one row a kind.

    terms         kind -> what will hold (announced_terms.collect_terms)
    effective_at  a past instant comes into force at once
    team, user    who did it; None: somebody with a shell on the server

    Raises AnnouncementError.
    """
    check_instants(terms=terms, effective_at=effective_at, now=now)
    with transaction.atomic():
        _refuse_twice(market, terms, effective_at)
        rows = AnnouncedChange.objects.bulk_create(
            [
                AnnouncedChange(
                    market=market,
                    kind=kind,
                    change=dict(change),
                    note=note[:300],
                    effective_at=effective_at,
                    entered_at=now,
                    entered_by=user.get_username() if user else _COMMAND,
                )
                for kind, change in terms.items()
            ]
        )
        _record("market.announced", rows, team=team, user=user, now=now)
    return rows


def _refuse_twice(
    market: Market, terms: Mapping[str, Mapping[str, Any]], effective_at: datetime
) -> None:
    """Refuse what is announced already: a button pressed twice, or in two windows."""
    # Two at once wait for each other here.
    Market.objects.select_for_update().get(pk=market.pk)
    rows = _waiting().filter(market=market, effective_at=effective_at, kind__in=terms)
    if any(row.change == dict(terms[row.kind]) for row in rows):
        raise AnnouncementError("The same change is announced already, for the same time.")


def cancel(
    *, announced_id: int, team: Team | None = None, user: User | None = None, now: datetime
) -> bool:
    """Take back an announced change; False where it is in force, was taken back, or never was.

    team, user  who does it; None: somebody with a shell on the server
    """
    with transaction.atomic():
        row = _waiting().select_for_update(of=("self",)).filter(pk=announced_id).first()
        if row is None:
            return False
        row.cancelled_at = now
        row.save(update_fields=["cancelled_at"])
        _record("market.announcement_cancelled", [row], team=team, user=user, now=now)
    return True


def _waiting() -> QuerySet[AnnouncedChange]:
    rows = AnnouncedChange.objects.filter(applied_at=None, cancelled_at=None)
    return rows.select_related("market")


def _record(
    action: str,
    rows: Iterable[AnnouncedChange],
    *,
    team: Team | None,
    user: User | None,
    now: datetime,
) -> None:
    """Write it into the log of the team whose owner did it; of a command, into all holders'."""
    for row in rows:
        for each in [team] if team else _holders(row.market):
            audit.record(
                team=each,
                action=action,
                subject=f"{row.market} {row.kind}",
                now=now,
                user=user,
                detail={"announced": str(row.pk), "change": row.change},
            )


def _holders(market: Market) -> list[Team]:
    open_here = Position.objects.filter(market=market).exclude(state__in=ENDED_STATES)
    return list(Team.objects.filter(pk__in=open_here.values("team")).order_by("pk"))


def apply_due(*, now: datetime) -> int:
    """Put in force what is due, each in a transaction of its own; returns how many.

    Two beats at once do it once: each holds the venue's feed of rules, then looks again.
    """
    due = _waiting().filter(effective_at__lte=now).order_by("effective_at", "pk")
    done = 0
    for row in due:
        try:
            done += _apply(row, now)
        except Exception as error:  # noqa: BLE001 - one change must not hold up the others
            log.error("announced_not_applied", id=row.pk, error=logs.describe(error))
    return done


def _apply(announced: AnnouncedChange, now: datetime) -> bool:
    place = (announced.market.venue, announced.market.environment)
    with transaction.atomic():
        feeds.hold_feed(kind=FeedKind.RULES, place=place)
        row = _waiting().select_for_update(of=("self",)).filter(pk=announced.pk).first()
        if row is None:
            return False
        row.applied_at = now
        row.save(update_fields=["applied_at"])
        # What a person announced is news even where nothing was known before.
        changes = [
            replace(each, is_first=False) for each in _changes(row.market, row.kind, row.change)
        ]
        put_in_force(changes=changes, source=OPERATOR, effective_at=row.effective_at, now=now)
    return True


def _changes(market: Market, kind: str, change: Mapping[str, Any]) -> list[RuleChange]:
    if kind == TIERS:
        kept = tables_in_force(markets=[market]).get(market.pk)
        return table_change(market=market, table=read_table(rows=change["tiers"]), kept=kept)
    columns = dict(change)
    if kind == DELISTING:
        columns["delists_at"] = parse_datetime(change["delists_at"])
    return columns_change(market=market, kind=kind, columns=columns)


def preview(
    *, positions: Sequence[Position], terms: Mapping[str, Mapping[str, Any]], now: datetime
) -> list[Moved]:
    """Return what a change would do to open positions of one market, the most moved first.

    positions  with account, market and provenance

    Nothing is written. Raises AnnouncementError.
    """
    if not positions:
        return []
    tables = tier_tables(market_ids={position.market_id for position in positions})
    wanted = dict(tables)
    if TIERS in terms:
        table = read_table(rows=terms[TIERS]["tiers"])
        for position in positions:
            wanted[position.market_id] = TierTableInForce(0, table.tiers)
    before = _assess(positions, tables, now)
    after = _assess(positions, wanted, now)
    found = [
        _moved(position, was, will)
        for position, was, will in zip(positions, before, after, strict=True)
    ]
    return sorted(found, key=lambda each: -(each.ratio_after or 0.0))


def _assess(
    positions: Sequence[Position], tables: Mapping[int, TierTableInForce], now: datetime
) -> list[Assessment]:
    valuation = value_at(now=now)
    return assess(
        exposures=[
            exposure_of(position=position, tiers=tables, valuation=valuation)
            for position in positions
        ]
    )


def _moved(position: Position, before: Assessment, after: Assessment) -> Moved:
    price = after.cells["engine_liquidation_price"]
    return Moved(
        position=position,
        price_before=before.cells["engine_liquidation_price"].value,
        price_after=price.value,
        ratio_before=before.cells["margin_ratio"].value,
        ratio_after=after.cells["margin_ratio"].value,
        why=price.reason,
    )
