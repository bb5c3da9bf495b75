"""Every margin rule by key: one entry per venue, product and document date, with its source.

The first nine are families, for venues whose documents say no more than that. The others are a
family and what the venue's own text changes. Sources: docs/formulas.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from positions.engine.rules import (
    Basis,
    Charged,
    ClosingFee,
    FeeBase,
    Funding,
    Leftover,
    LiquidationFee,
    MarginRules,
    PrintedRatio,
    Rounding,
    TierKey,
    Trigger,
)
from positions.engine.types import ContractKind


class UnknownRuleError(KeyError):
    """A margin rule was asked for by a name that RULES does not hold."""

    def __str__(self) -> str:
        return f"no margin rule {self.args[0]!r}; known rules: {', '.join(sorted(RULES))}"


def find_rule(*, key: str) -> MarginRules:
    """Return the rule of that name.

    Raises UnknownRuleError (a KeyError) that names the known rules.
    """
    try:
        return RULES[key]
    except KeyError:
        raise UnknownRuleError(key) from None


def rules_of(*, venue: str, kind: ContractKind) -> list[MarginRules]:
    """Return the venue's rules for that kind of contract, the one in force first."""
    return [rule for rule in RULES.values() if rule.venue == venue and rule.kind is kind]


FEE = ClosingFee.MARK
HOURLY = Funding(interval_h=1.0)
ANY_TIME = Funding(interval_h=None)
UNFUNDED = Funding(charged=Charged.NEVER, interval_h=None)
NEXT_REQUIRED = Funding(is_next_required=True)
TO_EQUITY = PrintedRatio.REQUIRED_TO_EQUITY
TO_REQUIRED = PrintedRatio.EQUITY_TO_REQUIRED


def _families() -> Iterator[MarginRules]:
    linear = {"kind": ContractKind.LINEAR, "leftover": Leftover.OWNER}
    inverse = {"kind": ContractKind.INVERSE, "leftover": Leftover.OWNER}
    mark: dict[str, Any] = {"basis": Basis.MARK}
    entry: dict[str, Any] = {"basis": Basis.ENTRY}
    flat: dict[str, Any] = {"is_cumulative": False}
    kept: dict[str, Any] = {"leftover": Leftover.INSURANCE}
    source = "docs/formulas.md, of the families"
    for key, *switches in (
        ("linear-mark", linear, mark),
        ("linear-mark-flat", linear, mark, flat),
        ("linear-mark-strict", linear, mark, {"is_strict": True}),
        ("linear-mark-fee", linear, mark, {"closing_fee": FEE}),
        ("linear-mark-fee-flat", linear, mark, flat, {"closing_fee": FEE}),
        ("linear-entry", linear, entry, kept),
        ("inverse-mark", inverse, mark),
        ("inverse-mark-fee", inverse, mark, {"closing_fee": FEE}),
        ("inverse-entry", inverse, entry, kept),
    ):
        together: dict[str, Any] = {}
        for each in switches:
            together |= each
        yield MarginRules(key=key, source=source, **together)


_FAMILIES = {rule.key: rule for rule in _families()}


def _rule(key: str, family: str, *, product: str, source: str, **switches: Any) -> MarginRules:
    """Return a family's rule as a venue states it; the key begins with the venue's name."""
    venue = switches.pop("venue", key.partition("-")[0])
    switches.setdefault("leftover", None)
    return replace(
        _FAMILIES[family], key=key, venue=venue, product=product, source=source, **switches
    )


