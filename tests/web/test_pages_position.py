"""The page of one position."""

import json
import re
from datetime import timedelta

import pytest

from positions import selectors, services
from positions.alerts.models import Incident
from positions.fields import POSITION_FIELDS
from positions.models import Event, Position
from positions.pages.words import words_of
from riskhub.teams.models import AuditEntry
from tests import factories
from tests.factories import NOW, make_account, make_position
from tests.web.pages import browser, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]


def page_of(position, query=""):
    return browser(position.team).get(f"/positions/{position.pk}/{query}")


def test_the_headline_says_how_far_and_whose_number_it_is(bybit):
    position = make_position(bybit, liquidation_distance=0.0312, severity="critical")

    words = text_of(page_of(position))

    assert "BTC long, 3.1 % from liquidation" in words
    assert "Liquidation at 54,271 , our number; mark 62,000 . Last read 0 s ago." in words


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("liquidated", "BTC long was liquidated"),
        ("closed", "BTC long was closed"),
        ("deleveraged", "BTC long was auto-deleveraged"),
        ("settled", "BTC long was settled"),
        ("gone", "BTC long is gone, unexplained"),
    ],
)
def test_an_end_is_told_in_words(bybit, state, sentence):
    assert sentence in text_of(page_of(make_position(bybit, state=state)))


def test_every_field_stands_on_the_page_with_source_and_times(bybit):
    position = make_position(bybit)

    body = page_of(position).content.decode()

    table = re.search(r"Every figure of this position.*?</table>", body, flags=re.DOTALL)[0]
    for field in POSITION_FIELDS:
        assert f">{words_of(field).label} <small>" in table
    row = re.search(r"<th[^>]*>Entry price .*?</tr>", table, flags=re.DOTALL)[0]
    assert "60,000" in row
    assert 'figure-unit">USDT<' in row
    assert ">reported" in row
    assert "The venue&#x27;s time: 2026-11-22 14:59:59 UTC" in row
    assert "Received: 2026-11-22 15:00:00 UTC" in row
    assert "Stored: 2026-11-22 15:00:00 UTC" in row


def test_every_missing_figure_says_why(team):
    position = factories.make_position_unknown(team=team)

    words = text_of(page_of(position))

    assert "its distance from liquidation is not known" in words
    assert "No liquidation price: the venue gives none." in words
    assert words.count("unknown: the venue gives none") >= 25


def test_a_figure_moved_by_a_price_has_the_time_of_the_price(bybit):
    position = make_position(bybit, price_received_at=NOW + timedelta(seconds=2))

    body = page_of(position).content.decode()

    rows = {
        name: re.search(rf"<th[^>]*>{name} <small>.*?</tr>", body, flags=re.DOTALL)[0]
        for name in ("Margin ratio", "Collateral")
    }
    assert "Received: 2026-11-22 15:00:02 UTC" in rows["Margin ratio"]
    assert "Received: 2026-11-22 15:00:00 UTC" in rows["Collateral"]


@pytest.mark.parametrize(
    ("symbol", "columns", "second"),
    [("BTC/USDT:USDT", {}, "00"), ("BTC/USD:BTC", {"contract_size": 100.0}, "02")],
)
def test_a_size_has_the_time_of_the_price_only_where_the_price_moves_it(
    bybit, symbol, columns, second
):
    position = make_position(
        bybit, symbol=symbol, price_received_at=NOW + timedelta(seconds=2), **columns
    )

    body = page_of(position).content.decode()

    row = re.search(r"<th[^>]*>Size <small>.*?</tr>", body, flags=re.DOTALL)[0]
    assert f"Received: 2026-11-22 15:00:{second} UTC" in row


def test_the_gap_between_the_two_numbers_is_explained_by_the_tick_or_not(bybit):
    market = factories.make_market("SOL/USDT:USDT", venue="bybit", tick_size=0.05)
    position = make_position(
        bybit,
        market=market,
        venue_liquidation_price=200.0,
        engine_liquidation_price=200.15,
    )

    words = text_of(page_of(position))

    assert "Gap 7.5 bp" in words
    assert "explained by one tick of 0.050000 2.5 bp" in words
    assert "unexplained 5.0 bp" in words


def test_why_we_computed_no_number_is_said(bybit):
    position = make_position(bybit, engine_liquidation_price=None)
    reasons = {"engine_liquidation_price": "cross margin: the balance backs it"}
    position.provenance = factories.make_provenance(sources={}, reasons=reasons)
    position.save()

    words = text_of(page_of(position))

    assert "We compute — cross margin: the balance backs it" in words
    assert "Gap" not in words


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"auto_add_margin": False}, "Auto-add margin off"),
        ({"auto_add_margin": True}, "not contained Margin ratio"),
        ({"auto_add_margin": None}, "containment unknown Margin ratio"),
        ({"margin_mode": "cross"}, "Auto-add margin cross"),
    ],
)
def test_whether_the_compartment_holds_is_said(bybit, columns, words):
    assert words in text_of(page_of(make_position(bybit, **columns)))


