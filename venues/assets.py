"""The asset behind a contract's base: 1000PEPE, kPEPE and PEPE are one coin, XBT is BTC.

A multiplier says how many of the asset one base unit of the contract holds. Prices and quantities
of a position stay per base unit; whoever adds up quantities of several contracts multiplies them
first. Notionals need none: they are money already.
"""

from __future__ import annotations

import re

# 1000PEPE, 1000000MOG, 10000SATS, 1MBABYDOGE, kBONK: so many coins in one unit of the base.
_PACKED = re.compile(r"(?P<count>10{3,9}|1M|k)(?P<asset>[A-Z][A-Z0-9]{2,})")
_COUNTS = {"1M": 1e6, "k": 1e3}
# Other names of the same coin; the last three are coins that were carried over to Hyperliquid.
_ALIASES = {"XBT": "BTC", "XDG": "DOGE", "UBTC": "BTC", "UETH": "ETH", "USOL": "SOL"}
# What stands behind a dash and is no asset: "BTC-USD" and "BTC-PERP" name no dex.
_NO_ASSETS = frozenset({"USD", "USDT", "USDC", "PERP"})


def canonical_asset(*, base: str) -> tuple[str, float]:
    """Return the asset behind a contract's base, and how many of it one base unit holds.

    A dex that lists contracts of its own puts its name in front: "FLX-CRCL" is CRCL.
    """
    name = _without_dex(base)
    packed = _PACKED.fullmatch(name)
    if packed is None:
        return _ALIASES.get(name, name), 1.0
    count = packed["count"]
    return packed["asset"], _COUNTS.get(count) or float(count)


def _without_dex(base: str) -> str:
    dex, _, name = base.replace(":", "-", 1).partition("-")
    return name if dex and name and name not in _NO_ASSETS else base
