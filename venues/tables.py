"""Maintenance tables that a venue answers for contract by contract, read from its own rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from positions.engine.tiers import with_amounts
from positions.engine.types import Tier
from venues.figures import Figure, Row, RowError
from venues.market_data import TierReading
from venues.rows import ask_each_or_all, read_each, take_rows

AskTable = Callable[[str], Awaitable[list[Any]]]
ReadSteps = Callable[[Sequence[Row]], Sequence[tuple[Tier, float | None]]]


async def read_tables(
    *, names: Mapping[str, str], ask: AskTable, read_steps: ReadSteps
) -> list[TierReading]:
    """Return the table of each contract; one that is refused or cannot be read is left out.

    names       the venue's own id -> unified symbol
    ask         returns the rows of one table, by the venue's own id
    read_steps  makes (tier, highest leverage) of them; deductions that the venue does not print
                are 0 in all of them and are worked out here

    Raises the first VenueError of `ask` that refuses no single contract.
    """

    async def ask_one(name: str | None) -> list[Any]:
        return [{"name": name, "rows": await ask(str(name))}]

    def read_row(row: Row) -> TierReading:
        steps = read_steps([Row(each) for each in take_rows(row.fields, "rows")])
        return _table(steps, symbol=names[row.text("name")])

    return read_each(
        await ask_each_or_all(names=list(names), ask=ask_one, few=len(names)), read_row
    )


def needed(figure: Figure, *, name: str) -> float:
    """Return the value of a figure without which a table means nothing; raises RowError."""
    if figure.number is None:
        raise RowError(f"{name} is missing")
    return figure.number


def _table(steps: Sequence[tuple[Tier, float | None]], *, symbol: str) -> TierReading:
    tiers = [tier for tier, _ in steps]
    floors = [tier.floor for tier in tiers]
    if not floors or floors[0] != 0 or floors != sorted(set(floors)):
        raise RowError("the tiers do not ascend from 0")
    is_printed = any(tier.amount for tier in tiers)
    return TierReading(
        symbol=symbol,
        tiers=tuple(tiers) if is_printed else with_amounts(tiers=tiers),
        max_leverages=tuple(leverage for _, leverage in steps),
    )
