"""What the supervisor wants every page to say, kept as one small file in the data folder.

A file, not a row or a key: the part that is down may be the database or the broker. The supervisor
alone writes; web processes read. On an installation without the supervisor there are none.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

FILE_NAME = "notices.json"
LEVELS = ("warning", "error")


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence for the banner: `key` names its cause, `at` is aware, `level` one of LEVELS."""

    key: str
    level: str
    text: str
    at: datetime


def read(*, folder: Path) -> list[Notice]:
    """Return the notices, worst first, newest first among equals; a damaged file reads as none."""
    try:
        rows = json.loads((folder / FILE_NAME).read_text())
        found = [_read_row(row) for row in rows]
    except (OSError, ValueError, TypeError, KeyError):
        return []
    return sorted(found, key=lambda notice: (LEVELS.index(notice.level), notice.at), reverse=True)


def write(*, folder: Path, notices: Iterable[Notice]) -> None:
    """Replace all notices at once; a reader sees the old file or the new one."""
    rows = [{**asdict(notice), "at": notice.at.isoformat()} for notice in notices]
    partial = folder / f"{FILE_NAME}.partial"
    partial.write_text(json.dumps(rows))
    os.replace(partial, folder / FILE_NAME)


def _read_row(row: Any) -> Notice:
    if row["level"] not in LEVELS:
        raise ValueError(row["level"])
    at = datetime.fromisoformat(row["at"])
    if at.tzinfo is None:
        raise ValueError("the time of a notice names its zone")
    return Notice(key=str(row["key"]), level=row["level"], text=str(row["text"]), at=at)
