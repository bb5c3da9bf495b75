"""The engine against exact rationals: a million positions solved, twenty thousand of them judged.

The judge is tests/engine/oracle.py, fed the same binary inputs as fractions. A price is right when

    |LP - exact| <= 1e-12 x max(LP, entry, condition number x LP)

The condition number is that of the root's closed form in the tier of the exact price. In value
space (u = P linear, 1/P inverse; d the direction; docs/formulas.md) the form is

    u = (M + D - x - d q e) / (q (r + f - d))

and its condition number is the sum of what each added number may do to the quotient, relative:

    (|M| + |D| + |x| + q e) / |M + D - x - d q e|  +  (r + f + 1) / |r + f - d|

(M collateral, D deduction, x fixed requirement, e entry value.) At a jump the price is the tier's
edge, and the number is 1. Where maintenance is fixed at entry, its amount is -D and r is 0.

A point at a state boundary may take either side: one whose oracle changes its mind about having a
price, about being breached, or about which root is the first, when its collateral moves by 1e-12
of its notional at entry or its trigger price by 1e-12 of itself. Those are counted.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from multiprocessing import get_context

import numpy as np

from positions.engine.solution import Solution, State
from positions.engine.solver import solve
from positions.engine.types import Terms
from tests.bench.million import EDGE, Million, make_million
from tests.engine.oracle import Oracle

COUNT, SAMPLE, SEED = 1_000_000, 20_000, 20261122
ALLOWED = 1e-12
HAIR = Fraction(1, 10**12)
# The judge's bracket: a tenth of what a float64 can say.
WIDTH = Fraction(1, 10**17)
PROCESSES = min(2, os.cpu_count() or 1)


class Verdict(StrEnum):
    """What the judge says of one position."""

    RIGHT = "right price"
    RIGHTLY_NONE = "rightly none"
    BOUNDARY = "at a state boundary, the other side"
    WRONG_PRICE = "wrong price"
    MISSING = "NaN where the oracle has a price"
    INVENTED = "a price where the oracle has none"
    WRONG_STATE = "breached or not, wrongly"


@dataclass(frozen=True, slots=True)
class Report:
    """What was found.

    shares       of the million: near an edge when it dies, near an edge at entry, near 1x, walked
    verdicts     how many of the sample
    at_boundary  of the sample: within 1e-12 of being breached or not at the trigger price
    worst        the largest error, as a share of what is allowed
    failures     the terms of what is wrong, at most ten
    """

    shares: dict[str, float]
    states: dict[str, int]
    verdicts: Counter
    at_boundary: int
    worst: float
    failures: list[Terms]
    solving_s: float
    judging_s: float


def measure(*, count: int = COUNT, sample: int = SAMPLE, seed: int = SEED) -> Report:
    """Solve `count` positions and have `sample` of them judged."""
    million = make_million(count=count, seed=seed)
    start = time.perf_counter()
    solution = solve(million.batch)
    solved = time.perf_counter()
    rows = np.sort(np.random.default_rng(seed + 1).choice(count, sample, replace=False))
    prices = solution.liquidation_price[rows].tolist()
    breached = solution.has(State.BREACHED)[rows].tolist()
    cases = list(zip(map(million.terms, rows.tolist()), prices, breached, strict=True))
    judged = list(_judge_all(cases))
    return Report(
        shares=find_shares(million, solution),
        states={flag.name or "": int(solution.has(flag).sum()) for flag in State},
        verdicts=Counter(verdict for verdict, _, _ in judged),
        at_boundary=sum(is_near for _, _, is_near in judged),
        worst=max(error for verdict, error, _ in judged if verdict is Verdict.RIGHT),
        failures=[
            case[0]
            for case, (verdict, _, _) in zip(cases, judged, strict=True)
            if verdict not in {Verdict.RIGHT, Verdict.RIGHTLY_NONE, Verdict.BOUNDARY}
        ][:10],
        solving_s=solved - start,
        judging_s=time.perf_counter() - solved,
    )


Case = tuple[Terms, float, bool]
Judgement = tuple[Verdict, float, bool]


def judge(case: Case) -> Judgement:
    """Return the verdict, the error as a share of what is allowed, and whether it is near."""
    terms, price, is_breached = case
    oracle = Oracle(terms)
    exact = oracle.liquidation_price(guess=price, width=WIDTH)
    verdict, error = _compare(oracle, exact, price, is_breached)
    is_near = len({shaken.is_dead(shaken.start) for shaken in map(Oracle, _shaken(terms))}) > 1
    if verdict in {Verdict.RIGHT, Verdict.RIGHTLY_NONE}:
        return verdict, error, is_near
    for shaken in map(Oracle, _shaken(terms)):
        again, _ = _compare(
            shaken, shaken.liquidation_price(guess=price, width=WIDTH), price, is_breached
        )
        if again in {Verdict.RIGHT, Verdict.RIGHTLY_NONE}:
            return Verdict.BOUNDARY, 0.0, is_near
    return verdict, error, is_near


def find_shares(million: Million, solution: Solution) -> dict[str, float]:
    """Return which share of the positions stands where mistakes are made."""
    batch = million.batch
    price, opened = solution.liquidation_price, batch.entry_price
    dies = batch.quantity * np.where(batch.is_inverse, 1 / price, price)
    cost = batch.quantity * np.where(batch.is_inverse, 1 / opened, opened)
    floors = batch.tables.floor[batch.table][:, 1:].T
    leverage = cost / batch.collateral
    return {
        "within 1e-6 of an edge when it dies": _share_near(dies, floors),
        "within 1e-6 of an edge at entry": _share_near(cost, floors),
        "within 3 % of 1x": float(((leverage > 0.97) & (leverage < 1.03)).mean()),
        "over a table that jumps": float(batch.is_walked.mean()),
        "inverse": float(batch.is_inverse.mean()),
    }


def print_report(report: Report) -> None:
    """Print it in lines, for people."""
    lines = [
        f"accuracy: {COUNT:,} positions solved in {report.solving_s:.3f} s, of which",
        *(f"  {share:7.2%} {name}" for name, share in report.shares.items()),
        f"  {report.states[State.UNSOLVED.name or '']:7} unknown: solver",
        f"judged exactly: {SAMPLE:,} in {report.judging_s:.0f} s",
        *(f"  {report.verdicts[verdict]:7,} {verdict.value}" for verdict in Verdict),
        f"  {report.at_boundary:7,} within 1e-12 of being breached or not",
        f"  largest error: {report.worst:.2g} of 1e-12 x max(LP, entry, condition number x LP)",
        *(f"  failed: {terms}" for terms in report.failures),
    ]
    print("\n".join(lines))  # noqa: T201


def _share_near(notional: np.ndarray, floors: np.ndarray) -> float:
    is_near = np.zeros(len(notional), dtype=bool)
    with np.errstate(invalid="ignore", divide="ignore"):
        for floor in floors:
            is_near |= np.abs(notional / floor - 1) < EDGE * 1.001
    return float(is_near.mean())


def _judge_all(cases: list[Case]) -> Iterator[Judgement]:
    # Fresh processes: nothing of the parent's threads is copied into them.
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        yield from pool.map(judge, cases, chunksize=250)


def _compare(
    oracle: Oracle, exact: Fraction | None, price: float, is_breached: bool
) -> tuple[Verdict, float]:
    if oracle.is_dead(oracle.start) != is_breached:
        return Verdict.WRONG_STATE, math.inf
    if exact is None or math.isnan(price):
        missing = Verdict.MISSING if exact is not None else Verdict.RIGHTLY_NONE
        return (missing if math.isnan(price) else Verdict.INVENTED), 0.0
    scale = max(exact, oracle.entry, oracle.condition_at(exact) * exact)
    error = float(abs(Fraction(price) - exact) / scale) / ALLOWED
    return (Verdict.RIGHT if error <= 1 else Verdict.WRONG_PRICE), error


def _shaken(terms: Terms) -> Iterable[Terms]:
    """Return the position with its collateral and its trigger price moved by a hair, each way."""
    oracle = Oracle(terms)
    hair = HAIR * oracle.notional(oracle.entry)
    for turn in (-1, 1):
        yield replace(terms, collateral=oracle.collateral + turn * hair)
        yield replace(terms, trigger_price=oracle.start * (1 + turn * HAIR))


if __name__ == "__main__":
    print_report(measure())
