"""First sentences about one position, by what its state is: written here, said here and by live.js.

A page holds the phrases it may need, so that a live price changes the whole sentence and not only
the number in it (static/js/headline.js).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from positions.engine.types import Severity
from positions.live_cells import is_bankrupt, is_ranked_by_pool, shown
from positions.models import Position
from riskhub import formatting

DISTANCE = "liquidation_distance"


@dataclass(frozen=True, slots=True)
class Phrase:
    """A sentence in the parts that its template sets apart.

    before  has "{}" where the position is named
    figure  "" shows the position's figure `shows`, without a sign
    """

    before: str
    figure: str = ""
    end: str = ""
    after: str = ""
    shows: str = DISTANCE


_BANKRUPT = Phrase("{} is", "bankrupt", after=": its losses exceed its collateral")
# The position that dies first.
FIRST: Mapping[str, Phrase] = {
    "bankrupt": _BANKRUPT,
    "beyond": Phrase("{} is beyond its liquidation price by", after=", still reported open"),
    "near": Phrase("{} dies first:", end=" away"),
    "far": Phrase("{} would die first:", end=" away"),
    "pooled": Phrase(
        "The account behind {} comes first:", end=" of its margin used", shows="margin_ratio"
    ),
}
_FROM = Phrase("{},", end=" from liquidation")
# A position on its own page.
OWN: Mapping[str, Phrase] = {
    "bankrupt": _BANKRUPT,
    "beyond": Phrase("{},", end=" beyond liquidation, still reported open"),
    "near": _FROM,
    "far": _FROM,
    "pooled": Phrase("{}, backed by an account at", end=" of its margin", shows="margin_ratio"),
    "unknown": Phrase("{}, its distance from liquidation is", "not known"),
}


def kind_of(position: Position) -> str:
    """Return the key of the phrase that is true of a position; static/js/headline.js follows."""
    distance = position.liquidation_distance
    if is_bankrupt(position):
        return "bankrupt"
    if is_ranked_by_pool(position):
        return "pooled"
    if distance is None:
        return "unknown"
    if distance <= 0:
        return "beyond"
    return "near" if position.severity in {Severity.CRITICAL, Severity.WARNING} else "far"


def figure_of(position: Position, phrase: Phrase) -> str:
    """Return the figure of the sentence; a distance beyond liquidation is without its sign."""
    return phrase.figure or shown(position, phrase.shows).text.replace(formatting.MINUS, "")
