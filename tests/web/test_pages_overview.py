"""The first page: its totals, its table, its filters."""

import re
from datetime import timedelta

import pytest

from positions.live_cells import LIVE, cells
from positions.pages.rows import COLUMNS
from tests import factories
from tests.factories import make_account, make_asset_price, make_position
from tests.web.pages import browser, headline, make_sol, row_of, rows_of, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]


def test_totals_keep_real_and_simulated_apart_and_count_what_they_leave_out(team, bybit):
    make_sol(bybit, collateral_usd=1_000.0, unrealized_pnl_usd=-50.0)
    make_position(bybit, symbol="BTC/USDT:USDT", collateral_usd=500.0, unrealized_pnl_usd=20.0)
    make_position(bybit, symbol="ETH/USDT:USDT", collateral_usd=None, unrealized_pnl_usd=None)
    paper = make_account(team, venue="reference", is_simulated=True)
    make_position(paper, collateral_usd=9_000.0)

    words = text_of(browser(team).get("/"))

    assert "Collateral at risk $1,500 3 positions, 1 venue; 1 left out" in words
    assert "Unrealised −$30.00 since entry; 1 left out" in words
    assert "Collateral at risk $9,000 1 position, 1 venue" in words
    assert "$10,500" not in words


def test_a_sum_of_nothing_known_is_a_dash(team, bybit):
    make_sol(bybit, collateral_usd=None)

    page = browser(team).get("/")

    assert "Collateral at risk — 1 position, 1 venue; 1 left out" in text_of(page)
    assert "1 position left out: no US dollar price is known" in page.content.decode()


def test_rows_stand_by_distance_and_what_is_unknown_stands_last(team, bybit):
    far = make_sol(bybit, liquidation_distance=0.5)
    unknown = factories.make_position_unknown(team=team)
    near = make_position(bybit, symbol="ETH/USDT:USDT", liquidation_distance=0.1)

    order = rows_of(browser(team).get("/"))

    assert order == [near.pk, far.pk, unknown.pk]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("distance", ["near", "far"]),
        ("-distance", ["far", "near"]),
        ("collateral", ["far", "near"]),
        ("-collateral", ["near", "far"]),
        ("pnl", ["near", "far"]),
        ("-margin_ratio", ["far", "near"]),
        ("nonsense", ["near", "far"]),
    ],
)
def test_the_table_sorts_by_its_headings(team, bybit, sort, order):
    rows = {
        "near": make_sol(
            bybit,
            liquidation_distance=0.1,
            collateral_usd=9.0,
            unrealized_pnl_usd=-5.0,
            margin_ratio=0.1,
        ),
        "far": make_position(
            bybit,
            liquidation_distance=0.5,
            collateral_usd=1.0,
            unrealized_pnl_usd=5.0,
            margin_ratio=0.9,
        ),
    }

    page = browser(team).get("/", {"sort": sort})

    assert rows_of(page) == [rows[name].pk for name in order]


def test_only_a_table_by_distance_is_kept_in_order_live(team, bybit):
    make_sol(bybit)
    client = browser(team)

    bodies = {
        sort: client.get("/", {"sort": sort}).content.decode()
        for sort in ("distance", "-distance", "pnl")
    }

    assert 'data-live-sort="asc"' in bodies["distance"]
    assert 'data-live-sort="desc"' in bodies["-distance"]
    assert "data-live-sort" not in bodies["pnl"]


def test_each_figure_of_a_row_says_whose_word_it_is(team, bybit):
    position = make_sol(bybit)
    sources = {**position.provenance.sources, "liquidation_price": "reported"}
    position.provenance = factories.make_provenance(sources=sources)
    position.save()
    ours = make_position(bybit, symbol="ETH/USDT:USDT")

    page = browser(team).get("/")

    assert '<small class="figure-source">ours</small>' not in row_of(page, position.pk)
    assert '<small class="figure-source">ours</small>' in row_of(page, ours.pk)
    found = re.findall(
        r'class="figure" data-source="(\w+)" data-field="(\w+)"', row_of(page, ours.pk)
    )
    assert {field: source for source, field in found} == {
        "liquidation_distance": "derived",
        "margin_ratio": "derived",
        "liquidation_price": "derived",
        "mark_price": "reported",
        "entry_price": "reported",
        "quantity": "derived",
        "collateral_usd": "derived",
        "unrealized_pnl_usd": "derived",
    }


