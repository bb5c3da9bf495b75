"""What the venues of the system tests answer: two books, one before and one after a bad hour.

Between the two, in each account, one position changes its size and comes near its liquidation
price, one is gone and one is new.
"""

from __future__ import annotations

import json
from typing import Any

from tests.venues import corpus
from tests.venues.corpus import Call, answering

BEFORE_MS, AFTER_MS = 1_780_000_000_000, 1_780_000_060_000
_BTC_BRACKETS = [
    {"bracket": 1, "notionalFloor": 0, "maintMarginRatio": 0.004, "cum": 0.0},
    {"bracket": 2, "notionalFloor": 50_000, "maintMarginRatio": 0.005, "cum": 50.0},
]
_ETH_BRACKETS = [{"bracket": 1, "notionalFloor": 0, "maintMarginRatio": 0.005, "cum": 0.0}]
_PAST = ("forceOrders", "userTrades", "income")
RISK = "/fapi/v3/positionRisk"
INVERSE_RISK = "/dapi/v1/positionRisk"


def binance_row(
    symbol: str, amount: float, *, entry: float, mark: float, rate: float, at_ms: int
) -> dict[str, Any]:
    """Return an isolated 10x position as positionRisk tells it; `amount` is negative for a short.

    The liquidation price solves wallet + amount * (p - entry) = rate * |amount| * p.
    """
    wallet = abs(amount) * entry / 10
    sign = 1 if amount > 0 else -1
    return {
        "symbol": symbol,
        "positionSide": "BOTH",
        "positionAmt": f"{amount:.3f}",
        "entryPrice": f"{entry:.1f}",
        "markPrice": f"{mark:.8f}",
        "unRealizedProfit": f"{amount * (mark - entry):.8f}",
        "liquidationPrice": f"{entry * (sign - 0.1) / (sign - rate):.8f}",
        "isolatedMargin": f"{wallet + amount * (mark - entry):.8f}",
        "isolatedWallet": f"{wallet:.8f}",
        "notional": f"{amount * mark:.8f}",
        "maintMargin": f"{abs(amount) * mark * rate:.8f}",
        "leverage": "10",
        "marginType": "isolated",
        "isAutoAddMargin": "false",
        "adl": 2,
        "updateTime": at_ms,
    }


def binance_long(*, amount: float, mark: float, at_ms: int = BEFORE_MS) -> dict[str, Any]:
    """Return the long that the alerts are about: entered at 60,000, liquidated at 54,216.87."""
    return binance_row("BTCUSDT", amount, entry=60_000, mark=mark, rate=0.004, at_ms=at_ms)


def binance(*rows: dict[str, Any], inverse: bool = False) -> tuple[Call, ...]:
    """Return the calls of an account with these USD-M rows, and a COIN-M position or none."""
    (coins, *others), _ = corpus.scenario(corpus.OWN, "binance", "positions_inverse")
    bitcoin = json.loads(coins.body_text)[:1]
    return (
        answering(RISK, list(rows)),
        answering(INVERSE_RISK, bitcoin if inverse else []),
        *others,
        # No order, trade or settlement tells of an end: what is missing stays gone, unexplained.
        *(answering(f"/{api}/v1/{name}", []) for api in ("fapi", "dapi") for name in _PAST),
        _brackets("BTCUSDT", _BTC_BRACKETS),
        _brackets("ETHUSDT", _ETH_BRACKETS),
    )


def binance_before() -> tuple[Call, ...]:
    short = binance_row("ETHUSDT", -4, entry=3_000, mark=2_950, rate=0.005, at_ms=BEFORE_MS)
    return binance(binance_long(amount=0.5, mark=61_200), short)


def binance_after() -> tuple[Call, ...]:
    return binance(binance_long(amount=0.8, mark=56_000, at_ms=AFTER_MS), inverse=True)


def hyperliquid_before() -> tuple[Call, ...]:
    rows = [_perpetual("ETH", 2.0, 3_000, 3_100, 25), _perpetual("BTC", -0.1, 60_000, 58_000, 40)]
    return _clearinghouse(*rows, at_ms=BEFORE_MS)


