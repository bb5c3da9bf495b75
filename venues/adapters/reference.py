"""The local venue: paper accounts, marked by simulated prices. See docs/venues/reference.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from positions.engine.rulebook import RULES
from positions.engine.types import ContractKind, MarginMode, PositionState, Side
from venues.base import (
    AccountRequest,
    AssetPriceReading,
    Held,
    MarketSpec,
    PositionEnd,
    PositionReading,
    PriceReading,
    QuoteReading,
    ScopeReading,
    VenueAdapter,
    VenueClient,
)
from venues.errors import Unavailable
from venues.figures import Row, RowError
from venues.options import AccountOption
from venues.reference.catalogue import STYLES
from venues.rows import BANKRUPT, read_each, read_instant, read_rows, require

BOOK = "book"
NO_PRICE = "no price liquidates it"


class Reference(VenueAdapter):
    """Paper accounts under the margin rules that their options name."""

    slug = "reference"
    label = "Reference"
    ccxt_id = ""
    margin_rules: ClassVar[Mapping[ContractKind, str]] = {}
    reads = ()
    credentials = ()
    is_simulated = True
    account_options = (
        AccountOption("style_of", "the venue whose margin rules hold", tuple(STYLES)),
        AccountOption(
            "rules",
            "a margin rule for each kind of contract",
            tuple(RULES),
            keys=tuple(ContractKind),
        ),
        AccountOption("keeper", "name of the plan by which the demo trades it"),
    )

    def scopes(self, request: AccountRequest) -> Sequence[str]:
        """Return the one part there is: the account's book."""
        return (BOOK,)

    def rule_for(self, *, kind: ContractKind, options: Mapping[str, Any]) -> str | None:
        """Return the rule that the paper account's options name for a kind of contract."""
        from venues.reference.services import rule_of

        return rule_of(options=options, kind=kind)

    def prepare(self, *, requests: Sequence[AccountRequest], now: datetime) -> Mapping[int, Any]:
        """Load the answers of all accounts of a batch; id 0 gets the prices alone."""
        from venues.reference.answers import answer_accounts

        return answer_accounts(account_ids=[request.account_id for request in requests], now=now)

    async def read_scope(self, *, client: VenueClient, scope: str) -> ScopeReading:
        """Read the open positions. Raises Unavailable before the venue was started."""
        rows = _answer(client).positions
        return read_rows(scope=scope, rows=rows, read_row=read_position)

    async def read_ends(
        self, *, client: VenueClient, scope: str, missing: Sequence[Held] = ()
    ) -> Sequence[PositionEnd]:
        """Return the lives that ended since the account was last seen, oldest first."""
        return read_each(_answer(client).ends, read_end)

    async def read_prices(self, *, client: VenueClient, symbols: Sequence[str]) -> PriceReading:
        """Read simulated prices of the listed contracts among `symbols`, and of every asset."""
        answer = _answer(client)
        rows = [row for row in answer.markets if row["symbol"] in symbols]
        return PriceReading(
            quotes=tuple(read_each(rows, read_quote)),
            asset_prices=tuple(read_each(answer.assets, read_asset_price)),
        )


def read_position(row: Row) -> PositionReading:
    """Return the reading of a position's row; raises RowError."""
    return PositionReading(
        market=read_market(row.text("symbol")),
        slot=row.text("slot"),
        side=row.choice("side", long=Side.LONG, short=Side.SHORT),
        margin_mode=row.choice("marginMode", isolated=MarginMode.ISOLATED),
        contracts=require(row, "contracts"),
        entry_price=row.positive("entryPrice"),
        mark_price=row.positive("markPrice"),
        index_price=row.positive("indexPrice"),
        collateral=row.number("collateral"),
        liquidation_price=row.positive("liquidationPrice", reason=NO_PRICE),
        unrealized_pnl=row.number("unrealizedPnl"),
        leverage=row.positive("leverage"),
        notional=row.number("notional"),
        maintenance_margin=row.number("maintenanceMargin"),
        maintenance_rate=row.number("maintenanceRate"),
        maintenance_amount=row.number("maintenanceAmount"),
        venue_margin_ratio=row.number("marginRatio", none=("",), reason=BANKRUPT),
        auto_add_margin=row.flag("autoAddMargin"),
        venue_time=read_instant(row, "time"),
        raw=row.fields,
    )


def read_market(symbol: str) -> MarketSpec:
    """Return the contract as the catalogue lists it, or a MarketSpec without kind."""
    from venues.reference.catalogue import CONTRACTS, TAKER_FEE

    contract = CONTRACTS.get(symbol)
    if contract is None:
        return MarketSpec(symbol=symbol, venue_symbol=symbol)
    return MarketSpec(
        symbol=symbol,
        venue_symbol=contract.venue_symbol,
        kind=contract.kind,
        asset=contract.base,
        quote=contract.quote,
        settle=contract.settle,
        contract_size=float(contract.contract_size),
        tick_size=float(contract.tick),
        taker_fee_rate=float(TAKER_FEE),
    )


def read_end(row: Row) -> PositionEnd:
    """Return a life's end; raises RowError."""
    at = read_instant(row, "time")
    if at is None:
        raise RowError("time is missing")
    return PositionEnd(
        symbol=row.text("symbol"),
        slot=row.text("slot"),
        state=row.choice("state", closed=PositionState.CLOSED, liquidated=PositionState.LIQUIDATED),
        at=at,
        price=row.positive("price"),
        reference=f"reference-{row.text('id')}",
    )


def read_quote(row: Row) -> QuoteReading:
    """Return a contract's prices; raises RowError."""
    return QuoteReading(
        symbol=row.text("symbol"),
        mark_price=row.positive("markPrice"),
        index_price=row.positive("indexPrice"),
        funding_rate=row.number("fundingRate"),
        next_funding_at=read_instant(row, "nextFundingTime"),
        venue_time=read_instant(row, "time"),
    )


def read_asset_price(row: Row) -> AssetPriceReading:
    """Return what an asset is worth in simulated US dollars; raises RowError."""
    return AssetPriceReading(
        asset=row.text("asset"),
        usd=row.positive("usd"),
        venue_time=read_instant(row, "time"),
    )


def _answer(client: VenueClient) -> Any:
    answer = client.request.prepared
    if answer is None:
        raise Unavailable("The reference venue was not read; RiskHub tries again.")
    return answer
