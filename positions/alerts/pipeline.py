"""From what was seen to what is told: watch > move incidents > explain > write messages.

Incidents, messages and deliveries commit together with the figures they speak of; the outbox
sends them afterwards. Evaluations of one team take turns, so that two polls cannot open the same
incident or tell the same news twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from positions.alerts import outbox, payload, places
from positions.alerts.incidents import (
    EVENT_LIFE,
    Changes,
    expire,
    follow,
    follow_events,
    retire,
    switch_off,
)
from positions.alerts.models import AlertRule, Incident, IncidentState
from positions.alerts.rules import RuleKind
from positions.alerts.watches import (
    Sight,
    oldest_sight,
    watch_accounts,
    watch_positions,
)
from positions.models import Event, Position
from riskhub import killpoints
from riskhub.teams.models import Team
from venues.models import Account, CoverageEntry

# Above so many accounts a list of their ids costs more than reading what is open of the team.
_MOST_IDS = 500
_MOVING = (
    "severity",
    "rank",
    "state",
    "fired_at",
    "last_message_at",
    "acknowledged_at",
    "acknowledged_by",
    "resolved_at",
    "resolution",
    "value",
    "unknown_since",
    "eased_since",
    "eased_rank",
    "headline",
    "why",
)


def evaluate(
    *, team_id: int, positions: Sequence[Position], events: Sequence[Event], now: datetime
) -> None:
    """Evaluate a team's rules on positions that were just read or moved by a price.

    Call it inside the transaction that wrote them, last, and for several teams in ascending
    order of their ids. Positions need account and market; the number of queries does not depend
    on how many there are.
    """
    if not positions and not events:
        return
    take_turn(team_id)
    rules = list(AlertRule.objects.filter(team_id=team_id, is_enabled=True).order_by("pk"))
    by_id = {position.pk: position for position in positions}
    incidents = _open_incidents(team_id, by_id)
    changes = Changes(now)
    for rule, watch in watch_positions(rules=rules, positions=list(by_id.values()), now=now):
        follow(rule=rule, watch=watch, incidents=incidents[rule.pk], changes=changes)
    event_rules = [rule for rule in rules if rule.kind == RuleKind.EVENT]
    follow_events(
        rules=event_rules,
        events=events,
        positions=by_id,
        incidents=[each for rule in event_rules for each in incidents[rule.pk]],
        changes=changes,
    )
    _write(team_id, changes)


def evaluate_staleness(*, now: datetime) -> None:
    """Open one incident for each account that is not seen any more, and one for a refused key.

    Where no account at a venue is seen, or it has banned us, that is one incident of the venue.
    Ends them when the account is seen again. Called every few seconds; it writes, and takes the
    team's turn, only where something moves.
    """
    accounts, sights = _load_sights()
    for team_id, rules in _rules_of_teams().items():
        mine = [sights[account.pk] for account in accounts if account.team_id == team_id]
        if _judge_accounts(team_id, rules, mine, now).is_empty:
            continue
        with transaction.atomic():
            take_turn(team_id)
            _write(team_id, _judge_accounts(team_id, rules, mine, now))


def close_account(*, account: Account, now: datetime) -> None:
    """End what is open about an account that is no longer read, and about its positions.

    Call it inside the transaction that disables the account: nobody would look at it again.
    """
    take_turn(account.team_id)
    changes = Changes(now)
    switch_off(_open_of(account), changes)
    _write(account.team_id, changes)


def _open_of(account: Account) -> QuerySet[Incident]:
    return (
        Incident.objects.filter(account=account, resolved_at=None)
        .select_related("rule", "account", "position__market")
        .defer("account__credentials")
        .order_by("pk")
    )


def take_turn(team_id: int) -> None:
    """Wait until no evaluation of the team is under way, and let none begin before the commit."""
    list(Team.objects.select_for_update(no_key=True).filter(pk=team_id).values_list("pk"))


def _open_incidents(
    team_id: int, positions: Mapping[int, Position]
) -> dict[int | None, list[Incident]]:
    """Return what is open about these very positions, by rule; each with the position given."""
    rows = Incident.objects.filter(
        team_id=team_id, resolved_at=None, position__isnull=False
    ).select_related("rule")
    accounts = {position.account_id for position in positions.values()}
    if len(accounts) <= _MOST_IDS:
        rows = rows.filter(account_id__in=accounts)
    found: dict[int | None, list[Incident]] = defaultdict(list)
    for incident in rows.order_by("pk"):
        position = positions.get(incident.position_id or 0)
        if position is not None:
            incident.position, incident.account = position, position.account
            found[incident.rule_id].append(incident)
    return found


def _rules_of_teams() -> dict[int, list[AlertRule]]:
    rules: dict[int, list[AlertRule]] = defaultdict(list)
    for rule in AlertRule.objects.filter(is_enabled=True).order_by("team_id", "pk"):
        rules[rule.team_id].append(rule)
    for team_id in Incident.objects.filter(resolved_at=None).values_list("team_id", flat=True):
        rules.setdefault(team_id, [])
    return rules


def _load_sights() -> tuple[list[Account], dict[int, Sight]]:
    scopes: dict[int, list[datetime | None]] = defaultdict(list)
    refused: dict[int, int] = defaultdict(int)
    silent: dict[int, bool] = {}
    entries = CoverageEntry.objects.values_list("account_id", "seen_at", "refused", "error_kind")
    for account_id, seen_at, rows, error_kind in entries:
        scopes[account_id].append(seen_at)
        refused[account_id] += rows
        silent[account_id] = silent.get(account_id, True) and error_kind in places.SILENCES
    rows_of = Account.objects.select_related("key_check").defer("credentials", "options")
    accounts = list(rows_of.order_by("pk"))
    return accounts, {
        account.pk: replace(
            oldest_sight(account=account, scopes=scopes[account.pk], refused=refused[account.pk]),
            is_venue_silent=silent.get(account.pk, False),
        )
        for account in accounts
    }


def _judge_accounts(
    team_id: int, rules: Sequence[AlertRule], sights: Sequence[Sight], now: datetime
) -> Changes:
    changes = Changes(now)
    accounts = {sight.account.pk: sight.account for sight in sights}
    incidents: dict[int | None, list[Incident]] = defaultdict(list)
    for incident in _incidents_to_judge(team_id, now):
        incident.account = accounts.get(incident.account_id or 0)
        if incident.account is not None and not incident.account.is_enabled:
            switch_off([incident], changes)
        else:
            incidents[incident.rule_id].append(incident)
    befalls = places.befallen(sights=sights, now=now) if rules else {}
    told = places.told_as_one(rules=rules, sights=sights, befalls=befalls)
    for rule, watch in [
        *places.watch_places(rules=rules, sights=sights, befalls=befalls),
        *watch_accounts(rules=rules, accounts=sights, now=now, told_as_one=told),
    ]:
        follow(rule=rule, watch=watch, incidents=incidents.pop(rule.pk, []), changes=changes)
    for rule in rules:
        expire(incidents.pop(rule.pk, []), changes)
    retire([each for rows in incidents.values() for each in rows], changes)
    return changes


def _incidents_to_judge(team_id: int, now: datetime) -> QuerySet[Incident]:
    """Return what is open about accounts, events that have had their day, and what is now off."""
    return (
        Incident.objects.filter(team_id=team_id, resolved_at=None)
        .filter(
            Q(rule=None)
            | Q(rule__is_enabled=False)
            | Q(account__is_enabled=False)
            | Q(rule__kind__in=[kind for kind in RuleKind if kind.is_about_accounts])
            | Q(rule__kind=RuleKind.EVENT, opened_at__lte=now - EVENT_LIFE)
        )
        .select_related("rule", "position__market")
        .order_by("pk")
    )


def _write(team_id: int, changes: Changes) -> None:
    if changes.is_empty:
        return
    payload.explain(incidents=changes.moved, now=changes.now)
    killpoints.reach("alerts: before incidents")
    Incident.objects.bulk_create(changes.opened)
    Incident.objects.bulk_update(changes.changed, _MOVING)
    Incident.objects.bulk_update(changes.eased, ["eased_since", "eased_rank"])
    pending = [each.pk for each in changes.dropped]
    if pending:
        Incident.objects.filter(pk__in=pending, state=IncidentState.PENDING).delete()
    killpoints.reach("alerts: incidents written")
    outbox.post(team_id=team_id, told=changes.told, now=changes.now)
    killpoints.reach("alerts: messages written")
