"""Fees: of the opening, and set apart for the closing at the price each venue takes."""

from __future__ import annotations

from positions.calculator.answer import ask, find_bankruptcy
from positions.calculator.derivations import Family
from positions.calculator.errors import NoFigureError
from positions.calculator.formulas.sizes import common, position, value_of
from positions.engine.rulebook import find_rule
from positions.engine.rules import MarginRules
from positions.engine.types import Side, Tier

fee_on_value_and_margin = Family(
    "fee-on-value-and-margin", "KuCoin payloads: posComm = (value + posInit + posCross) x fee"
)
fee_on_entry = Family("fee-on-entry", "BitMEX payload: posComm = value x fee")
fee_at_worse = Family(
    "fee-at-worse", "Delta payloads: commission at entry when long, at bankruptcy when short"
)
bankruptcy_counts_fee = Family(
    "bankruptcy-counts-fee", "StandX documentation: BP = (EP - s M / q) / (1 - s f)"
)
balance_pays_fee = Family(
    "balance-pays-fee", "Bybit 900000181046: with one balance the fee of closing is part of it"
)
fee_counted = Family("fee-counted", "the rule's switch: the closing fee stands in the trigger")
fee_apart = Family("fee-apart", "the rule's switch: the closing fee is set apart")
funding_counted = Family("funding-counted", "the rule's switch: the next funding is required")
funding_not_counted = Family("funding-not-counted", "the rule's switch: funding is not required")


@fee_counted.gives("counted_fee")
def fee_is_counted(taker_fee_rate: float) -> float:
    return taker_fee_rate


@fee_apart.gives("counted_fee")
def fee_is_apart() -> float:
    return 0.0


@funding_counted.gives("counted_funding")
def funding_is_counted(next_funding_rate: float) -> float:
    return next_funding_rate


@funding_not_counted.gives("counted_funding")
def funding_is_not_counted() -> float:
    return 0.0


@common.gives("fixed")
def fixed_as_given(fixed_requirement: float) -> float:
    return fixed_requirement


@balance_pays_fee.gives("fixed")
def fee_is_fixed(fixed_requirement: float, close_fee: float) -> float:
    return fixed_requirement + close_fee


@bankruptcy_counts_fee.gives("bankruptcy_price")
@balance_pays_fee.gives("bankruptcy_price")
def bankruptcy_after_fee(
    *,
    rule: MarginRules,
    side: Side,
    scale: float,
    reference_price: float,
    scaled_unreserved: float,
    taker_fee_rate: float,
) -> float:
    # Where closing leaves nothing: the condition with no requirement but the fee.
    family = find_rule(key="inverse-mark" if rule.is_inverse else "linear-mark")
    return ask(
        rule=family,
        side=side,
        quantity=scale,
        entry_price=reference_price,
        collateral=scaled_unreserved,
        table=(Tier(floor=0.0, rate=taker_fee_rate),),
        fee_rate=0.0,
        next_funding_rate=0.0,
    ).read("liquidation_price")


@common.gives("bankruptcy_price")
def bankruptcy_of_margin(
    rule: MarginRules,
    side: Side,
    scale: float,
    reference_price: float,
    scaled_unreserved: float,
) -> float:
    return find_bankruptcy(
        rule=rule,
        side=side,
        quantity=scale,
        entry_price=reference_price,
        collateral=scaled_unreserved,
    )


@common.gives("bankruptcy_value", source="Twilight documentation: size / bankruptcy price")
def value_at_bankruptcy(rule: MarginRules, size: float, bankruptcy_price: float) -> float:
    if rule.is_inverse and bankruptcy_price == 0:
        raise NoFigureError("none: no price brings equity to zero")
    return value_of(rule, size, bankruptcy_price)


@position.gives("open_fee", source="Phemex help, order cost")
def fee_of_opening(entry_notional: float, taker_fee_rate: float) -> float:
    return entry_notional * taker_fee_rate


@position.gives("close_fee", is_quiet=True)
def reserve_is_fee(given_close_fee_reserve: float) -> float:
    return given_close_fee_reserve


@fee_on_value_and_margin.gives("close_fee", unless=("close_fee_reserve",))
def fee_of_value_and_margin(entry_notional: float, margin: float, taker_fee_rate: float) -> float:
    return (entry_notional + margin) * taker_fee_rate


@fee_on_entry.gives("close_fee", unless=("close_fee_reserve",))
def fee_at_entry(entry_notional: float, taker_fee_rate: float) -> float:
    return entry_notional * taker_fee_rate


@fee_at_worse.gives("close_fee", unless=("close_fee_reserve",))
def fee_at_worse_price(
    entry_notional: float, bankruptcy_value: float, taker_fee_rate: float
) -> float:
    return max(entry_notional, bankruptcy_value) * taker_fee_rate


@position.gives("close_fee", source="Bybit and Phemex help: fee of closing at the bankruptcy price")
def fee_at_bankruptcy(bankruptcy_value: float, taker_fee_rate: float) -> float:
    return bankruptcy_value * taker_fee_rate


@position.gives("close_fee_reserve")
def fee_is_reserve(close_fee: float) -> float:
    return close_fee


@position.gives("order_cost", source="Phemex help, order cost")
def cost_of_order(opening_margin: float, open_fee: float, close_fee: float) -> float:
    return opening_margin + open_fee + close_fee
