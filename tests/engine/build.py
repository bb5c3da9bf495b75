"""Short-hand for the positions of the engine's tests."""

import numpy as np

from positions.engine.batch import build_batch
from positions.engine.rulebook import RULES
from positions.engine.solution import Solution
from positions.engine.solver import solve
from positions.engine.types import Side, Terms, Tier

ONE_PERCENT = (Tier(floor=0.0, rate=0.01),)
LONG, SHORT = Side.LONG, Side.SHORT
# The families, and rules with a switch that no family has.
SWITCHES = (
    *sorted(key for key, rule in RULES.items() if not rule.venue and key != "lending"),
    "coinex-linear",
    "kucoin-linear",
    "bitmex-inverse",
    "htx-linear",
    "mcdex-perp",
)
FLAT_JUMP = (Tier(floor=0.0, rate=0.01), Tier(floor=1000.0, rate=0.05))


def make_terms(rule="linear-mark", side=LONG, **changes):
    """Return a long of 1 at 100 with 10 of margin, marked at 100, unless changed."""
    given = {
        "quantity": 1.0,
        "entry_price": 100.0,
        "collateral": 10.0,
        "trigger_price": 100.0,
        "tiers": ONE_PERCENT,
    }
    return Terms(rule=rule, side=side, **(given | changes))


def solve_one(*args, **changes) -> Solution:
    return solve(build_batch(terms=[make_terms(*args, **changes)]))


def make_table(rng: np.random.Generator, top: float, depth: int, is_flat: bool) -> tuple[Tier, ...]:
    """Return a random table: ascending floors up to `top`, ascending rates, rounded amounts."""
    floors = np.concatenate([[0.0], np.sort(rng.uniform(0.01, 1.0, depth - 1)) * top])
    rates = np.sort(rng.uniform(0.002, 0.3, depth)).round(4)
    tiers, amount = [], 0.0
    for index in range(depth):
        if index and not is_flat:
            amount += floors[index] * (rates[index] - rates[index - 1])
        tiers.append(Tier(float(floors[index]), float(rates[index]), float(amount)))
    return tuple(tiers)


def make_positions(count: int, seed: int) -> list[Terms]:
    """Return random positions over every rule, near tier edges and near 1x among them."""
    rng = np.random.default_rng(seed)
    return [_make_position(rng, SWITCHES[index % len(SWITCHES)]) for index in range(count)]


def _make_position(rng: np.random.Generator, rule: str) -> Terms:
    switches = RULES[rule]
    is_inverse = switches.is_inverse
    entry = float(10 ** rng.uniform(-4, 5))
    notional = float(10 ** rng.uniform(1, 7))
    quantity = notional * entry if is_inverse else notional / entry
    size = quantity if switches.is_tier_fixed else notional
    tiers = make_table(
        rng, size * rng.uniform(0.3, 4), int(rng.integers(1, 9)), not switches.is_cumulative
    )
    if rng.random() < 0.2 and len(tiers) > 1 and not switches.is_tier_fixed:
        edge = tiers[int(rng.integers(1, len(tiers)))].floor * (1 + rng.uniform(-1e-6, 1e-6))
        quantity = edge * entry if is_inverse else edge / entry
        notional = edge
    leverage = rng.uniform(0.9, 1.1) if rng.random() < 0.15 else 10 ** rng.uniform(0, 1.7)
    price = None if rng.random() < 0.1 else float(entry * rng.uniform(0.8, 1.25))
    return Terms(
        rule=rule,
        side=LONG if rng.random() < 0.5 else SHORT,
        quantity=float(quantity),
        entry_price=entry,
        collateral=float(notional / leverage),
        trigger_price=price,
        tiers=tiers,
        fee_rate=float(rng.choice([0.0, 0.0005, 0.00075])),
        next_funding_rate=float(rng.choice([0.0, 0.0001, -0.0003])),
        fixed_requirement=float(notional * rng.choice([0.0, 0.0, 0.002])),
    )
