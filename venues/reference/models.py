"""The local venue's own tables: its run, its contracts' prices, compartments, ledger and balances.

Money is a whole number of smallest units (10^-8 of the settle coin); prices are whole ticks.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from positions.engine.compartment import Compartment
from positions.engine.types import PositionState
from venues.models import Account
from venues.reference.catalogue import CONTRACTS, Contract
from venues.reference.world import World, list_new


class ReferenceRun(models.Model):
    """One simulation. `step` counts up only; taking the next step is a conditional UPDATE of it.

    The row is also the venue's lock: whoever changes compartments holds it.

    assets, premiums  the market at `step` (venues.reference.world.World)
    stepped_at        the instant of the last step: the venue's own time of everything it says
    due_at            when the next step is due
    """

    name = models.CharField(max_length=20, unique=True)
    seed = models.BigIntegerField()
    step = models.BigIntegerField(default=0)
    stepped_at = models.DateTimeField()
    due_at = models.DateTimeField()
    assets = models.JSONField()
    premiums = models.JSONField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at step {self.step}"

    @property
    def world(self) -> World:
        """Return the market as it stands, with what was listed since."""
        return list_new(World(step=self.step, assets=self.assets, premiums=self.premiums))


class ReferenceMarket(models.Model):
    """The prices of a listed contract at one step, as everybody may see them."""

    symbol = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=8)
    step = models.BigIntegerField()
    index_ticks = models.BigIntegerField()
    mark_ticks = models.BigIntegerField()
    funding_ppb = models.BigIntegerField()
    funding_step = models.BigIntegerField()

    def __str__(self) -> str:
        return self.symbol

    @property
    def contract(self) -> Contract:
        """Return what the catalogue says about it."""
        return CONTRACTS[self.symbol]


class ReferencePosition(models.Model):
    """One life of one compartment, from flat to flat.

    record  the compartment, exact (positions.engine.compartment.Compartment.to_record)
    """

    account = models.ForeignKey(Account, models.CASCADE, related_name="reference_positions")
    market = models.ForeignKey(ReferenceMarket, models.PROTECT, related_name="positions")
    slot = models.CharField(max_length=8)
    state = models.CharField(max_length=12, default=PositionState.OPEN)
    record = models.JSONField()
    opened_step = models.BigIntegerField()
    opened_at = models.DateTimeField()
    changed_step = models.BigIntegerField()
    ended_step = models.BigIntegerField(null=True)
    ended_at = models.DateTimeField(null=True)
    end_ticks = models.BigIntegerField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "market", "slot"],
                condition=models.Q(ended_step=None),
                name="reference_open_once",
            )
        ]
        indexes: ClassVar = [
            # What ended lately: asked by each poll and by the keeper of the demo.
            models.Index(fields=["account", "ended_step"], name="reference_ended")
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.market_id} {self.slot}"

    @property
    def compartment(self) -> Compartment:
        """Return the compartment in exact numbers."""
        return Compartment.from_record(self.record)


class ReferenceEntry(models.Model):
    """One movement of money from one purse to another; written once, never changed.

    Payer and payee stand in one row, so every row sums to zero. Purses and reasons are those of
    positions.engine.machine, and `outside` for paper money paid in.
    """

    position = models.ForeignKey(
        ReferencePosition, models.CASCADE, null=True, related_name="entries"
    )
    account = models.ForeignKey(Account, models.CASCADE, related_name="reference_entries")
    step = models.BigIntegerField()
    at = models.DateTimeField()
    reason = models.CharField(max_length=20)
    payer = models.CharField(max_length=12)
    payee = models.CharField(max_length=12)
    unit = models.CharField(max_length=12)
    amount = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="reference_entry_amount")
        ]
        verbose_name_plural = "reference entries"


class ReferenceBalance(models.Model):
    """What an account's owner holds outside compartments: the sum of the owner's entries."""

    account = models.ForeignKey(Account, models.CASCADE, related_name="reference_balances")
    unit = models.CharField(max_length=12)
    amount = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "unit"], name="reference_balance_once"),
            models.CheckConstraint(
                condition=models.Q(amount__gte=0), name="reference_balance_covered"
            ),
        ]