_BINANCE_LIKE = (
    _rule(
        "binance-usdm",
        "linear-mark",
        product="USD-M futures",
        printed_ratio=TO_EQUITY,
        source="Binance FAQ b3c689c1f50a44cabb3a84e663b81d93",
    ),
    _rule(
        "binance-coinm",
        "inverse-mark",
        product="COIN-M futures (tier floors in the base coin)",
        printed_ratio=TO_EQUITY,
        source="Binance FAQ ceccfcfb4e3a45e3b48b0b1bb1a8ae46",
    ),
    _rule(
        "aster-usdm",
        "linear-mark",
        product="USD-M futures",
        source="Aster documentation: Binance's formula and fields",
    ),
    _rule(
        "hyperliquid-perp",
        "linear-mark",
        product="perpetuals, rate = 1 / (2 x maximum leverage of the tier)",
        funding=HOURLY,
        price_cap=1e15,
        liquidation_fee=LiquidationFee(rate=0.0),
        leftover=Leftover.OWNER,
        source="Hyperliquid docs, trading/liquidations and margin tiers",
    ),
    _rule(
        "dydx-v4",
        "linear-mark-strict",
        product="perpetuals",
        trigger=Trigger.ORACLE,
        funding=HOURLY,
        liquidation_fee=LiquidationFee(rate=0.015),
        leftover=Leftover.OWNER,
        source="dYdX v4-chain protocol tests, perpetuals and subaccounts",
    ),
    _rule(
        "orderly-perp",
        "linear-mark",
        product="perpetuals, isolated",
        source="Orderly documentation, margin and liquidation",
    ),
    _rule(
        "mcdex-perp",
        "linear-mark-strict",
        product="perpetuals; the keeper's gas reward stands in the requirement",
        trigger=Trigger.INDEX,
        source="MCDEX protocol tests",
    ),
    _rule(
        "synthetix-v1",
        "linear-mark",
        product="futures, the trigger itself",
        trigger=Trigger.ORACLE,
        liquidation_fee=LiquidationFee(base=FeeBase.FIXED),
        leftover=Leftover.POOL,
        source="Synthetix futures v1 tests",
    ),
    _rule(
        "perp-v1",
        "linear-mark",
        product="vAMM perpetuals; the notional is that of closing into the curve",
        trigger=Trigger.INDEX,
        printed_ratio=PrintedRatio.EQUITY_TO_NOTIONAL,
        venue="perp-v1",
        source="Perpetual Protocol v1 tests",
    ),
    _rule(
        "alph-trade",
        "linear-mark",
        product="leveraged trades with a borrow rate by the hour",
        venue="alph-trade",
        funding=Funding(interval_h=1.0),
        source="Alph.trade documentation",
    ),
)

_FLAT = (
    _rule(
        "coinex-linear",
        "linear-mark-flat",
        product="linear futures, tiers by amount",
        tier_key=TierKey.QUANTITY,
        source="CoinEx 6951824248601 and 360036161293",
    ),
    _rule(
        "injective-perp",
        "linear-mark-flat",
        product="perpetuals",
        trigger=Trigger.ORACLE,
        source="Injective documentation, margin and liquidation",
    ),
    _rule(
        "standx-perp",
        "linear-mark-flat",
        product="perpetuals",
        printed_ratio=TO_REQUIRED,
        source="StandX documentation, liquidation",
    ),
    _rule(
        "zb-linear",
        "linear-mark-flat",
        product="linear futures",
        printed_ratio=TO_EQUITY,
        source="ZB API samples",
    ),
    _rule(
        "htx-linear",
        "linear-mark-flat",
        product="linear swaps, rate = adjust factor / leverage, entry = cost_hold",
        has_order_margin=True,
        printed_ratio=PrintedRatio.EQUITY_TO_MARGIN,
        source="HTX 104919792315746 and 24959973437846, API samples",
    ),
)

