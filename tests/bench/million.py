"""A million random positions at the hard places: on tier edges, near 1x, over flat tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from positions.engine.batch import Batch, build_columns
from positions.engine.rulebook import find_rule
from positions.engine.tiers import Table
from positions.engine.types import Side, Terms
from tests.bench.book import load_tables
from tests.engine.build import make_table

# Rule -> weight; linear rules take the real tables, inverse ones tables of our own.
LINEAR = {
    "linear-mark": 30,
    "linear-mark-fee": 8,
    "linear-mark-strict": 5,
    "linear-mark-flat": 15,
    "linear-mark-fee-flat": 5,
    "linear-entry": 7,
}
INVERSE = {"inverse-mark": 16, "inverse-mark-fee": 8, "inverse-entry": 6}
RULES = (*LINEAR, *INVERSE)
OWN_TABLES = 200
DIES_AT_EDGE, OPENS_AT_EDGE, NEAR_ONE = 0.32, 0.1, 0.18
# Of those near 1x or marked next to their death: exactly there, where states change.
AT_BOUNDARY = 0.1
EDGE = 1e-6


@dataclass(frozen=True, slots=True)
class Million:
    """Random positions as columns; `terms` says one of them in the words of the oracle."""

    batch: Batch
    rule: np.ndarray
    tables: Sequence[Table]
    table: np.ndarray
    fee: np.ndarray

    def terms(self, row: int) -> Terms:
        """Return one position, with the same binary numbers."""
        batch = self.batch
        return Terms(
            rule=RULES[self.rule[row]],
            side=Side.LONG if batch.sign[row] > 0 else Side.SHORT,
            quantity=float(batch.quantity[row]),
            entry_price=float(batch.entry_price[row]),
            collateral=float(batch.collateral[row]),
            trigger_price=float(batch.trigger_price[row]),
            tiers=self.tables[self.table[row]],
            fee_rate=float(self.fee[row]),
        )


def make_million(*, count: int, seed: int) -> Million:
    """Return random positions, drawn in value space: a unit's value is 1/price for inverse."""
    random = np.random.default_rng(seed)
    real = load_tables()
    tables = [*real, *_own_tables(random)]
    weights = np.array([*LINEAR.values(), *INVERSE.values()], dtype=float)
    rule = random.choice(len(RULES), count, p=weights / weights.sum())
    is_inverse = rule >= len(LINEAR)
    table = np.where(
        is_inverse,
        len(real) + random.integers(0, OWN_TABLES, count),
        random.integers(0, len(real), count),
    )
    columns = _Columns(tables=tables, table=table, rule=rule, random=random)
    entry, quantity, collateral, value = columns.draw()
    fee, zeros = columns.fee, np.zeros(count)
    batch = build_columns(
        rules=RULES,
        rule=rule,
        tables=tables,
        table=table,
        sign=np.where(is_inverse, -columns.direction, columns.direction),
        quantity=quantity,
        entry_price=np.where(is_inverse, 1 / entry, entry),
        collateral=collateral,
        trigger_price=np.where(is_inverse, 1 / value, value),
        fee_rate=fee,
        next_funding_rate=zeros,
        fixed_requirement=zeros,
    )
    return Million(batch=batch, rule=rule, tables=tables, table=table, fee=fee)


def _own_tables(random: np.random.Generator) -> list[Table]:
    # Every third is flat: its rates jump, whatever the rule says of deductions.
    return [
        make_table(random, 10 ** random.uniform(-1, 4), int(random.integers(1, 11)), not place % 3)
        for place in range(OWN_TABLES)
    ]


