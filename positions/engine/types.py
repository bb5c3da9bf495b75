"""Value objects that every layer shares: sides, states, sources, tiers and terms of a position."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction


class Side(StrEnum):
    """The direction of a position."""

    LONG = "long"
    SHORT = "short"

    @property
    def sign(self) -> int:
        """Return +1 for a long and -1 for a short, the `s` of every formula."""
        return 1 if self is Side.LONG else -1


class ContractKind(StrEnum):
    """How a contract's profit follows the price."""

    LINEAR = "linear"
    INVERSE = "inverse"
    QUANTO = "quanto"
    LENDING = "lending"


class MarginMode(StrEnum):
    """What a loss may draw on: one compartment, the account, or a portfolio."""

    ISOLATED = "isolated"
    CROSS = "cross"
    PORTFOLIO = "portfolio"


class PositionState(StrEnum):
    """The life of a position as RiskHub saw it; DESIGN words, one each."""

    OPEN = "open"
    BREACHED = "breached"
    STALE = "stale"
    DISPUTED = "disputed"
    GONE = "gone"
    CLOSED = "closed"
    LIQUIDATED = "liquidated"
    DELEVERAGED = "deleveraged"
    SETTLED = "settled"

    @property
    def is_ended(self) -> bool:
        """Tell whether no further reading is expected for this life."""
        return self in ENDED_STATES


ENDED_STATES = frozenset(
    {
        PositionState.CLOSED,
        PositionState.LIQUIDATED,
        PositionState.DELEVERAGED,
        PositionState.SETTLED,
    }
)


class Source(StrEnum):
    """Whose word a figure is."""

    REPORTED = "reported"
    DERIVED = "derived"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """How urgent a position is; `unknown` ranks above calm because nobody watches it."""

    CRITICAL = "critical"
    WARNING = "warning"
    UNKNOWN = "unknown"
    CALM = "calm"

    @property
    def rank(self) -> int:
        """Return 0 for the most urgent."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Tier:
    """One step of a maintenance table.

    floor   notional at which the tier begins: quote units for linear, base units for inverse
    rate    maintenance rate, a fraction
    amount  deduction from rate * notional (0 in the first tier and in flat tables)
    """

    floor: float
    rate: float
    amount: float = 0.0


@dataclass(frozen=True, slots=True)
class Terms:
    """What the engine needs to know about one isolated position.

    rule           key into positions.engine.rulebook.RULES
    quantity       linear and lending: base units; inverse: quote units (contracts times contract
                   size); quanto: settle units per unit of the price (contracts times multiplier);
                   more than 0
    entry_price    quote per base, > 0
    collateral     settle units, without unrealised PnL
    trigger_price  the series the venue liquidates on, quote per base; None when not known
    tiers          ascending by floor, at least one; one tier with floor 0 is "a single rate"
    fee_rate       closing fee, a fraction; used only where the rule counts it
    next_funding_rate
                   what the position pays at the next settlement, a fraction of its notional at
                   entry, negative when it receives; used only where the rule counts it
    fixed_requirement
                   settle units that stand in the requirement at every price: margin of open
                   orders, a keeper's reward
    """

    rule: str
    side: Side
    quantity: float | Fraction
    entry_price: float | Fraction
    collateral: float | Fraction
    trigger_price: float | Fraction | None
    tiers: tuple[Tier, ...]
    fee_rate: float | Fraction = 0.0
    next_funding_rate: float | Fraction = 0.0
    fixed_requirement: float | Fraction = 0.0
