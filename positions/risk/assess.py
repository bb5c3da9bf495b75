"""From what is known of positions to every derived figure, in one vectorised engine call.

The same function serves a poll and a price refresh, so that a figure cannot depend on which of
the two came last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from positions.engine.batch import build_batch
from positions.engine.rulebook import RULES
from positions.engine.solution import Solution, State
from positions.engine.solver import solve
from positions.engine.types import ContractKind, MarginMode, Severity, Side, Source, Terms, Tier
from positions.risk.severity import severity

NOT_LISTED = "the venue does not list this symbol"
NO_MODE = "the venue does not say whether the margin is isolated"
NOT_ISOLATED = "cross margin: the account's balance backs the position"
NO_RULE = "no margin rule of this venue for this kind of contract"
NO_MARK = "no mark price"
NO_SIZE = "no size"
NO_FORECAST = "not forecast: no volatility is known for this market"
NOT_CONTAINED = "auto-add-margin is on: the loss may draw on the free balance"
BANKRUPT = "bankrupt"
NO_SWITCH = "the auto-add-margin switch could not be read"


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure for a column: value (None unknown), whose word, and why it is unknown."""

    value: float | None
    source: Source
    reason: str = ""

    @classmethod
    def derived(cls, value: float | None, reason: str = "") -> Cell:
        """Return a figure of ours, or "unknown" with the reason when there is no finite value."""
        if value is None or not math.isfinite(value):
            return cls(None, Source.UNKNOWN, reason or "not computable")
        return cls(value, Source.DERIVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """What is known of one position before anything is derived; None is unknown.

    units           contracts times contract size: base units (linear), quote units (inverse)
    tiers           the market's table, or one tier implied by what the venue says; () unknown
    collateral      settle units, without unrealised PnL
    usd_per_settle  US dollars per unit of the settle coin
    pool            cross and portfolio: margin ratio of the account behind it, in the venue's word
    """

    kind: ContractKind | None
    rule: str | None
    margin_mode: MarginMode | None
    side: Side
    units: float | None
    entry_price: float | None
    collateral: float | None
    trigger_price: float | None
    tiers: tuple[Tier, ...] = ()
    fee_rate: float | None = None
    venue_liquidation_price: float | None = None
    unrealized_pnl: float | None = None
    auto_add_margin: bool | None = None
    usd_per_settle: float | None = None
    no_usd_reason: str = ""
    no_collateral_reason: str = ""
    pool: Cell | None = None

    @property
    def is_solvable(self) -> bool:
        """Tell whether the isolated formula may run: isolated, listed, a rule, a size."""
        return self.why_not == ""

    @property
    def why_not(self) -> str:
        """Return why the isolated formula may not run; "" when it may."""
        reasons = (
            (self.margin_mode is None, NO_MODE),
            (self.margin_mode is not MarginMode.ISOLATED, NOT_ISOLATED),
            (self.kind is None, NOT_LISTED),
            (self.rule not in RULES, NO_RULE),
            (not self.units or self.units <= 0, NO_SIZE),
            (not self.entry_price or self.entry_price <= 0, "no entry price"),
        )
        return next((reason for is_so, reason in reasons if is_so), "")


@dataclass(frozen=True, slots=True)
class Assessment:
    """The derived figures of one position, named as its columns, and its severity."""

    cells: dict[str, Cell] = field(default_factory=dict)
    severity: Severity = Severity.UNKNOWN
    is_breached: bool = False
    is_bankrupt: bool = False


def assess(*, exposures: Sequence[Exposure]) -> list[Assessment]:
    """Return what can be derived of each exposure, in order, with one call of the solver."""
    solvable = [index for index, exposure in enumerate(exposures) if exposure.is_solvable]
    solution = solve(build_batch(terms=[build_terms(exposures[index]) for index in solvable]))
    place = {index: row for row, index in enumerate(solvable)}
    return [
        _assess_one(exposure, solution, place.get(index))
        for index, exposure in enumerate(exposures)
    ]


def build_terms(exposure: Exposure) -> Terms:
    """Return the engine's terms of a solvable exposure; what is unknown becomes NaN."""
    nan = float("nan")
    return Terms(
        rule=exposure.rule or "",
        side=exposure.side,
        quantity=exposure.units or nan,
        entry_price=exposure.entry_price or nan,
        collateral=nan if exposure.collateral is None else exposure.collateral,
        trigger_price=exposure.trigger_price,
        tiers=exposure.tiers or (Tier(floor=0.0, rate=nan),),
        fee_rate=nan if exposure.fee_rate is None else exposure.fee_rate,
    )


def _assess_one(exposure: Exposure, solution: Solution, row: int | None) -> Assessment:
    cells = _sizes(exposure)
    cells |= _engine_cells(exposure, solution, row)
    if exposure.pool is not None:
        cells["margin_ratio"] = exposure.pool
    cells["liquidation_price"] = _acted_on(exposure, cells["engine_liquidation_price"])
    cells["liquidation_distance"] = _distance(exposure, cells["liquidation_price"])
    cells["max_loss"] = _max_loss(exposure)
    cells |= _in_usd(exposure, cells)
    cells |= dict.fromkeys(FORECASTS, Cell(None, Source.UNKNOWN, NO_FORECAST))
    state = State(0) if row is None else State(int(solution.state[row]))
    distance = cells["liquidation_distance"].value
    is_bankrupt = State.BANKRUPT in state or _is_lost(exposure.pool)
    return Assessment(
        cells=cells,
        severity=severity(
            margin_ratio=cells["margin_ratio"].value, distance=distance, is_bankrupt=is_bankrupt
        ),
        is_breached=distance is not None and distance <= 0,
        is_bankrupt=is_bankrupt,
    )


FORECASTS = (
    "distance_sigmas",
    "probability_1h",
    "probability_4h",
    "probability_24h",
    "probability_7d",
)
_FROM_ENGINE = {
    "engine_liquidation_price": "liquidation_price",
    "bankruptcy_price": "bankruptcy_price",
    "margin_ratio": "margin_ratio",
    "maintenance_margin": "maintenance_margin",
}


def _sizes(exposure: Exposure) -> dict[str, Cell]:
    """Quantity in base units, notional in settle units, profit where the venue gave none."""
    if exposure.kind not in {ContractKind.LINEAR, ContractKind.INVERSE}:
        reason = NO_RULE if exposure.kind else NOT_LISTED
        return {
            name: Cell.derived(None, reason) for name in ("quantity", "notional", "unrealized_pnl")
        }
    units, price, entry = exposure.units, exposure.trigger_price, exposure.entry_price
    if exposure.kind is ContractKind.LINEAR:
        quantity = Cell.derived(units, NO_SIZE)
        notional = units * price if units and price else None
        profit = units * (price - entry) if units and price and entry else None
    else:
        worth = units / price if units and price else None
        quantity, notional = Cell.derived(worth, NO_MARK), worth
        profit = units * (1 / entry - 1 / price) if units and price and entry else None
    return {
        "quantity": quantity,
        "notional": Cell.derived(notional, NO_MARK),
        "unrealized_pnl": Cell.derived(
            None if profit is None else exposure.side.sign * profit, NO_MARK
        ),
    }


def _engine_cells(exposure: Exposure, solution: Solution, row: int | None) -> dict[str, Cell]:
    if row is None:
        return {name: Cell.derived(None, exposure.why_not) for name in _FROM_ENGINE}
    return {
        name: Cell.derived(
            float(getattr(solution, figure)[row]),
            _why(exposure, solution.reason(figure=figure, index=row) or ""),
        )
        for name, figure in _FROM_ENGINE.items()
    }


def _why(exposure: Exposure, reason: str) -> str:
    if reason == "unknown: no collateral" and exposure.no_collateral_reason:
        return exposure.no_collateral_reason
    return reason.removeprefix("unknown: ")


def _is_lost(pool: Cell | None) -> bool:
    """Tell whether nothing is left of the account behind a position."""
    return pool is not None and pool.reason == BANKRUPT


def _acted_on(exposure: Exposure, engine: Cell) -> Cell:
    """The venue acts on its own number; ours stands in only where it gives none."""
    if exposure.venue_liquidation_price is not None:
        return Cell(exposure.venue_liquidation_price, Source.REPORTED)
    return engine


def _distance(exposure: Exposure, liquidation_price: Cell) -> Cell:
    price = exposure.trigger_price
    if liquidation_price.value is None:
        return Cell.derived(None, liquidation_price.reason)
    if not price or price <= 0:
        return Cell.derived(None, NO_MARK)
    distance = exposure.side.sign * (price - liquidation_price.value) / price
    # Cross, both legs of a hedge share one price: on the winning side of one it is no breach.
    return Cell.derived(distance if exposure.margin_mode is MarginMode.ISOLATED else abs(distance))


def _max_loss(exposure: Exposure) -> Cell:
    if exposure.margin_mode is not MarginMode.ISOLATED:
        return Cell.derived(None, NOT_ISOLATED if exposure.margin_mode else NO_MODE)
    if exposure.auto_add_margin is None:
        return Cell.derived(None, NO_SWITCH)
    if exposure.auto_add_margin:
        return Cell.derived(None, NOT_CONTAINED)
    return Cell.derived(exposure.collateral, exposure.no_collateral_reason or "no collateral")


def _in_usd(exposure: Exposure, cells: dict[str, Cell]) -> dict[str, Cell]:
    profit = exposure.unrealized_pnl
    amounts = {
        "notional_usd": cells["notional"],
        "collateral_usd": Cell.derived(
            exposure.collateral, exposure.no_collateral_reason or "no collateral"
        ),
        "unrealized_pnl_usd": cells["unrealized_pnl"] if profit is None else Cell.derived(profit),
    }
    rate = exposure.usd_per_settle
    if rate is None:
        reason = exposure.no_usd_reason or "no US dollar price of the settle coin"
        return {name: Cell.derived(None, reason) for name in amounts}
    return {
        name: Cell.derived(None if cell.value is None else cell.value * rate, cell.reason)
        for name, cell in amounts.items()
    }
