"""Between value objects and the columns of a position: what was reported, then what follows.

A poll applies a reading, a price refresh applies a quote; both then derive the rest through
`derive`, so that a figure does not depend on which of the two came last.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from positions import marks
from positions.engine.rulebook import RULES
from positions.engine.rules import Basis
from positions.engine.types import (
    ContractKind,
    MarginMode,
    PositionState,
    Side,
    Source,
    Tier,
)
from positions.freshness import price_stale_after_s
from positions.margin_rules import rule_of
from positions.markets import TierTableInForce
from positions.models import Position, Provenance
from positions.pools import is_pooled, ratio_cell
from positions.risk.assess import Assessment, Cell, Exposure, assess
from positions.storable import storable
from positions.valuation import Valuation
from venues.base import PositionReading, QuoteReading
from venues.figures import Figure
from venues.models import Quote
from venues.rows import BANKRUPT

NO_FUNDING = "no funding rate of this market was seen in the last 10 minutes"
# Beyond this age a quote's funding says nothing about now.
_FUNDING_KEPT = timedelta(minutes=10)
# What a venue says itself about a position at the moment of the reading.
_REPORTED = (
    "contracts",
    "entry_price",
    "mark_price",
    "index_price",
    "collateral",
    "leverage",
    "unrealized_pnl",
    "maintenance_margin",
    "maintenance_rate",
    "maintenance_amount",
    "venue_margin_ratio",
    "adl_rank",
)
# Reported figures that a newer trigger price makes ours. The venue's own ratio stays its word, as
# of the reading: its convention is not ours to move.
_MOVED_BY_PRICE = ("unrealized_pnl", "maintenance_margin")

# Farther beyond its end than anything with a price can be.
BEYOND_ALL = -1e9
_NO_MARK = Figure.unknown("no reading told one")


@dataclass(slots=True)
class Draft:
    """A position being written: the row, and the sources and reasons of its figures.

    told_mark      the trigger price at which the venue told a fresh reading
    is_price_kept  the row's trigger price is another than that of the reading
    """

    position: Position
    sources: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    is_fresh_reading: bool = False
    told_mark: Figure = _NO_MARK
    is_price_kept: bool = False
    is_breached: bool = False

    @property
    def is_as_told(self) -> bool:
        """Tell whether what the venue says of profit and margin is true of the row's price."""
        return self.is_fresh_reading and not self.is_price_kept

    def put(self, name: str, cell: Cell) -> None:
        """Write one figure with its source and reason."""
        setattr(self.position, name, cell.value)
        self.note(name, source=cell.source, reason=cell.reason)

    def note(self, name: str, *, source: Source, reason: str = "") -> None:
        """Write down whose word a figure is, and why it is unknown."""
        self.sources[name] = source
        self.reasons.pop(name, None)
        if source is Source.UNKNOWN:
            self.reasons[name] = reason

    def put_figure(self, name: str, figure: Figure) -> None:
        """Write a venue's figure and keep the exact characters of what it printed."""
        self.put(name, Cell(figure.number, figure.source, figure.reason))
        self.position.printed.pop(name, None)
        if figure.text:
            self.position.printed[name] = figure.text


def apply_reading(*, position: Position, reading: PositionReading, received_at: datetime) -> Draft:
    """Write a reading into the row; a trigger price newer than the reading is kept."""
    kept_price = _newer_price(position, received_at)
    draft = Draft(
        position,
        is_fresh_reading=True,
        told_mark=reading.mark_price,
        is_price_kept=kept_price is not None,
    )
    position.printed = {}
    for name in _REPORTED:
        draft.put_figure(name, getattr(reading, name))
    draft.put_figure("venue_liquidation_price", reading.liquidation_price)
    size = reading.market.contract_size
    draft.put(
        "contract_size",
        Cell(size, Source.REPORTED) if size else Cell.derived(None, "the venue does not list it"),
    )
    position.side = reading.side
    position.margin_rule = reading.margin_rule
    position.auto_add_margin = reading.auto_add_margin
    draft.note(
        "auto_add_margin",
        source=Source.UNKNOWN if reading.auto_add_margin is None else Source.REPORTED,
        reason="the switch could not be read",
    )
    position.venue_time = reading.venue_time
    position.received_at = received_at
    position.raw = storable(dict(reading.raw))
    if kept_price is None:
        position.price_received_at = received_at
        position.price_venue_time = reading.venue_time
    else:
        draft.put("mark_price", kept_price)
    draft.put("funding_rate", Cell.derived(None, NO_FUNDING))
    position.next_funding_at = None
    draft.note("next_funding_at", source=Source.UNKNOWN, reason=NO_FUNDING)
    return draft


def _newer_price(position: Position, received_at: datetime) -> Cell | None:
    at, price = position.price_received_at, position.mark_price
    if price is None or not marks.is_later(at, than=received_at):
        return None
    return Cell(price, Source.REPORTED)


