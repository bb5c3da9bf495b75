"""The venue contract: what an adapter declares, what it returns, and the registry.

A venue is one file in `venues/adapters/`. It names its endpoints and margin rules as data and
turns wire rows into `PositionReading`s; it never decides who is polled, stores nothing and uses
no ORM. Reading never writes: the client refuses any request that `reads` does not list.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

from positions.engine.types import ContractKind, MarginMode, Side
from venues.errors import VenueError
from venues.figures import Figure, Row
from venues.key_facts import KeyFacts
from venues.market_data import (
    CandleReading,
    DepthReading,
    FundingReading,
    Listing,
    RateBudget,
    TierReading,
)
from venues.options import AccountOption

NOT_READ = Figure.unknown("this venue's adapter does not read it")

_Told = TypeVar("_Told")


@dataclass(frozen=True, slots=True)
class MarketSpec:
    """A contract as the venue lists it; `kind` None means that the symbol is not listed.

    min_contracts, max_contracts   size of one order, as the venue counts it
    min_notional                   value of one order, quote units
    max_leverage                   of the smallest position
    is_listing_read                the venue's own row was read: no delisting in it means none
    """

    symbol: str
    venue_symbol: str
    kind: ContractKind | None = None
    asset: str = ""
    quote: str = ""
    settle: str = ""
    contract_size: float | None = None
    tick_size: float | None = None
    taker_fee_rate: float | None = None
    min_contracts: float | None = None
    max_contracts: float | None = None
    min_notional: float | None = None
    max_leverage: float | None = None
    delists_at: datetime | None = None
    funding_interval_h: float | None = None
    is_active: bool = True
    is_listing_read: bool = False

    @property
    def is_known(self) -> bool:
        """Tell whether the venue lists this symbol."""
        return self.kind is not None


class PositionReading(NamedTuple):
    """One position as one answer of a venue shows it. Flat rows are not readings.

    A tuple, made with keyword arguments: a frozen dataclass of so many fields takes four times
    as long to make, which was a tenth of reading a row.

    slot                  "net" in one-way mode, "long" or "short" in hedge mode
    contracts             > 0; base quantity is contracts times contract size
    collateral            settle units, margin held by the position WITHOUT unrealised PnL
    raw                   the row as the venue sent it
    maintenance_margin    settle units, as the venue says it
    maintenance_rate      fraction of notional, where the venue gives a rate and not an amount
    maintenance_amount    deduction from rate times notional; 0 where the rate is flat
    venue_margin_ratio    the venue's own ratio in its own convention
    liquidation_price     the venue's word alone; never ours
    venue_time            the venue's own time of this row; None when it gives none
    margin_rule           key of the rule that the row shows; "": the adapter's rule_for says
    """

    market: MarketSpec
    slot: str
    side: Side
    margin_mode: MarginMode | None
    contracts: Figure
    entry_price: Figure
    mark_price: Figure
    collateral: Figure
    liquidation_price: Figure
    raw: Mapping[str, Any]
    unrealized_pnl: Figure = NOT_READ
    leverage: Figure = NOT_READ
    index_price: Figure = NOT_READ
    notional: Figure = NOT_READ
    maintenance_margin: Figure = NOT_READ
    maintenance_rate: Figure = NOT_READ
    maintenance_amount: Figure = NOT_READ
    venue_margin_ratio: Figure = NOT_READ
    adl_rank: Figure = NOT_READ
    auto_add_margin: bool | None = None
    venue_time: datetime | None = None
    margin_rule: str = ""

    @property
    def identity(self) -> tuple[str, str, str]:
        """Return (symbol, slot, margin mode), the position's identity within its account."""
        return (self.market.symbol, self.slot, self.margin_mode or "")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that was quarantined: why, and which symbol it named, if that much was readable."""

    reason: str
    venue_symbol: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What backs the cross (or portfolio) positions of one scope, in the venue's own words.

    settle     only positions that settle in this coin; "" all of the scope
    ratio      required / equity of that pool, our convention: 1 is liquidation
    equity     margin balance of the pool with unrealised PnL, settle units (USD where settle is "")
    required   maintenance of the pool, the same units
    is_shared  scopes of the account that tell of the same settle coin tell of one and the same pool
    """

    margin_mode: MarginMode
    ratio: Figure
    settle: str = ""
    equity: Figure = NOT_READ
    required: Figure = NOT_READ
    is_shared: bool = False


@dataclass(frozen=True, slots=True)
class ScopeReading:
    """A complete answer about one part of an account."""

    scope: str
    positions: tuple[PositionReading, ...]
    refusals: tuple[Refusal, ...] = ()
    standings: tuple[Standing, ...] = ()


