"""Positions, their lives, readings and events, and the polls they came from."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.db import models

from positions.engine.types import PositionState, Severity
from riskhub.teams.models import Team
from venues.models import Account, CoverageEntry, Market


class Provenance(models.Model):
    """Where each figure of a row came from, interned: few combinations, many rows.

    sources   field -> reported | derived | unknown
    reasons   field -> why it is unknown
    """

    digest = models.CharField(max_length=40, unique=True)
    sources = models.JSONField()
    reasons = models.JSONField()


class Poll(models.Model):
    """One poll of one account that was stored; (account, cycle) is unique."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="polls")
    cycle = models.BigIntegerField()
    poll_id = models.CharField(max_length=32)
    started_at = models.DateTimeField()
    received_at = models.DateTimeField()
    committed_at = models.DateTimeField()
    is_complete = models.BooleanField()
    rows = models.PositiveIntegerField()
    refused = models.PositiveIntegerField()
    # Versions that the figures depend on, so that they can be computed again.
    versions = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "cycle"], name="poll_cycle_once")
        ]
        indexes: ClassVar = [models.Index(fields=["committed_at"], name="poll_by_time")]


class RawAnswer(models.Model):
    """A venue's answer as received, compressed; kept for settings.RAW_HOURS."""

    poll = models.ForeignKey(Poll, models.CASCADE, related_name="answers")
    request = models.CharField(max_length=300)
    status = models.PositiveIntegerField()
    body = models.BinaryField()
    received_at = models.DateTimeField()


class Figures(models.Model):
    """The float64 columns of a position, named as everywhere outside; None is unknown.

    Units: prices quote per base; quantity base units; notional, collateral, margins and PnL settle
    units; *_usd US dollars; rates, ratios, distances and probabilities fractions.
    """

    contracts = models.FloatField(null=True)
    contract_size = models.FloatField(null=True)
    quantity = models.FloatField(null=True)
    entry_price = models.FloatField(null=True)
    mark_price = models.FloatField(null=True)
    index_price = models.FloatField(null=True)
    notional = models.FloatField(null=True)
    notional_usd = models.FloatField(null=True)
    collateral = models.FloatField(null=True)
    collateral_usd = models.FloatField(null=True)
    max_loss = models.FloatField(null=True)
    leverage = models.FloatField(null=True)
    unrealized_pnl = models.FloatField(null=True)
    unrealized_pnl_usd = models.FloatField(null=True)
    maintenance_margin = models.FloatField(null=True)
    maintenance_rate = models.FloatField(null=True)
    maintenance_amount = models.FloatField(null=True)
    margin_ratio = models.FloatField(null=True)
    venue_margin_ratio = models.FloatField(null=True)
    liquidation_price = models.FloatField(null=True)
    venue_liquidation_price = models.FloatField(null=True)
    engine_liquidation_price = models.FloatField(null=True)
    bankruptcy_price = models.FloatField(null=True)
    liquidation_distance = models.FloatField(null=True)
    distance_sigmas = models.FloatField(null=True)
    probability_1h = models.FloatField(null=True)
    probability_4h = models.FloatField(null=True)
    probability_24h = models.FloatField(null=True)
    probability_7d = models.FloatField(null=True)
    funding_rate = models.FloatField(null=True)
    adl_rank = models.FloatField(null=True)

    class Meta:
        abstract = True


