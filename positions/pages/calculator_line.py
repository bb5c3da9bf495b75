"""The picture of the calculator: mark, liquidation, bankruptcy and entry on one axis."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from riskhub import formatting

DIGITS = 7
# Kind, word, price, and the row of its label: each has one of its own, so that no two collide.
_MARKS = (
    ("bankruptcy", "bankrupt", "bankruptcy_price", 16),
    ("liquidation", "liquidation", "liquidation_price", 38),
    ("mark", "", "mark", 102),
    ("entry", "entry", "entry", 124),
)
_PAD, _MIDDLE = 0.14, 50.0


def price_line(
    prices: Mapping[str, float | None], *, is_long: bool, trigger: str
) -> dict[str, Any]:
    """Return the picture in percent of its width; no marks where no price is known.

    prices   liquidation_price, bankruptcy_price, mark and entry; None or 0 is not drawn
    trigger  word for the price that is compared: mark, oracle
    """
    known = {name: price for name, price in prices.items() if price and math.isfinite(price)}
    if not known:
        return {"marks": [], "words": "No price is known."}
    low, high = min(known.values()), max(known.values())
    pad = (high - low) * _PAD or abs(high) * _PAD
    start, width = low - pad, high - low + 2 * pad

    def place(price: float) -> float:
        return 100 * (price - start) / width if width and math.isfinite(width) else _MIDDLE

    marks = [
        _mark(kind, word or trigger, known[name], place(known[name]), row)
        for kind, word, name, row in _MARKS
        if name in known
    ]
    return {
        "marks": marks,
        "danger": _danger(known.get("liquidation_price"), place, is_long=is_long),
        "words": "; ".join(f"{mark['word']} {mark['text']}" for mark in marks),
    }


def _mark(kind: str, word: str, price: float, x: float, row: int) -> dict[str, Any]:
    is_right = x > _MIDDLE
    return {
        "kind": kind,
        "word": word,
        "text": formatting.price(price, digits=DIGITS),
        "x": f"{x:.2f}%",
        "row": row,
        "anchor": "end" if is_right else "start",
        "shift": "-7" if is_right else "7",
    }


def _danger(price: float | None, place: Any, *, is_long: bool) -> dict[str, str]:
    if price is None:
        return {}
    x = place(price)
    start, width = (0.0, x) if is_long else (x, 100 - x)
    return {"x": f"{start:.2f}%", "width": f"{width:.2f}%"}
