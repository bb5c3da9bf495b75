"""Text and JSON of venues as both databases can keep them.

PostgreSQL refuses NUL and halves of characters, both refuse NaN in JSON; one such byte in one row
must not cost the whole account its reading.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# The same as they look once written as JSON; a match is only a suspicion.
_SUSPECT = re.compile(r"\\u(0000|d[89a-f])")
_REPLACEMENT = "\ufffd"


def storable(value: Any) -> Any:
    """Return a JSON value as it is, with what no database keeps replaced by U+FFFD or text."""
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return _mend(value)
    return _mend(value) if _SUSPECT.search(text) else value


def storable_text(text: str) -> str:
    """Return the text with what no database keeps replaced by U+FFFD."""
    return _UNSTORABLE.sub(_REPLACEMENT, text)


def _mend(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {storable_text(str(key)): _mend(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mend(item) for item in value]
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return storable_text(str(value))
