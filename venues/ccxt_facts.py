"""What ccxt 4.5.90 does that a reader must not do, as data by ccxt id.

Source: the class of each venue in the installed ccxt; tests/venues/test_client.py holds the
switches to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

# The regional venues are the same API on other hosts.
_BYBIT = ("bybit", "bybiteu", "bybitid")
_OKX = ("okx", "myokx", "okxus")

_CONTRACTS_ONLY: Mapping[str, Mapping[str, Any]] = {
    "binance": {"fetchMarkets": {"types": ["linear", "inverse"]}, "defaultType": "swap"},
    **{name: {"fetchMarkets": {"types": ["linear", "inverse"]}} for name in _BYBIT},
    **{
        name: {"fetchMarkets": {"types": ["swap", "future"]}, "defaultType": "swap"}
        for name in _OKX
    },
    "hyperliquid": {"fetchMarkets": {"types": ["swap", "hip3"]}},
    # Told which kind of account it is, ccxt does not ask: candles and books are the same.
    "bitget": {"fetchMarkets": {"types": ["swap"]}, "defaultType": "swap", "uta": False},
    "gate": {"fetchMarkets": {"types": ["swap", "future"]}, "defaultType": "swap"},
    "mexc": {
        "fetchMarkets": {"types": {"spot": False, "swap": {"linear": True, "inverse": True}}},
        "defaultType": "swap",
    },
    "htx": {
        "fetchMarkets": {"types": {"spot": False, "linear": True, "inverse": True}},
        "defaultType": "swap",
    },
}

# With a private key these sign an approval or a referral while they load markets. hyperliquid's
# builderFee False does not stop it (it approves 0 %): only "already approved" does.
_WRITES_ON_READ: Mapping[str, Mapping[str, Any]] = {
    "hyperliquid": {"approvedBuilderFee": True, "refSet": True, "builderFee": False},
    "aster": {"builderFee": False},
    "grvt": {"builderFee": False},
}

# Public there, and the only place that says in which coin a builder's contract settles.
_NEEDS_CURRENCIES = frozenset({"hyperliquid"})


# Milliseconds that ccxt leaves between two requests; a request that weighs more waits longer.
REQUEST_MS: Mapping[str, float] = {
    "apex": 20, "backpack": 50, "bequant": 3.333, "bingx": 100, "bitfinex": 250, "bitflyer": 1000,
    "blofin": 200, "btse": 13.334, "bullish": 20, "bydfi": 50, "coinbase": 34,
    "coinbaseinternational": 100, "cryptocom": 10, "deepcoin": 200, "delta": 300, "deribit": 50,
    "derive": 50, "digifinex": 900, "extended": 600, "fmfwio": 3.333, "grvt": 10, "hashkey": 100,
    "hibachi": 100, "hitbtc": 3.333, "htx": 100, "kraken": 1000, "krakenfutures": 600,
    "kucoin": 7.5, "kucoinfutures": 7.5, "lighter": 1000, "mexc": 50, "modetrade": 100,
    "mudrex": 100, "nado": 25, "pacifica": 600, "paradex": 50, "phemex": 120.5, "poloniex": 5,
    "toobit": 20, "weex": 20, "whitebit": 20, "woo": 100, "woofipro": 100, "xt": 100, "zebpay": 50,
}  # fmt: skip

# ccxt takes the smallest order for the size of a contract; positions are counted in the coin.
_SIZED_BY_COIN = frozenset({"apex"})


def correct_markets(ccxt_id: str, markets: Iterable[dict[str, Any]]) -> None:
    """Put right, in place, what ccxt says wrong about the contracts of a venue."""
    if ccxt_id in _SIZED_BY_COIN:
        for market in markets:
            if market.get("contract"):
                market["contractSize"] = 1.0


def has(ccxt_id: str) -> dict[str, bool]:
    """Return what an instance may do: the private currency call needs a permission to spare."""
    return {"fetchCurrencies": ccxt_id in _NEEDS_CURRENCIES}


def options(ccxt_id: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of an instance: contracts only, `own` on top, writes off at the end."""
    return {
        **_CONTRACTS_ONLY.get(ccxt_id, {}),
        **own,
        **_WRITES_ON_READ.get(ccxt_id, {}),
        "adjustForTimeDifference": False,
    }
