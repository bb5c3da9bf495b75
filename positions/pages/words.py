"""What each figure of a position is, in plain words for the page that shows them all.

positions/fields.py speaks to programmers of the names in the API; here a person is spoken to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from positions.fields import PositionField


@dataclass(frozen=True, slots=True)
class Words:
    """The name of a figure, and one line of what it is."""

    label: str
    help: str


_WORDS: Mapping[str, Words] = {
    "id": Words("Number", "Of this position at RiskHub, the same however often it is reopened."),
    "life": Words("Current run", "Number of the run from opening to closing, listed below."),
    "venue": Words("Venue", "Where it is held."),
    "account": Words("Account", "The name you gave the account."),
    "symbol": Words("Market", "The contract, in the same spelling for every venue."),
    "asset": Words("Asset", "What the contract is on."),
    "kind": Words("Kind of contract", "Linear settles in the quote, inverse in the asset itself."),
    "side": Words("Side", "Long gains when the price rises, short when it falls."),
    "margin_mode": Words("Margin mode", "Isolated: only its own collateral is at stake."),
    "state": Words("State", "Whether it is open, and whether anything is wrong with it."),
    "contracts": Words("Contracts", "Its size as the venue counts it."),
    "contract_size": Words("Contract size", "What one contract stands for."),
    "quantity": Words("Size", "In units of the asset."),
    "entry_price": Words("Entry price", "The average price at which it was opened."),
    "mark_price": Words("Mark price", "The price by which the venue liquidates."),
    "index_price": Words("Index price", "The price across spot markets."),
    "notional": Words("Value", "At the mark price."),
    "notional_usd": Words("Value in US dollars", "At the mark price."),
    "collateral": Words("Collateral", "Put behind it, without profit or loss not yet realised."),
    "collateral_usd": Words("Collateral in US dollars", "The same, in dollars."),
    "max_loss": Words("The most it can lose", "Where the compartment holds."),
    "leverage": Words("Leverage", "As set at the venue."),
    "unrealized_pnl": Words("Unrealised profit or loss", "Since entry, at the mark price."),
    "unrealized_pnl_usd": Words("Unrealised in US dollars", "The same, in dollars."),
    "maintenance_margin": Words("Maintenance margin", "Required to keep it open."),
    "margin_ratio": Words("Margin ratio", "Required of what is there; liquidated at 100 %."),
    "venue_margin_ratio": Words("Venue’s own ratio", "As the venue counts it; others differ."),
    "liquidation_price": Words("Liquidation price", "The one acted on."),
    "venue_liquidation_price": Words("Venue’s liquidation price", "The venue’s word."),
    "engine_liquidation_price": Words("Our liquidation price", "Computed by the venue’s rule."),
    "bankruptcy_price": Words("Bankruptcy price", "Where nothing is left of the collateral."),
    "liquidation_distance": Words("Distance", "From the mark to liquidation; negative is beyond."),
    "distance_sigmas": Words("Distance in daily moves", "How many usual days away it is."),
    "probability_1h": Words("Risk within 1 hour", "Probability of liquidation."),
    "probability_4h": Words("Risk within 4 hours", "Probability of liquidation."),
    "probability_24h": Words("Risk within 24 hours", "Probability of liquidation."),
    "probability_7d": Words("Risk within 7 days", "Probability of liquidation."),
    "funding_rate": Words("Funding rate", "Charged at the end of this interval."),
    "next_funding_at": Words("Next funding", "When it is charged."),
    "auto_add_margin": Words("Auto-add margin", "Whether the venue adds margin by itself."),
    "adl_rank": Words("Deleveraging rank", "Its place in the venue’s queue for forced reduction."),
    "severity": Words("Severity", "How urgent it is."),
    "as_of": Words("Read", "When the venue’s answer arrived."),
}


def words_of(field: PositionField) -> Words:
    """Return a field's words; its own name and help where none are written here."""
    return _WORDS.get(field.name) or Words(field.name.replace("_", " "), field.help)
