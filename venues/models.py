"""Accounts at venues, and what a venue says to everybody: markets, tiers, prices, coverage."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from riskhub.crypto import SealedField
from riskhub.teams.models import Team


class Account(models.Model):
    """Credentials or a wallet address at a venue, owned by a team, and its next poll.

    `environment` is empty for the venue itself, else the base URL that replaces it (a proxy, a
    testnet, a replay server): prices of one environment never touch positions of another.
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="accounts")
    venue = models.CharField(max_length=40)
    label = models.CharField(max_length=60)
    wallet = models.CharField(max_length=120, blank=True)
    credentials = SealedField(blank=True, null=True, editable=False)
    environment = models.CharField(max_length=300, blank=True)
    options = models.JSONField(default=dict, blank=True)
    is_simulated = models.BooleanField(default=False)
    is_enabled = models.BooleanField(default=True)
    # Why polling stopped by itself ("" while it goes on): a revoked key is not tried for ever.
    blocked_reason = models.CharField(max_length=300, blank=True)
    failures = models.PositiveIntegerField(default=0)
    auth_failures = models.PositiveIntegerField(default=0)
    # The claim: `cycle` is the instant of the claim in milliseconds, so it only grows.
    cycle = models.BigIntegerField(default=0)
    ingested_cycle = models.BigIntegerField(default=0)
    poll_budget_s = models.FloatField(default=30.0)
    next_poll_at = models.DateTimeField(null=True)
    last_seen_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "venue", "label"], name="account_label_once")
        ]
        indexes: ClassVar = [
            # dispatch_due asks for what is due, each second.
            models.Index(fields=["next_poll_at"], name="account_due")
        ]

    def __str__(self) -> str:
        return f"{self.venue}/{self.label}"


class Market(models.Model):
    """A contract at a venue, by its ccxt unified symbol.

    An unknown symbol gets a row too (`is_known` False): it is shown, its risk is unknown.
    """

    venue = models.CharField(max_length=40)
    environment = models.CharField(max_length=300, blank=True)
    symbol = models.CharField(max_length=80)
    venue_symbol = models.CharField(max_length=80, blank=True)
    is_known = models.BooleanField(default=True)
    kind = models.CharField(max_length=8, blank=True)
    asset = models.CharField(max_length=30, blank=True)
    quote = models.CharField(max_length=30, blank=True)
    settle = models.CharField(max_length=30, blank=True)
    multiplier = models.FloatField(default=1.0)
    contract_size = models.FloatField(null=True)
    tick_size = models.FloatField(null=True)
    taker_fee_rate = models.FloatField(null=True)
    updated_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["venue", "environment", "symbol"], name="market_symbol_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.venue} {self.symbol}"


class Tier(models.Model):
    """One step of a market's maintenance table (units: positions.engine.types.Tier)."""

    market = models.ForeignKey(Market, models.CASCADE, related_name="tiers")
    floor = models.FloatField()
    rate = models.FloatField()
    amount = models.FloatField(default=0.0)
    max_leverage = models.FloatField(null=True)
    received_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["market", "floor"], name="tier_floor_once")
        ]
        ordering: ClassVar = ["market_id", "floor"]


class Quote(models.Model):
    """The latest prices of a market; a quote older by the venue's time never replaces a newer."""

    market = models.OneToOneField(
        Market, models.CASCADE, related_name="latest_quote", primary_key=True
    )
    mark_price = models.FloatField(null=True)
    index_price = models.FloatField(null=True)
    last_price = models.FloatField(null=True)
    funding_rate = models.FloatField(null=True)
    next_funding_at = models.DateTimeField(null=True)
    venue_time = models.DateTimeField(null=True)
    received_at = models.DateTimeField()
    committed_at = models.DateTimeField()


class AssetPrice(models.Model):
    """What one venue's index says an asset is worth in USD; the median of venues is used.

    Simulated and real prices never mix.
    """

    asset = models.CharField(max_length=30)
    venue = models.CharField(max_length=40)
    environment = models.CharField(max_length=300, blank=True)
    is_simulated = models.BooleanField(default=False)
    usd = models.FloatField()
    venue_time = models.DateTimeField(null=True)
    received_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["asset", "venue", "environment"], name="asset_price_once"
            )
        ]


class PriceFeed(models.Model):
    """The price cycle of one venue and environment: claimed like an account's poll."""

    venue = models.CharField(max_length=40)
    environment = models.CharField(max_length=300, blank=True)
    next_at = models.DateTimeField(null=True)
    cycle = models.BigIntegerField(default=0)
    received_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["venue", "environment"], name="price_feed_once")
        ]


class CoverageEntry(models.Model):
    """What was last seen of one part of an account: product, settle coin, sub-account or dex.

    `scope` names the part, such as "linear", "inverse", "linear:USDC", "dex:flx".
    An empty answer, an unreadable answer and a flat book are three different things.
    """

    account = models.ForeignKey(Account, models.CASCADE, related_name="coverage")
    scope = models.CharField(max_length=60)
    # When a complete answer was last received, and how many rows it held.
    seen_at = models.DateTimeField(null=True)
    rows = models.PositiveIntegerField(null=True)
    refused = models.PositiveIntegerField(default=0)
    refusals = models.JSONField(default=list)
    # The last attempt, good or bad, and the sentence that explains a bad one.
    tried_at = models.DateTimeField()
    error_kind = models.CharField(max_length=40, blank=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "scope"], name="coverage_once")
        ]
        verbose_name_plural = "coverage entries"
