"""The calculator's page: without a login, by a GET form, with every unknown explained."""

import html
import re
from urllib.parse import urlencode

import pytest
from django.core.cache import cache
from django.db import DatabaseError
from django.test import Client

from positions.calculator.quoting import quote
from positions.engine.rulebook import RULES
from positions.pages.calculator import _FORMULAS, _anchor
from positions.pages.calculator_line import price_line
from riskhub import formatting
from tests import factories
from tests.paths import PROJECT
from tests.web.pages import browser, headline, text_of

INPUTS = {
    "rule": "bybit-linear",
    "side": "long",
    "entry_price": "60000",
    "mark_price": "61200",
    "quantity": "0.5",
    "leverage": "10",
    "maintenance_margin_rate": "0.005",
}


def ask(client=None, *, part=False, **changes):
    query = {name: text for name, text in {**INPUTS, **changes}.items() if text is not None}
    headers = {"hx-request": "true"} if part else {}
    return (client or Client()).get(f"/calculator/?{urlencode(query)}", headers=headers)


def value_of(response, name):
    found = re.search(rf'name="{name}" value="([^"]*)"', response.content.decode())
    return html.unescape(found[1]) if found else None


def test_a_stranger_is_answered_and_no_database_is_asked():
    # Without the mark of pytest-django any query fails.
    response = Client().get("/calculator/")

    assert response.status_code == 200
    assert "This long on Bybit is liquidated at 54,300.00 , 11.3 % below" in headline(response)
    assert not response.cookies


def test_figures_stand_in_cards_with_what_would_help():
    text = text_of(ask())

    assert "Liquidation price 54,300.00" in text
    assert "Bankruptcy price 54,000.00" in text
    assert "Margin ratio 4.2 %" in text
    assert "Effective leverage 8.5×" in text
    assert "Unrealized PnL +600" in text
    assert "Maintenance margin 150" in text
    assert "Margin for 10 % distance none; 390 to spare" in text
    assert "Margin for 20 % distance add 2,670" in text
    assert "Source: Bybit 360039261334 and margin parameters" in text
    assert "docs/formulas.md#linear-entry-basis" in text


def test_the_margin_that_is_proposed_brings_the_distance():
    added = {"rule": "bybit-linear", "kind": "linear", "side": "long"}
    inputs = {name: INPUTS[name] for name in INPUTS if name not in {"rule", "side"}}

    answer = quote(added | {"inputs": inputs | {"extra_margin": "2670"}})

    assert answer["liquidation_distance"] == pytest.approx(0.2, rel=1e-12)


def test_tiers_are_read_from_lines_and_the_next_edge_is_told():
    response = ask(
        rule="binance-usdm", maintenance_margin_rate=None, tiers="0 0.005\r\n50000, 0.01, 250"
    )

    text = text_of(response)
    assert "Next tier at a price of 100,000.0" in text
    assert "Maintenance margin rate 0.50 %" in text


def test_an_unknown_figure_is_a_dash_with_its_reason():
    response = ask(leverage="")

    assert "not known : missing one of" in headline(response)
    text = text_of(response)
    assert "Liquidation price — unknown: missing one of" in text
    assert "Margin for 10 % distance — unknown: missing one of" in text


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("quantity", "-3", "Quantity : must be a number more than 0."),
        ("quantity", "NaN", "Quantity : must be a number or a decimal string."),
        ("quantity", "1e400", "Quantity : must be a finite number."),
        ("entry_price", "60,000", "Entry price : must be a number or a decimal string."),
        ("maintenance_margin_rate", "2", "must be a fraction from 0 to 1."),
        ("tiers", "0 half", "Tiers : must be a number or a decimal string."),
        ("side", "up", "Side : must be one of long, short."),
        ("rule", "made-up", "there is no margin rule 'made-up'"),
    ],
)
def test_nonsense_is_named_and_the_rest_is_kept(name, value, words):
    response = ask(**{name: value})

    assert response.status_code == 200
    assert words in text_of(response)
    assert f'data-error-for="{name}"' in response.content.decode()
    others = [each for each in INPUTS if each not in {name, "rule", "side"}]
    assert {each: value_of(response, each) for each in others} == {
        each: INPUTS[each] for each in others
    }
    if name not in {"side", "rule", "tiers"}:
        assert value_of(response, name) == value


def test_two_mistakes_are_both_named_and_the_other_inputs_still_count():
    text = text_of(ask(quantity="-3", maintenance_amount="x"))

    assert "Quantity : must be" in text
    assert "Maintenance amount : must be" in text
    assert "Liquidation price 54,300.00" in text


@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("key", sorted(RULES))
def test_every_rule_has_a_worked_example(key, side):
    response = Client().get(f"/calculator/?rule={key}&side={side}")

    sentence = headline(response)
    assert "not known" not in sentence
    assert "liquidated" in sentence or key == "perp-v1"
    assert "data-error-for" not in response.content.decode()


