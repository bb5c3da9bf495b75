"""A venue on loopback in a process of its own, quick enough to be no part of what is measured.

`python -m tests.bench.polling_venue DELAY_S` prints its port and answers in the shape of Bybit's
documented API until its standard input ends. Each answer waits `DELAY_S`; a key that begins with
"silent" is never answered.

Shape: https://bybit-exchange.github.io/docs/v5/position, .../v5/market/instrument
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any
from urllib.parse import parse_qs

import orjson

SYMBOLS = 600
POSITIONS = 20
# Books that differ, so that no answer is the one before it.
BOOKS = 64
SILENT = "silent"
_TIME_MS = 1_780_000_000_000


def instrument(number: int) -> dict[str, Any]:
    """Return one row of the list of contracts."""
    coin = f"C{number:03}"
    return {
        "symbol": f"{coin}USDT",
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": coin,
        "quoteCoin": "USDT",
        "settleCoin": "USDT",
        "launchTime": "1584230400000",
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": "2",
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
        "priceFilter": {"minPrice": "0.10", "maxPrice": "1999999.80", "tickSize": "0.10"},
        "lotSizeFilter": {
            "maxOrderQty": "1190.000",
            "minOrderQty": "0.001",
            "qtyStep": "0.001",
            "postOnlyMaxOrderQty": "1190.000",
            "maxMktOrderQty": "500.000",
            "minNotionalValue": "5",
        },
        "unifiedMarginTrade": True,
        "fundingInterval": 480,
        "copyTrading": "none",
        "upperFundingRate": "0.00375",
        "lowerFundingRate": "-0.00375",
        "isPreListing": False,
        "preListingInfo": None,
    }


def position(number: int, *, book: int) -> dict[str, Any]:
    """Return one row of an isolated long; figures of a book agree with each other."""
    entry, size = 1000 + 7 * number, (number + 3) / 10
    mark = entry * (1 + (book - BOOKS / 2) / 2000)
    margin, maintenance = entry * size / 10, entry * size * 0.005
    return {
        "positionIdx": 0,
        "riskId": 1,
        "riskLimitValue": "2000000",
        "symbol": f"C{number:03}USDT",
        "side": "Buy",
        "size": f"{size:.3f}",
        "avgPrice": f"{entry:.2f}",
        "positionValue": f"{entry * size:.4f}",
        "tradeMode": 1,
        "positionStatus": "Normal",
        "autoAddMargin": 0,
        "adlRankIndicator": 2,
        "leverage": "10",
        "positionBalance": f"{margin:.4f}",
        "markPrice": f"{mark:.2f}",
        "liqPrice": f"{entry * 0.905:.2f}",
        "bustPrice": f"{entry * 0.9:.2f}",
        "positionMM": f"{maintenance:.4f}",
        "positionMMByMp": f"{maintenance:.4f}",
        "positionIM": f"{margin:.4f}",
        "positionIMByMp": f"{margin:.4f}",
        "tpslMode": "Full",
        "takeProfit": "",
        "stopLoss": "",
        "trailingStop": "0",
        "sessionAvgPrice": "",
        "unrealisedPnl": f"{(mark - entry) * size:.4f}",
        "curRealisedPnl": "-9.9",
        "cumRealisedPnl": "-9.9",
        "seq": 5_723_621_632 + book,
        "isReduceOnly": False,
        "mmrSysUpdatedTime": "",
        "leverageSysUpdatedTime": "",
        "createdTime": "1779000000000",
        "updatedTime": str(_TIME_MS + book),
    }


def envelope(category: str, rows: list[dict[str, Any]], *, time_ms: int = _TIME_MS) -> bytes:
    """Return the bytes of an answer with a list of rows, which is its only page."""
    result = {"list": rows, "nextPageCursor": "", "category": category}
    whole = {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": time_ms}
    return orjson.dumps(whole)


class Venue:
    """What there is to say, made before anybody asks."""

    def __init__(self, *, delay_s: float) -> None:
        self.delay_s = delay_s
        self.asked = 0
        self.books = [
            _http(envelope("linear", [position(n, book=book) for n in range(POSITIONS)],
                           time_ms=_TIME_MS + book))
            for book in range(BOOKS)
        ]  # fmt: skip
        self.listed = _http(envelope("linear", [instrument(n) for n in range(SYMBOLS)]))

    def answer(self, path: str, query: str) -> bytes:
        """Return a whole HTTP answer."""
        asked = parse_qs(query)
        category = asked.get("category", ["linear"])[0]
        if path.endswith("/position/list") and category == "linear":
            self.asked += 1
            return self.books[self.asked % BOOKS]
        if path.endswith("/instruments-info") and category == "linear" and "status" not in asked:
            return self.listed
        if path.endswith("/asked"):
            return _http(orjson.dumps({"asked": self.asked}))
        return _http(envelope(category, []))


def _http(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


class Connection(asyncio.Protocol):
    """One client; requests have no body and come one after the other."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._got = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._got += data
        while b"\r\n\r\n" in self._got:
            head, _, self._got = self._got.partition(b"\r\n\r\n")
            self._answer(head.decode("latin-1"))

    def _answer(self, head: str) -> None:
        path, _, query = head.split(" ", 2)[1].partition("?")
        if f": {SILENT}" in head:
            return
        delay_s = 0.0 if path.endswith("/asked") else self._venue.delay_s
        loop = asyncio.get_running_loop()
        loop.call_later(delay_s, self._send, self._venue.answer(path, query))

    def _send(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


async def serve(*, delay_s: float) -> None:
    """Answer until standard input ends."""
    loop, venue = asyncio.get_running_loop(), Venue(delay_s=delay_s)
    server = await loop.create_server(lambda: Connection(venue), "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        import uvloop

        uvloop.run(serve(delay_s=float(sys.argv[1])))
