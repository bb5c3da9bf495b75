"""The calculator under the hands of people: sliders, keyboard, a shared address, no scripts."""

import re

import pytest

ADDRESS = (
    "/calculator/?rule=bybit-linear&side=long&entry_price=60000&mark_price=61200&quantity=0.5"
    "&leverage=10&maintenance_margin_rate=0.005"
)


def test_a_slider_moves_the_answer_and_the_address_keeps_it(open_page):
    from playwright.sync_api import expect

    page = open_page(ADDRESS)
    page.evaluate("window.isSamePage = true")
    slider = page.get_by_label("Leverage, slider")

    slider.focus()
    for _ in range(40):
        page.keyboard.press("ArrowRight")

    expect(page.locator("#calc-head h1")).not_to_contain_text("54,300.00")
    expect(page).not_to_have_url(re.compile("leverage=10&"))
    told, leverage = page.locator("#calc-head h1").inner_text(), page.locator("#in-leverage")
    value = leverage.input_value()
    assert page.evaluate("window.isSamePage")
    assert float(value) > 10
    assert slider.evaluate("it => it === document.activeElement")
    page.reload()
    assert page.locator("#calc-head h1").inner_text() == told
    assert leverage.input_value() == value


def test_typing_nonsense_names_the_field_and_sense_takes_it_back(open_page):
    from playwright.sync_api import expect

    page = open_page(ADDRESS)
    field = page.locator("#in-quantity")

    field.fill("-3")
    expect(page.locator("#calc-line")).to_contain_text("Quantity: must be a number more than 0.")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#calc-figures")).to_contain_text("unknown: missing quantity")
    field.fill("2")

    expect(field).not_to_have_attribute("aria-invalid", "true")
    expect(page.locator("#calc-figures")).to_contain_text("+2,400")


def test_another_rule_shows_its_own_fields(open_page):
    page = open_page(ADDRESS)

    page.get_by_label("Venue and margin rule").select_option("gate-inverse")
    page.wait_for_url("**rule=gate-inverse**")

    assert page.locator("#in-contracts").input_value() == "300"
    assert page.locator("#in-entry_price").input_value() == "60000"


def test_without_scripts_the_form_answers(open_page):
    page = open_page(ADDRESS, java_script_enabled=False)

    page.locator("#in-leverage").fill("20")
    page.get_by_role("button", name="Calculate").click()

    assert "57,300.00" in page.locator("h1").inner_text()
    assert page.locator("#in-leverage").input_value() == "20"


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_it_does_not_scroll_sideways(open_page, width):
    page = open_page(ADDRESS, width=width)

    spare = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )

    assert spare <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_has_no_serious_barrier(open_page, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = open_page(ADDRESS, color_scheme=scheme, reduced_motion="reduce")

    found = Axe().run(page).response["violations"]

    serious = [
        f"{each['id']}: {[node['html'][:200] for node in each['nodes'][:3]]}"
        for each in found
        if each["impact"] in {"serious", "critical"}
    ]
    assert serious == []
