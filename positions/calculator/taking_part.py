"""Which families of formulas a margin rule takes part in: by name, and by its switches."""

from __future__ import annotations

from functools import lru_cache

from positions.calculator.derivations import Derivation, Family
from positions.calculator.formulas import (
    balances,
    fees,
    lending,
    margins,
    protocols,
    sizes,
    standing,
    tables,
)
from positions.engine.rulebook import RULES
from positions.engine.rules import MarginRules, PrintedRatio, Trigger
from positions.engine.types import ContractKind, MarginMode

_BITMEX = (fees.fee_on_entry, margins.margin_holds_fee, margins.maintenance_holds_fee)
_KUCOIN = (fees.fee_on_value_and_margin, *_BITMEX[1:])
_BYBIT = (margins.snapshot_holds_fee,)
# What a venue's figures say beside its margin rule.
_BY_RULE: dict[str, tuple[Family, ...]] = {
    "alph-trade": (protocols.alph,),
    "bitmex-inverse": _BITMEX,
    "bitmex-linear": _BITMEX,
    "bitmex-quanto": _BITMEX,
    "bybit-inverse": _BYBIT,
    "bybit-inverse-2026": _BYBIT,
    "bybit-linear": _BYBIT,
    "delta-linear": (fees.fee_at_worse,),
    "dydx-v4": (balances.dydx, balances.balance),
    "gmx-v1": (protocols.gmx,),
    "htx-linear": (protocols.htx,),
    "hyperliquid-perp": (balances.hyperliquid,),
    "injective-perp": (margins.funding_joins_margin,),
    "kucoin-inverse": _KUCOIN,
    "kucoin-linear": _KUCOIN,
    "mcdex-perp": (balances.mcdex, balances.balance),
    "orderly-perp": (protocols.orderly,),
    "perp-v1": (protocols.perp_v1,),
    "phemex-linear": (margins.collateral_holds_fee,),
    "standx-perp": (fees.bankruptcy_counts_fee,),
    "synthetix-v1": (protocols.synthetix,),
    "synthetix-v1-view": (protocols.synthetix,),
}
# Rules whose reserve for closing is paid from the one balance of a cross account.
_ONE_BALANCE = frozenset({"bybit-inverse", "bybit-inverse-2026", "bybit-linear"})
_BY_KIND = {
    ContractKind.LINEAR: sizes.linear,
    ContractKind.INVERSE: sizes.inverse,
    ContractKind.QUANTO: sizes.quanto,
    ContractKind.LENDING: lending.lending,
}
_BY_RATIO = {
    PrintedRatio.REQUIRED_TO_EQUITY: standing.to_equity,
    PrintedRatio.EQUITY_TO_REQUIRED: standing.to_required,
    PrintedRatio.EQUITY_TO_NOTIONAL: standing.to_notional,
}

# Inputs that only one protocol's cases have: they tell the rule where the venue does not.
SIGNATURES: dict[str, str] = {
    "quote_balance": "dydx-v4",
    "raw_usd": "hyperliquid-perp",
    "cash": "mcdex-perp",
    "min_keeper_fee": "synthetix-v1-view",
    "amm_quote_reserve": "perp-v1",
    "unrealized_pnl_twap": "perp-v1",
    "adjust_factor": "htx-linear",
    "margin_fee_rate": "gmx-v1",
    "borrow_rate_hourly": "alph-trade",
    "base_mmr": "orderly-perp",
    "iso_taker_fee_buffer": "orderly-perp",
}


def needs_of(rule: MarginRules) -> tuple[str, ...]:
    """Return the inputs that tell one document of a venue from another."""
    families = families_of(rule=rule.key)
    counted = (
        ("entry_price", rule.is_entry_basis),
        # A contract's own display takes the entry for the price; the trigger itself does not.
        ("mark_price", rule.trigger is Trigger.ORACLE and not rule.is_entry_basis),
        ("taker_fee_rate", rule.is_fee_counted or fees.fee_on_value_and_margin in families),
        ("next_funding_rate", rule.funding.is_next_required),
    )
    return tuple(name for name, is_needed in counted if is_needed)


@lru_cache(maxsize=512)
def families_of(*, rule: str, mode: MarginMode = MarginMode.ISOLATED) -> tuple[Family, ...]:
    """Return the families whose formulas hold under the rule, the most special first."""
    rules = RULES[rule]
    ratio = _BY_RATIO.get(rules.printed_ratio, standing.silent)  # type: ignore[arg-type]
    is_one_balance = mode is MarginMode.CROSS and rule in _ONE_BALANCE
    return (
        *((fees.balance_pays_fee,) if is_one_balance else ()),
        *_BY_RULE.get(rule, ()),
        _BY_KIND[rules.kind],
        *((sizes.oracle,) if rules.trigger is Trigger.ORACLE else ()),
        tables.entry_basis if rules.is_entry_basis else tables.mark_basis,
        fees.fee_counted if rules.is_fee_counted else fees.fee_apart,
        fees.funding_counted if rules.funding.is_next_required else fees.funding_not_counted,
        *(() if rules.kind is ContractKind.LENDING else (ratio,)),
        sizes.common,
        *(() if rules.kind is ContractKind.LENDING else (sizes.position,)),
    )


@lru_cache(maxsize=512)
def ways_of(
    *, rule: str, mode: MarginMode = MarginMode.ISOLATED
) -> dict[str, tuple[Derivation, ...]]:
    """Return fact -> its derivations under the rule, the preferred first."""
    ways: dict[str, list[Derivation]] = {}
    closed: set[str] = set()
    for family in families_of(rule=rule, mode=mode):
        told = [each for each in family.derivations if each.gives not in closed]
        for derivation in told:
            ways.setdefault(derivation.gives, []).append(derivation)
        closed |= {each.gives for each in told if each.is_final}
    return {fact: tuple(derivations) for fact, derivations in ways.items()}
