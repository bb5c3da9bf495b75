"""JSON, written by orjson."""

from __future__ import annotations

from typing import Any

import orjson
from rest_framework.renderers import BaseRenderer


class OrjsonRenderer(BaseRenderer):
    """Writes documents, which hold only what JSON knows: anything else is a fault and raises."""

    media_type = "application/json"
    format = "json"
    # JSON is UTF-8 by definition, and takes no charset parameter.
    charset = None

    def render(self, data: Any, *_: object) -> bytes:
        """Return `data` as JSON bytes; nothing for no data."""
        return b"" if data is None else orjson.dumps(data)
