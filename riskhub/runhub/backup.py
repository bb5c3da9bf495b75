"""Copies of the SQLite file, made before its tables change.

By hand, also while RiskHub runs: python -m riskhub.runhub.backup DATABASE FOLDER
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
from datetime import datetime
from pathlib import Path

from riskhub import clock

KEPT = 3


def copy_database(*, path: Path, folder: Path, now: datetime) -> Path:
    """Copy a SQLite database that may be in use, and keep the last KEPT copies.

    Returns the copy, readable by its owner alone. Raises sqlite3.Error or OSError; then no copy
    is left half-made under its final name.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = folder / f"db-{now:%Y%m%dT%H%M%S%f}.sqlite3"
    partial = target.with_suffix(".partial")
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    try:
        with (
            contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as source,
            contextlib.closing(sqlite3.connect(partial)) as copy,
        ):
            source.backup(copy)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    _drop_old(folder)
    return target


def _drop_old(folder: Path) -> None:
    for old in sorted(folder.glob("db-*.sqlite3"))[:-KEPT]:
        old.unlink()


def main() -> int:
    """Copy the database named first into the folder named second; one sentence if it fails."""
    try:
        path, folder = map(Path, sys.argv[1:])
        copy = copy_database(path=path, folder=folder, now=clock.now())
    except ValueError:
        sys.stderr.write("Usage: python -m riskhub.runhub.backup DATABASE FOLDER\n")
    except (sqlite3.Error, OSError) as error:
        sys.stderr.write(f"{path} could not be copied: {error}.\n")
    else:
        sys.stdout.write(f"{copy}\n")
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