def test_an_address_that_has_inputs_is_not_filled_with_examples():
    response = Client().get("/calculator/?rule=bybit-linear&entry_price=100")

    assert value_of(response, "leverage") == ""
    assert "not known" in headline(response)


def test_another_rule_keeps_what_it_can_and_fills_what_is_new():
    response = ask(rule="gate-inverse", shown="bybit-linear", entry_price="50000", contracts="")

    assert value_of(response, "entry_price") == "50000"
    assert value_of(response, "contracts") == "300"
    assert value_of(response, "taker_fee_rate") == "0.0006"


def test_the_part_for_a_slider_is_the_answer_alone():
    response = ask(part=True)

    body = response.content.decode()
    assert "<html" not in body
    assert "<form" not in body
    assert 'id="calc-line"' in body
    assert 'id="calc-head" hx-swap-oob="true"' in body
    assert 'id="calc-figures" hx-swap-oob="true"' in body
    assert "HX-Request" in response["Vary"]


def test_the_whole_page_swaps_nothing():
    assert b"hx-swap-oob" not in ask().content


def test_nothing_is_sent_to_it():
    assert Client().post("/calculator/", INPUTS).status_code == 405


@pytest.mark.parametrize("name", ["side", "rule", "quantity", "tiers", "shown"])
def test_hostile_text_is_shown_as_text(name):
    body = ask(**{name: '"><img src=x onerror=alert(1)>\0'}).content.decode()

    assert "<img src=x" not in body
    assert "\0" not in body


@pytest.mark.parametrize("text", ["1e308", "1e-308", "0." + "0" * 90 + "1", "9" * 99])
@pytest.mark.parametrize("name", [name for name in INPUTS if name not in {"rule", "side"}])
def test_extreme_numbers_break_nothing(name, text):
    response = ask(**{name: text})

    assert response.status_code == 200
    assert not re.search(r"\b(None|nan|NaN|inf)\b", text_of(response))


@pytest.mark.django_db
def test_a_person_who_is_logged_in_keeps_their_frame(team):
    factories.make_position(team=team)

    text = text_of(ask(browser(team)))

    assert "Overview" in text
    assert "Sign out" in text


def test_a_stranger_finds_it_from_the_login():
    response = Client().get("/login/")

    assert '<a href="/calculator/">Calculator' in response.content.decode()


@pytest.mark.django_db
def test_without_a_database_it_answers_as_to_a_stranger(team, monkeypatch):
    client = browser(team)

    def fail(request):
        raise DatabaseError("the disk is gone")

    monkeypatch.setattr("positions.views.calculator.membership_of", fail)
    response = ask(client)

    assert response.status_code == 200
    assert "54,300.00" in headline(response)
    assert "Sign in" in text_of(response)


def test_an_address_that_asks_too_much_is_told_to_wait(settings, monkeypatch):
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "page"}
    }
    monkeypatch.setattr("positions.views.calculator._MOST_PER_MINUTE", 0)

    response = ask()
    cache.clear()

    assert response.status_code == 429
    assert response["Retry-After"] == "60"


def test_each_family_is_a_heading_of_the_formulas():
    text = (PROJECT / "docs" / "formulas.md").read_text()
    words = [
        re.sub(r"[^\w\- ]", "", title.lower()) for title in re.findall(r"^## (.*)$", text, re.M)
    ]

    anchors = {title.replace(" ", "-") for title in words}

    assert set(_FORMULAS) <= anchors
    assert {_anchor(rule) for rule in RULES.values()} <= set(_FORMULAS)


def test_the_picture_places_prices_in_their_order():
    prices = {"liquidation_price": 90.0, "bankruptcy_price": 88.0, "mark": 100.0, "entry": None}

    line = price_line(prices, is_long=True, trigger="mark")

    places = {mark["kind"]: float(mark["x"].rstrip("%")) for mark in line["marks"]}
    assert places["bankruptcy"] < places["liquidation"] < places["mark"]
    assert all(0 < x < 100 for x in places.values())
    assert float(line["danger"]["width"].rstrip("%")) == places["liquidation"]
    assert line["words"] == "bankrupt 88.00000; liquidation 90.00000; mark 100.0000"


def test_the_picture_of_a_short_has_its_danger_above():
    prices = {"liquidation_price": 110.0, "bankruptcy_price": None, "mark": 100.0, "entry": 100.0}

    line = price_line(prices, is_long=False, trigger="mark")

    start, width = (float(line["danger"][name].rstrip("%")) for name in ("x", "width"))
    assert start + width == pytest.approx(100)
    assert start > 50


def test_no_price_is_no_picture():
    line = price_line({"mark": None, "entry": 0.0}, is_long=True, trigger="mark")

    assert line == {"marks": [], "words": "No price is known."}
    assert formatting.DASH not in line["words"]