def test_an_unknown_figure_is_a_dash_with_its_reason(team):
    position = factories.make_position_unknown(team=team)

    row = row_of(browser(team).get("/"), position.pk)

    assert row.count("—") == len(COLUMNS)
    assert row.count('aria-label="unknown: the venue gives none"') == len(COLUMNS)


def test_an_amount_without_a_dollar_price_is_shown_in_its_coin(team, bybit):
    position = make_sol(bybit, collateral_usd=None)

    assert "2,640 USDT" in row_of(browser(team).get("/"), position.pk)


def test_an_amount_of_an_unknown_coin_is_never_taken_for_dollars(team):
    position = factories.make_position_unknown(team=team, collateral=2_640.0, collateral_usd=None)
    client = browser(team)

    row = row_of(client.get("/"), position.pk)
    page = text_of(client.get(f"/positions/{position.pk}/"))

    assert "$" not in row
    assert "2,640" in page
    assert "$2,640" not in page


@pytest.mark.parametrize(
    ("columns", "badge"),
    [
        ({"margin_mode": "cross"}, "cross"),
        ({"margin_mode": "portfolio"}, "portfolio"),
        ({"margin_mode": ""}, "margin mode unknown"),
        ({"auto_add_margin": True}, "not contained"),
        ({"state": "breached"}, "breached"),
        ({"state": "disputed"}, "disputed"),
        ({"state": "gone"}, "gone, unexplained"),
        ({"received_at": factories.NOW - timedelta(hours=1)}, "stale"),
    ],
)
def test_what_is_special_about_a_position_is_a_badge(team, bybit, columns, badge):
    position = make_sol(bybit, **columns)

    row = row_of(browser(team).get("/"), position.pk)

    assert re.findall(r'<span class="badge"[^>]*>([^<]+)</span>', row) == [badge]


def test_a_vanished_position_stands_apart(team, bybit):
    make_sol(bybit, state="gone")

    page = browser(team).get("/")

    words = text_of(page)
    assert "Gone, unexplained" in words
    assert "No position is open" in words


def test_positions_of_a_disabled_account_are_not_shown(team):
    off = make_account(team, is_enabled=False)
    make_position(off)

    assert rows_of(browser(team).get("/")) == []


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("venue=bybit", ["sol"]),
        ("account=desk", ["btc"]),
        ("asset=SOL", ["sol"]),
        ("side=long", ["btc", "paper"]),
        ("severity=warning", ["btc"]),
        ("margin_mode=cross", ["btc"]),
        ("simulated=1", ["paper"]),
        ("simulated=0", ["btc", "sol"]),
        ("venue=bybit&side=long", []),
    ],
)
def test_filters_narrow_table_and_totals_and_never_the_headline(team, bybit, query, kept):
    desk = make_account(team, label="desk")
    paper = make_account(team, venue="reference", is_simulated=True)
    rows = {
        "sol": make_sol(bybit, liquidation_distance=0.2),
        "btc": make_position(
            desk, liquidation_distance=0.1, severity="warning", margin_mode="cross"
        ),
        "paper": make_position(paper, symbol="ETH/USDT:USDT", liquidation_distance=0.3),
    }

    page = browser(team).get(f"/?{query}")

    assert rows_of(page) == [rows[name].pk for name in kept]
    assert "account behind BTC long on Binance comes first" in headline(page)
    assert f"{len(kept)} of 3 positions" in text_of(page) or not kept
    assert not kept or "3 positions," not in text_of(page)


def test_the_choices_of_the_filters_are_what_the_book_holds(team, bybit):
    make_sol(bybit)

    body = browser(team).get("/").content.decode()

    select = re.search(r'<select[^>]*name="venue">(.*?)</select>', body, flags=re.DOTALL)[1]
    assert re.findall(r'value="(\w*)"', select) == ["", "bybit"]