_FEE_AT_MARK = (
    _rule(
        "gate-linear",
        "linear-mark-fee",
        product="USDT futures",
        price_cap=99_999_998.0,
        source="Gate, leverage and margin; a support reply",
    ),
    _rule(
        "gate-inverse",
        "inverse-mark-fee",
        product="coin-settled futures",
        price_cap=99_999_998.0,
        source="Gate, leverage and margin; a support reply",
    ),
    _rule(
        "okx-linear",
        "linear-mark-fee",
        product="linear swaps and futures",
        rounding=Rounding.TICK_BEYOND,
        printed_ratio=TO_REQUIRED,
        source="OKX help 6997123251341",
    ),
    _rule(
        "okx-inverse",
        "inverse-mark-fee",
        product="coin-margined swaps and futures",
        rounding=Rounding.TICK_BEYOND,
        printed_ratio=TO_REQUIRED,
        source="OKX help 6997123251341",
    ),
    _rule(
        "bitget-linear",
        "linear-mark-fee",
        product="linear futures",
        printed_ratio=TO_EQUITY,
        document="with the pre-calculated offset",
        source="Bitget 12560603838731",
    ),
    _rule(
        "bitget-linear-2025-09",
        "linear-mark-fee-flat",
        product="linear futures",
        printed_ratio=TO_EQUITY,
        document="2025-09: no offset",
        source="Bitget 12560603808759",
    ),
    _rule(
        "blofin-linear",
        "linear-mark-fee",
        product="linear futures",
        printed_ratio=TO_REQUIRED,
        source="BloFin API samples",
    ),
    _rule(
        "digifinex-linear",
        "linear-mark-fee",
        product="linear futures",
        source="DigiFinex 18672734320281",
    ),
    _rule(
        "bingx-linear",
        "linear-mark-fee",
        product="perpetual futures",
        trigger=Trigger.MARK_AND_LAST,
        printed_ratio=TO_EQUITY,
        source="BingX 10689309996185 and 11263299509391",
    ),
    _rule(
        "phemex-linear",
        "linear-mark-fee",
        product="USDT-M; the margin holds a reserve for the closing fee",
        rounding=Rounding.AGAINST_OWNER,
        leftover=Leftover.INSURANCE,
        source="Phemex help, liquidation price for USDT-M",
    ),
    _rule(
        "kucoin-linear-page",
        "linear-mark-fee",
        product="linear futures",
        document="newer page; the fee is the liquidation fee",
        price_cap=999_999.0,
        leftover=Leftover.INSURANCE,
        source="KuCoin 26694703491737",
    ),
)

