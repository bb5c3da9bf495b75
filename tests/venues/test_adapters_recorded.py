"""The real recordings that matter most, read as a person reads their rows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from positions.engine.types import MarginMode, Side, Source
from tests.paths import needs_recordings
from tests.venues.reading_checks import read_account
from tests.venues.replay import Replay
from venues import registry
from venues.base import PositionReading, ScopeReading
from venues.figures import Figure

registry.load()
pytestmark = needs_recordings

CROSS = "cross margin: the account's balance backs it"
NONE = "the venue gives none"


def read_scope(
    replay: Replay, venue: str, name: str, scope: str, **options: Any
) -> list[PositionReading]:
    base = replay.recorded_url(venue, name)
    found = read_account(venue, base, {"scopes": [scope], **options})[scope]
    # A recording holds one endpoint; symbolConfig and the like have no answer.
    replay.missed.clear()
    assert isinstance(found, ScopeReading), found
    assert found.refusals == ()
    return list(found.positions)


def says(figure: Figure, text: str) -> bool:
    return figure.source is Source.REPORTED and figure.text == text


def makes(figure: Figure, text: str) -> bool:
    return figure.source is Source.DERIVED and figure.value == Decimal(text)


def lacks(figure: Figure, reason: str) -> bool:
    return figure.source is Source.UNKNOWN and figure.reason == reason


def test_binance_v3_isolated_by_its_wallet(replay: Replay) -> None:
    [held] = read_scope(replay, "binance", "positions_linear_v3_isolated", "linear")

    assert held.identity == ("BTC/USDT:USDT", "net", "isolated")
    assert held.side is Side.LONG
    assert says(held.contracts, "0.009")
    assert says(held.entry_price, "67445.9")
    assert says(held.mark_price, "67502.68519858")
    assert says(held.collateral, "59.68693322")
    assert says(held.liquidation_price, "61030.63140000")
    assert says(held.unrealized_pnl, "0.51106678")
    assert says(held.notional, "607.52416678")
    assert says(held.maintenance_margin, "2.43009666")
    assert makes(held.maintenance_rate, "0.004")
    assert makes(held.maintenance_amount, "0")
    assert lacks(
        held.leverage, "the position row does not carry it and symbolConfig could not be read"
    )
    assert held.auto_add_margin is None
    assert says(held.adl_rank, "2")


def test_binance_v3_cross_is_not_taken_for_isolated(replay: Replay) -> None:
    [held] = read_scope(replay, "binance", "positions_linear_v3_cross", "linear")

    assert held.margin_mode is MarginMode.CROSS
    assert lacks(held.collateral, CROSS)
    assert says(held.liquidation_price, "64846.98753790")


def test_binance_v2_hedge_pair_is_two_positions(replay: Replay) -> None:
    long, short = read_scope(
        replay,
        "binance",
        "positions_linear_v2_isolated_hedge_pair",
        "linear",
        position_risk="v2",
    )

    assert (long.slot, long.side, short.slot, short.side) == ("long", "long", "short", "short")
    assert says(long.contracts, "20.000")
    assert says(short.contracts, "10.000")
    assert says(long.liquidation_price, "5930.78")
    assert says(short.liquidation_price, "7189.95")
    assert says(long.leverage, "10")
    assert long.auto_add_margin is False
    # 133590.1342356 lies in the second bracket: 0.5 % less 50.
    assert makes(long.maintenance_rate, "0.005")
    assert makes(long.maintenance_amount, "50")
    assert makes(long.maintenance_margin, "617.950671178")


def test_binance_hedge_side_without_position_is_left_out(replay: Replay) -> None:
    [held] = read_scope(replay, "binance", "positions_linear_v3_hedge_pair", "linear")

    assert held.identity == ("BTC/USDT:USDT", "long", "cross")


def test_binance_coin_margined_isolated(replay: Replay) -> None:
    [held] = read_scope(replay, "binance", "positions_inverse_isolated", "inverse")

    assert held.identity == ("BTC/USD:BTC", "net", "isolated")
    assert held.market.contract_size == 100
    assert says(held.contracts, "2")
    assert says(held.collateral, "0.00268058")
    assert says(held.liquidation_price, "25119.97445760")
    assert says(held.notional, "0.00524892")
    assert makes(held.maintenance_rate, "0.004")


def test_bybit_hedge_pair_of_a_cross_account(replay: Replay) -> None:
    long, short = read_scope(replay, "bybit", "positions_linear_hedge_pair", "linear:USDT")

    assert long.identity == ("BTC/USDT:USDT", "long", "cross")
    assert short.identity == ("BTC/USDT:USDT", "short", "cross")
    assert says(long.contracts, "0.5")
    assert says(short.contracts, "0.2")
    assert says(long.liquidation_price, "45000.00")
    assert says(short.liquidation_price, "61000.00")
    assert lacks(long.collateral, CROSS)
    assert long.auto_add_margin is True
    assert makes(short.notional, "10100")


def test_bybit_trade_mode_1_is_isolated(replay: Replay) -> None:
    [held] = read_scope(replay, "bybit", "positions_linear_isolated_trademode1", "linear:USDT")

    assert held.identity == ("ETH/USDT:USDT", "net", "isolated")
    assert says(held.collateral, "28.58931118")
    assert says(held.liquidation_price, "919.10")
    assert says(held.maintenance_margin, "0.6")
    assert says(held.leverage, "4.2")
    assert held.auto_add_margin is False
    assert makes(held.notional, "119.928")


def test_bybit_row_without_size_is_no_position(replay: Replay) -> None:
    held = read_scope(replay, "bybit", "positions_flat_size_zero", "linear:USDT")

    assert held == []


def test_bybit_empty_liquidation_price_is_none(replay: Replay) -> None:
    [held] = read_scope(replay, "bybit", "positions_inverse_liqprice_empty", "inverse")

    assert held.identity == ("BTC/USD:BTC", "net", "cross")
    assert held.side is Side.SHORT
    assert lacks(held.liquidation_price, NONE)


def test_okx_isolated_with_margin_in_another_coin(replay: Replay) -> None:
    [held] = read_scope(replay, "okx", "positions_linear_isolated_synthetic", "all")

    assert held.identity == ("BTC/USDT:USDT", "long", "isolated")
    assert says(held.contracts, "0.5")
    assert makes(held.notional, "50")
    assert says(held.liquidation_price, "9000")
    assert says(held.venue_margin_ratio, "0.01")
    assert lacks(held.collateral, "held in BTC, while the contract settles in USDT")


def test_okx_inverse_future_isolated(replay: Replay) -> None:
    [held] = read_scope(replay, "okx", "positions_inverse_future_isolated", "all")

    assert held.identity == ("ETH/USD:ETH-210430", "long", "isolated")
    assert held.market.contract_size == 10
    assert says(held.collateral, "0.0003896645377994")
    assert says(held.liquidation_price, "2352.8496681818233")
    assert says(held.maintenance_margin, "0.0000311811092368")
    assert lacks(held.mark_price, NONE)
    assert lacks(held.notional, NONE)
    assert says(held.venue_margin_ratio, "11.731726509588816")


def test_okx_hedge_pair_keeps_both_sides(replay: Replay) -> None:
    long, short = read_scope(replay, "okx", "positions_linear_hedge_pair", "all")

    assert (long.slot, short.slot) == ("long", "short")
    assert says(long.contracts, "1")
    assert says(short.contracts, "2")
    assert short.side is Side.SHORT


def test_hyperliquid_isolated_long_of_the_documentation(replay: Replay) -> None:
    [held] = read_scope(replay, "hyperliquid", "positions_isolated_eth_doc", "dex:main")

    assert held.identity == ("ETH/USDC:USDC", "net", "isolated")
    assert makes(held.collateral, "24.88097")
    assert makes(held.mark_price, "2213.9")
    assert makes(held.maintenance_rate, "0.01")
    assert says(held.liquidation_price, "2125.00856238")
    assert says(held.leverage, "20")
    assert held.auto_add_margin is False


def test_hyperliquid_isolated_short(replay: Replay) -> None:
    [held] = read_scope(replay, "hyperliquid", "positions_isolated_short_hype", "dex:main")

    assert held.side is Side.SHORT
    assert says(held.contracts, "4.0")
    assert says(held.unrealized_pnl, "-0.6071")
    # rawUsd 211.144417 less the cost 4 * 47.9932.
    assert makes(held.collateral, "19.171617")
    assert makes(held.mark_price, "48.145")


def test_hyperliquid_builders_exchange_settles_in_its_own_coin(replay: Replay) -> None:
    [held] = read_scope(replay, "hyperliquid", "positions_isolated_long_hip3", "dex:flx", dex="flx")

    assert held.identity == ("FLX-CRCL/USDH:USDH", "net", "isolated")
    assert makes(held.collateral, "3.478942")
    assert says(held.liquidation_price, "64.2010892308")


def test_hyperliquid_cross_position_may_have_no_price(replay: Replay) -> None:
    held = read_scope(replay, "hyperliquid", "positions_cross_12_recorded", "dex:main")

    assert len(held) == 12
    assert {position.margin_mode for position in held} == {MarginMode.CROSS}
    assert sum(position.liquidation_price.is_known for position in held) == 5


def test_bitget_hedge_pair_by_its_margin_size(replay: Replay) -> None:
    long, short = read_scope(
        replay, "bitget", "positions_linear_isolated_hedge_pair", "linear:USDT"
    )

    assert long.identity == ("BTC/USDT:USDT", "long", "isolated")
    assert short.identity == ("BTC/USDT:USDT", "short", "isolated")
    assert says(long.collateral, "9.6695050093373343")
    assert says(long.liquidation_price, "24144.1124161806977798")
    assert says(long.maintenance_rate, "0.004")
    assert says(short.contracts, "0.02")
    assert says(short.unrealized_pnl, "-2")
    assert lacks(long.maintenance_margin, "ccxt worked it out; the venue did not say it")


def test_gate_stand_in_for_no_price_does_not_survive(replay: Replay) -> None:
    [held] = read_scope(replay, "gate", "positions_cross_short_liq_99999999", "linear:USDT")

    assert lacks(held.liquidation_price, NONE)


def test_deribit_sizes_count_dollars(replay: Replay) -> None:
    [held] = read_scope(replay, "deribit", "positions_inverse_cross_long", "all")

    assert makes(held.contracts, "5")
    assert held.market.contract_size == 10


def test_whitebit_sides_come_from_the_sign(replay: Replay) -> None:
    [held] = read_scope(replay, "whitebit", "positions_perp_long", "all")

    assert held.side is Side.LONG
    assert held.contracts.is_known
