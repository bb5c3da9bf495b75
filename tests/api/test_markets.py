"""Markets over REST, and the rules that a position's figures name."""

import pytest

from tests.api.test_schema import assert_described
from tests.factories import (
    NOW,
    make_account,
    make_announced,
    make_market,
    make_market_change,
    make_position,
    make_reading,
)
from venues.models import Tier, TierTable

pytestmark = pytest.mark.django_db


@pytest.fixture
def position(team):
    return make_position(make_account(team), tier_version=1)


@pytest.fixture
def document():
    from positions.api import schema

    return schema.document()


def test_a_market_shows_its_tables_changes_and_what_is_announced(api, position):
    market = position.market
    make_market_change(market)
    make_announced(market, note="blog of 20 Nov")

    status, shown = api.get(f"markets/{market.pk}")

    assert status == 200
    [table], [change], [announced] = shown["tables"], shown["changes"], shown["announced"]
    assert table["tiers"] == [{"floor": "0", "rate": "0.005", "amount": "0", "max_leverage": None}]
    assert change["before"] == {"max_leverage": "125"}
    assert announced["change"] == {"tiers": [["0", "0.01", "0", None]]}
    assert announced["note"] == "blog of 20 Nov"
    assert (shown["tier_version"], shown["open_positions"]) == (1, 1)


def test_only_markets_of_the_team_are_listed(api, position):
    make_position(make_account(), symbol="ETH/USDT:USDT")
    make_market("SOL/USDT:USDT")

    assert [row["symbol"] for row in api.results("markets")] == ["BTC/USDT:USDT"]


def test_positions_of_other_teams_are_not_counted(api, position):
    make_position(make_account())

    assert [row["open_positions"] for row in api.results("markets")] == [1]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?venue=binance", 1),
        ("?venue=okx", 0),
        ("?asset=BTC", 1),
        ("?kind=inverse", 0),
        ("?is_active=true", 1),
        ("?delists_before=2026-12-01T00:00:00Z", 0),
    ],
)
def test_markets_are_narrowed(api, position, query, found):
    assert len(api.results(f"markets{query}")) == found


def test_a_position_names_the_table_behind_its_figures(api, position):
    status, shown = api.get(f"positions/{position.pk}")

    assert status == 200
    assert shown["rules"]["market"] == str(position.market_id)
    assert shown["rules"]["tier_version"] == 1
    assert shown["rules"]["tier_source"] == "venue"
    assert shown["rules"]["tier_effective_at"] == "2026-11-22T15:00:00.000Z"


def test_a_position_keeps_the_version_of_its_figures_when_a_newer_table_is_there(api, position):
    table = TierTable.objects.create(
        market=position.market, version=2, digest="2", effective_at=NOW, received_at=NOW
    )
    Tier.objects.create(table=table, floor=0.0, rate=0.01)

    _, shown = api.get(f"positions/{position.pk}")

    assert shown["rules"]["tier_version"] == 1


def test_history_names_the_version_of_each_reading(api, position):
    make_reading(position, tier_version=3)

    assert [row["tier_version"] for row in api.results(f"positions/{position.pk}/history")] == [3]


@pytest.mark.parametrize("path", ["/api/v1/markets", "/api/v1/markets/{market_id}"])
def test_answers_are_what_the_schema_says(api, document, position, path):
    make_market_change(position.market)
    make_announced(position.market)
    bare = make_market("ODD", is_known=False, kind="", asset="", quote="", settle="")
    make_position(position.account, market=bare)

    answer = api.client.get(path.format(market_id=bare.pk))

    assert answer.status_code == 200
    assert_described(document, path, answer)


def test_the_list_asks_few_queries(api, team, django_assert_max_num_queries):
    account = make_account(team)
    for number in range(20):
        make_position(account, symbol=f"C{number}/USDT:USDT")

    with django_assert_max_num_queries(12):
        assert len(api.results("markets")) == 20
