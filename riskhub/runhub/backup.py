"""Copies of the SQLite file, made before its tables change."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from datetime import datetime
from pathlib import Path

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
