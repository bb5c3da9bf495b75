"""Random positions over real maintenance tables, where they lie beside the project, or our own."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from positions.engine.batch import Batch, build_columns
from positions.engine.tiers import Table, with_amounts
from positions.engine.types import Tier
from tests.bench.baseline import Row
from tests.paths import SHARED

FLOORS = (0.0, 50_000.0, 500_000.0, 1_000_000.0, 10_000_000.0)
RATES = (0.004, 0.005, 0.01, 0.025, 0.05)
NEAR_EDGE, NEAR_ONE = 0.25, 0.12


@dataclass(frozen=True, slots=True)
class Book:
    """Linear mark-basis positions as columns, and their tables as the floor takes them."""

    batch: Batch
    tables: list[list[tuple[float, float, float]]]
    table: list[int]

    def rows(self) -> list[Row]:
        """Return the positions one by one."""
        names = ("sign", "quantity", "entry_price", "collateral", "trigger_price")
        columns = [getattr(self.batch, name).tolist() for name in names]
        return list(zip(*columns, self.table, strict=True))


def load_tables() -> list[Table]:
    """Return the real tables of 349 contracts, or one of our own where they are not at hand."""
    path = SHARED and SHARED / "golden" / "tiers" / "binance_usdm_2024-10_all.json"
    if not path or not path.exists():
        pairs = zip(FLOORS, RATES, strict=True)
        return [with_amounts(tiers=[Tier(floor, rate) for floor, rate in pairs])]
    return [
        tuple(
            Tier(row["minNotional"], row["maintenanceMarginRate"], float(row["info"]["cum"]))
            for row in rows
        )
        for rows in json.loads(path.read_text()).values()
    ]


def make_book(*, count: int, seed: int, rule: str = "linear-mark") -> Book:
    """Return random positions, many of them within 1e-6 of a tier's edge or near 1x."""
    random = np.random.default_rng(seed)
    tables = load_tables()
    table = random.integers(0, len(tables), count)
    entry = 10 ** random.uniform(-4, 5, count)
    notional = 10 ** random.uniform(1.5, 7.5, count)
    depth = np.array([len(each) for each in tables])[table]
    floors = np.zeros((len(tables), depth.max()))
    for row, each in enumerate(tables):
        floors[row, : len(each)] = [tier.floor for tier in each]
    edge = floors[table, random.integers(0, 64, count) % depth]
    is_near = (random.random(count) < NEAR_EDGE) & (edge > 0)
    notional = np.where(is_near, edge * (1 + random.uniform(-1e-6, 1e-6, count)), notional)
    leverage = 10 ** random.uniform(0.05, 1.9, count)
    is_one = random.random(count) < NEAR_ONE
    leverage = np.where(is_one, random.uniform(0.97, 1.03, count), leverage)
    zeros = np.zeros(count)
    batch = build_columns(
        rules=[rule],
        rule=np.zeros(count, dtype=np.intp),
        tables=tables,
        table=table,
        sign=random.choice([-1.0, 1.0], count),
        quantity=notional / entry,
        entry_price=entry,
        collateral=notional / leverage,
        trigger_price=entry * random.uniform(0.97, 1.03, count),
        fee_rate=zeros,
        next_funding_rate=zeros,
        fixed_requirement=zeros,
    )
    plain = [[(tier.floor, tier.rate, tier.amount) for tier in each] for each in tables]
    return Book(batch=batch, tables=plain, table=table.tolist())
