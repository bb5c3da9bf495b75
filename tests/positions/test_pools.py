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


def store_parts(account, *parts: tuple[str, PositionReading, Standing]) -> None:
    told = [
        replace(poll(account, held, standings=[of]).scopes[0], scope=scope)
        for scope, held, of in parts
    ]
    store(replace(outcome(account), scopes=tuple(told)))


def test_a_pool_that_spans_the_parts_of_an_account_is_measured_with_all_of_them():
    account = make_account()
    # A part is asked a moment after the other: its figures are not the same to the last digit.
    later = standing(is_shared=True, equity=Figure.reported("999"))

    store_parts(
        account,
        ("linear", cross(), standing(is_shared=True)),
        ("other", cross("SOL/USDT:USDT"), later),
    )

    # 99 left, as the worse of the two says, over 120,000 of value.
    assert {row.rank_distance for row in Position.objects.all()} == {99 / 120_000}


def test_parts_of_an_account_with_pools_of_their_own_are_apart():
    account = make_account()

    store_parts(
        account,
        ("subaccount:0", cross(), standing()),
        ("subaccount:1", cross("SOL/USDT:USDT"), standing()),
    )

    assert {row.rank_distance for row in Position.objects.all()} == {100 / 60_000}


@pytest.mark.parametrize("ratio", [Figure.unknown("bankrupt"), Figure.reported("-1.5")])
def test_an_account_that_has_lost_everything_is_critical_and_ranks_first(ratio):
    account = make_account()
    lost = standing(ratio=ratio, equity=Figure.reported("-300"))
    far = cross(liquidation_price=Figure.reported("30000"))

    store(poll(account, far, reading(), standings=[lost]))

    first, _ = live_positions(team=account.team, now=at(1))
    assert first.rank_distance == pytest.approx(-1_200 / 60_000)
    assert (first.margin_ratio, first.severity) == (None, "critical")
    assert first.provenance.reasons["margin_ratio"] == "bankrupt"


def test_a_lost_account_whose_requirement_is_not_told_ranks_first_too():
    account = make_account()
    bare = {"settle": "", "required": Figure.unknown("-"), "equity": Figure.reported("0")}
    lost = standing(ratio=Figure.unknown("bankrupt"), **bare)

    store(poll(account, cross(), standings=[lost]))

    assert Position.objects.get().rank_distance == -1.0


def test_a_ratio_of_0_beside_open_positions_is_no_ratio():
    account = make_account()
    empty = standing(ratio=Figure.derived(0), required=Figure.reported("0"))

    store(poll(account, cross(), standings=[empty]))

    held = Position.objects.get()
    assert held.margin_ratio is None
    assert "nothing is required" in held.provenance.reasons["margin_ratio"]


def test_a_bankrupt_row_without_a_liquidation_price_is_first_in_the_database_too():
    account = make_account()
    gone = reading(
        "SOL/USDT:USDT", mark_price=Figure.reported("50000"), liquidation_price=NO_LINE,
        maintenance_margin=Figure.unknown("-"),
    )  # fmt: skip

    store(poll(account, reading(), gone, standings=[]))

    first = live_positions(team=account.team, now=at(1))[0]
    assert first.market.symbol == "SOL/USDT:USDT"
