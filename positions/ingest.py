"""Store what a poll or a price refresh saw: one transaction for a small group.

The account is the atom. Nothing is closed that a complete answer did not show to be gone; a late
or older answer is discarded; events, risk, incidents and messages commit together with the rows
they speak of.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from positions import history, lives, markets, pools, scheduling
from positions.alerts import pipeline
from positions.broadcast import publish
from positions.columns import (
    apply_latest_quote,
    apply_reading,
    derive,
    intern_provenance,
    rank_bankrupt,
)
from positions.difference import Before
from positions.group import (
    Group,
    Identity,
    fail_outcome,
    find_identity,
    load_positions,
    lock_accounts,
    store_coverage,
    store_polls,
)
from positions.models import Event, Position
from positions.valuation import value_at
from riskhub import killpoints, logs
from venues.base import AccountOutcome, PositionReading, ScopeReading
from venues.models import Account, Market

log = logs.get(__name__)

_POSITION_COLUMNS = [
    column.name
    for column in Position._meta.concrete_fields
    if column.name not in {"id", "team", "account", "market", "slot", "life"}
]


def ingest_outcomes(*, outcomes: Sequence[AccountOutcome], cycle: int, now: datetime) -> list[int]:
    """Store the outcomes and return the ids of the accounts that were stored.

    A group that fails whole, for whatever reason, is tried again account by account, so that one
    bad account does not hold back the others. The bad one is logged; its positions stay as they
    were, and its coverage says that this poll failed.
    """
    try:
        return _ingest_group(outcomes, cycle, now)
    except Exception as error:  # noqa: BLE001 - an adapter may return anything
        if len(outcomes) == 1:
            _store_failure(outcomes[0], error, cycle, now)
            return []
        log.warning("ingest_group_split", accounts=len(outcomes), error=logs.describe(error))
    return [
        account_id
        for outcome in outcomes
        for account_id in ingest_outcomes(outcomes=[outcome], cycle=cycle, now=now)
    ]


def _store_failure(outcome: AccountOutcome, error: Exception, cycle: int, now: datetime) -> None:
    """Write down that an account's answer could not be stored, unless not even that can be."""
    facts = {"account_id": outcome.account_id, "poll_id": outcome.poll_id}
    log.error("ingest_failed", **facts, error=logs.describe(error), exc_info=error)
    try:
        _ingest_group([fail_outcome(outcome, error)], cycle, now)
    except Exception as again:  # noqa: BLE001 - the database may be what fails
        log.error("ingest_failure_not_stored", **facts, error=logs.describe(again))


def _ingest_group(outcomes: Sequence[AccountOutcome], cycle: int, now: datetime) -> list[int]:
    with transaction.atomic():
        group = Group(cycle=cycle, now=now)
        kept = lock_accounts(group, outcomes)
        killpoints.reach("ingest: accounts locked")
        if not kept:
            return []
        store_polls(group, kept)
        killpoints.reach("ingest: answers written")
        store_coverage(group, kept)
        killpoints.reach("ingest: coverage written")
        load_positions(group)
        killpoints.reach("ingest: positions loaded")
        _apply_outcomes(group, kept)
        killpoints.reach("ingest: risk computed")
        _write(group)
        killpoints.reach("ingest: history written")
        evaluate(positions=[*group.touched, *group.ended], events=group.events, now=now)
        killpoints.reach("ingest: alerts evaluated")
        scheduling.settle_accounts(
            accounts=group.accounts,
            outcomes=kept,
            positions=group.positions.values(),
            cycle=cycle,
            now=now,
        )
        killpoints.reach("ingest: accounts settled")
        publish(positions=[*group.touched, *group.ended], events=group.events)
    killpoints.reach("ingest: committed")
    return sorted(group.accounts)


