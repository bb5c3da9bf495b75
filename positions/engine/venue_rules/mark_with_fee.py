"""Rules whose maintenance is measured at the mark, the fee of closing in the trigger."""

from __future__ import annotations

from positions.engine.rules import Leftover, PrintedRatio, Rounding, TierKey, Trigger
from positions.engine.venue_rules.families import rule

TO_EQUITY = PrintedRatio.REQUIRED_TO_EQUITY
TO_REQUIRED = PrintedRatio.EQUITY_TO_REQUIRED

RULES = (
    rule(
        "gate-linear",
        "linear-mark-fee",
        product="USDT futures",
        price_cap=99_999_998.0,
        source="Gate, leverage and margin; a support reply",
    ),
    rule(
        "gate-inverse",
        "inverse-mark-fee",
        product="coin-settled futures",
        price_cap=99_999_998.0,
        source="Gate, leverage and margin; a support reply",
    ),
    rule(
        "okx-linear",
        "linear-mark-fee-flat",
        product="linear swaps and futures, tiers by contracts",
        tier_key=TierKey.QUANTITY,
        rounding=Rounding.TICK_BEYOND,
        printed_ratio=TO_REQUIRED,
        source="OKX help 6997123251341 and help/tier",
    ),
    rule(
        "okx-inverse",
        "inverse-mark-fee",
        product="coin-margined swaps and futures, tiers by contracts",
        is_cumulative=False,
        tier_key=TierKey.QUANTITY,
        rounding=Rounding.TICK_BEYOND,
        printed_ratio=TO_REQUIRED,
        source="OKX help 6997123251341 and help/tier",
    ),
    rule(
        "bitget-linear",
        "linear-mark-fee",
        product="linear futures",
        printed_ratio=TO_EQUITY,
        document="with the pre-calculated offset",
        source="Bitget 12560603838731",
    ),
    rule(
        "bitget-linear-2025-09",
        "linear-mark-fee-flat",
        product="linear futures",
        printed_ratio=TO_EQUITY,
        document="2025-09: no offset",
        source="Bitget 12560603808759",
    ),
    rule(
        "blofin-linear",
        "linear-mark-fee",
        product="linear futures",
        printed_ratio=TO_REQUIRED,
        source="BloFin API samples",
    ),
    rule(
        "digifinex-linear",
        "linear-mark-fee",
        product="linear futures",
        source="DigiFinex 18672734320281",
    ),
    rule(
        "bingx-linear",
        "linear-mark-fee",
        product="perpetual futures",
        trigger=Trigger.MARK_AND_LAST,
        printed_ratio=TO_EQUITY,
        source="BingX 10689309996185 and 11263299509391",
    ),
    rule(
        "phemex-linear",
        "linear-mark-fee",
        product="USDT-M; the margin holds a reserve for the closing fee",
        rounding=Rounding.AGAINST_OWNER,
        leftover=Leftover.INSURANCE,
        source="Phemex help, liquidation price for USDT-M",
    ),
    rule(
        "kucoin-linear-page",
        "linear-mark-fee",
        product="linear futures",
        document="newer page; the fee is the liquidation fee",
        price_cap=999_999.0,
        leftover=Leftover.INSURANCE,
        source="KuCoin 26694703491737",
    ),
)
