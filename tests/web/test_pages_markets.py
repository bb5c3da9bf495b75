"""Pages of markets: rules in force, what changed, and what an owner announces."""

from datetime import timedelta

import pytest

from riskhub.teams.models import Role
from tests.factories import (
    NOW,
    make_account,
    make_announced,
    make_event,
    make_feed,
    make_market_change,
    make_position,
    make_position_unknown,
)
from tests.web.pages import browser, headline, text_of
from venues.models import AnnouncedChange, Market

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]

TIGHTER = {"effective_at": "2026-12-01T08:00", "tiers": "0 2%\n100,000 4%"}


@pytest.fixture
def position(team):
    return make_position(make_account(team, label="main"), tier_version=1)


def url(position, rest=""):
    return f"/markets/{position.market_id}/{rest}"


def test_markets_held_are_listed_with_their_rules(team, position):
    Market.objects.update(max_leverage=125.0, min_contracts=0.001, funding_interval_h=8.0)
    make_feed(position.market)

    page = text_of(browser(team).get("/markets/"))

    assert "BTC linear BTC/USDT:USDT" in page
    assert "0.50 % table 1, since 22 Nov 2026" in page
    assert "up to 125x" in page.replace("×", "x")
    assert "orders from 0.001" in page
    assert "each 8 h" in page.replace("\u00a0", " ")


def test_a_market_that_is_no_longer_held_leaves_the_list_and_keeps_its_page(team):
    closed = make_position(make_account(team), state="closed")
    client = browser(team)

    assert "No market is held" in headline(client.get("/markets/"))
    assert client.get(url(closed)).status_code == 200


def test_what_ends_within_a_week_is_said_first(team, position):
    Market.objects.update(delists_at=NOW + timedelta(days=3))

    page = browser(team).get("/markets/")

    assert "1 of 1 market held ends within a week" in headline(page)
    assert "delists 25 Nov 2026" in text_of(page)


def test_a_symbol_that_its_venue_does_not_list_is_shown_and_said(team, position):
    odd = make_position_unknown(position.account)

    client = browser(team)
    page = client.get("/markets/")

    assert "1 of 2 markets held is not listed by its venue" in headline(page)
    assert odd.market.symbol in text_of(page)
    assert client.get(url(odd)).status_code == 200


def test_a_markets_page_shows_table_changes_and_ages(team, position):
    make_market_change(position.market)
    make_feed(position.market, error="The venue was not reachable.")

    page = text_of(browser(team).get(url(position)))

    assert "Table 1, since 22 Nov 2026, told by the venue." in page
    assert "highest leverage 125 → 100; told by the venue" in page
    assert "The venue was not reachable." in page


def test_what_is_announced_says_whom_it_moves(team, position):
    make_announced(position.market, note="blog of 20 Nov")

    page = text_of(browser(team).get(url(position)))

    assert "maintenance table 2026-11-23 15:00:00 UTC in 1 d" in page.replace("\u00a0", " ")
    assert "blog of 20 Nov" in page
    assert "→" in page.split("Margin ratio")[1]


def test_a_preview_announces_nothing(team, position):
    page = browser(team).post(url(position, "announce/"), {**TIGHTER, "preview": "1"})

    assert "Nothing is announced yet." in text_of(page)
    assert "→" in text_of(page)
    assert not AnnouncedChange.objects.exists()


def test_an_owner_announces_and_cancels(team, position):
    client = browser(team)

    told = client.post(url(position, "announce/"), TIGHTER, follow=True)
    row = AnnouncedChange.objects.get()
    taken_back = client.post(f"/markets/announced/{row.pk}/cancel/", follow=True)

    assert "it comes into force by itself" in text_of(told)
    assert row.effective_at.isoformat() == "2026-12-01T08:00:00+00:00"
    assert "The announced change was cancelled." in text_of(taken_back)
    assert AnnouncedChange.objects.get().cancelled_at == NOW


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({}, "Say when it comes into force."),
        ({"effective_at": "soon"}, "Give a day and a time in UTC"),
        ({"effective_at": "2026-12-01T08:00"}, "Nothing changes"),
        ({**TIGHTER, "tiers": "0 half"}, "Line 1: 'half' is not a number."),
        ({**TIGHTER, "effective_at": "2036-12-01T08:00"}, "two years ahead"),
        ({**TIGHTER, "max_leverage": "inf"}, "Enter a number."),
        ({**TIGHTER, "max_leverage": "1e400"}, "Enter a number."),
        ({**TIGHTER, "effective_at": "0001-01-01T00:00"}, "more than a year back"),
        ({**TIGHTER, "delists_at": "2026-11-30T08:00"}, "Trading would end before"),
        ({**TIGHTER, "effective_at": "2036-12-01T08:00", "preview": "1"}, "two years ahead"),
    ],
)
def test_a_form_that_cannot_be_is_a_sentence(team, position, form, says):
    page = browser(team).post(url(position, "announce/"), form)

    assert page.status_code == 200
    assert says in text_of(page)
    assert not AnnouncedChange.objects.exists()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.TRADER])
