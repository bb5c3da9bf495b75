"""Rules whose maintenance is measured at the mark, the fee of closing apart."""

from __future__ import annotations

from positions.engine.rules import (
    FeeBase,
    Funding,
    Leftover,
    LiquidationFee,
    PrintedRatio,
    Rounding,
    TierKey,
    Trigger,
)
from positions.engine.venue_rules.families import rule

HOURLY = Funding(interval_h=1.0)
TO_EQUITY = PrintedRatio.REQUIRED_TO_EQUITY
TO_REQUIRED = PrintedRatio.EQUITY_TO_REQUIRED

CUMULATIVE = (
    rule(
        "binance-usdm",
        "linear-mark",
        product="USD-M futures",
        printed_ratio=TO_EQUITY,
        source="Binance FAQ b3c689c1f50a44cabb3a84e663b81d93",
    ),
    rule(
        "binance-coinm",
        "inverse-mark",
        product="COIN-M futures (tier floors in the base coin)",
        printed_ratio=TO_EQUITY,
        source="Binance FAQ ceccfcfb4e3a45e3b48b0b1bb1a8ae46",
    ),
    rule(
        "aster-usdm",
        "linear-mark",
        product="USD-M futures",
        source="Aster documentation: Binance's formula and fields",
    ),
    rule(
        "bybit-linear-2025",
        "linear-mark",
        product="USDT and USDC contracts, isolated, unified account",
        document="from 2025-09-02: maintenance at the mark",
        price_cap=999_998.0,
        rounding=Rounding.AGAINST_OWNER,
        leftover=Leftover.INSURANCE,
        source="Bybit, the new margin calculation, and UTA isolated margin",
    ),
    rule(
        "hyperliquid-perp",
        "linear-mark",
        product="perpetuals, rate = 1 / (2 x maximum leverage of the tier)",
        funding=HOURLY,
        price_cap=1e15,
        liquidation_fee=LiquidationFee(rate=0.0),
        leftover=Leftover.OWNER,
        source="Hyperliquid docs, trading/liquidations and margin tiers",
    ),
    rule(
        "dydx-v4",
        "linear-mark-strict",
        product="perpetuals",
        trigger=Trigger.ORACLE,
        printed_ratio=TO_REQUIRED,
        funding=HOURLY,
        liquidation_fee=LiquidationFee(rate=0.015),
        leftover=Leftover.OWNER,
        source="dYdX v4-chain protocol tests, perpetuals and subaccounts",
    ),
    rule(
        "orderly-perp",
        "linear-mark",
        product="perpetuals, isolated",
        source="Orderly documentation, margin and liquidation",
    ),
    rule(
        "mcdex-perp",
        "linear-mark-strict",
        product="perpetuals; the keeper's gas reward stands in the requirement",
        trigger=Trigger.INDEX,
        source="MCDEX protocol tests",
    ),
    rule(
        "synthetix-v1",
        "linear-mark",
        product="futures, the trigger itself",
        trigger=Trigger.ORACLE,
        liquidation_fee=LiquidationFee(base=FeeBase.FIXED),
        leftover=Leftover.POOL,
        source="Synthetix futures v1 tests",
    ),
    rule(
        "perp-v1",
        "linear-mark",
        product="vAMM perpetuals; the notional is that of closing into the curve",
        trigger=Trigger.INDEX,
        printed_ratio=PrintedRatio.EQUITY_TO_NOTIONAL,
        venue="perp-v1",
        source="Perpetual Protocol v1 tests",
    ),
    rule(
        "alph-trade",
        "linear-mark",
        product="leveraged trades with a borrow rate by the hour",
        venue="alph-trade",
        funding=Funding(interval_h=1.0),
        source="Alph.trade documentation",
    ),
)

FLAT = (
    rule(
        "coinex-linear",
        "linear-mark-flat",
        product="linear futures, tiers by amount",
        tier_key=TierKey.QUANTITY,
        source="CoinEx 6951824248601 and 360036161293",
    ),
    rule(
        "injective-perp",
        "linear-mark-flat",
        product="perpetuals",
        trigger=Trigger.ORACLE,
        source="Injective documentation, margin and liquidation",
    ),
    rule(
        "standx-perp",
        "linear-mark-flat",
        product="perpetuals",
        printed_ratio=TO_REQUIRED,
        source="StandX documentation, liquidation",
    ),
    rule(
        "zb-linear",
        "linear-mark-flat",
        product="linear futures",
        printed_ratio=TO_EQUITY,
        source="ZB API samples",
    ),
    rule(
        "htx-linear",
        "linear-mark-flat",
        product="linear swaps, rate = adjust factor / leverage, entry = cost_hold",
        has_order_margin=True,
        printed_ratio=PrintedRatio.EQUITY_TO_MARGIN,
        source="HTX 104919792315746 and 24959973437846, API samples",
    ),
)

RULES = (*CUMULATIVE, *FLAT)
