"""What the first page says first."""

import re
from datetime import timedelta

import pytest

from positions.models import Position
from tests import factories
from tests.factories import make_account, make_asset_price, make_coverage, make_position
from tests.web.pages import browser, headline, make_sol, row_of, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]


def test_what_dies_first_is_said_first(team, bybit):
    make_position(make_account(team), liquidation_distance=0.2)
    make_sol(bybit, liquidation_distance=0.0312, severity="critical")

    page = browser(team).get("/")

    assert headline(page) == "critical SOL short on Bybit dies first: 3.1 % away"


def test_what_is_far_away_would_die_first(team, bybit):
    make_sol(bybit, liquidation_distance=0.42, severity="calm")

    assert headline(browser(team).get("/")) == (
        "calm SOL short on Bybit would die first: 42.0 % away"
    )


def test_the_headline_says_how_much_margin_would_help(team):
    make_asset_price("USDT", 2.0)
    make_sol(make_account(team, venue="binance"), severity="warning")

    words = text_of(browser(team).get("/"))

    # At 200.684 the loss is 3,514.62 and 142.99 are required: 1,017.61 more, at 2 dollars each.
    found = re.search(r"\$([\d,]+) more margin moves it to 10 %", words)
    assert found[1] == "2,035"


def test_a_breached_position_is_said_to_be_beyond(team, bybit):
    make_sol(bybit, liquidation_distance=-0.004, state="breached", severity="critical")

    words = text_of(browser(team).get("/"))

    assert "SOL short on Bybit is beyond its liquidation price by 0.4 % , still" in words
    assert "breached" in words


def test_a_bankrupt_position_comes_before_all(team, bybit):
    make_position(make_account(team), liquidation_distance=0.001, severity="critical")
    sources = factories.make_position(team=team).provenance.sources
    bankrupt = factories.make_provenance(sources=sources, reasons={"margin_ratio": "bankrupt"})
    position = make_sol(
        bybit,
        margin_ratio=None,
        liquidation_distance=None,
        severity="critical",
        provenance=bankrupt,
    )

    page = browser(team).get("/")

    assert "SOL short on Bybit is bankrupt" in headline(page)
    assert first_row(page) == position.pk
    assert "bankrupt" in row_of(page, position.pk)


def first_row(page):
    return int(re.search(r'<tr data-position="(\d+)"', page.content.decode())[1])


def test_a_real_position_is_spoken_of_before_a_simulated_one_that_is_nearer(team, bybit):
    paper = make_account(team, venue="reference", is_simulated=True)
    make_position(paper, liquidation_distance=0.01)
    make_sol(bybit, liquidation_distance=0.2)

    assert "SOL short on Bybit" in headline(browser(team).get("/"))


def test_a_simulated_book_is_said_to_be_one(team):
    paper = make_account(team, venue="reference", is_simulated=True)
    make_position(paper, liquidation_distance=0.01)

    page = browser(team).get("/")

    assert "BTC long on Reference" in headline(page)
    assert "Only simulated positions are held." in text_of(page)


def test_a_stale_first_position_is_said_to_be_stale(team, bybit):
    late = factories.NOW - timedelta(minutes=4)
    make_sol(bybit, liquidation_distance=0.03, received_at=late)

    page = browser(team).get("/")

    assert "It was last read 4 min ago and may have moved." in text_of(page)
    assert 'data-state="stale"' in row_of(page, Position.objects.get().pk)


def test_where_nothing_can_be_ranked_the_page_says_why(team):
    factories.make_position_unknown(team=team)
    factories.make_position_unknown(team=team)

    page = browser(team).get("/")

    assert headline(page).startswith("risk unknown How far any of 2 positions")
    assert "Why: the venue gives none." in text_of(page)


def test_no_account_leads_to_adding_one(team):
    page = browser(team).get("/")

    assert "No account yet" in text_of(page)
    assert 'href="/accounts/add/"' in page.content.decode()


def test_no_position_is_not_the_same_as_nothing_seen(team):
    seen = make_account(team, label="seen")
    make_coverage(seen, rows=0)

    calm = headline(browser(team).get("/"))
    make_account(team, venue="okx", label="never")
    unknown = browser(team).get("/")

    assert calm == "calm No position is open"
    assert headline(unknown) == "risk unknown Nothing is open in what was seen"
    assert "OKX never was not seen: nothing is known there." in text_of(unknown)
