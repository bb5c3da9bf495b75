"""Loans: collateral units are the position, what is owed is taken off its value.

equity = C P - debt meets (1 - threshold) C P where C P threshold = debt: the engine's condition.
"""

from __future__ import annotations

from positions.calculator.derivations import Family
from positions.calculator.errors import NoFigureError
from positions.calculator.formulas.tables import Liabilities, sum_liabilities
from positions.engine.types import Side, Tier

lending = Family("lending", "Aave and Morpho: health factor = C x P x threshold / debt")
BINANCE = "Binance cross margin, tiers of liabilities"


@lending.gives("side")
def collateral_is_held_long() -> Side:
    return Side.LONG


@lending.gives("size")
def units_of_collateral(collateral_quantity: float) -> float:
    return collateral_quantity


@lending.gives("size", is_quiet=True, source="Morpho blue-sdk: collateral in units")
def collateral_is_units(given_collateral: float) -> float:
    if given_collateral <= 0:
        raise NoFigureError("none: no collateral")
    return given_collateral


@lending.gives("size", is_quiet=True)
def quantity_is_units(given_quantity: float) -> float:
    return given_quantity


@lending.gives("worth")
def worth_as_given(collateral_value: float) -> float:
    return collateral_value


@lending.gives("worth")
def worth_of_units(size: float, trigger_price: float) -> float:
    return size * trigger_price


@lending.gives("notional")
def worth_is_notional(worth: float) -> float:
    return worth


@lending.gives("threshold")
def threshold_as_given(liquidation_threshold: float) -> float:
    return liquidation_threshold


@lending.gives("threshold")
def lltv_is_threshold(lltv: float) -> float:
    return lltv


@lending.gives("threshold", source="Duke DeFi course on Maker: least ratio = 1 / threshold")
def threshold_of_ratio(collateral_ratio_min: float) -> float:
    return 1.0 / collateral_ratio_min


@lending.gives("table")
def rest_is_required(threshold: float) -> tuple[Tier, ...]:
    return (Tier(floor=0.0, rate=1.0 - threshold),)


@lending.gives("reference_price", is_quiet=True)
def price_is_reference(trigger_price: float) -> float:
    return trigger_price


@lending.gives("reference_price")
def any_price_is_reference() -> float:
    return 1.0


@lending.gives("held")
@lending.gives("unreserved")
def worth_less_debt(size: float, reference_price: float, debt: float) -> float:
    return size * reference_price - debt


@lending.gives("health_factor")
def health(worth: float, threshold: float, debt: float) -> float:
    return worth * threshold / _some(debt)


@lending.gives("collateral_ratio")
def worth_over_debt(worth: float, debt: float) -> float:
    return worth / _some(debt)


@lending.gives("ltv")
def debt_over_worth(debt: float, worth: float) -> float:
    if worth == 0:
        raise NoFigureError("none: no collateral")
    return debt / worth


@lending.gives("maintenance_margin", is_quiet=True, source=BINANCE)
def maintenance_of_slices(liabilities: Liabilities) -> float:
    return sum_liabilities(liabilities, is_printed=False)


@lending.gives("maintenance_margin_via_deduction", is_quiet=True, source=BINANCE)
def maintenance_of_deductions(liabilities: Liabilities) -> float:
    return sum_liabilities(liabilities, is_printed=True)


def _some(debt: float) -> float:
    if debt == 0:
        raise NoFigureError("none: no debt")
    return debt
