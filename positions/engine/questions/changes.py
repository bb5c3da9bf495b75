"""The position after: margin added, sold, bought, turned round, funding paid; solve() it again.

Every function returns a new Batch with the same tables and switches, the trigger price as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

import numpy as np

from positions.engine.batch import Batch
from positions.engine.questions.answers import spread
from positions.engine.rulebook import find_rule
from positions.engine.rules import Charged, Floats, Funding, profit
from positions.engine.solution import Bools
from positions.engine.standing import flip
from positions.engine.tiers import share


class Release(StrEnum):
    """What becomes of the margin of a part that is sold; both pay the closing fee.

    KEPT: profit, loss and fee of the part are settled into the margin, and all of it stays.
    PRO_RATA: the part's share of margin and profit leaves, less the fee; where that is less than
    nothing, the margin that stays bears it.
    """

    KEPT = "kept"
    PRO_RATA = "released pro rata"


def add_margin(*, batch: Batch, amount: float | Floats) -> Batch:
    """Return the positions with more margin, or less where the amount is negative, settle units."""
    return batch.change(collateral=batch.collateral + spread(amount, len(batch)))


def reduce(
    *,
    batch: Batch,
    quantity: float | Floats,
    release: Release,
    closing_fee_rate: float | Floats,
) -> Batch:
    """Return the positions after selling some of each at its trigger price.

    quantity          units of quantity, >= 0 and less than the position's; NaN: not known
    closing_fee_rate  charged on the notional sold, a fraction

    Raises ValueError on a quantity out of that range: selling all of it leaves no position.

    Source: docs/formulas.md#the-position-after.
    """
    count = len(batch)
    sold, charge = spread(quantity, count), spread(closing_fee_rate, count)
    _refuse("quantity to sell", sold, (sold < 0) | (sold >= batch.quantity))
    with np.errstate(all="ignore"):
        gain = _gain(batch, sold, flip(batch.trigger_price, batch.is_inverse), charge)
        part = batch.collateral * (sold / batch.quantity)
        is_released = release is Release.PRO_RATA
        moved = np.minimum(part + gain, 0.0) - part if is_released else gain
        return batch.change(quantity=batch.quantity - sold, collateral=batch.collateral + moved)


def increase(
    *,
    batch: Batch,
    quantity: float | Floats,
    price: float | Floats,
    margin: float | Floats,
) -> Batch:
    """Return the positions after buying more of each, the entry blended.

    quantity  units of quantity, >= 0
    price     of the trade, quote per base, > 0
    margin    what its owner pays into the position with it, settle units; the opening fee is paid
              beside it

    Raises ValueError on a negative quantity or a price that is not positive.
    """
    count = len(batch)
    bought, paid = spread(quantity, count), spread(price, count)
    entry = blended_entry(
        entry_price=batch.entry_price,
        quantity=batch.quantity,
        added_price=paid,
        added_quantity=bought,
        is_inverse=batch.is_inverse,
    )
    return batch.change(
        quantity=batch.quantity + bought,
        entry_price=entry,
        collateral=batch.collateral + spread(margin, count),
    )


def turn(
    *, batch: Batch, quantity: float | Floats, price: float | Floats, margin: float | Floats
) -> Batch:
    """Return the positions after an order of the other side that goes through zero.

    quantity  of the whole order, more than the position's: the rest stands on the other side
    price     of the trade, quote per base, > 0: the new entry
    margin    of the new position, settle units; what the old one held goes back to its owner

    The next funding turns with the side: who paid it receives it.
    Raises ValueError on a quantity that does not go through zero or a price that is not positive.

    Source: docs/formulas.md#the-position-after.
    """
    count = len(batch)
    ordered, paid = spread(quantity, count), spread(price, count)
    _refuse("quantity of the order", ordered, ordered <= batch.quantity)
    _refuse("price", paid, paid <= 0)
    return batch.change(
        sign=-batch.sign,
        quantity=ordered - batch.quantity,
        entry_price=paid,
        collateral=spread(margin, count),
        next_funding_rate=0.0 - batch.next_funding_rate,
    )


def settle_funding(
    *,
    batch: Batch,
    rules: Sequence[str],
    rate: float | Floats,
    intervals: int,
    price: float | Floats | None = None,
    free_balance: float | Floats = np.nan,
) -> Batch:
    """Return the positions after the next intervals of funding at a constant rate and price.

    rules         key of each position's rule, n of them: who is charged, and with which sign
    rate          of one interval, as the market quotes it, a fraction of the notional
    price         quote per base; None: each position's trigger price
    free_balance  settle units, what pays first where the rule says so and keeps what is received;
                  where the rule asks for it and it is not known, neither is the collateral after

    A position that its payments liquidate on the way is breached at the end: equity only falls.
    Raises ValueError on negative intervals, UnknownRuleError on a rule that RULES does not hold.

    Source: docs/formulas.md#funding-of-the-next-intervals.
    """
    if intervals < 0:
        raise ValueError(f"intervals must not be negative: {intervals}")
    count = len(batch)
    at = batch.trigger_price if price is None else spread(price, count)
    _refuse("price", at, at <= 0)
    sign = _of_funding(rules, lambda each: float(each.sign))
    is_first = _of_funding(rules, lambda each: each.charged is Charged.FREE_BALANCE_FIRST) > 0
    is_own = _of_funding(rules, lambda each: each.charged is Charged.POSITION) > 0
    with np.errstate(all="ignore"):
        notional = batch.quantity * flip(at, batch.is_inverse)
        due = intervals * (sign * batch.sign * spread(rate, count) * notional)
        beyond = np.maximum(due - np.maximum(spread(free_balance, count), 0.0), 0.0)
    charged = np.where(is_own, due, np.where(is_first, beyond, 0.0))
    return batch.change(collateral=batch.collateral - charged)


def blended_entry(
    *,
    entry_price: Floats,
    quantity: Floats,
    added_price: float | Floats,
    added_quantity: float | Floats,
    is_inverse: Bools,
) -> Floats:
    """Return the entry after an addition, quote per base, (n,).

    The average of the values of a unit, by quantity: of the prices for linear, lending and
    quanto, harmonic for inverse.
    Raises ValueError on a negative addition or a price that is not positive.

    Source: docs/formulas.md#blended-entry.
    """
    count = len(quantity)
    added, paid = spread(added_quantity, count), spread(added_price, count)
    _refuse("quantity to add", added, added < 0)
    _refuse("price", paid, paid <= 0)
    with np.errstate(all="ignore"):
        before, traded = flip(entry_price, is_inverse), flip(paid, is_inverse)
        value = (quantity * before + added * traded) / (quantity + added)
        # Nothing added leaves the entry as it was, to the last bit.
        return np.where(added == 0, entry_price, flip(value, is_inverse))


def _gain(batch: Batch, sold: Floats, value: Floats, charge: Floats) -> Floats:
    """Return profit less fee of the part that is sold, settle units."""
    direction = np.where(batch.is_inverse, -batch.sign, batch.sign)
    entry = flip(batch.entry_price, batch.is_inverse)
    made = profit(direction=direction, quantity=sold, value=value, entry_value=entry)
    return made - charge * (sold * value)


def _of_funding(rules: Sequence[str], read: Callable[[Funding], float]) -> Floats:
    rows, keys = share(keys=rules)
    each = np.array([read(find_rule(key=key).funding) for key in keys], dtype=np.float64)
    return each[rows]


def _refuse(name: str, column: Floats, is_bad: Bools) -> None:
    bad = np.flatnonzero(is_bad)
    if bad.size:
        raise ValueError(f"{name} is out of range; position {bad[0]} has {column[bad[0]]}")