def test_others_than_owners_look_and_change_nothing(team, position, role):
    announced = make_announced(position.market)
    client = browser(team, role=role)

    page = client.get(url(position))
    answers = [
        client.post(url(position, "announce/"), TIGHTER).status_code,
        client.post(f"/markets/announced/{announced.pk}/cancel/").status_code,
    ]

    assert "Announce a change" not in text_of(page)
    assert answers == [403, 403]
    assert AnnouncedChange.objects.get().cancelled_at is None


def test_a_market_of_others_is_not_found(team, position):
    foreign = make_position(make_account(), symbol="ETH/USDT:USDT")
    announced = make_announced(foreign.market)
    client = browser(team)

    answers = [
        client.get(url(foreign)).status_code,
        client.post(url(foreign, "announce/"), TIGHTER).status_code,
        client.post(f"/markets/announced/{announced.pk}/cancel/").status_code,
    ]

    assert answers == [404, 404, 404]


def test_positions_of_other_teams_are_in_no_preview(team, position):
    make_position(make_account(label="foreign desk"))
    make_announced(position.market)

    page = text_of(browser(team).get(url(position)))

    assert "main" in page
    assert "foreign desk" not in page


def test_a_positions_page_names_the_table_behind_its_rate(team, position):
    page = text_of(browser(team).get(f"/positions/{position.pk}/"))

    assert "Maintenance rate 0.50 % table 1, since 22 Nov 2026" in page.replace("\u00a0", " ")


def test_a_position_without_a_table_says_whose_rate_it_has(team):
    bare = make_position(make_account(team), maintenance_rate=0.004)

    page = text_of(browser(team).get(f"/positions/{bare.pk}/"))

    assert "0.40 % implied by the position's own row" in page.replace("\u00a0", " ")


def test_a_delisting_stands_on_the_page_and_when_near_in_the_list(team, position):
    Market.objects.update(delists_at=NOW + timedelta(days=90))
    client = browser(team)
    far = [text_of(client.get(path)) for path in (f"/positions/{position.pk}/", "/")]

    Market.objects.update(delists_at=NOW + timedelta(days=5))
    near = [text_of(client.get(path)) for path in (f"/positions/{position.pk}/", "/")]

    assert ["delists" in page for page in far] == [True, False]
    assert ["delists 27 Nov 2026" in page for page in near] == [True, True]


def test_a_change_of_rules_is_told_in_what_happened(team, position):
    detail = {
        "what": "tiers",
        "engine_liquidation_price": {"before": 54271.0, "after": 54545.0},
        "margin_ratio": {"before": 0.05, "after": 0.1},
    }
    make_event(position, "rules_changed", detail=detail)

    page = text_of(browser(team).get(f"/positions/{position.pk}/"))

    assert "rules changed maintenance table, our liquidation price 54,271 → 54,545" in page


def test_a_button_pressed_twice_announces_once(team, position):
    client = browser(team)
    client.post(url(position, "announce/"), TIGHTER)

    again = client.post(url(position, "announce/"), TIGHTER)

    assert "The same change is announced already" in text_of(again)
    assert AnnouncedChange.objects.count() == 1


def test_what_comes_at_once_is_said_before_and_after(team, position):
    client, past = browser(team), {**TIGHTER, "effective_at": "2026-11-20T08:00"}

    shown = client.post(url(position, "announce/"), {**past, "preview": "1"})
    done = client.post(url(position, "announce/"), past, follow=True)

    assert "it would come into force at once, and could not be cancelled" in text_of(shown)
    assert "it comes into force at once." in text_of(done)


def test_enter_in_a_field_shows_whom_it_moves_and_announces_nothing(team, position):
    form = browser(team).get(url(position)).content.decode().split('id="announce"')[1]

    first_button = form.split('type="submit"')[1].split(">")[0]

    assert 'name="preview"' in first_button


def test_a_change_that_moves_no_figure_says_so(team, position):
    make_announced(position.market, kind="limits", change={"max_leverage": 9.0})

    page = text_of(browser(team).get(url(position)))

    assert "It moves no liquidation price and no margin ratio here." in page


def test_the_sentence_speaks_of_all_pages_of_the_list(team):
    account = make_account(team)
    for number in range(52):
        make_position(account, symbol=f"C{number:02}/USDT:USDT")
    Market.objects.filter(symbol="C07/USDT:USDT").update(delists_at=NOW - timedelta(days=1))
    client = browser(team)

    pages = [client.get("/markets/", {"page": number}) for number in (1, 2)]

    assert ["1 of 52 markets held has ended" in headline(page) for page in pages] == [True, True]
    assert "C07/USDT:USDT on Binance." in text_of(pages[1])


def test_several_that_end_soon_are_said_in_the_plural(team):
    account = make_account(team)
    for symbol in ("BTC/USDT:USDT", "ETH/USDT:USDT"):
        make_position(account, symbol=symbol)
    Market.objects.update(delists_at=NOW + timedelta(days=3))

    page = browser(team).get("/markets/")

    assert "2 of 2 markets held end within a week" in headline(page)