def _forget_moved(position: Position) -> None:
    """Drop the printed characters of what a newer price moves."""
    for name in _MOVED_BY_PRICE:
        position.printed.pop(name, None)


def apply_latest_quote(*, draft: Draft, quote: Quote) -> None:
    """Let the market's latest quote, while that is fresh, fill or replace what the reading says.

    It fills what the reading leaves out. Its mark counts by positions.marks.prefer_feed.
    """
    position = draft.position
    age = position.received_at - quote.received_at
    if age < -marks.MOST_AHEAD:
        return
    if position.received_at - (quote.funding_received_at or quote.received_at) <= _FUNDING_KEPT:
        apply_funding(draft=draft, rate=quote.funding_rate, next_funding_at=quote.next_funding_at)
    if age > timedelta(seconds=price_stale_after_s()):
        return
    if position.index_price is None and quote.index_price is not None:
        draft.put("index_price", Cell(quote.index_price, Source.REPORTED))
    if quote.mark_price is not None:
        _settle_mark(draft, quote, quote.mark_price)


def _settle_mark(draft: Draft, quote: Quote, price: float) -> None:
    """Write the mark that counts: the reading's or the fresh quote's."""
    position, told = draft.position, draft.told_mark
    is_feed, why = True, ""
    if told.number is not None:
        is_reported = told.source is Source.REPORTED
        row = marks.Mark(told.number, is_reported, position.venue_time, position.received_at)
        feed = marks.Mark(price, True, quote.venue_time, quote.received_at)
        is_feed, why = marks.prefer_feed(row=row, feed=feed, position=position)
        # At one and the same price what the venue says of profit and margin stays true.
        draft.is_price_kept = is_feed and price != told.number
    if is_feed:
        draft.put("mark_price", Cell(price, Source.REPORTED))
        position.printed.pop("mark_price", None)
        position.price_received_at = quote.received_at
        position.price_venue_time = quote.venue_time
    else:
        draft.put_figure("mark_price", told)
        position.price_received_at = position.received_at
        position.price_venue_time = position.venue_time
    if why:
        draft.reasons["mark_price"] = why


def redraft(*, position: Position) -> Draft:
    """Return the row as it stands, to be moved by a newer price."""
    provenance = position.provenance
    return Draft(position, dict(provenance.sources), dict(provenance.reasons))


def apply_quote(*, draft: Draft, quote: QuoteReading, received_at: datetime) -> None:
    """Write newer prices into the row; profit and maintenance margin become ours."""
    position = draft.position
    why = draft.reasons.get("mark_price", "")
    draft.put_figure("mark_price", quote.mark_price)
    if why == marks.FEED_IS_NEARER:
        # As true as at the last poll: the next one compares again.
        draft.reasons["mark_price"] = why
    if quote.index_price.is_known:
        draft.put_figure("index_price", quote.index_price)
    position.price_received_at = received_at
    position.price_venue_time = quote.venue_time
    apply_funding(
        draft=draft, rate=quote.funding_rate.number, next_funding_at=quote.next_funding_at
    )


def apply_funding(*, draft: Draft, rate: float | None, next_funding_at: datetime | None) -> None:
    """Write the market's funding; what is not known leaves the earlier word in place."""
    if rate is not None:
        draft.put("funding_rate", Cell(rate, Source.REPORTED))
    if next_funding_at is not None:
        draft.position.next_funding_at = next_funding_at
        draft.note("next_funding_at", source=Source.REPORTED)


def derive(
    *,
    drafts: Sequence[Draft],
    tiers: Mapping[int, TierTableInForce],
    valuation: Valuation,
) -> None:
    """Derive every other figure of the rows in one engine call.

    tiers  market id -> maintenance table; a market without one is served by the rate that the
           venue's own maintenance margin implies
    """
    exposures = [_exposure(draft, tiers, valuation) for draft in drafts]
    for draft in drafts:
        table = tiers.get(draft.position.market_id)
        draft.position.tier_version = table.version if table else None
    for draft, assessment in zip(drafts, assess(exposures=exposures), strict=True):
        _apply_assessment(draft, assessment)


def _exposure(
    draft: Draft, tiers: Mapping[int, TierTableInForce], valuation: Valuation
) -> Exposure:
    """Return the draft's exposure; a first reading without a rate keeps the implied one.

    The implied rate is kept with the row: at the next trigger price the venue's maintenance
    margin is no longer the one at that price, its rate still is.
    """
    position = draft.position
    exposure = exposure_of(position=position, tiers=tiers, valuation=valuation)
    exposure = replace(
        exposure,
        unrealized_pnl=position.unrealized_pnl if draft.is_as_told else None,
        no_collateral_reason=draft.reasons.get("collateral", ""),
        pool=Cell(*ratio_cell(position)) if is_pooled(position) else None,
    )
    if exposure.tiers or not draft.is_fresh_reading:
        return exposure
    told = replace(exposure, trigger_price=draft.told_mark.number)
    rate = _implied_rate(told, position.maintenance_margin)
    if rate is None:
        return exposure
    draft.put("maintenance_rate", Cell.derived(rate))
    return replace(exposure, tiers=_own_tier(position))


