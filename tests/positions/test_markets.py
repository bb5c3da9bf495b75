"""Markets that readings name."""

from __future__ import annotations

import pytest

from positions.markets import canonical_asset


@pytest.mark.parametrize(
    ("base", "asset", "multiplier"),
    [
        ("BTC", "BTC", 1.0),
        ("XBT", "BTC", 1.0),
        ("1000PEPE", "PEPE", 1000.0),
        ("kPEPE", "PEPE", 1000.0),
        ("1MBABYDOGE", "BABYDOGE", 1e6),
        ("10000SATS", "SATS", 1e4),
        ("1INCH", "1INCH", 1.0),
        ("1000X", "1000X", 1.0),
        ("KAS", "KAS", 1.0),
        ("", "", 1.0),
    ],
)
def test_packed_and_renamed_bases_are_one_asset(base, asset, multiplier):
    assert canonical_asset(base=base) == (asset, multiplier)
