"""A worker or scheduler tells the supervisor that it has started, by making a file it was named."""

from __future__ import annotations

import os
from pathlib import Path

FILE_NAME = "RISKHUB_READY_FILE"


def mark_ready() -> None:
    """Make the file; without a supervisor there is none to make."""
    path = os.environ.get(FILE_NAME)
    if path:
        Path(path).touch(mode=0o600)