def exposure_of(
    *, position: Position, tiers: Mapping[int, TierTableInForce], valuation: Valuation
) -> Exposure:
    """Return what the row knows, as the risk functions take it.

    tiers  market id -> maintenance table; without one the row's own rate serves as a single tier
    """
    market, account = position.market, position.account
    kind = ContractKind(market.kind) if market.kind else None
    rule = rule_of(position)
    return Exposure(
        kind=kind,
        rule=rule,
        margin_mode=MarginMode(position.margin_mode) if position.margin_mode else None,
        side=Side(position.side),
        units=_product(position.contracts, position.contract_size),
        entry_price=position.entry_price,
        collateral=position.collateral,
        trigger_price=position.mark_price,
        fee_rate=market.taker_fee_rate,
        venue_liquidation_price=position.venue_liquidation_price,
        auto_add_margin=position.auto_add_margin,
        usd_per_settle=valuation.usd(
            asset=market.settle,
            is_simulated=account.is_simulated,
            environment=account.environment,
        ),
        no_usd_reason=valuation.why_not(asset=market.settle),
        tiers=tiers[market.pk].tiers if market.pk in tiers else _own_tier(position),
    )


def _own_tier(position: Position) -> tuple[Tier, ...]:
    if position.maintenance_rate is None:
        return ()
    return (Tier(0.0, position.maintenance_rate, position.maintenance_amount or 0.0),)


def _implied_rate(exposure: Exposure, maintenance_margin: float | None) -> float | None:
    rule = RULES.get(exposure.rule or "")
    if rule is None or not maintenance_margin or not exposure.units:
        return None
    price = exposure.entry_price if rule.basis is Basis.ENTRY else exposure.trigger_price
    if not price:
        return None
    notional = exposure.units / price if rule.is_inverse else exposure.units * price
    return maintenance_margin / notional


def _product(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one * other


def _apply_assessment(draft: Draft, assessment: Assessment) -> None:
    if not draft.is_as_told:
        _forget_moved(draft.position)
    for name, cell in assessment.cells.items():
        if not _is_venues_word(draft, name, cell):
            draft.put(name, cell)
    if (
        "venue_liquidation_price" in draft.position.printed
        and assessment.cells["liquidation_price"].source is Source.REPORTED
    ):
        printed = draft.position.printed
        printed["liquidation_price"] = printed["venue_liquidation_price"]
    draft.is_breached = assessment.is_breached
    draft.position.severity = assessment.severity
    if assessment.is_bankrupt:
        draft.reasons["margin_ratio"] = BANKRUPT
    draft.position.state = PositionState.BREACHED if assessment.is_breached else PositionState.OPEN


def _is_venues_word(draft: Draft, name: str, cell: Cell) -> bool:
    """Tell whether what the reading told of a figure stays beside `cell`, which is ours.

    What an adapter worked out from one row (a rate of the first tier) only stays where we have
    nothing: ours counts the whole table, as the margin ratio beside it does.
    """
    if not draft.is_as_told or name not in _MOVED_BY_PRICE:
        return False
    source = draft.sources.get(name)
    return source == Source.REPORTED or (source == Source.DERIVED and cell.value is None)


def rank_bankrupt(*, drafts: Iterable[Draft]) -> None:
    """Rank first, in the database too, what is bankrupt and has no price to be far from."""
    for draft in drafts:
        if draft.position.rank_distance is None and draft.reasons.get("margin_ratio") == BANKRUPT:
            draft.position.rank_distance = BEYOND_ALL


def intern_provenance(*, drafts: Iterable[Draft]) -> None:
    """Point each row at its combination of sources and reasons, stored once."""
    drafts = list(drafts)
    wanted = {_digest(draft): draft for draft in drafts}
    rows = _provenances(wanted)
    missing = [digest for digest in wanted if digest not in rows]
    if missing:
        Provenance.objects.bulk_create(
            [
                Provenance(
                    digest=digest,
                    sources=wanted[digest].sources,
                    reasons=wanted[digest].reasons,
                )
                for digest in sorted(missing)
            ],
            ignore_conflicts=True,
        )
        rows |= _provenances(missing)
    for draft in drafts:
        draft.position.provenance = rows[_digest(draft)]


def _provenances(digests: Iterable[str]) -> dict[str, Provenance]:
    return {row.digest: row for row in Provenance.objects.filter(digest__in=list(digests))}


def _digest(draft: Draft) -> str:
    text = json.dumps([draft.sources, draft.reasons], sort_keys=True)
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
