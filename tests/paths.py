"""Where test material lies: our own composed answers, and the recordings beside the project."""

from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
DATA = PROJECT / "tests" / "data"
_BESIDE = PROJECT.parent / "shared"
SHARED = _BESIDE if (_BESIDE / "wire").is_dir() else None

needs_recordings = pytest.mark.skipif(
    SHARED is None, reason="no folder of real recordings beside the project"
)
