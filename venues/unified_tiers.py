"""Maintenance tables of venues that ccxt reads, from the venue's own rows.

ccxt calls bounds "notional" whatever they count (contracts at HTX, MEXC and Kraken), so a table
is read only where it is known which field says what, and in which unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from positions.engine.types import Tier
from venues.base import VenueClient
from venues.errors import VenueRefused
from venues.figures import Row, RowError
from venues.market_data import TierReading
from venues.wire_fields import Reader, number_at

# A table of more steps is no table of any venue.
_MOST_STEPS = 500
_HIGHEST_RATE = Decimal(1)

Ladder = list[tuple[Tier, float | None]]


class TierSource(Protocol):
    """Where a venue says its maintenance tables."""

    async def read(self, *, client: VenueClient, symbols: Sequence[str]) -> list[TierReading]:
        """Return the tables of markets that could be read. Raises VenueError."""
        ...


@dataclass(frozen=True, slots=True)
class PerMarket:
    """Rows of one market's table, one request a market; bounds count quote units.

    floor, rate, leverage   fields of a row; "" where it does not say
    amount                  field of the deduction; "" where the table has none
    """

    floor: str
    rate: str
    amount: str = ""
    leverage: str = ""

    async def read(self, *, client: VenueClient, symbols: Sequence[str]) -> list[TierReading]:
        """Return the tables; a market that the venue refuses is left out unless all are."""
        found: list[TierReading] = []
        refused: list[VenueRefused] = []
        for symbol in symbols:
            try:
                rows = await client.fetch("fetch_market_leverage_tiers", symbol)
            except VenueRefused as error:
                refused.append(error)
                continue
            found += _table(symbol, lambda rows=rows: self._steps(rows))
        if refused and len(refused) == len(symbols):
            raise refused[0]
        return found

    def _steps(self, rows: Any) -> Ladder:
        told = [Row(Row(each).fields.get("info")) for each in rows or ()]
        return [(self._step(row), _optional(row, self.leverage)) for row in told]

    def _step(self, row: Row) -> Tier:
        return Tier(
            floor=_needed(row, self.floor),
            rate=_rate(_needed(row, self.rate)),
            amount=_needed(row, self.amount) if self.amount else 0.0,
        )


@dataclass(frozen=True, slots=True)
class OfListing:
    """Tables within the venue's public list of contracts, one request for all of them."""

    steps: Steps

    async def read(self, *, client: VenueClient, symbols: Sequence[str]) -> list[TierReading]:
        """Return the tables of the symbols that are listed. Raises VenueError."""
        listed = await client.fetch("fetch_markets")
        rows = {each.get("symbol"): each.get("info") for each in _objects(listed)}
        found: list[TierReading] = []
        for symbol in symbols:
            if symbol in rows:
                found += _table(symbol, lambda symbol=symbol: self.steps.of(Row(rows[symbol])))
        return found


class Steps(Protocol):
    """Reads the table of one row of a list of contracts."""

    def of(self, row: Row) -> Ladder:
        """Return the steps; raises RowError."""
        ...


@dataclass(frozen=True, slots=True)
class OneRate:
    """One rate for every size."""

    rate: Reader
    leverage: Reader | None = None

    def of(self, row: Row) -> Ladder:
        """Return the one step; raises RowError."""
        rate = self.rate.read(row).number
        if rate is None:
            raise RowError("the maintenance rate is missing")
        most = self.leverage.read(row).number if self.leverage else None
        return [(Tier(floor=0.0, rate=_rate(rate)), most)]


@dataclass(frozen=True, slots=True)
class Levels:
    """A list of steps within the row: field names of the list and, in a step, of its parts."""

    steps: str
    floor: str
    rate: str
    initial_rate: str

    def of(self, row: Row) -> Ladder:
        """Return the steps; raises RowError, also where they are counted in another unit."""
        listed = row.fields.get(self.steps)
        return [self._step(Row(each)) for each in listed] if isinstance(listed, list) else []

    def _step(self, row: Row) -> tuple[Tier, float | None]:
        initial = number_at(row, self.initial_rate).number
        tier = Tier(floor=_needed(row, self.floor), rate=_rate(_needed(row, self.rate)))
        return tier, round(1 / initial, 6) if initial else None


@dataclass(frozen=True, slots=True)
class Stairs:
    """A first rate up to a first value, then one more `rise` of the rate for each `step`.

    All are fields of the row. The whole position bears the rate of its step.
    """

    rate: str
    first: str
    step: str
    rise: str
    top_rate: str
    top_value: str

    def of(self, row: Row) -> Ladder:
        """Return the steps up to the largest position; raises RowError."""
        rate, first, step, rise, top_rate, top = (
            _needed(row, name)
            for name in (
                self.rate, self.first, self.step, self.rise, self.top_rate, self.top_value,
            )
        )  # fmt: skip
        if step <= 0 or first <= 0 or (top - first) / step > _MOST_STEPS:
            raise RowError(f"{self.step} makes no table")
        ladder: Ladder = [(Tier(floor=0.0, rate=_rate(rate)), None)]
        for number in range(_MOST_STEPS):
            floor = first + number * step
            if floor >= top:
                break
            grown = min(rate + (number + 1) * rise, top_rate)
            ladder.append((Tier(floor=floor, rate=_rate(round(grown, 12))), None))
        return ladder


def _table(symbol: str, steps: Any) -> list[TierReading]:
    """Return the table of one market; none where a row of it cannot be read."""
    try:
        ladder: Ladder = sorted(steps(), key=lambda each: each[0].floor)
    except RowError:
        return []
    floors = [tier.floor for tier, _ in ladder]
    if not ladder or floors[0] != 0 or len(set(floors)) != len(floors):
        return []
    tiers, leverages = zip(*ladder, strict=True)
    return [TierReading(symbol=symbol, tiers=tiers, max_leverages=leverages)]


def _needed(row: Row, name: str) -> float:
    value = number_at(row, name).number
    if value is None:
        raise RowError(f"{name} is missing")
    return value


def _optional(row: Row, name: str) -> float | None:
    return number_at(row, name).number if name else None


def _rate(value: float) -> float:
    if not 0 < value < _HIGHEST_RATE:
        raise RowError(f"{value} is no maintenance rate")
    return value


def _objects(rows: Any) -> Iterable[Mapping[str, Any]]:
    return [each for each in rows if isinstance(each, Mapping)] if isinstance(rows, list) else []
