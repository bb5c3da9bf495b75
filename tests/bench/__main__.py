"""Print how the product stands against plain floors, and how exact it is: `make bench`.

Each line times two things in the same run, in turns, and prints the ratio of their medians; single
times on a shared machine say little. Nothing here passes or fails.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "riskhub.settings_test")
os.environ.setdefault("RISKHUB_LOG_LEVEL", "CRITICAL")

TURNS = 5
# How long a turn of one side lasts, at least roughly.
TURN_S = 0.1


def main() -> None:
    """Run every comparison and print a table."""
    import django

    django.setup()
    print(f"{'what':52} {'ours':>10} {'floor':>10} {'ours/floor':>11}")  # noqa: T201
    for name, ours, floor in comparisons():
        mine, its = timed(ours, floor)
        print(f"{name:52} {1e3 * mine:7.2f} ms {1e3 * its:7.1f} ms {mine / its:10.3f}x")  # noqa: T201
    polling()
    accuracy()


def polling() -> None:
    """Accounts read over HTTP, against the least that asking can cost."""
    from tests.bench.polling import print_report

    print_report()


def timed(ours: Callable[[], object], floor: Callable[[], object]) -> tuple[float, float]:
    """Return the median seconds of one run of both, measured in turns after a warm-up.

    A turn repeats what is short, so that neither pays for what the other left in the caches.
    """
    works = (ours, floor)
    repeats = [max(1, min(1000, int(TURN_S / _time(work, 1)))) for work in works]
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(TURNS):
        for taken, work, count in zip(seconds, works, repeats, strict=True):
            taken.append(_time(work, count))
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def _time(work: Callable[[], object], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        work()
    return (time.perf_counter() - start) / count


def comparisons() -> Iterator[tuple[str, Callable[[], object], Callable[[], object]]]:
    """Yield (name, ours, floor)."""
    yield from engine()
    yield from store()


def engine() -> Iterator[tuple[str, Callable[[], object], Callable[[], object]]]:
    """Every figure of the solver, against a plain-Python loop that answers four of them."""
    from positions.engine.solver import solve
    from tests.bench.baseline import assess
    from tests.bench.book import make_book

    for count in (1_000, 100_000, 1_000_000):
        book = make_book(count=count, seed=7)
        rows = book.rows()
        yield (
            f"engine: {count:,} positions, 12 figures / plain Python, 4",
            lambda book=book: solve(book.batch),
            lambda rows=rows, book=book: assess(rows, book.tables),
        )


def accuracy() -> None:
    """A million positions, twenty thousand of them judged by exact rationals."""
    from tests.bench.accuracy import measure, print_report

    print_report(measure())


def store() -> Iterator[tuple[str, Callable[[], object], Callable[[], object]]]:
    """A whole ingest of 1,000 positions against writing as many bare rows."""
    import sqlite3
    from itertools import count
    from pathlib import Path

    from django.conf import settings
    from django.core.management import call_command

    from positions import ingest
    from tests.factories import make_account
    from tests.positions.readings import at, outcome, reading

    call_command("migrate", verbosity=0)
    account = make_account()
    readings = [reading(f"A{n}/USDT:USDT") for n in range(1000)]
    seconds = count(0, 30)

    def ours() -> None:
        second = next(seconds)
        answer = outcome(account, *readings, seconds=second)
        ingest.ingest_outcomes(outcomes=[answer], cycle=second + 1, now=at(second))

    bare = sqlite3.connect(Path(settings.DATA_DIR) / "bare.sqlite3", isolation_level=None)
    bare.execute("PRAGMA journal_mode=WAL")
    names = ", ".join(f"c{n} REAL" for n in range(60))
    bare.execute(f"CREATE TABLE bare (id INTEGER PRIMARY KEY, {names})")
    marks = ", ".join("?" * 61)
    rows = [(n, *(float(n) for _ in range(60))) for n in range(1000)]

    def floor() -> None:
        bare.execute("BEGIN IMMEDIATE")
        bare.executemany(f"INSERT OR REPLACE INTO bare VALUES ({marks})", rows)
        bare.execute("COMMIT")

    yield "ingest: 1,000 positions, all of it / bare row writes", ours, floor


if __name__ == "__main__":
    main()