def test_htmx_gets_the_part_and_a_clean_address(team, bybit):
    make_sol(bybit)
    client = browser(team)

    part = client.get("/?venue=bybit&side=", headers={"hx-request": "true"})
    again = client.get("/?venue=bybit", headers={"hx-request": "true"})
    whole = client.get("/?venue=bybit&side=")

    assert b"<html" not in part.content
    assert b'id="summary"' in part.content
    assert b'id="book"' in part.content
    assert part["HX-Push-Url"] == "/?venue=bybit"
    assert "HX-Push-Url" not in again
    assert b"<html" in whole.content
    assert "HX-Request" in whole["Vary"]


def test_a_page_from_the_history_is_a_whole_page(team):
    headers = {"hx-request": "true", "hx-history-restore-request": "true"}

    assert b"<html" in browser(team).get("/", headers=headers).content


def test_the_summary_alone_is_what_the_page_says_above_its_table(team, bybit):
    make_sol(bybit)
    client = browser(team)

    part = client.get("/summary?side=short")

    assert "SOL short on Bybit" in headline(part)
    assert 'data-live-refetch="/summary?side=short"' in part.content.decode()
    assert b"<tr" not in part.content


def test_a_download_keeps_the_filters(team, bybit):
    make_sol(bybit)
    make_position(make_account(team))
    client = browser(team)

    page = client.get("/?venue=bybit").content.decode()
    lines = b"".join(client.get("/export/positions.csv?venue=bybit")).decode().splitlines()
    document = b"".join(client.get("/export/positions.json"))

    assert 'href="/export/positions.csv?venue=bybit"' in page
    assert len(lines) == 2
    assert "SOL/USDT:USDT" in lines[1]
    assert document.count(b'"symbol"') == 2


def test_what_is_patched_in_reads_as_what_was_rendered(team, bybit):
    make_asset_price("USDT", 1.0, venue="bybit")
    position = make_sol(bybit)
    row = row_of(browser(team).get("/"), position.pk)

    sent = cells(position=position)["cells"]

    assert set(COLUMNS) <= set(LIVE)
    for name in COLUMNS:
        found = re.search(
            rf'data-source="(\w+)" data-field="{name}"[^>]*>(?:<small[^>]*>ours</small>)?'
            r'<span class="figure-value">([^<]*)<',
            row,
        )
        assert found, name
        assert found.groups() == (sent[name]["source"], sent[name]["text"]), name


def test_what_is_sent_to_browsers_sorts_as_the_page_does(team, bybit):
    position = make_sol(bybit, liquidation_distance=0.0312)

    sent = cells(position=position)

    assert f'data-sort="{sent["sort"]}"' in row_of(browser(team).get("/"), position.pk)
    assert sent["as_of"] in row_of(browser(team).get("/"), position.pk)


def test_compartments_are_drawn_from_the_same_rows(team, bybit):
    position = make_sol(bybit)

    page = browser(team).get("/")

    assert page.context["compartments"]["venues"][0]["compartments"][0]["id"] == str(position.pk)
    assert b'data-chart="compartments"' in page.content


def test_a_cross_position_says_which_distance_of_its_account_orders_it(team, bybit):
    cross = make_position(bybit, margin_mode="cross", liquidation_distance=0.4, rank_distance=0.176)
    own = make_position(bybit, symbol="ETH/USDT:USDT", liquidation_distance=0.3, rank_distance=0.3)

    page = browser(team).get("/")

    assert "17.6 %" in row_of(page, cross.pk).replace("\u00a0", " ")
    assert "account <" not in row_of(page, own.pk)
    assert cells(position=cross)["cells"]["rank_distance"]["text"].startswith("17.6")
    assert "rank_distance" not in cells(position=own)["cells"]


def test_a_book_in_coins_gives_its_long_amounts_room(team, bybit):
    position = make_sol(bybit)
    client = browser(team)
    in_dollars = client.get("/").content.decode()

    type(position).objects.update(collateral_usd=None)
    in_coins = client.get("/").content.decode()

    assert ["is-in-coins" in page for page in (in_dollars, in_coins)] == [False, True]
