"""How positions stand at their trigger price, and on which line of the requirement."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from positions.engine.batch import Batch
from positions.engine.rules import Floats, profit, requirement
from positions.engine.solution import Bools, some
from positions.engine.tiers import Indices, find

# Beyond this notional sums may overflow: such a row has no figures.
LARGEST = 1e300


# Not frozen: one is made for every solve, and a frozen one takes twice the time to make.
@dataclass(slots=True, eq=False)
class Standing:
    """Figures at the trigger price, (n,) each; see Solution for what they mean.

    direction     +1 where equity grows with the value of a unit, -1 where it shrinks
    quantity      NaN where a notional would overflow
    entry, value  value of a unit at entry and at the trigger price
    cost          notional at entry, settle units
    added         required at every price beside maintenance and fee, settle units
    rest          collateral less what is added, at a value of zero
    line_rate, line_amount
                  the requirement's line in the tier of the trigger price, without the fee; rate 0
                  and minus the maintenance where the basis is the entry
    """

    direction: Floats
    quantity: Floats
    entry: Floats
    value: Floats
    cost: Floats
    notional: Floats
    unrealized_pnl: Floats
    equity: Floats
    maintenance_margin: Floats
    required: Floats
    added: Floats
    rest: Floats
    line_rate: Floats
    line_amount: Floats

    def take(self, rows: Indices) -> Standing:
        """Return some of the positions."""
        return Standing(**{name: getattr(self, name)[rows] for name in _NAMES})


_NAMES = tuple(field.name for field in fields(Standing))


def stand(batch: Batch) -> Standing:
    """Return how each position stands; NaN where an input is not known."""
    is_inverse, quantity = batch.is_inverse, batch.quantity
    entry, value = flip(batch.entry_price, is_inverse), flip(batch.trigger_price, is_inverse)
    direction = np.where(is_inverse, -batch.sign, batch.sign) if some(is_inverse) else batch.sign
    cost, notional = quantity * entry, quantity * value
    is_over = np.fmax(cost, notional) > LARGEST
    if some(is_over):
        quantity = np.where(is_over, np.nan, quantity)
        cost, notional = quantity * entry, quantity * value
    gain = profit(direction=direction, quantity=quantity, value=value, entry_value=entry)
    added = _add(batch, cost)
    is_entry = batch.is_entry_basis
    has_entry = some(is_entry)
    measured = np.where(is_entry, cost, notional) if has_entry else notional
    rate, amount = _find_line(batch, measured)
    maintenance = requirement(rate=rate, amount=amount, notional=measured)
    return Standing(
        direction=direction,
        quantity=quantity,
        entry=entry,
        value=value,
        cost=cost,
        notional=notional,
        unrealized_pnl=gain,
        equity=batch.collateral + gain,
        maintenance_margin=maintenance,
        required=maintenance + batch.fee_rate * notional + added,
        added=added,
        rest=batch.collateral - added - direction * cost,
        line_rate=np.where(is_entry, 0.0, rate) if has_entry else rate,
        line_amount=np.where(is_entry, -maintenance, amount) if has_entry else amount,
    )


def flip(price: Floats, is_inverse: Bools) -> Floats:
    """Turn prices into values of a unit, or values into prices, (n,)."""
    return np.where(is_inverse, 1.0 / price, price) if some(is_inverse) else price


def _add(batch: Batch, cost: Floats) -> Floats:
    """Return what is required beside maintenance and fee at every price."""
    funding = batch.next_funding_rate
    if not np.count_nonzero(funding):
        return batch.fixed_requirement
    # Without a rate the entry's notional is not asked for: it may be unknown.
    return batch.fixed_requirement + np.where(funding == 0, 0.0, funding * cost)


def _find_line(batch: Batch, measured: Floats) -> tuple[Floats, Floats]:
    tables, is_fixed = batch.tables, batch.is_tier_fixed
    key = np.where(is_fixed, batch.quantity, measured) if some(is_fixed) else measured
    place = find(levels=tables.floor_levels, row=batch.table, key=key)
    return tables.rate.ravel().take(place), tables.amount.ravel().take(place)
