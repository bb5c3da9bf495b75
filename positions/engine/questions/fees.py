"""What a liquidation costs beside the loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from positions.engine.batch import Batch
from positions.engine.questions.answers import (
    RULE,
    Answer,
    Note,
    answer,
    find_missing,
    mark,
    spread,
)
from positions.engine.rulebook import find_rule
from positions.engine.rules import FeeBase, Floats, LiquidationFee
from positions.engine.standing import stand
from positions.engine.tiers import share


def liquidation_fee(*, batch: Batch, rules: Sequence[str], price: float | Floats) -> Answer:
    """Return the fee of liquidating each position whole at that price, settle units, (n,).

    rules  key of each position's rule, n of them
    price  quote per base, mostly the liquidation price; NaN where there is none

    NaN where the rule does not say what it charges, and where there is no price. A rule whose fee
    is a fixed amount states that amount as its rate.
    Raises UnknownRuleError on a rule that RULES does not hold.

    Source: docs/formulas.md#fee-of-liquidation.
    """
    rate = _of_fee(rules, lambda fee: np.nan if fee.rate is None else fee.rate)
    is_fixed = _of_fee(rules, lambda fee: fee.base is FeeBase.FIXED) > 0
    is_maintenance = _of_fee(rules, lambda fee: fee.base is FeeBase.MAINTENANCE) > 0
    at = spread(price, len(batch))
    with np.errstate(all="ignore"):
        standing = stand(batch.change(trigger_price=np.where(at > 0, at, np.nan)))
        base = np.where(is_maintenance, standing.maintenance_margin, standing.notional)
        amount = rate * np.where(is_fixed, 1.0, base)
    needed = RULE & ~Note.NO_FEE & ~Note.NO_FUNDING & ~Note.NO_FIXED
    unknown = find_missing(batch=batch, needed=needed | Note.NO_ENTRY)
    state = (
        mark(Note.UNSTATED, np.isnan(rate))
        | mark(Note.NO_PRICE, ~(at > 0) & ~is_fixed)
        | np.where(is_maintenance & np.isnan(amount), unknown, 0)
        | np.where(is_fixed, 0, find_missing(batch=batch, needed=Note.NO_QUANTITY))
    )
    return answer(amount=amount, state=state.astype(np.int32))


def _of_fee(rules: Sequence[str], read: Callable[[LiquidationFee], float]) -> Floats:
    rows, keys = share(keys=rules)
    each = [read(find_rule(key=key).liquidation_fee) for key in keys]
    return np.array(each, dtype=np.float64)[rows]
