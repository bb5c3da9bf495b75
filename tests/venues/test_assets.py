"""One coin under the names that venues give it."""

from __future__ import annotations

import pytest

from venues.assets import canonical_asset


@pytest.mark.parametrize(
    ("base", "asset", "multiplier"),
    [
        ("BTC", "BTC", 1.0),
        ("XBT", "BTC", 1.0),
        ("1000PEPE", "PEPE", 1000.0),
        ("kPEPE", "PEPE", 1000.0),
        ("kBONK", "BONK", 1000.0),
        ("1000000MOG", "MOG", 1e6),
        ("1MBABYDOGE", "BABYDOGE", 1e6),
        ("10000000AIDOGE", "AIDOGE", 1e7),
        ("UBTC", "BTC", 1.0),
        ("XDG", "DOGE", 1.0),
        ("FLX-CRCL", "CRCL", 1.0),
        ("flx:CRCL", "CRCL", 1.0),
        ("XYZ-XYZ100", "XYZ100", 1.0),
        ("DEX-kPEPE", "PEPE", 1000.0),
        ("BTC-USD", "BTC-USD", 1.0),
        ("BTC-PERP", "BTC-PERP", 1.0),
        ("10000SATS", "SATS", 1e4),
        ("1INCH", "1INCH", 1.0),
        ("1000X", "1000X", 1.0),
        ("KAS", "KAS", 1.0),
        ("", "", 1.0),
    ],
)
def test_packed_and_renamed_bases_are_one_asset(base, asset, multiplier):
    assert canonical_asset(base=base) == (asset, multiplier)