class Position(Figures):
    """One compartment as last seen; a row lives on when the position is flat and opens again."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="positions")
    account = models.ForeignKey(Account, models.CASCADE, related_name="positions")
    market = models.ForeignKey(Market, models.PROTECT, related_name="positions")
    coverage = models.ForeignKey(CoverageEntry, models.CASCADE, related_name="positions")
    slot = models.CharField(max_length=8)
    margin_mode = models.CharField(max_length=10, blank=True)
    side = models.CharField(max_length=5)
    state = models.CharField(max_length=12, default=PositionState.OPEN)
    severity = models.CharField(max_length=8, default=Severity.UNKNOWN)
    life = models.ForeignKey("Life", models.SET_NULL, null=True, related_name="+")
    # What it is ranked by: its own distance, or that of the account that backs it.
    rank_distance = models.FloatField(null=True)
    # Key of the margin rule that the venue's row shows to hold; "": the one of its adapter.
    margin_rule = models.CharField(max_length=40, blank=True)
    # Version of the market's maintenance table behind the figures; null: the row's own rate.
    tier_version = models.PositiveIntegerField(null=True)
    auto_add_margin = models.BooleanField(null=True)
    next_funding_at = models.DateTimeField(null=True)
    # Three times on what the venue said about the position, and the same for its trigger price.
    venue_time = models.DateTimeField(null=True)
    received_at = models.DateTimeField()
    committed_at = models.DateTimeField()
    price_venue_time = models.DateTimeField(null=True)
    price_received_at = models.DateTimeField(null=True)
    provenance = models.ForeignKey(Provenance, models.PROTECT, related_name="+")
    # Exact characters of reported figures, and the row as the venue sent it.
    printed = models.JSONField(default=dict)
    raw = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "market", "slot", "margin_mode"], name="position_identity"
            )
        ]
        indexes: ClassVar = [
            # The overview: a team's live positions, nearest liquidation first.
            models.Index(fields=["team", "state", "rank_distance"], name="position_ladder"),
        ]

    @property
    def as_of(self) -> object:
        """When the venue's answer about this position arrived."""
        return self.received_at

    @property
    def delists_at(self) -> datetime | None:
        """When its market ends, as measures read it; None where nothing is announced."""
        return self.market.delists_at

    @property
    def is_ended(self) -> bool:
        """Tell whether this position is flat."""
        return PositionState(self.state).is_ended


class Life(models.Model):
    """A position from flat to flat; `is_seen_open` False means it was open when first seen."""

    position = models.ForeignKey(Position, models.CASCADE, related_name="lives")
    side = models.CharField(max_length=5)
    opened_at = models.DateTimeField()
    is_seen_open = models.BooleanField(default=True)
    ended_at = models.DateTimeField(null=True)
    end_state = models.CharField(max_length=12, blank=True)
    end_price = models.FloatField(null=True)
    end_reference = models.CharField(max_length=80, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["position"], condition=models.Q(ended_at=None), name="life_open_once"
            )
        ]


class Reading(models.Model):
    """One observation by a poll, for history and charts; columns as in Figures."""

    position = models.ForeignKey(Position, models.CASCADE, related_name="readings")
    life = models.ForeignKey(Life, models.CASCADE, related_name="readings")
    poll = models.ForeignKey(Poll, models.SET_NULL, null=True, related_name="readings")
    venue_time = models.DateTimeField(null=True)
    received_at = models.DateTimeField()
    committed_at = models.DateTimeField()
    quantity = models.FloatField(null=True)
    entry_price = models.FloatField(null=True)
    mark_price = models.FloatField(null=True)
    collateral = models.FloatField(null=True)
    unrealized_pnl = models.FloatField(null=True)
    maintenance_margin = models.FloatField(null=True)
    margin_ratio = models.FloatField(null=True)
    liquidation_price = models.FloatField(null=True)
    venue_liquidation_price = models.FloatField(null=True)
    engine_liquidation_price = models.FloatField(null=True)
    bankruptcy_price = models.FloatField(null=True)
    liquidation_distance = models.FloatField(null=True)
    tier_version = models.PositiveIntegerField(null=True)
    provenance = models.ForeignKey(Provenance, models.PROTECT, related_name="+")

    class Meta:
        indexes: ClassVar = [
            # The chart of one position, newest first.
            models.Index(fields=["position", "-received_at"], name="reading_by_time")
        ]


class EventKind(models.TextChoices):
    """What changed between two readings, or was told by the venue."""

    OPENED = "opened"
    INCREASED = "increased"
    REDUCED = "reduced"
    MARGIN_ADDED = "margin_added"
    MARGIN_REMOVED = "margin_removed"
    BREACHED = "breached"
    RECOVERED = "recovered"
    GONE = "gone"
    RETURNED = "returned"
    CLOSED = "closed"
    LIQUIDATED = "liquidated"
    DELEVERAGED = "deleveraged"
    SETTLED = "settled"
    # The market's rules changed; `detail` has what, and the liquidation price before and after.
    RULES_CHANGED = "rules_changed"


class Event(models.Model):
    """A change of one position, derived by difference; written in the poll's transaction."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="events")
    position = models.ForeignKey(Position, models.CASCADE, related_name="events")
    life = models.ForeignKey(Life, models.CASCADE, related_name="events")
    poll = models.ForeignKey(Poll, models.SET_NULL, null=True, related_name="events")
    kind = models.CharField(max_length=16, choices=EventKind.choices)
    at = models.DateTimeField()
    committed_at = models.DateTimeField()
    detail = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["position", "-at"], name="event_by_position"),
            models.Index(fields=["team", "-at"], name="event_by_team"),
        ]
