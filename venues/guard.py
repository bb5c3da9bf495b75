"""The read-only guard: a request that no adapter lists is stopped before it leaves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from venues.errors import WriteRefused

_NAME = re.compile(r"\\\{\w+\\\}")


class ReadGuard:
    """Lets the listed requests pass, to one host, and nothing else.

    reads             "METHOD /path" with {name} for one segment
    environment       the base URL that every request must begin with; "" for the venue itself,
                      whose addresses must then be HTTPS
    is_keyless        the client holds no credentials: a GET without them can change nothing,
                      so loading markets and asking the time need no list
    """

    def __init__(self, *, reads: Sequence[str], environment: str, is_keyless: bool) -> None:
        self._exact = frozenset(read for read in reads if "{" not in read)
        self._patterns = [re.compile(_NAME.sub("[^/]+", re.escape(read))) for read in reads]
        self._environment = environment
        self._is_keyless = is_keyless

    def path(self, *, method: str, url: str) -> str:
        """Return the venue's own path of an allowed request; raises WriteRefused."""
        path = self._own_path(url)
        if self._is_keyless and method == "GET":
            return path
        if f"{method} {path}" in self._exact:
            return path
        if not any(pattern.fullmatch(f"{method} {path}") for pattern in self._patterns):
            raise WriteRefused(f"{method} {path} is not on the list of reads; it was not sent.")
        return path

    def _own_path(self, url: str) -> str:
        bare = url.partition("?")[0].partition("#")[0]
        if not self._environment:
            parts = urlsplit(bare)
            if parts.scheme != "https":
                raise WriteRefused("A request to an address without HTTPS was not sent.")
            return parts.path
        if not bare.startswith(self._environment + "/"):
            raise WriteRefused("A request to another host than the base URL was not sent.")
        return bare.removeprefix(self._environment)
