"""Cases of our own, worked by hand, one or more for each family of formulas."""

import pytest

from tests.calculator.build import ask

TIERS = [{"min": 0, "max": 1000, "mmr": 0.01}, {"min": 1000, "max": None, "mmr": 0.05}]
PLAIN = {"entry_price": 100, "quantity": 2, "leverage": 10, "maintenance_margin_rate": 0.01}
INVERSE = {"entry_price": 100, "contracts": 20, "contract_size": 10, "leverage": 4}
LOAN = {"collateral_quantity": 2, "mark_price": 100, "liquidation_threshold": 0.8, "debt": 100}
SNX = {
    "entry_price": 100,
    "quantity": 10,
    "collateral": 105,
    "open_fee": 5,
    "min_keeper_fee": 8,
    "liquidation_fee_ratio": 0.01,
    "liquidation_buffer_ratio": 0.002,
}
CURVE = {"collateral": 20, "open_notional": 100, "amm_quote_reserve": 1000, "amm_base_reserve": 100}
WORKED = {
    "mark basis": (
        ("binance", "linear", "long"),
        PLAIN,
        # 100 less 10, of which 0.99 stays
        {"liquidation_price": 90 / 0.99, "bankruptcy_price": 90, "maintenance_margin": 2},
    ),
    "mark basis with fee": (
        ("gate", "linear", "short"),
        {**PLAIN, "taker_fee_rate": 0.002},
        {"liquidation_price": 110 / 1.012, "open_fee": 0.4, "close_fee": 0.44},
    ),
    "entry basis, at the mark": (
        ("toobit", "linear", "long"),
        {**PLAIN, "mark_price": 91},
        # equity 20 - 18 against 2 at entry: met, and meeting it is enough
        {"equity": 2, "maintenance_margin": 2, "liquidatable": True, "state": "breached"},
    ),
    "entry basis, strict": (
        ("flipster", "linear", "long"),
        {**PLAIN, "mark_price": 91},
        {"liquidatable": False, "maintenance_safe": True, "state": "open"},
    ),
    "bankrupt": (
        ("flipster", "linear", "long"),
        {**PLAIN, "mark_price": 85},
        {"equity": -10, "liquidatable": True, "state": "bankrupt", "margin_ratio": None},
    ),
    "inverse, entry basis": (
        ("bybit", "inverse", "short"),
        {**INVERSE, "maintenance_margin_rate": 0.01},
        # 2 at entry less margin 0.5, more 0.02 to keep: 200 / 1.52
        {"liquidation_price": 200 / 1.52, "bankruptcy_price": 200 / 1.5, "bankruptcy_value": 1.5},
    ),
    "inverse, mark basis, in words of a payload": (
        ("binance", "inverse", "long"),
        {**INVERSE, "maintenance_margin_rate": 0.01, "mark_price": 80},
        {"liquidation_price": 202 / 2.5, "unrealized_pnl": -0.5, "notional": 2.5, "equity": 0},
    ),
    "quanto": (
        ("bitmex", "quanto", "long"),
        {"entry_price": 50, "mark_price": 60, "contracts": 100, "multiplier": 0.001},
        {"unrealized_pnl": 1, "entry_notional": 5, "notional": 6},
    ),
    "a short without credit of an inverse contract": (
        ("mcs", "inverse", "short"),
        {"entry_price": 100, "leverage": 1},
        {"bankruptcy_price": None},
    ),
    "a long without credit": (
        ("bybit", "linear", "long"),
        {"entry_price": 100, "leverage": 1},
        {"bankruptcy_price": 0, "bankruptcy_value": None},
    ),
    "next funding and reserve": (
        ("kucoin", "linear", "long"),
        {**PLAIN, "next_funding_rate": 0.001, "taker_fee_rate": 0.001, "extra_margin": 2},
        # margin 22, required 2.2, reserve (200 + 22) x 0.001
        {
            "liquidation_price": 100 - 19.8 / 2,
            "close_fee_reserve": 0.222,
            "position_margin": 22.222,
            "maintenance_margin": 2.422,
        },
    ),
    "reserve in the margin": (
        ("phemex", "linear", "long"),
        {**PLAIN, "taker_fee_rate": 0.001},
        # 180 at bankruptcy
        {
            "close_fee": 0.18,
            "position_margin_incl_close_fee": 20.18,
            "order_cost": 20.38,
            "liquidation_price": (100 - 10.09) / 0.989,
            "bankruptcy_price": 90,
        },
    ),
    "bankruptcy with fee": (
        ("standx", "linear", "short"),
        {**PLAIN, "taker_fee_rate": 0.1, "mark_price": 105},
        {"bankruptcy_price": 110 / 1.1, "liquidation_price": 110 / 1.01},
    ),
    "a payload with the fee inside": (
        ("bybit", "linear", "short"),
        {**PLAIN, "taker_fee_rate": 0.001, "mark_price": 100},
        {"initial_margin": 20.22, "maintenance_margin": 2.22, "close_fee": 0.22},
    ),
    "a reserve at the worse price": (
        ("delta", "linear", "long"),
        {**PLAIN, "taker_fee_rate": 0.001},
        {"close_fee": 0.2},
    ),
    "tiers by notional": (
        ("binance", "linear", "n/a"),
        {"notional": 3000, "tiers": TIERS},
        # 10 + 2000 x 5 %
        {"maintenance_margin": 110, "maintenance_amount": 40, "maintenance_margin_rate": 0.05},
    ),
    "a flat table jumps": (
        ("injective", "linear", "short"),
        {"entry_price": 95, "quantity": 10, "collateral": 90, "tiers": TIERS, "mark_price": 95},
        {"liquidation_price": 100, "maintenance_margin": 9.5},
    ),
    "tiers by their number": (
        ("binance", "linear", "n/a"),
        {"tiers": TIERS, "tier_index": 2},
        {"maintenance_amount": 40, "maintenance_margin_rate": 0.05},
    ),
    "loans in slices": (
        ("binance", "lending", "n/a"),
        {"liabilities": [{"usdt": 3000, "tiers": TIERS, "maintenance_amount": 40}]},
        {"maintenance_margin": 110, "maintenance_margin_via_deduction": 110},
    ),
    "a loan": (
        ("aave", "lending", "long"),
        LOAN,
        {"health_factor": 1.6, "ltv": 0.5, "collateral_ratio": 2, "liquidation_price": 62.5},
    ),
    "a loan at its limit": (
        ("makerdao", "lending", "n/a"),
        {"collateral_quantity": 5, "mark_price": 150, "debt": 500, "collateral_ratio_min": 1.5},
        {"liquidation_price": 150, "liquidatable": False, "bankruptcy_price": 100},
    ),
    "no loan": (
        ("morpho", "lending", "long"),
        {"collateral": 3, "price": 10, "lltv": 0.5, "debt": 0},
        {"health_factor": None, "liquidation_price": None, "ltv": 0},
    ),
    "cash instead of margin": (
        ("dydx", "linear", "short"),
        {
            "quantity": 2,
            "oracle_price": 100,
            "quote_balance": 215,
            "maintenance_margin_rate": 0.1,
            "bankruptcy_adjustment": 1,
            "spread_to_maintenance_margin_ratio": 0.5,
            "close_quantity": 1,
        },
        # equity 15 against 20: a quarter of the way to bankrupt, half of 20 as spread
        {
            "liquidatable": True,
            "liquidation_price": 215 / 2.2,
            "bankruptcy_quote": -107.5,
            "fillable_price": 101.25,
            "unrealized_pnl": None,
        },
    ),
    "quantums are rounded up": (
        ("dydx", "linear", "long"),
        {"quantity": 1, "quote_balance": -10, "close_quantums": 1, "position_quantums": 3},
        {"bankruptcy_quote_quantums": 3333334},
    ),
    "cash with funding and a keeper": (
        ("mcdex", "linear", "long"),
        {
            "cash": -70,
            "quantity": 1,
            "mark_price": 100,
            "unit_accumulative_funding": 10,
            "maintenance_margin_rate": 0.1,
            "keeper_gas_reward": 10,
        },
        # equity 20 against 10 + 10, which is still safe
        {"available_cash": -80, "equity": 20, "maintenance_safe": True, "liquidation_price": 100},
    ),
    "cash of a position": (
        ("hyperliquid", "linear", "long"),
        {"entry_price": 100, "quantity": 2, "raw_usd": -180, "max_leverage": 25, "mark_price": 95},
        {"liquidation_price": 90 / 0.98, "margin_used": 10, "maintenance_margin_rate": 0.02},
    ),
    "a minimum and a buffer": (
        ("synthetix", "linear", "long"),
        SNX,
        # max(8, 10) + 2 of 100
        {"liquidation_price": 91.2, "maintenance_margin": 12},
    ),
    "the minimum itself, funding shifts": (
        ("synthetix", "linear", "short"),
        {**SNX, "min_keeper_fee": 18, "funding_shift_per_unit": 1},
        {"liquidation_price": 109, "maintenance_margin": 20},
    ),
    "fees against the greatest leverage": (
        ("gmx", "linear", "short"),
        {
            "entry_price": 100,
            "notional_usd": 1000,
            "collateral": 100,
            "margin_fee_rate": 0.001,
            "liquidation_fee": 5,
            "accrued_funding": -24,
            "max_leverage": 50,
            "mark_price": 95,
        },
        # fees of 1 + 24 + 5 against 20
        {"liquidation_price": 107, "unrealized_pnl": 50, "liquidatable": False},
    ),
    "an adjust factor": (
        ("htx", "linear", "long"),
        {
            "cost_hold": 100,
            "quantity": 10,
            "leverage": 10,
            "collateral": 110,
            "margin_frozen_orders": 20,
            "adjust_factor": 0.5,
            "mark_price": 100,
        },
        # 110 / (100 + 20) - 0.5; 10 P - 890 = 0.5 P + 10
        {
            "venue_margin_ratio": 110 / 120 - 0.5,
            "position_margin": 100,
            "liquidation_price": 900 / 9.5,
        },
    ),
    "a rate that grows": (
        ("orderly", "linear", "long"),
        {"quantity": 1, "mark_price": 32, "base_mmr": 0.01, "base_imr": 0.02, "imr_factor": 0.004},
        # 32 ** 0.8 = 16
        {"maintenance_margin_rate": 0.032, "maintenance_margin": 1.024},
    ),
    "interest": (
        ("alph-trade", "linear", "short"),
        {
            "entry_price": 100,
            "collateral": 10,
            "leverage": 5,
            "mark_price": 90,
            "borrow_rate_hourly": 0.001,
            "hours": 20,
        },
        {"equity": 14, "liquidation_price": 118},
    ),
    "a curve": (
        ("perp-v1", "linear", "long"),
        {**CURVE, "quantity": 25, "accrued_funding": -2},
        # 1000 - 100000 / 125 = 200
        {"notional": 200, "unrealized_pnl": 100, "venue_margin_ratio": 118 / 200},
    ),
    "a curve, the milder of two": (
        ("perp-v1", "linear", "short"),
        {**CURVE, "quantity": 20, "unrealized_pnl_twap": -50},
        # spot 250 - 100 lost
        {"notional": 150, "unrealized_pnl": -50, "venue_margin_ratio": -0.2},
    ),
    "an amount of maintenance": (
        ("twilight", "inverse", "long"),
        {"entry_price": 100, "leverage": 4, "initial_margin": 5, "maintenance_margin": 1},
        {"position_size": 2000, "bankruptcy_value": 25, "liquidation_price": 2000 / 24},
    ),
    "one balance pays the fee": (
        ("bybit", "inverse", "long"),
        {
            "entry_price": 100,
            "contracts": 200,
            "contract_size": 1,
            "collateral": 0.5,
            "maintenance_margin_rate": 0.01,
            "taker_fee_rate": 0.01,
            "mode": "cross",
        },
        # 200 x 1.01 / 2.5; then 2.5 - 0.02 - 0.01 x 200 / 80.8
        {"bankruptcy_price": 80.8, "liquidation_price": 200 / (2.48 - 2 / 80.8)},
    ),
    "a bot's buffer": (
        ("binance", "linear", "long"),
        {**PLAIN, "liquidation_buffer": 0.1, "maintenance_margin_rate": 0},
        {"liquidation_price": 90, "buffered_liquidation_price": 91},
    ),
    "a buffer above no price": (
        ("binance", "linear", "long"),
        {
            "entry_price": 100,
            "quantity": 1,
            "collateral": 110,
            "maintenance_margin_rate": 0.5,
            "maintenance_amount": 5,
            "liquidation_buffer": 0.5,
        },
        # -15 / 0.5 = -30, and half of the way back to 100
        {"liquidation_price": None, "buffered_liquidation_price": 35},
    ),
    "on the tick, against the owner": (
        ("bybit", "linear", "long"),
        {**PLAIN, "tick_size": 0.4},
        {"liquidation_price": 91, "liquidation_price_tick": 91.2},
    ),
    "a tick beyond": (
        ("okx", "linear", "short"),
        {**PLAIN, "taker_fee_rate": 0, "maintenance_margin_rate": 0.1, "tick_size": 0.5},
        {"liquidation_price": 100, "liquidation_price_tick": 99.5},
    ),
    "beyond the venue's cap": (
        ("kucoin", "inverse", "short"),
        {
            **INVERSE,
            "leverage": 1,
            "maintenance_margin_rate": 1e-5,
            "next_funding_rate": 0,
            "taker_fee_rate": 0,
        },
        {"liquidation_price": None},
    ),
}


@pytest.mark.parametrize("name", WORKED)
def test_a_worked_case_is_answered(name):
    place, inputs, expected = WORKED[name]

    answer = ask(*place, **inputs)

    found = {figure: answer[figure] for figure in expected}
    assert {f: v for f, v in found.items() if not _is_near(v, expected[f])} == {}
    assert all(figure in answer["reasons"] for figure in found if found[figure] is None)


def test_a_price_needs_no_size_but_amounts_do():
    answer = ask("bybit", entry_price=100, leverage=10, maintenance_margin_rate=0.01)

    assert answer["liquidation_price"] == pytest.approx(91)
    assert answer["maintenance_margin"] is None
    assert answer["reasons"]["maintenance_margin"] == "unknown: missing quantity"


def test_an_amount_without_a_size_gives_no_price():
    answer = ask("bybit", entry_price=100, collateral=10, maintenance_margin_rate=0.01)

    assert answer["liquidation_price"] is None
    assert "quantity" in answer["reasons"]["liquidation_price"]


def _is_near(found, expected):
    if expected is None or isinstance(expected, bool | str):
        return found is expected or found == expected
    return found == pytest.approx(expected, rel=1e-12, abs=1e-12)