@pytest.mark.parametrize(("query", "points"), [("?range=1+h", 2), ("", 3), ("?range=7+d", 4)])
def test_the_chart_shows_the_readings_of_the_chosen_time(bybit, query, points):
    position = make_position(bybit)
    for hours in (0.1, 0.2, 20, 100):
        factories.make_reading(position, at=NOW - timedelta(hours=hours))

    chart = chart_of(page_of(position, query))

    # And the price of the present.
    assert len([price for price in chart["mark"] if price is not None]) == points + 1
    assert {len(chart[name]) for name in ("at", "mark", "liquidation", "bankruptcy")} == {
        len(chart["at"])
    }


def chart_of(page):
    return json.loads(
        re.search(r'<script id="price-data"[^>]*>(.*?)</script>', page.content.decode())[1]
    )


def test_the_line_ends_at_the_price_that_the_page_shows(bybit):
    position = make_position(bybit, mark_price=62_500.0)
    factories.make_reading(position, at=NOW - timedelta(seconds=12), mark_price=61_000.0)

    page = page_of(position)

    assert chart_of(page)["mark"] == [61_000.0, 62_500.0]
    assert "mark 62,500" in text_of(page)


def test_the_line_has_a_hole_where_nothing_was_read(bybit):
    position = make_position(bybit, mark_price=0.5)
    for minutes in (1, 2, 3, 30, 31, 32):
        factories.make_reading(position, at=NOW - timedelta(minutes=minutes), mark_price=minutes)

    chart = chart_of(page_of(position))

    assert chart["mark"] == [32.0, 31.0, 30.0, None, 3.0, 2.0, 1.0, 0.5]
    assert chart["liquidation"][3] is None


def test_a_long_history_is_thinned_out_and_keeps_its_end(bybit):
    position = make_position(bybit)
    for number in range(90):
        at = NOW - timedelta(seconds=10 * number)
        factories.make_reading(position, at=at, mark_price=100.0 + number)

    rows = selectors.readings_of(position=position, since=NOW - timedelta(hours=1), points=30)

    assert len(rows) == 30
    assert rows[-1].mark_price == 100.0
    assert [row.received_at for row in rows] == sorted(row.received_at for row in rows)


def test_events_lives_and_the_raw_row_stand_on_the_page(bybit):
    position = make_position(bybit, raw={"liqPrice": "54271.36", "note": "<b>"})
    factories.make_event(position, "margin_added", detail={"from": 2_100.0, "to": 2_640.0})

    page = page_of(position)

    words = text_of(page)
    assert "2026-11-22 15:00:00 UTC margin added 2,100 → 2,640" in words
    assert "still open" in words
    assert '"liqPrice": "54271.36"' in words
    assert b"&lt;b&gt;" in page.content


def test_a_position_of_a_venue_that_is_not_known_any_more_is_shown(team):
    position = make_position(make_account(team, venue="gonevenue"))

    words = text_of(page_of(position))

    assert "gonevenue says" in words


@pytest.fixture
def gone(bybit):
    position = make_position(bybit, state="gone")
    factories.make_event(position, "gone", at=NOW - timedelta(minutes=5))
    return position


def test_a_person_says_that_they_closed_what_had_vanished(gone, django_capture_on_commit_callbacks):
    rule = factories.make_rule(gone.team)
    factories.make_incident(gone, rule=rule)
    client = browser(gone.team)
    assert "I closed it" in text_of(client.get(f"/positions/{gone.pk}/"))

    with django_capture_on_commit_callbacks() as told:
        response = client.post(f"/positions/{gone.pk}/explain/", follow=True)

    gone.refresh_from_db()
    life = gone.life
    assert (gone.state, life.end_state) == ("closed", "closed")
    assert life.ended_at == NOW - timedelta(minutes=5)
    assert life.end_reference.startswith("told by user")
    assert Event.objects.get(kind="closed").detail == {"reference": life.end_reference}
    assert AuditEntry.objects.get().action == "position.explained"
    assert Incident.objects.get().state == "resolved"
    assert len(told) >= 2
    assert "BTC long was closed" in text_of(response)


def test_a_viewer_may_not_explain(gone):
    client = browser(gone.team, role="viewer")

    seen = client.get(f"/positions/{gone.pk}/")
    answer = client.post(f"/positions/{gone.pk}/explain/")

    assert "I closed it" not in text_of(seen)
    assert answer.status_code == 403
    assert "Your role does not allow this" in text_of(answer)
    assert Position.objects.get(pk=gone.pk).state == "gone"


def test_what_is_not_missing_is_not_explained(bybit):
    position = make_position(bybit)

    page = browser(bybit.team).post(f"/positions/{position.pk}/explain/", follow=True)

    assert "Nothing was changed: the position is not missing." in text_of(page)
    assert Position.objects.get(pk=position.pk).state == "open"
    assert not AuditEntry.objects.exists()


def test_another_teams_position_cannot_be_explained(gone):
    stranger = factories.make_team()

    with pytest.raises(Position.DoesNotExist):
        services.explain_gone(
            team=stranger, position_id=gone.pk, user=factories.make_user(), now=NOW
        )


def test_an_explained_position_that_comes_back_begins_a_life(gone):
    user = factories.make_user(team=gone.team)

    position = services.explain_gone(team=gone.team, position_id=gone.pk, user=user, now=NOW)

    assert position.is_ended
    assert position.life.ended_at is not None
