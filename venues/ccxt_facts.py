"""What ccxt 4.5.90 does that a reader must not do, as data by ccxt id.

Source: the class of each venue in the installed ccxt; tests/venues/test_client.py holds the
switches to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_CONTRACTS_ONLY: Mapping[str, Mapping[str, Any]] = {
    "binance": {"fetchMarkets": {"types": ["linear", "inverse"]}, "defaultType": "swap"},
    "bybit": {"fetchMarkets": {"types": ["linear", "inverse"]}},
    "okx": {"fetchMarkets": {"types": ["swap", "future"]}, "defaultType": "swap"},
    "hyperliquid": {"fetchMarkets": {"types": ["swap", "hip3"]}},
    "bitget": {"fetchMarkets": {"types": ["swap"]}, "defaultType": "swap"},
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