def _apply_outcomes(group: Group, outcomes: Sequence[AccountOutcome]) -> None:
    specs = [
        (account.venue, account.environment, reading.market)
        for outcome in outcomes
        for account in [group.accounts[outcome.account_id]]
        for scope in outcome.scopes
        for reading in scope.positions
    ]
    rows = markets.ensure_markets(specs=specs, now=group.now)
    killpoints.reach("ingest: markets written")
    for outcome in outcomes:
        for scope in outcome.scopes:
            _apply_scope(group, outcome, scope, rows)
    for draft in group.drafts:
        quote = getattr(draft.position.market, "latest_quote", None)
        if quote is not None:
            apply_latest_quote(draft=draft, quote=quote)
    derive(
        drafts=group.drafts,
        tiers=markets.tier_tables(market_ids={d.position.market_id for d in group.drafts}),
        valuation=value_at(now=group.now),
    )
    pools.rank(group.positions.values())
    rank_bankrupt(drafts=group.drafts)
    intern_provenance(drafts=group.drafts)


def _apply_scope(
    group: Group,
    outcome: AccountOutcome,
    scope: ScopeReading,
    rows: dict[markets.MarketKey, Market],
) -> None:
    account = group.accounts[outcome.account_id]
    coverage = group.coverage[account.pk, scope.scope]
    present: set[Identity] = set()
    told = [(account.pk, *reading.identity) for reading in scope.positions]
    for reading, identity in zip(scope.positions, told, strict=True):
        key = find_identity(group, identity, others=told)
        # A venue that repeats a row in its pages must not make a position twice.
        if key in present:
            continue
        present.add(key)
        market = rows[account.venue, account.environment, reading.market.symbol]
        position = group.positions.get(key) or _new_position(group, account, market, reading)
        group.positions[key] = position
        lives.end_told_life(group, outcome, position, reading)
        group.before[id(position)] = Before.of(position)
        position.market, position.coverage, position.account = market, coverage, account
        position.committed_at = group.now
        group.drafts.append(
            apply_reading(position=position, reading=reading, received_at=outcome.received_at)
        )
    lives.mark_vanished(group, outcome, scope, coverage, present)


def _new_position(
    group: Group, account: Account, market: Market, reading: PositionReading
) -> Position:
    return Position(
        team_id=account.team_id,
        account=account,
        market=market,
        slot=reading.slot,
        margin_mode=reading.margin_mode or "",
        received_at=group.now,
        committed_at=group.now,
    )


def _write(group: Group) -> None:
    group.touched = [draft.position for draft in group.drafts]
    write_positions(positions=group.touched)
    killpoints.reach("ingest: rows written")
    lives.write_ends(group)
    lives.write_lives(group)
    lives.write_changes(group)
    for position in group.ended:
        position.committed_at = group.now
    Position.objects.bulk_update(group.ended, ["state", "committed_at"])
    killpoints.reach("ingest: ended rows written")
    Event.objects.bulk_create(group.events)
    killpoints.reach("ingest: events written")
    history.write_history(group)


def write_positions(*, positions: Sequence[Position]) -> None:
    """Insert new rows and replace the columns of known ones, in two statements."""
    Position.objects.bulk_create([row for row in positions if row.pk is None])
    known = sorted((row for row in positions if row.pk is not None), key=lambda row: row.pk)
    # An upsert by primary key: several times the speed of bulk_update's CASE per column.
    Position.objects.bulk_create(
        known, update_conflicts=True, unique_fields=["id"], update_fields=_POSITION_COLUMNS
    )


def evaluate(*, positions: Sequence[Position], events: Sequence[Event], now: datetime) -> None:
    """Run the alert rules of each team over what moved, inside the caller's transaction."""
    by_team: dict[int, list[Position]] = {}
    for position in positions:
        by_team.setdefault(position.team_id, []).append(position)
    for team_id, moved in sorted(by_team.items()):
        pipeline.evaluate(
            team_id=team_id,
            positions=moved,
            events=[event for event in events if event.team_id == team_id],
            now=now,
        )
