"""How often the accounts of a venue can be polled: its rate budget, shared out evenly.

A venue counts what one address sends. Where all accounts together would send more, each is polled
less often, by the same factor, and its own budget says so: it is stale by what is possible.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property

from django.conf import settings
from django.db.models import Count, F, QuerySet

from positions.engine.types import PositionState, Severity
from positions.models import Position
from venues import registry
from venues.base import AccountOutcome
from venues.market_data import RateBudget
from venues.models import Account

# Of a venue's budget; what is left is for prices, and for what is read once an hour.
POLLS_SHARE = 0.7
PRICES_SHARE = 0.25
# What a poll weighs, until one was seen: requests, and where a venue counts weight.
_USUAL_REQUESTS, _USUAL_WEIGHT = 4, 10
# An account is claimed when its turn comes within this part of its deadline.
_PATIENCE = 0.5
# Accounts whose budget grows so much at once are spread over all of it.
_LEAP = 1.5
ENDANGERED = {Severity.CRITICAL, Severity.WARNING}
NOT_HELD = [state for state in PositionState if state.is_ended] + [PositionState.GONE]

# Venue and environment.
Place = tuple[str, str]

# What the latest poll weighed, as far as this process has seen one.
_seen: dict[Place, int] = {}


def rate_of(venue: str) -> RateBudget | None:
    """Return what one address may send to a venue; None where nothing is counted."""
    adapter = registry.find(venue)
    return adapter.rate if adapter is not None and adapter.ccxt_id else None


def weight_of(outcome: AccountOutcome, *, rate: RateBudget) -> int:
    """Return what a poll has cost; 0 where nothing was answered, which says nothing."""
    return sum(rate.weigh_line(answer.request) for answer in outcome.answers)


class Pacer:
    """Says how many seconds may pass between two polls of each account of one group."""

    def __init__(self, accounts: Collection[Account]) -> None:
        self._accounts = accounts
        self._demands: dict[Place, float] = {}

    def budget_s(self, account: Account, outcome: AccountOutcome, *, is_endangered: bool) -> float:
        """Return what is wished for, or more where the venue's budget does not carry it."""
        wished_s = settings.POLL_FAST_BUDGET_S if is_endangered else settings.POLL_BUDGET_S
        rate = rate_of(account.venue)
        if rate is None:
            return wished_s
        place, weight = (account.venue, account.environment), weight_of(outcome, rate=rate)
        if not weight:
            return wished_s * max(1.0, account.poll_budget_s / settings.POLL_BUDGET_S)
        _seen[place] = weight
        carried = POLLS_SHARE * rate.per_s
        # Most venues carry it even if every account is in danger: no need to count those.
        if weight * self._counts.get(place, 1) <= carried * settings.POLL_FAST_BUDGET_S:
            return wished_s
        return wished_s * max(1.0, weight * self._demand(place) / carried)

    @cached_property
    def _counts(self) -> dict[Place, int]:
        """Return how many accounts are polled at each venue of the group."""
        venues = {account.venue for account in self._accounts}
        return _count(polled().filter(venue__in=venues))

    def _demand(self, place: Place) -> float:
        """Return how many polls a second all accounts of a venue wish for."""
        if place not in self._demands:
            held = Position.objects.filter(severity__in=ENDANGERED).exclude(state__in=NOT_HELD)
            accounts = polled().filter(venue=place[0], environment=place[1])
            endangered = accounts.filter(pk__in=held.values("account")).count()
            calm = max(self._counts.get(place, 1) - endangered, 0)
            self._demands[place] = (
                calm / settings.POLL_BUDGET_S + endangered / settings.POLL_FAST_BUDGET_S
            )
        return self._demands[place]


def first_pause_s(*, was_s: float, budget_s: float, share: float) -> float | None:
    """Return when an account whose budget has just leapt is due; None when it has not.

    What was polled together, when there was time, is spread evenly from then on.

    share  from 0 to 1, another one for each account
    """
    was_s = max(was_s, settings.POLL_BUDGET_S)
    return was_s + share * (budget_s - was_s) if budget_s > _LEAP * was_s else None


def polled() -> QuerySet[Account]:
    """Return the accounts that are polled at all."""
    return Account.objects.filter(is_enabled=True, blocked_reason="")


def rooms(*, due: QuerySet[Account], in_flight: QuerySet[Account]) -> Mapping[Place, int]:
    """Return the venues of which more is due than can be asked in time, and how many can."""
    asked = _count(in_flight.exclude(cycle=F("ingested_cycle")))
    return {
        place: room
        for place, number in _count(due).items()
        if (room := _room(place, asked.get(place, 0))) is not None and number > room
    }


def _room(place: Place, asked: int) -> int | None:
    rate = rate_of(place[0])
    if rate is None:
        return None
    weight = _seen.get(place, _USUAL_WEIGHT if rate.weights else _USUAL_REQUESTS)
    carried = POLLS_SHARE * rate.per_s * _PATIENCE * settings.POLL_DEADLINE_S
    return max(1, int(carried / weight)) - asked


def _count(accounts: QuerySet[Account]) -> dict[Place, int]:
    rows = accounts.order_by().values_list("venue", "environment").annotate(number=Count("pk"))
    return {(venue, environment): number for venue, environment, number in rows}


def price_interval_s(*, venue: str, weight: int) -> float:
    """Return the least seconds between two price readings of this weight at a venue."""
    rate = rate_of(venue)
    return weight / (PRICES_SHARE * rate.per_s) if rate else 0.0
