"""The least that reading accounts can cost: sign, send, decode; frozen, so that ratios compare.

No check of anything, no row read, no log, no limit: aiohttp, a signature and orjson.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from typing import Any

import aiohttp
import orjson

_QUERY = "category=linear&limit=200&settleCoin=USDT"
_WINDOW = "5000"


class Floor:
    """One session for all accounts, kept warm, on a loop of asyncio's own kind."""

    def __init__(self, *, base: str, accounts: int, requests: int = 1) -> None:
        self._url = f"{base}/v5/position/list?{_QUERY}"
        self._keys = [(f"key-{n:04}-0123456789", f"secret-{n:04}") for n in range(accounts)]
        self._requests = requests
        self._loop = asyncio.new_event_loop()
        self._session = self._loop.run_until_complete(_open())

    def run(self) -> int:
        """Read every account once; return how many rows came."""
        return self._loop.run_until_complete(self._read_all())

    def close(self) -> None:
        """Close the session and the loop."""
        self._loop.run_until_complete(self._session.close())
        self._loop.close()

    async def _read_all(self) -> int:
        counts = await asyncio.gather(*(self._read(*pair) for pair in self._keys))
        return sum(counts)

    async def _read(self, key: str, secret: str) -> int:
        rows = 0
        for _ in range(self._requests):
            async with self._session.get(self._url, headers=_signed(key, secret)) as response:
                decoded: Any = orjson.loads(await response.read())
            rows += len(decoded["result"]["list"])
        return rows


async def _open() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))


def _signed(key: str, secret: str) -> dict[str, str]:
    stamp = str(int(1e3 * time.time()))  # noqa: TID251 - a floor has no clock of its own
    told = f"{stamp}{key}{_WINDOW}{_QUERY}".encode()
    return {
        "X-BAPI-API-KEY": key,
        "X-BAPI-TIMESTAMP": stamp,
        "X-BAPI-RECV-WINDOW": _WINDOW,
        "X-BAPI-SIGN": hmac.new(secret.encode(), told, hashlib.sha256).hexdigest(),
    }
