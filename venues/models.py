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
    # Limits of one order, in contracts and quote units, and of the smallest position.
    min_contracts = models.FloatField(null=True)
    max_contracts = models.FloatField(null=True)
    min_notional = models.FloatField(null=True)
    max_leverage = models.FloatField(null=True)
    delists_at = models.DateTimeField(null=True)
    funding_interval_h = models.FloatField(null=True)
    # False where the contract takes no new positions.
    is_active = models.BooleanField(default=True)
    # The maintenance table in force; older ones are kept beside it.
    tier_table = models.ForeignKey(
        "TierTable", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    updated_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["venue", "environment", "symbol"], name="market_symbol_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.venue} {self.symbol}"


class TierTable(models.Model):
    """One version of a market's maintenance table; versions of a market count from 1.

    digest      of its steps: the same table read again makes no new version
    source      "venue", or "operator" for an announced change that has come into force
    """

    market = models.ForeignKey(Market, models.CASCADE, related_name="tier_tables")
    version = models.PositiveIntegerField()
    digest = models.CharField(max_length=40)
    source = models.CharField(max_length=8, default="venue")
    effective_at = models.DateTimeField()
    received_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["market", "version"], name="tier_version_once")
        ]


class Tier(models.Model):
    """One step of a maintenance table (units: positions.engine.types.Tier)."""

    table = models.ForeignKey(TierTable, models.CASCADE, related_name="tiers")
    floor = models.FloatField()
    rate = models.FloatField()
    amount = models.FloatField(default=0.0)
    max_leverage = models.FloatField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["table", "floor"], name="tier_floor_once")
        ]
        ordering: ClassVar = ["table_id", "floor"]


class MarketChange(models.Model):
    """A market's rules as they were and as they are; the positions it moves have events of it.

    kind            tiers, limits, delisting, funding_interval or contract
    before, after   the fields that changed; a table is {"version": n, "tiers": [[floor, rate, …]]}
    """

    market = models.ForeignKey(Market, models.CASCADE, related_name="changes")
    kind = models.CharField(max_length=20)
    source = models.CharField(max_length=8, default="venue")
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    noticed_at = models.DateTimeField()
    effective_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-noticed_at"], name="market_change_by_time")]


class AnnouncedChange(models.Model):
    """A change that a venue has announced and a person has entered; it comes into force by itself.

    kind      as in MarketChange
    change    what will hold: {"tiers": [[floor, rate, amount], …]}, {"delists_at": …} and so on
    """

    market = models.ForeignKey(Market, models.CASCADE, related_name="announced_changes")
    kind = models.CharField(max_length=20)
    change = models.JSONField(default=dict)
    note = models.CharField(max_length=300, blank=True)
    effective_at = models.DateTimeField()
    entered_at = models.DateTimeField()
    entered_by = models.CharField(max_length=150, blank=True)
    applied_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)


class Candle(models.Model):
    """One hour of trades of a market; the youngest may still be growing."""

    market = models.ForeignKey(Market, models.CASCADE, related_name="candles")
    opened_at = models.DateTimeField()
    open = models.FloatField()
    high = models.FloatField()
    low = models.FloatField()
    close = models.FloatField()
    volume = models.FloatField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["market", "opened_at"], name="candle_once")
        ]


class Depth(models.Model):
    """The latest order book of a market: lists of [price, contracts], best first."""

    market = models.OneToOneField(
        Market, models.CASCADE, related_name="latest_depth", primary_key=True
    )
    bids = models.JSONField(default=list)
    asks = models.JSONField(default=list)
    venue_time = models.DateTimeField(null=True)
    received_at = models.DateTimeField()


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
    # Funding may come by itself, slower than prices: it ages by its own time.
    funding_received_at = models.DateTimeField(null=True)
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


class FeedKind(models.TextChoices):
    """What is read of a venue's markets, each on its own cycle."""

    PRICES = "prices"
    FUNDING = "funding"
    RULES = "rules"  # listings, tiers, limits, delisting, funding intervals
    CANDLES = "candles"
    DEPTH = "depth"


class Feed(models.Model):
    """One cycle of one venue and environment over the markets held there: claimed like a poll."""

    venue = models.CharField(max_length=40)
    environment = models.CharField(max_length=300, blank=True)
    kind = models.CharField(max_length=8, choices=FeedKind.choices, default=FeedKind.PRICES)
    next_at = models.DateTimeField(null=True)
    cycle = models.BigIntegerField(default=0)
    received_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["venue", "environment", "kind"], name="feed_once")
        ]


class HostBan(models.Model):
    """A venue that has banned this address: nothing is sent there before `until`."""

    venue = models.CharField(max_length=40)
    environment = models.CharField(max_length=300, blank=True)
    begun_at = models.DateTimeField()
    until = models.DateTimeField()
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["venue", "environment"], name="host_ban_once")
        ]


class KeyCheck(models.Model):
    """What the daily look at an account's key found (venues/hygiene.py).

    facts      the venue's own words: name -> text
    findings   list of {code, severity, sentence}; empty: nothing to say against the key
    """

    account = models.OneToOneField(
        Account, models.CASCADE, related_name="key_check", primary_key=True
    )
    facts = models.JSONField(default=dict)
    findings = models.JSONField(default=list)
    checked_at = models.DateTimeField(null=True)
    next_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)


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
    # What backs cross positions: list of {margin_mode, settle, ratio, equity, required, source}.
    standings = models.JSONField(default=list)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "scope"], name="coverage_once")
        ]
        verbose_name_plural = "coverage entries"
