"""What the solver answers: columns of figures, a state, and a reason for every figure missing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

import numpy as np
import numpy.typing as npt

from positions.engine.rules import Floats

Bools = npt.NDArray[np.bool_]
States = npt.NDArray[np.int32]


def some(mark: Bools | np.bool_) -> bool:
    """Tell whether any is true; counting is faster than asking, for some thousand rows."""
    return bool(np.count_nonzero(mark))


class State(IntFlag):
    """What is peculiar about a position; 0 is an open position with every figure known."""

    BREACHED = 1
    BANKRUPT = 2
    AT_JUMP = 4
    NO_TRIGGER = 8
    NO_CROSSING = 16
    NO_RECOVERY = 32
    NO_BANKRUPTCY = 64
    NO_QUANTITY = 128
    NO_ENTRY = 256
    NO_COLLATERAL = 512
    NO_TIERS = 1024
    NO_FEE = 2048
    UNSOLVED = 4096
    BEYOND_CAP = 8192
    NO_FUNDING = 16384
    NO_FIXED = 32768


# Ordered: the first flag that a position carries explains its missing figure.
REASONS: dict[State, str] = {
    State.NO_QUANTITY: "unknown: no quantity",
    State.NO_ENTRY: "unknown: no entry price",
    State.NO_COLLATERAL: "unknown: no collateral",
    State.NO_TIERS: "unknown: no maintenance tiers",
    State.NO_FEE: "unknown: no closing fee",
    State.NO_FUNDING: "unknown: no next funding rate",
    State.NO_FIXED: "unknown: no margin of open orders",
    State.NO_TRIGGER: "unknown: no trigger price",
    State.NO_CROSSING: "none: no price on the losing side liquidates",
    State.BEYOND_CAP: "none: beyond the venue's cap",
    State.NO_RECOVERY: "none: already breached at every price",
    State.NO_BANKRUPTCY: "none: no price brings equity to zero",
    State.BANKRUPT: "bankrupt",
    State.UNSOLVED: "unknown: solver",
}
_INPUTS = State.NO_QUANTITY | State.NO_ENTRY | State.NO_COLLATERAL
_RULE = State.NO_TIERS | State.NO_FEE | State.NO_FUNDING | State.NO_FIXED
_CROSSING = _INPUTS | _RULE | State.NO_CROSSING | State.BEYOND_CAP | State.NO_RECOVERY
# Which flags can be the cause when a figure is missing; with none of them it is the solver.
_CAUSES: dict[str, State] = {
    "liquidation_price": _CROSSING,
    "bankruptcy_price": _INPUTS | State.NO_BANKRUPTCY,
    "notional": State.NO_QUANTITY | State.NO_TRIGGER,
    "unrealized_pnl": State.NO_QUANTITY | State.NO_ENTRY | State.NO_TRIGGER,
    "equity": _INPUTS | State.NO_TRIGGER,
    "maintenance_margin": State.NO_QUANTITY | State.NO_ENTRY | State.NO_TIERS | State.NO_TRIGGER,
    "required": State.NO_QUANTITY | State.NO_ENTRY | _RULE | State.NO_TRIGGER,
    "margin_ratio": _INPUTS | _RULE | State.NO_TRIGGER | State.BANKRUPT,
    "effective_leverage": _INPUTS | State.NO_TRIGGER | State.BANKRUPT,
    "liquidation_distance": _CROSSING | State.NO_TRIGGER,
    "residual": _CROSSING,
    "residual_before": _CROSSING,
}
FIGURES: tuple[str, ...] = tuple(_CAUSES)


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """Figures of n positions; every array is (n,), NaN where `reason` says why.

    liquidation_price    quote per base; the first on the losing side, or, when already breached,
                         the nearest one beyond which the position would be safe again
    bankruptcy_price     quote per base, equity 0
    notional, unrealized_pnl, equity, maintenance_margin
                         settle units, at the trigger price
    required             maintenance plus the closing fee where the rule counts it
    margin_ratio         required / equity; 1 is liquidation
    effective_leverage   notional / equity
    liquidation_distance s (P - LP) / P, a fraction of the trigger price, negative when breached
    residual             (equity - required) / notional at the liquidation price, in its own tier;
                         the notional is the larger of those at that price and at entry
    residual_before      the same in the tier the walk came from; differs at a jump only
    state                State flags
    """

    liquidation_price: Floats
    bankruptcy_price: Floats
    notional: Floats
    unrealized_pnl: Floats
    equity: Floats
    maintenance_margin: Floats
    required: Floats
    margin_ratio: Floats
    effective_leverage: Floats
    liquidation_distance: Floats
    residual: Floats
    residual_before: Floats
    state: States

    def __len__(self) -> int:
        return len(self.state)

    def has(self, flag: State) -> Bools:
        """Return which positions carry the flag, shape (n,)."""
        marked: Bools = (self.state & np.int32(flag)) != 0
        return marked

    def reason(self, *, figure: str, index: int) -> str | None:
        """Return why the figure of that position is missing; None when it is known."""
        if not np.isnan(getattr(self, figure)[index]):
            return None
        causes = _CAUSES[figure] & State(int(self.state[index]))
        texts = (text for flag, text in REASONS.items() if flag & causes)
        return next(texts, REASONS[State.UNSOLVED])

    def row(self, *, index: int) -> dict[str, float | None]:
        """Return every figure of one position, None where it is missing."""
        values = {name: float(getattr(self, name)[index]) for name in FIGURES}
        return {name: None if np.isnan(value) else value for name, value in values.items()}

    def reasons(self, *, index: int) -> dict[str, str]:
        """Return figure -> why it is missing, for one position; empty when all are known."""
        found = {name: self.reason(figure=name, index=index) for name in FIGURES}
        return {name: reason for name, reason in found.items() if reason is not None}