_ENTRY = (
    _rule(
        "bybit-linear",
        "linear-entry",
        product="USDT and USDC contracts, isolated",
        price_cap=999_998.0,
        rounding=Rounding.AGAINST_OWNER,
        leftover=Leftover.INSURANCE,
        source="Bybit 360039261334 and margin parameters",
    ),
    _rule(
        "bybit-inverse",
        "inverse-entry",
        product="inverse contracts",
        document="2024 text",
        price_cap=999_998.0,
        rounding=Rounding.AGAINST_OWNER,
        leftover=Leftover.INSURANCE,
        source="Bybit 900000181046",
    ),
    _rule(
        "bybit-inverse-2026",
        "inverse-mark",
        product="inverse contracts, unified account",
        document="2026 text",
        price_cap=999_998.0,
        rounding=Rounding.AGAINST_OWNER,
        leftover=Leftover.INSURANCE,
        source="Bybit, UTA isolated margin",
    ),
    _rule(
        "kucoin-linear-help",
        "linear-entry",
        product="linear futures",
        document="help page: no fee, no funding",
        price_cap=999_999.0,
        leftover=Leftover.INSURANCE,
        source="KuCoin 4408061803033 and 27619032569113",
    ),
    _rule(
        "kucoin-linear",
        "linear-entry",
        product="linear futures; the next funding stands in maintenance",
        document="the engine, by its payloads",
        funding=NEXT_REQUIRED,
        price_cap=999_999.0,
        rounding=Rounding.AGAINST_OWNER,
        leftover=Leftover.INSURANCE,
        source="KuCoin 26686139092889 and API samples",
    ),
    _rule(
        "kucoin-inverse",
        "inverse-entry",
        product="coin-margined futures",
        price_cap=999_999.0,
        leftover=Leftover.INSURANCE,
        source="KuCoin 32569939893657 and API samples",
    ),
    _rule(
        "bitmex-linear",
        "linear-entry",
        product="linear contracts; the next funding stands in maintenance",
        funding=NEXT_REQUIRED,
        rounding=Rounding.AGAINST_OWNER,
        leftover=Leftover.INSURANCE,
        source="BitMEX, isolated margin examples, and API samples",
    ),
    _rule(
        "bitmex-inverse",
        "inverse-entry",
        product="inverse contracts; the next funding stands in maintenance",
        funding=NEXT_REQUIRED,
        leftover=Leftover.INSURANCE,
        source="BitMEX, isolated margin examples",
    ),
    _rule(
        "bitmex-quanto",
        "linear-entry",
        kind=ContractKind.QUANTO,
        product="quanto contracts, settled in XBT",
        funding=NEXT_REQUIRED,
        leftover=Leftover.INSURANCE,
        source="BitMEX series guide and quanto blog",
    ),
    _rule(
        "mexc-linear",
        "linear-entry",
        product="linear futures; funding settles to the available balance",
        funding=Funding(charged=Charged.ELSEWHERE),
        printed_ratio=TO_EQUITY,
        source="MEXC blog and announcements",
    ),
    _rule(
        "delta-linear",
        "linear-entry",
        product="linear futures",
        rounding=Rounding.AGAINST_OWNER,
        leftover=Leftover.OWNER,
        source="Delta user guide and API samples",
    ),
    _rule(
        "toobit-linear",
        "linear-entry",
        product="linear futures",
        liquidation_fee=LiquidationFee(rate=0.0),
        leftover=Leftover.OWNER,
        printed_ratio=TO_EQUITY,
        source="Toobit 14253344654105",
    ),
    _rule(
        "flipster-linear",
        "linear-entry",
        product="perpetuals",
        is_strict=True,
        source="Flipster 7352962731663",
    ),
    _rule(
        "phemex-linear-old",
        "linear-entry",
        product="linear contracts",
        document="older page",
        leftover=Leftover.INSURANCE,
        source="Phemex help, liquidation price",
    ),
    _rule(
        "phemex-inverse",
        "inverse-entry",
        product="inverse contracts",
        document="older page",
        leftover=Leftover.INSURANCE,
        source="Phemex help, liquidation price",
    ),
    _rule(
        "mcs-inverse",
        "inverse-entry",
        product="inverse contracts",
        leftover=Leftover.INSURANCE,
        source="MCS 360041008371 and 360040683032",
    ),
    _rule(
        "twilight-inverse",
        "inverse-entry",
        product="inverse, in sats; maintenance is given, with fee and funding inside",
        source="Twilight documentation",
    ),
    _rule(
        "synthetix-v1-view",
        "linear-entry",
        product="futures, the contract's own display",
        document="evaluates the requirement at the current price",
        trigger=Trigger.ORACLE,
        leftover=Leftover.POOL,
        source="Synthetix futures v1 tests",
    ),
    _rule(
        "gmx-v1",
        "linear-entry",
        product="perpetuals; collateral fixed in USD",
        trigger=Trigger.ORACLE,
        funding=ANY_TIME,
        liquidation_fee=LiquidationFee(base=FeeBase.FIXED),
        is_strict=True,
        venue="gmx",
        source="GMX v1 vault tests",
    ),
    _rule(
        "jupiter-perp",
        "linear-entry",
        product="perpetuals; collateral fixed in USD at deposit",
        trigger=Trigger.ORACLE,
        funding=ANY_TIME,
        leftover=Leftover.POOL,
        source="Jupiter perpetuals documentation",
    ),
)

_LENDING = tuple(
    _rule(
        key,
        "linear-mark-strict",
        kind=ContractKind.LENDING,
        product=product,
        trigger=Trigger.ORACLE,
        funding=UNFUNDED,
        venue=venue,
        source=source,
    )
    for key, venue, product, source in (
        ("lending", "", "any isolated pair", "debt against collateral times its threshold"),
        ("aave-lending", "aave", "isolated pairs, liquidation threshold", "Aave v3 tests"),
        ("morpho-blue", "morpho", "isolated markets, LLTV", "Morpho documentation"),
        ("makerdao-vault", "makerdao", "vaults, minimum collateral ratio", "MakerDAO course"),
    )
)

RULES: dict[str, MarginRules] = {
    rule.key: rule
    for rule in (
        *_FAMILIES.values(),
        *_BINANCE_LIKE,
        *_FLAT,
        *_FEE_AT_MARK,
        *_ENTRY,
        *_LENDING,
    )
}
