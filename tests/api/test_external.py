import re
from datetime import timedelta

import pytest

from positions.external import position_document, position_queryset, reading_document
from positions.fields import POSITION_FIELDS, SOURCED, FieldKind
from tests import factories
from tests.factories import NOW, make_position, make_position_unknown, make_reading, make_team

pytestmark = pytest.mark.django_db

NAMES = [field.name for field in POSITION_FIELDS]
PLAIN = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


def document_of(position):
    return position_document(position_queryset(team=position.team).get(pk=position.pk))


def test_a_document_has_the_fields_in_their_order_then_sources_and_reasons():
    position = make_position()

    document = document_of(position)

    assert list(document) == [*NAMES, "sources", "reasons"]


def test_names_are_those_of_the_specification():
    specified = (
        "id life venue account symbol asset kind side margin_mode state contracts contract_size "
        "quantity entry_price mark_price index_price notional notional_usd collateral max_loss "
        "leverage unrealized_pnl maintenance_margin margin_ratio venue_margin_ratio "
        "liquidation_price venue_liquidation_price engine_liquidation_price bankruptcy_price "
        "liquidation_distance distance_sigmas probability_1h probability_4h probability_24h "
        "probability_7d funding_rate next_funding_at auto_add_margin adl_rank severity as_of"
    )

    assert specified.split() == NAMES


def test_every_number_is_a_plain_decimal_string_or_null():
    position = make_position(collateral=1e-9, contracts=1e22)

    document = document_of(position)

    for field in POSITION_FIELDS:
        value = document[field.name]
        if field.kind is FieldKind.NUMBER and value is not None:
            assert PLAIN.fullmatch(value), (field.name, value)


def test_a_reported_figure_keeps_the_characters_the_venue_printed():
    position = make_position(
        entry_price=60_000.0, collateral=3000.0, printed={"entry_price": "60000.000"}
    )

    document = document_of(position)

    assert document["entry_price"] == "60000.000"
    assert document["sources"]["entry_price"] == "reported"


def test_printed_characters_of_a_price_that_moved_since_are_not_shown():
    position = make_position(mark_price=62_000.5, printed={"mark_price": "62000.00"})

    document = document_of(position)

    assert document["mark_price"] == "62000.5"


def test_characters_of_a_figure_that_is_not_the_venues_word_are_not_shown():
    position = make_position(printed={"margin_ratio": "0.038750"})

    document = document_of(position)

    assert document["margin_ratio"] == "0.03875"
    assert document["sources"]["margin_ratio"] == "derived"


@pytest.mark.parametrize(
    ("printed", "value", "shown"),
    [("1E-7", 1e-7, "0.0000001"), ("+5", 5.0, "5"), ("-0.50", -0.5, "-0.50"), (".5", 0.5, "0.5")],
)
def test_an_unusual_spelling_becomes_a_plain_decimal(printed, value, shown):
    position = make_position(funding_rate=value, printed={"funding_rate": printed})

    document = document_of(position)

    assert document["funding_rate"] == shown


def test_a_derived_figure_reads_back_as_the_same_float():
    position = make_position(collateral=1234.567)

    document = document_of(position)

    assert float(document["liquidation_price"]) == position.liquidation_price
    assert float(document["liquidation_distance"]) == position.liquidation_distance


def test_unknown_is_null_with_source_unknown_and_a_reason_in_every_field():
    position = make_position_unknown()

    document = document_of(position)

    nulls = {name for name in NAMES if document[name] is None}
    assert set(SOURCED) <= nulls
    assert {"kind", "asset", "margin_mode"} <= nulls
    assert set(document["reasons"]) == nulls
    assert all(document["reasons"].values())
    assert {name for name, source in document["sources"].items() if source == "unknown"} == nulls


def test_a_null_figure_without_a_recorded_reason_still_says_that_it_is_not_known():
    provenance = factories.make_provenance(sources={"margin_ratio": "reported"})
    position = make_position(margin_ratio=None, provenance=provenance)

    document = document_of(position)

    assert document["margin_ratio"] is None
    assert document["sources"]["margin_ratio"] == "unknown"
    assert document["reasons"]["margin_ratio"] == "not known"


def test_the_recorded_reason_is_shown():
    provenance = factories.make_provenance(reasons={"margin_ratio": "bankrupt"})
    position = make_position(margin_ratio=None, provenance=provenance)

    document = document_of(position)

    assert document["reasons"]["margin_ratio"] == "bankrupt"


def test_a_nan_or_infinite_column_is_null():
    position = make_position()
    position.margin_ratio = float("inf")

    document = position_document(position)

    assert document["margin_ratio"] is None
    assert document["reasons"]["margin_ratio"]


def test_instants_are_utc_with_z_ids_are_text_and_flags_booleans():
    position = make_position(received_at=NOW + timedelta(milliseconds=250), auto_add_margin=True)

    document = document_of(position)

    assert document["as_of"] == "2026-11-22T15:00:00.250Z"
    assert document["id"] == str(position.pk)
    assert document["life"] == str(position.life_id)
    assert document["auto_add_margin"] is True


def test_sources_speak_of_every_figure():
    position = make_position()

    document = document_of(position)

    assert set(SOURCED) <= set(document["sources"])


def test_many_positions_take_one_query(django_assert_num_queries):
    team = make_team()
    account = factories.make_account(team)
    for symbol in ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT"):
        make_position(account, symbol=symbol)

    with django_assert_num_queries(1):
        documents = [position_document(row) for row in position_queryset(team=team)]

    assert len(documents) == 3


def test_positions_come_nearest_liquidation_first_and_unknown_last():
    account = factories.make_account()
    far = make_position(account, symbol="BTC/USDT:USDT", liquidation_distance=0.5)
    unknown = make_position_unknown(account)
    near = make_position(account, symbol="ETH/USDT:USDT", liquidation_distance=-0.01)

    rows = list(position_queryset(team=account.team))

    assert rows == [near, far, unknown]


def test_positions_that_ended_and_other_teams_are_left_out():
    account = factories.make_account()
    live = make_position(account, symbol="BTC/USDT:USDT")
    ended = make_position(account, symbol="ETH/USDT:USDT", state="liquidated")
    make_position()

    live_only = set(position_queryset(team=account.team))
    everything = set(position_queryset(team=account.team, is_ended_included=True))

    assert live_only == {live}
    assert everything == {live, ended}


def test_a_reading_shows_its_figures_with_sources_and_reasons():
    position = make_position()
    provenance = factories.make_provenance(
        sources={"collateral": "reported"}, reasons={"liquidation_price": "no tiers"}
    )
    reading = make_reading(position, liquidation_price=None, provenance=provenance)

    document = reading_document(reading)

    assert document["collateral"] == "3000"
    assert document["sources"]["collateral"] == "reported"
    assert document["sources"]["mark_price"] == "derived"
    assert document["reasons"] == {"liquidation_price": "no tiers"}
