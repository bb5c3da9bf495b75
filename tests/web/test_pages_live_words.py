"""What pages hold so that a live price changes every figure and every sentence at once."""

import json
import re
from datetime import timedelta

import pytest
from django.urls import reverse

from positions.fields import POSITION_FIELDS
from positions.live_cells import BANKRUPT_FIRST, cells
from positions.pages.words import words_of
from riskhub import heartbeat, notices
from tests import factories
from tests.factories import NOW, make_account, make_asset_price, make_coverage, make_position
from tests.web.pages import POST_ONLY, browser, headline, make_sol, row_of, rows_of, text_of
from tests.web.test_team_isolation import ROUTES

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]


def front_of(page):
    body = page.content.decode()
    found = re.search(r'<script id="front" type="application/json">(.*?)</script>', body)
    return {item["id"]: item for item in json.loads(found[1])}


def make_bankrupt(account, **columns):
    sources = factories.make_position(team=account.team).provenance.sources
    bankrupt = factories.make_provenance(sources=sources, reasons={"margin_ratio": "bankrupt"})
    return make_sol(
        account,
        margin_ratio=None,
        liquidation_distance=None,
        severity="critical",
        provenance=bankrupt,
        **columns,
    )


def test_the_page_holds_who_may_come_first_in_the_order_of_the_server(team, bybit):
    near = make_sol(bybit, liquidation_distance=0.01)
    far = make_position(bybit, symbol="ETH/USDT:USDT", liquidation_distance=0.3)

    front = front_of(browser(team).get("/"))

    assert front[str(near.pk)]["sort"] == 0.01
    assert front[str(near.pk)]["label"] == "SOL short on Bybit"
    assert front[str(near.pk)]["url"] == f"/positions/{near.pk}/"
    assert set(front[str(far.pk)]["cells"]) == {"liquidation_distance", "margin_ratio"}


def test_totals_follow_the_filters_and_the_headline_does_not(team, bybit):
    near = make_sol(bybit, liquidation_distance=0.01)
    far = make_position(bybit, symbol="ETH/USDT:USDT", liquidation_distance=0.3)

    front = front_of(browser(team).get("/", {"side": "long"}))

    assert front[str(near.pk)]["is_shown"] is False
    assert front[str(far.pk)]["is_shown"] is True


def test_the_fullest_may_come_first_too_however_far_it_is(team, bybit):
    for number in range(25):
        market = factories.make_market(f"C{number}/USDT:USDT", venue="bybit")
        make_position(bybit, market=market, liquidation_distance=0.01, margin_ratio=0.1)
    full = make_sol(bybit, liquidation_distance=0.9, margin_ratio=0.8)

    front = front_of(browser(team).get("/"))

    assert str(full.pk) in front


def test_what_was_seen_comes_with_the_sentence_that_says_what_was_not(team, bybit):
    make_sol(bybit)
    make_account(team, venue="okx", label="dark")
    client = browser(team)
    page = client.get("/").content.decode()
    address = re.search(r'id="summary" data-live-refetch="([^"]+)"', page)[1]

    answer = client.get(address, headers={"HX-Request": "true"})

    assert "OKX dark was not seen" in text_of(answer)
    assert "1 of 2 accounts seen" in text_of(answer)
    assert re.search(
        r'<div class="seen" id="seen"[^>]* hx-swap-oob="true"', answer.content.decode()
    )


def test_a_bankrupt_position_has_the_highest_margin_ratio_of_all(team, bybit):
    make_position(bybit, symbol="ETH/USDT:USDT", margin_ratio=0.9, liquidation_distance=0.1)
    bankrupt = make_bankrupt(bybit)

    page = browser(team).get("/")

    assert "Highest margin ratio bankrupt SOL short on Bybit" in text_of(page)
    assert 'data-extreme="fullest"' in page.content.decode()
    row = row_of(page, bankrupt.pk)
    assert '<span class="figure-value">bankrupt</span>' in row
    assert 'class="gauge-fill" width="100.0"' in row
    assert "data-unknown" not in row.split("data-gauge")[1].split("</svg>")[0]


def test_the_table_sorts_a_bankrupt_position_as_the_fullest(team, bybit):
    full = make_position(bybit, symbol="ETH/USDT:USDT", margin_ratio=0.9)
    bankrupt = make_bankrupt(bybit)

    order = rows_of(browser(team).get("/", {"sort": "-margin_ratio"}))

    assert order.index(bankrupt.pk) < order.index(full.pk)


def test_the_figure_of_compartments_is_told_of_a_bankrupt_position(team, bybit):
    bankrupt = make_bankrupt(bybit)

    page = browser(team).get("/").content.decode()
    found = re.search(r'<script id="compartments-data" [^>]*>(.*?)</script>', page)

    items = [item for venue in json.loads(found[1])["venues"] for item in venue["compartments"]]
    assert next(item for item in items if item["id"] == str(bankrupt.pk))["is_bankrupt"] is True


def test_browsers_are_told_that_a_position_is_bankrupt(bybit):
    item = cells(position=make_bankrupt(bybit))

    assert item["is_bankrupt"] is True
    assert item["sort"] == BANKRUPT_FIRST
    assert item["cells"]["margin_ratio"]["text"] == "bankrupt"
    assert item["cells"]["margin_ratio"]["is_beyond"] is True