class _Columns:
    """The draw itself, (n,) columns; `direction` is +1 where equity grows with the value."""

    def __init__(
        self,
        *,
        tables: Sequence[Table],
        table: np.ndarray,
        rule: np.ndarray,
        random: np.random.Generator,
    ):
        self.random, self.count = random, len(rule)
        deepest = max(len(each) for each in tables)
        padded = np.zeros((3, len(tables), deepest))
        padded[0] = np.inf
        for row, each in enumerate(tables):
            parts = zip(*((tier.floor, tier.rate, tier.amount) for tier in each), strict=True)
            padded[:, row, : len(each)] = list(parts)
        self.floor, self.rate, self.amount = padded[:, table]
        self.depth = np.isfinite(self.floor).sum(axis=1)
        switches = [find_rule(key=key) for key in RULES]
        self.is_entry = np.array([each.is_entry_basis for each in switches])[rule]
        self.is_flat = np.array([not each.is_cumulative for each in switches])[rule]
        self.is_feed = np.array([each.is_fee_counted for each in switches])[rule]
        self.direction = random.choice([-1.0, 1.0], self.count)
        self.fee = random.choice([0.0, 0.0005, 0.00075], self.count)

    def draw(self) -> tuple[np.ndarray, ...]:
        """Return value at entry, quantity, collateral, value at the trigger price."""
        entry = 10 ** self.random.uniform(-5, 5, self.count)
        notional = self._spread_notional()
        edge = self._pick_edges()
        opens = (self._draws(OPENS_AT_EDGE) & (edge > 0)) | (self.is_entry & (edge > 0))
        notional = np.where(opens, edge * (1 + self._hair()), notional)
        leverage = 10 ** self.random.uniform(0.05, 1.9, self.count)
        near_one = self.random.uniform(0.97, 1.03, self.count)
        near_one = np.where(self._draws(AT_BOUNDARY), 1.0, near_one)
        leverage = np.where(self._draws(NEAR_ONE), near_one, leverage)
        quantity = notional / entry
        collateral = notional / leverage
        value = entry * self.random.uniform(0.97, 1.03, self.count)
        dies = self._draws(DIES_AT_EDGE) & (edge > 0) & ~self.is_entry & ~opens
        return self._move_to_edge(
            dies=dies,
            edge=edge,
            entry=entry,
            quantity=quantity,
            collateral=collateral,
            value=value,
        )

    def _move_to_edge(
        self,
        *,
        dies: np.ndarray,
        edge: np.ndarray,
        entry: np.ndarray,
        quantity: np.ndarray,
        collateral: np.ndarray,
        value: np.ndarray,
    ) -> tuple[np.ndarray, ...]:
        """Give some rows the collateral with which they die at that edge, or a hair off it."""
        last = edge / quantity * (1 + self._hair())
        away = 1 + self.direction * self.random.uniform(0.005, 0.8, self.count)
        opened = last * away
        profit = self.direction * quantity * (last - opened)
        needed = self._required(quantity * last) - profit
        near = last * (1 + np.where(self._draws(AT_BOUNDARY), 0.0, self._hair()))
        marked = np.where(self._draws(0.2), near, opened)
        entry = np.where(dies, opened, entry)
        return (
            entry,
            quantity,
            np.where(dies, needed, collateral),
            np.where(dies, marked, value),
        )

    def _required(self, notional: np.ndarray) -> np.ndarray:
        tier = (self.floor <= notional[:, None]).sum(axis=1).clip(1) - 1
        rows = np.arange(self.count)
        deducted = np.where(self.is_flat, 0.0, self.amount[rows, tier])
        fee = np.where(self.is_feed, self.fee, 0.0)
        return (self.rate[rows, tier] + fee) * notional - deducted

    def _spread_notional(self) -> np.ndarray:
        top = self.floor[np.arange(self.count), self.depth - 1]
        low = np.where(top > 0, np.log10(np.maximum(top, 1e-3)) - 4, 1.5)
        return 10 ** self.random.uniform(low, low + 5)

    def _pick_edges(self) -> np.ndarray:
        tier = 1 + self.random.integers(0, 64, self.count) % np.maximum(self.depth - 1, 1)
        return np.where(self.depth > 1, self.floor[np.arange(self.count), tier % self.depth], 0.0)

    def _hair(self) -> np.ndarray:
        return self.random.uniform(-EDGE, EDGE, self.count)

    def _draws(self, share: float) -> np.ndarray:
        return self.random.random(self.count) < share
