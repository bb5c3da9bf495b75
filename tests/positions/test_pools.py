from dataclasses import replace

import pytest

from positions import ingest, pricing
from positions.engine.types import MarginMode
from positions.models import Position
from positions.selectors import live_positions
from tests.factories import make_account
from tests.positions.readings import at, outcome, prices, reading
from venues.base import AccountOutcome, PositionReading, Standing
from venues.figures import Figure

pytestmark = pytest.mark.django_db

NO_LINE = Figure.unknown("the venue gives none")


def cross(symbol: str = "ETH/USDT:USDT", **columns: object) -> PositionReading:
    values = {
        "margin_mode": MarginMode.CROSS,
        "collateral": Figure.unknown("cross"),
        "liquidation_price": NO_LINE,
    }
    return reading(symbol, **{**values, **columns})


def standing(**columns: object) -> Standing:
    values = {
        "margin_mode": MarginMode.CROSS,
        "settle": "USDT",
        "ratio": Figure.derived("0.9"),
        "equity": Figure.reported("1000"),
        "required": Figure.reported("900"),
    }
    return Standing(**{**values, **columns})


def poll(account, *readings, standings, seconds=0.0) -> AccountOutcome:
    told = outcome(account, *readings, seconds=seconds)
    scopes = (replace(told.scopes[0], standings=tuple(standings)),)
    return replace(told, scopes=scopes)


def store(told: AccountOutcome, *, cycle: int = 1) -> None:
    seconds = (told.received_at - at(0)).total_seconds()
    ingest.ingest_outcomes(outcomes=[told], cycle=cycle, now=at(seconds))


def test_a_cross_row_has_the_ratio_of_its_account():
    account = make_account()

    store(poll(account, cross(), standings=[standing()]))

    held = Position.objects.get()
    assert held.margin_ratio == 0.9
    assert held.provenance.sources["margin_ratio"] == "derived"
    assert held.severity == "critical"
    assert held.engine_liquidation_price is None


def test_a_cross_row_is_ranked_by_the_smallest_move_that_ends_its_account():
    account = make_account()

    # 100 left over 60,000 of value: 0.17 %, nearer than the isolated row's 9.5 %.
    store(poll(account, reading(), cross(), standings=[standing()]))

    first, second = live_positions(team=account.team, now=at(1))
    assert first.market.symbol == "ETH/USDT:USDT"
    assert first.rank_distance == pytest.approx(100 / 60_000)
    assert second.rank_distance == second.liquidation_distance


def test_a_safe_account_comes_after_a_near_isolated_row():
    account = make_account()
    safe = standing(ratio=Figure.derived("0.05"), equity=Figure.reported("18000"))

    store(poll(account, cross(), reading(), standings=[safe]))

    symbols = [row.market.symbol for row in live_positions(team=account.team, now=at(1))]
    assert symbols == ["BTC/USDT:USDT", "ETH/USDT:USDT"]


def test_without_equity_the_rows_own_maintenance_stands_in():
    account = make_account()
    bare = standing(
        ratio=Figure.reported("0.5"), equity=Figure.unknown("-"), required=Figure.unknown("-")
    )

    # Maintenance 300 at ratio 0.5: equity 600, so 300 are left over 60,000.
    store(poll(account, cross(), standings=[bare]))

    assert Position.objects.get().rank_distance == pytest.approx(0.005)


def test_all_rows_of_a_pool_share_one_rank():
    account = make_account()

    store(
        poll(account, cross(), cross("SOL/USDT:USDT", side=reading().side), standings=[standing()])
    )

    assert {row.rank_distance for row in Position.objects.all()} == {100 / 120_000}


def test_an_account_that_says_nothing_leaves_the_ratio_unknown_with_a_reason():
    account = make_account()

    store(poll(account, cross(liquidation_price=Figure.reported("30000")), standings=[]))

    held = Position.objects.get()
    assert held.margin_ratio is None
    assert "no ratio of the account" in held.provenance.reasons["margin_ratio"]
    assert held.rank_distance == held.liquidation_distance == 0.5


def test_a_pool_of_another_coin_or_mode_is_not_taken():
    account = make_account()
    others = [standing(settle="BTC"), standing(margin_mode=MarginMode.PORTFOLIO)]

    store(poll(account, cross(), standings=others))

    assert Position.objects.get().margin_ratio is None


def test_a_price_between_polls_keeps_what_the_account_said():
    account = make_account()
    store(poll(account, cross(), standings=[standing()]))

    pricing.ingest_prices(outcome=prices(account, seconds=1, ETH="50000"), now=at(1))

    held = Position.objects.get()
    assert held.mark_price == 50_000
    assert held.margin_ratio == 0.9
    assert held.rank_distance == pytest.approx(100 / 60_000)


def test_a_ratio_beyond_1_ranks_before_everything_alive():
    account = make_account()
    lost = standing(ratio=Figure.derived("1.2"), equity=Figure.reported("750"))

    store(poll(account, cross(), standings=[lost]))

    assert Position.objects.get().rank_distance == pytest.approx(-150 / 60_000)