def test_coins_never_stand_where_dollars_are_asked_for(bybit):
    position = make_position(bybit, collateral=170.66, collateral_usd=None)
    reasons = {"collateral_usd": "no price of USDT is known"}
    sources = position.provenance.sources
    position.provenance = factories.make_provenance(sources=sources, reasons=reasons)
    position.save()

    page = browser(position.team).get(f"/positions/{position.pk}/")

    assert "Collateral 170.66 USDT in US dollars — The most" in text_of(page)
    dollars = re.search(r"in US dollars</dt><dd>(.*?)</dd>", page.content.decode())[1]
    assert 'title="Unknown: no price of USDT is known"' in dollars
    assert "data-dollars" in dollars
    assert cells(position=position)["cells"]["collateral_usd"]["is_in_coins"] is True


def test_where_dollars_are_known_they_stand_there(bybit):
    make_asset_price("USDT", 1.0)
    position = make_position(bybit, collateral=170.66, collateral_usd=170.66)

    assert "in US dollars $171 The most" in text_of(
        browser(position.team).get(f"/positions/{position.pk}/")
    )


def test_every_figure_of_the_second_line_moves_live(bybit):
    position = make_position(bybit, liquidation_distance=0.1)

    page = browser(position.team).get(f"/positions/{position.pk}/").content.decode()

    line = re.search(r'<p class="headline-sub">(.*?)</p>', page)[1]
    assert re.findall(r'data-field="(\w+)"', line) == ["liquidation_price", "mark_price"]
    assert "data-age-at" in line


@pytest.mark.parametrize(
    ("columns", "kind", "sentence"),
    [
        ({"liquidation_distance": 0.02, "severity": "critical"}, "near", "dies first: 2.0 % away"),
        ({"liquidation_distance": 0.6, "severity": "calm"}, "far", "would die first: 60.0 % away"),
        ({"liquidation_distance": -0.01, "severity": "critical"}, "beyond", "by 1.0 % , still"),
        (
            {"margin_mode": "cross", "margin_ratio": 0.83, "rank_distance": 0.01},
            "pooled",
            "comes first: 83 % of its margin used",
        ),
    ],
)
def test_each_state_has_its_phrase_and_the_page_holds_them_all(
    team, bybit, columns, kind, sentence
):
    make_sol(bybit, **columns)

    page = browser(team).get("/")

    assert sentence in headline(page)
    header = re.search(r"<header class=\"headline\".*?</header>", page.content.decode(), re.DOTALL)
    phrases = json.loads(re.search(r"<script[^>]*>(.*?)</script>", header[0])[1])
    assert {"bankrupt", "beyond", "near", "far", "pooled"} == set(phrases)
    assert kind in phrases


def test_a_liquidation_price_of_a_living_position_has_not_been_reached(bybit):
    position = make_position(bybit, venue_liquidation_price=31_000.0, liquidation_price=31_000.0)
    sources = {**position.provenance.sources, "liquidation_price": "reported"}
    position.provenance = factories.make_provenance(sources=sources)
    position.save()

    words = text_of(browser(position.team).get(f"/positions/{position.pk}/"))

    assert "Liquidation at 31,000 , by the venue’s word; mark" in words
    assert "Liquidated" not in words


def test_restarts_are_one_banner_that_says_how_many_and_can_be_dismissed(team, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    make_coverage(make_account(team))
    told = [
        notices.Notice(f"part-{number}", "warning", f"Part {number} was restarted.", NOW)
        for number in range(5)
    ]
    lasting = notices.Notice("worker", "error", "The worker stopped.", NOW)
    notices.write(folder=tmp_path, notices=[*told, lasting])

    page = browser(team).get("/").content.decode()

    banners = re.findall(
        r'<div class="banner" .*?(?=<div class="banner" |</main>)', page, re.DOTALL
    )
    assert len(banners) == 2
    assert "The worker stopped." in banners[0]
    assert "data-dismiss" not in banners[0]
    assert "and 4 more like it" in banners[1]
    assert "data-dismiss" in banners[1]


def test_the_age_of_a_late_cycle_ticks_and_the_page_knows_that_it_is_late(team):
    since = NOW - timedelta(seconds=20)
    heartbeat.beat(cycle="polls", now=since)

    page = browser(team).get("/settings/").content.decode()

    banner = re.search(r'<div class="banner" [^>]*data-is-late.*?</p>', page, re.DOTALL)[0]
    assert f'data-age-at="{since:%Y-%m-%dT%H:%M:%S}.000Z" data-age-fixed' in banner


@pytest.mark.parametrize("field", POSITION_FIELDS, ids=lambda field: field.name)
def test_every_figure_is_named_in_plain_words(field):
    words = words_of(field)

    assert words.label != field.name.replace("_", " ")
    assert not re.search(
        r"slug|ccxt|null|canonical|\bLP\b|\bs \(", f"{words.label} {words.help}", re.I
    )


def test_links_to_ranges_hold_no_space(bybit):
    position = make_position(bybit)

    page = browser(position.team).get(f"/positions/{position.pk}/").content.decode()

    assert 'href="?range=1+h"' in page
    assert not re.search(r'href="[^"]* [^"]*"', page)


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.name in POST_ONLY], ids=lambda route: route.name
)
def test_an_address_that_only_takes_forms_says_so(team, route):
    keys = dict.fromkeys(route.pattern.pattern.converters, 1)

    response = browser(team).get(reverse(route.name, kwargs=keys))

    assert response.status_code == 405
    assert "POST" in response["Allow"]
    assert "This address only takes what a form sends" in text_of(response)


def test_settings_lead_to_the_description_of_rest(team):
    page = browser(team).get("/settings/").content.decode()

    assert 'href="/api/v1/schema"' in page