def hyperliquid_after() -> tuple[Call, ...]:
    rows = [_perpetual("ETH", 2.5, 3_000, 2_800, 25), _perpetual("HYPE", 30.0, 45, 50, 10)]
    return _clearinghouse(*rows, at_ms=AFTER_MS)


def _brackets(symbol: str, steps: list[dict[str, Any]]) -> Call:
    answer = [{"symbol": symbol, "brackets": steps}]
    return answering("/fapi/v1/leverageBracket", answer, query={"symbol": symbol})


def _clearinghouse(*rows: dict[str, Any], at_ms: int) -> tuple[Call, ...]:
    answer = {"assetPositions": [{"type": "oneWay", "position": row} for row in rows]}
    body = {"type": "clearinghouseState", "dex": None}
    main = answering("/info", {**answer, "time": at_ms}, method="POST", body=body)
    # The one builder's exchange of the venue's composed markets: nothing is held there.
    nothing = {"assetPositions": [], "time": at_ms}
    builder = answering("/info", nothing, method="POST", body={**body, "dex": "flx"})
    # No fill tells of an end: what is missing stays gone, unexplained.
    fills = answering("/info", [], method="POST", body={"type": "userFillsByTime"})
    return (main, builder, fills)


def _perpetual(coin: str, size: float, entry: float, mark: float, highest: int) -> dict[str, Any]:
    """Return an isolated 10x position as clearinghouseState tells it."""
    margin, sign = abs(size) * entry / 10, 1 if size > 0 else -1
    return {
        "coin": coin,
        "szi": f"{size}",
        "leverage": {"type": "isolated", "value": 10, "rawUsd": f"{margin - size * entry:.6f}"},
        "entryPx": f"{entry}",
        "positionValue": f"{abs(size) * mark:.6f}",
        "unrealizedPnl": f"{size * (mark - entry):.6f}",
        "liquidationPx": f"{entry * (sign - 0.1) / (sign - 0.5 / highest):.8f}",
        "marginUsed": f"{margin + size * (mark - entry):.6f}",
        "maxLeverage": highest,
    }


def binance_prices(*, mark: float, at_ms: int) -> tuple[Call, ...]:
    """Return what the price refresh of BTCUSDT asks."""
    prices = {"symbol": "BTCUSDT", "markPrice": f"{mark:.8f}", "indexPrice": f"{mark:.8f}"}
    funding = {"lastFundingRate": "0.0001", "nextFundingTime": at_ms + 3_600_000, "time": at_ms}
    index = {"symbol": "USDTUSD", "index": "1.0", "time": at_ms}
    return (
        answering("/fapi/v1/premiumIndex", {**prices, **funding}),
        answering("/fapi/v1/assetIndex", index),
    )


def binance_market(*, mark: float, at_ms: int) -> tuple[Call, ...]:
    """Return what is read of BTCUSDT beside its prices: funding intervals, hours, order book."""
    hour_ms = at_ms - at_ms % 3_600_000
    price = f"{mark:.1f}"
    hour = [hour_ms, *[price] * 4, "12.5", hour_ms + 3_599_999, "0", 1, "0", "0", "0"]
    levels = {"bids": [[f"{mark - 1:.1f}", "3"]], "asks": [[f"{mark + 1:.1f}", "3"]]}
    return (
        answering("/fapi/v1/fundingInfo", []),
        answering("/fapi/v1/klines", [hour]),
        answering("/fapi/v1/depth", {"lastUpdateId": 1, "E": at_ms, "T": at_ms, **levels}),
    )


def binance_key(**changed: bool) -> tuple[Call, ...]:
    """Return what a key that may only read, from one address, is told to be able to do."""
    own, _ = corpus.scenario(corpus.OWN, "binance", "key")
    facts = {**json.loads(own[0].body_text), **changed}
    return (answering(own[0].endpoint, facts),)