@dataclass(frozen=True, slots=True)
class ScopeFailure:
    """One part of an account could not be read; what was known of it is kept and goes stale."""

    scope: str
    error: VenueError


@dataclass(frozen=True, slots=True)
class PositionEnd:
    """A venue's own word that a life ended: closed, liquidated, deleveraged or settled.

    reference    venue's id of the end, so that the same end told twice is counted once
    margin_mode  of the position that ended, where another of this symbol and slot may be open;
                 None: it is the only one
    """

    symbol: str
    slot: str
    state: str
    at: datetime
    price: Figure = NOT_READ
    reference: str = ""
    margin_mode: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A position that an earlier poll showed, of one scope; seen_at is when it last did."""

    scope: str
    symbol: str
    slot: str
    margin_mode: str
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """One answer as received, kept so that any number can be computed again."""

    request: str
    status: int
    body: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class AccountRequest:
    """What a poll needs of an account; holds secrets, so it has no repr and is never stored."""

    account_id: int
    venue: str
    environment: str
    label: str
    wallet: str = field(repr=False, default="")
    credentials: Mapping[str, str] = field(repr=False, default_factory=dict)
    options: Mapping[str, Any] = field(repr=False, default_factory=dict)
    # Filled by VenueAdapter.prepare for venues that live in our own database.
    prepared: Any = field(repr=False, default=None)
    # What was held when the poll began, so that what is missing now can be asked about.
    held: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountOutcome:
    """What one poll of one account saw. An account that failed whole has only failures."""

    account_id: int
    poll_id: str
    started_at: datetime
    received_at: datetime
    scopes: tuple[ScopeReading, ...] = ()
    failures: tuple[ScopeFailure, ...] = ()
    ends: tuple[PositionEnd, ...] = ()
    answers: tuple[RawAnswer, ...] = ()
    markets: tuple[MarketSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class QuoteReading:
    """Prices of one market between polls; `venue_time` None when the venue gives none."""

    symbol: str
    mark_price: Figure
    index_price: Figure = NOT_READ
    last_price: Figure = NOT_READ
    funding_rate: Figure = NOT_READ
    next_funding_at: datetime | None = None
    venue_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class AssetPriceReading:
    """What a venue's index says an asset is worth in US dollars."""

    asset: str
    usd: Figure
    venue_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class PriceReading:
    """Prices of several markets, and of assets in US dollars, from one venue."""

    quotes: tuple[QuoteReading, ...] = ()
    asset_prices: tuple[AssetPriceReading, ...] = ()


@dataclass(frozen=True, slots=True)
class PriceOutcome:
    """What one price refresh of one venue and environment saw; `error` when it saw nothing."""

    venue: str
    environment: str
    received_at: datetime
    reading: PriceReading = PriceReading()
    error: VenueError | None = None


