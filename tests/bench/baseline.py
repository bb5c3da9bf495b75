"""Plain-Python floors that the product is measured against; frozen, so that ratios compare."""

from __future__ import annotations

from collections.abc import Sequence

Row = tuple[float, float, float, float, float]


def liquidate(rows: Sequence[Row], floors: Sequence[float], rates: Sequence[float]) -> list[float]:
    """Return the liquidation price of linear mark-basis positions, one after the other.

    rows    (sign, quantity, entry price, collateral, mark price)
    floors, rates  ascending tiers; deductions are worked out here

    Takes the first tier whose own solution lies within it.
    """
    amounts = [0.0]
    for place in range(1, len(floors)):
        step = floors[place] * (rates[place] - rates[place - 1])
        amounts.append(amounts[-1] + step)
    found = []
    for sign, quantity, entry, collateral, _mark in rows:
        price = float("nan")
        for place, rate in enumerate(rates):
            candidate = (entry - sign * (collateral + amounts[place]) / quantity) / (
                1 - sign * rate
            )
            above = floors[place] <= quantity * candidate
            below = place + 1 == len(floors) or quantity * candidate < floors[place + 1]
            if above and below and candidate > 0:
                price = candidate
                break
        found.append(price)
    return found
