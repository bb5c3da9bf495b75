"""The position as everywhere outside shows it: API, exports, webhooks.

One list decides the names and their order (DESIGN.md, REST and commands).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FieldKind(StrEnum):
    """How a field is written: decimal strings for numbers, ISO 8601 for instants."""

    TEXT = "text"
    NUMBER = "number"
    INSTANT = "instant"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class PositionField:
    """One field: its external name, kind, unit and one line of what it is."""

    name: str
    kind: FieldKind
    unit: str
    help: str

    @property
    def has_source(self) -> bool:
        """Tell whether `sources` and `reasons` speak of this field."""
        return self.kind is not FieldKind.TEXT and self.name != "as_of"


def _text(name: str, meaning: str) -> PositionField:
    return PositionField(name, FieldKind.TEXT, "", meaning)


def _number(name: str, unit: str, meaning: str) -> PositionField:
    return PositionField(name, FieldKind.NUMBER, unit, meaning)


POSITION_FIELDS: tuple[PositionField, ...] = (
    _text("id", "The position, the same through all its lives."),
    _text("life", "The life from flat to flat."),
    _text("venue", "Slug of the venue."),
    _text("account", "Label of the account."),
    _text("symbol", "ccxt unified symbol."),
    _text("asset", "Canonical base asset."),
    _text("kind", "linear, inverse, quanto or lending; null for an unlisted symbol."),
    _text("side", "long or short."),
    _text("margin_mode", "isolated, cross, portfolio or null."),
    _text("state", "open, breached, stale, disputed, gone, closed, liquidated and so on."),
    _number("contracts", "contracts", "Size as the venue counts it."),
    _number("contract_size", "per contract", "Base units (linear) or quote units (inverse)."),
    _number("quantity", "base", "Size in base units."),
    _number("entry_price", "price", "Average entry price."),
    _number("mark_price", "price", "Mark price."),
    _number("index_price", "price", "Index price."),
    _number("notional", "settle", "Value at the mark price."),
    _number("notional_usd", "USD", "Value at the mark price in US dollars."),
    _number("collateral", "settle", "Margin held by the position, without unrealised PnL."),
    _number("max_loss", "settle", "The most this compartment can lose."),
    _number("leverage", "x", "Leverage set at the venue."),
    _number("unrealized_pnl", "settle", "Unrealised profit and loss."),
    _number("maintenance_margin", "settle", "Maintenance margin at the mark price."),
    _number("margin_ratio", "fraction", "Required over equity; 1 is liquidation."),
    _number("venue_margin_ratio", "fraction", "The venue's own ratio in its own convention."),
    _number("liquidation_price", "price", "The liquidation price acted on."),
    _number("venue_liquidation_price", "price", "The venue's word."),
    _number("engine_liquidation_price", "price", "Ours, by the venue's rule."),
    _number("bankruptcy_price", "price", "Where equity is 0."),
    _number("liquidation_distance", "fraction", "s (P - LP) / P; negative when breached."),
    _number("distance_sigmas", "daily sigmas", "|ln(LP/P)| over the daily volatility."),
    _number("probability_1h", "fraction", "Probability of liquidation within 1 hour."),
    _number("probability_4h", "fraction", "Probability of liquidation within 4 hours."),
    _number("probability_24h", "fraction", "Probability of liquidation within 24 hours."),
    _number("probability_7d", "fraction", "Probability of liquidation within 7 days."),
    _number("funding_rate", "fraction", "Funding rate of the current interval."),
    PositionField("next_funding_at", FieldKind.INSTANT, "", "When funding is charged next."),
    PositionField("auto_add_margin", FieldKind.FLAG, "", "Whether the venue adds margin itself."),
    _number("adl_rank", "rank", "Place in the auto-deleveraging queue, as the venue says it."),
    _text("severity", "critical, warning, unknown or calm."),
    PositionField("as_of", FieldKind.INSTANT, "", "When the venue's answer arrived."),
)
SOURCED = tuple(field.name for field in POSITION_FIELDS if field.has_source)
