from __future__ import annotations

import hashlib
from fractions import Fraction
from statistics import mean, pstdev

from venues.reference import catalogue, world
from venues.reference.prices import PPB, Process, draw_path, draw_returns, round_to_ticks

PLAIN = Process(stream=9, anchor=10**12, digits=8, deviation=1_000_000, shared=500)


def test_same_seed_gives_the_same_prices_on_every_machine() -> None:
    path = draw_path(process=catalogue.ASSETS["BTC"], seed=6, value=10**15, first=1, count=500)

    digest = hashlib.sha256(repr(path).encode()).hexdigest()

    assert digest == "62e66909868282985db3314b6031a8d425bd55c205f1b651fa2b6b4c4383d9b9"


def test_a_path_continued_anywhere_is_the_path_drawn_at_once() -> None:
    whole = draw_path(process=PLAIN, seed=3, value=PLAIN.anchor, first=1, count=90)

    begun = draw_path(process=PLAIN, seed=3, value=PLAIN.anchor, first=1, count=37)
    continued = draw_path(process=PLAIN, seed=3, value=begun[-1], first=38, count=53)

    assert begun + continued == whole


def test_another_seed_gives_other_prices() -> None:
    paths = {draw_path(process=PLAIN, seed=s, value=10**12, first=1, count=5) for s in range(20)}

    assert len(paths) == 20


def test_returns_have_the_stated_deviation() -> None:
    moves = draw_returns(process=PLAIN, seed=1, first=1, count=20_000)

    assert abs(mean(moves)) < 0.02 * PLAIN.deviation
    assert abs(pstdev(moves) / PLAIN.deviation - 1) < 0.02


def test_jumps_come_as_often_and_as_large_as_stated() -> None:
    jumping = Process(
        stream=9, anchor=10**12, digits=8, deviation=0, jump_within=100, jump=40_000_000
    )

    jumps = [move for move in draw_returns(process=jumping, seed=1, first=1, count=50_000) if move]

    assert 400 < len(jumps) < 600
    assert all(12_000_000 <= abs(jump) <= 40_000_000 for jump in jumps)
    assert {jump > 0 for jump in jumps} == {True, False}


def test_assets_move_together_as_far_as_they_share_the_common_factor() -> None:
    one = Process(stream=11, anchor=1, digits=0, deviation=PPB, shared=900)
    other = Process(stream=12, anchor=1, digits=0, deviation=PPB, shared=800)

    pairs = zip(
        draw_returns(process=one, seed=1, first=1, count=20_000),
        draw_returns(process=other, seed=1, first=1, count=20_000),
        strict=True,
    )
    correlation = mean(x * y / PPB**2 for x, y in pairs)

    assert abs(correlation - 0.72) < 0.03


def test_a_long_run_stays_about_its_anchor() -> None:
    for name, process in catalogue.ASSETS.items():
        path = draw_path(process=process, seed=6, value=process.anchor, first=1, count=50_000)

        assert process.anchor / 3 < min(path) <= max(path) < process.anchor * 3, name


def test_ticks_are_whole_and_never_none() -> None:
    tick = Fraction(1, 100)

    assert round_to_ticks(price=Fraction("12.344"), tick=tick) == 1234
    assert round_to_ticks(price=Fraction("0.0001"), tick=tick) == 1


def test_the_index_of_a_contract_counts_its_coins_in_its_quote_currency() -> None:
    first = world.first_world()

    prices = world.quotes(world=first)

    assert prices["BTC/USD:BTC"].index == Fraction(97250)
    assert prices["BTC/USDT:USDT"].index == Fraction("97220.8")  # 97250 / 1.0003
    assert prices["1000PEPE/USDT:USDT"].index == Fraction("0.0110167")


def test_funding_follows_the_premium_within_its_limit() -> None:
    first = world.first_world()
    contract = catalogue.CONTRACTS["BTC/USD:BTC"]

    def rate(premium: int) -> int:
        moved = world.World(step=1, assets=first.assets, premiums={contract.symbol: premium})
        return world.quote(world=moved, contract=contract).funding_ppb

    assert rate(0) == catalogue.INTEREST_PPB
    assert rate(400_000) == catalogue.INTEREST_PPB + 100_000
    assert rate(-PPB) == -catalogue.MAX_FUNDING_PPB


def test_no_two_processes_share_a_random_stream() -> None:
    streams = [process.stream for process in catalogue.ASSETS.values()]
    streams += [contract.stream for contract in catalogue.CONTRACTS.values()]

    assert len(streams) == len(set(streams))
    assert 0 not in streams