class VenueClient(Protocol):
    """What an adapter may ask of the client (venues/client.py): reads, strictly checked."""

    async def call(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """Call a ccxt implicit method, such as "fapiPrivateV3GetPositionRisk".

        Returns the decoded JSON (numbers as exact text). Raises VenueError.
        """
        ...

    async def fetch(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a ccxt unified method, such as "fetch_positions". Raises VenueError."""
        ...

    def market(self, venue_symbol: str, *, kind: ContractKind | None = None) -> MarketSpec:
        """Return the listed market of a venue id or unified symbol, else one without kind."""
        ...

    def symbols(self) -> Sequence[str]:
        """Return the unified symbols of all contracts that the venue lists."""
        ...

    async def recall(
        self,
        name: str,
        *,
        about: Collection[str],
        max_age_s: float,
        ask: Callable[[], Awaitable[_Told]],
    ) -> _Told:
        """Return what `ask` returned for this account, `name` and `about` within `max_age_s`.

        For what changes rarely (leverage, switches), so that a usual poll is one request. An error
        of `ask` is raised and not kept.
        """
        ...

    @property
    def request(self) -> AccountRequest:
        """The account being read (its wallet and options)."""
        ...


class VenueAdapter(ABC):
    """One venue. Subclasses register themselves by being defined.

    slug             our name, as in URLs and commands
    label            the name people read
    ccxt_id          the ccxt class; "" for venues outside ccxt
    margin_rules     contract kind -> key of positions.engine.rules.RULES
    reads            every request that reading may send, "METHOD /path" with {name} for one segment
    rate             requests that one address may send, all accounts together
    permission       what a key must be allowed to, for docs and pages
    quirks           what surprises at this venue and how it is read, a sentence each, for docs
    credentials      names of the secret fields, such as ("apiKey", "secret")
    needs_wallet     True where a wallet address alone is enough
    account_options  what may be given in an account's options
    ccxt_options     merged into the ccxt instance's options
    is_simulated     prices and positions are made up here
    is_tier_private  maintenance tables are told to a key only
    """

    slug: ClassVar[str] = ""
    label: ClassVar[str] = ""
    ccxt_id: ClassVar[str] = ""
    margin_rules: ClassVar[Mapping[ContractKind, str]] = {}
    reads: ClassVar[tuple[str, ...]] = ()
    credentials: ClassVar[tuple[str, ...]] = ("apiKey", "secret")
    needs_wallet: ClassVar[bool] = False
    account_options: ClassVar[tuple[AccountOption, ...]] = ()
    ccxt_options: ClassVar[Mapping[str, Any]] = {}
    is_simulated: ClassVar[bool] = False
    is_tier_private: ClassVar[bool] = False
    rate: ClassVar[RateBudget] = RateBudget(requests=10, window_s=1.0)
    permission: ClassVar[str] = "A read-only API key."
    quirks: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.slug:
            return
        if cls.slug in REGISTRY:
            raise ValueError(f"two venues call themselves {cls.slug!r}")
        REGISTRY[cls.slug] = cls

    @abstractmethod
    def scopes(self, request: AccountRequest) -> Sequence[str]:
        """Return the parts of an account that are read one by one."""

    async def discover_scopes(self, *, client: VenueClient) -> Sequence[str]:
        """Return the parts of an account, asked of the venue where options do not settle them.

        By default what `scopes` returns, which is also what is read when this fails. Raises
        VenueError.
        """
        return self.scopes(client.request)

    @abstractmethod
    async def read_scope(self, *, client: VenueClient, scope: str) -> ScopeReading:
        """Read one part of an account. Raises VenueError when the answer is not complete."""

    async def read_ends(
        self, *, client: VenueClient, scope: str, missing: Sequence[Held]
    ) -> Sequence[PositionEnd]:
        """Return the venue's own word on the ends of positions that are missing; none by default.

        Asked only when something is missing. Raises VenueError.
        """
        return ()

    async def read_key(self, *, client: VenueClient) -> KeyFacts | None:
        """Return what the key may do; None where the venue does not say. Raises VenueError."""
        return None

    def read_listing(self, row: Row) -> Listing:
        """Return what the venue's own row of its list of contracts says; raises RowError."""
        return Listing()

    async def read_tiers(
        self, *, client: VenueClient, symbols: Sequence[str]
    ) -> Sequence[TierReading]:
        """Return the maintenance tables of markets (unified symbols) that could be read.

        `client` has an account's key where `is_tier_private`. Raises VenueError.
        """
        return ()

    async def read_funding(
        self, *, client: VenueClient, symbols: Sequence[str]
    ) -> Sequence[FundingReading]:
        """Return the funding of markets whose prices do not carry it. Raises VenueError."""
        return ()

    async def read_candles(
        self, *, client: VenueClient, symbol: str, count: int
    ) -> Sequence[CandleReading]:
        """Return the last `count` hours of a market, oldest first. Raises VenueError."""
        from venues import unified_markets

        if not self.ccxt_id:
            return ()
        return await unified_markets.read_candles(client=client, symbol=symbol, count=count)

    async def read_depth(
        self, *, client: VenueClient, symbol: str, levels: int
    ) -> DepthReading | None:
        """Return the order book of a market; None where there is none. Raises VenueError."""
        from venues import unified_markets

        if not self.ccxt_id:
            return None
        return await unified_markets.read_depth(client=client, symbol=symbol, levels=levels)

    @abstractmethod
    async def read_prices(self, *, client: VenueClient, symbols: Sequence[str]) -> PriceReading:
        """Read trigger prices of markets (unified symbols) and USD index prices.

        Raises VenueError.
        """

    def rule_for(self, *, kind: ContractKind, options: Mapping[str, Any]) -> str | None:
        """Return the key of the margin rule for a kind of contract; None where there is none."""
        return self.margin_rules.get(kind)

    def prepare(self, *, requests: Sequence[AccountRequest], now: datetime) -> Mapping[int, Any]:
        """Load, in the task's thread, what reading needs of our own database, by account id."""
        return {}

    def check_wallet(self, wallet: str) -> str:
        """Return the address in its canonical spelling; raises BadAccount."""
        return wallet


REGISTRY: dict[str, type[VenueAdapter]] = {}
