"""Plain-Python floors that the product is measured against; frozen, so that ratios compare."""

from __future__ import annotations

from collections.abc import Sequence

Row = tuple[float, float, float, float, float, int]
Table = Sequence[tuple[float, float, float]]
Figures = tuple[float, float, float, float]


def assess(rows: Sequence[Row], tables: Sequence[Table]) -> list[Figures]:
    """Return (price, profit, ratio, distance) of linear mark-basis positions, one by one.

    rows    (sign, quantity, entry price, collateral, mark price, table)
    tables  ascending (floor, rate, amount)

    The price is that of the first tier whose own solution lies within it.
    """
    found = []
    for sign, quantity, entry, collateral, mark, place in rows:
        table = tables[place]
        price = float("nan")
        last = len(table) - 1
        for index, (floor, rate, amount) in enumerate(table):
            candidate = (entry - sign * (collateral + amount) / quantity) / (1 - sign * rate)
            notional = quantity * candidate
            if floor <= notional and (index == last or notional < table[index + 1][0]):
                price = candidate if candidate > 0 else price
                break
        profit = sign * quantity * (mark - entry)
        notional = quantity * mark
        for floor, rate, amount in table:
            if floor > notional:
                break
            maintenance = rate * notional - amount
        equity = collateral + profit
        ratio = maintenance / equity if equity > 0 else float("nan")
        found.append((price, profit, ratio, sign * (mark - price) / mark))
    return found
