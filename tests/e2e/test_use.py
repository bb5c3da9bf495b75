"""Pages under the hands of people: keyboard, phone, dark, no scripts, hostile names."""

import re

import pytest

XSS = "<img src=x onerror=window.isHacked=1>"


def test_the_keyboard_reaches_the_content_first_and_everything_in_order(open_page):
    page = open_page("/")

    page.keyboard.press("Tab")
    skip = page.locator(":focus")
    assert skip.inner_text() == "Skip to the content"
    assert skip.bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"

    page.goto("/")
    names = []
    for _ in range(9):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.textContent.trim()"))
    assert [name.rstrip("0123456789") for name in names[1:8]] == [
        "RiskHub",
        "Overview",
        "Alerts",
        "Accounts",
        "Markets",
        "Coverage",
        "Settings",
    ]


def test_a_row_is_opened_by_keyboard(open_page):
    page = open_page("/")

    page.get_by_role("link", name="SOL long", exact=True).first.focus()
    page.keyboard.press("Enter")

    page.wait_for_url("**/positions/*/")


def test_a_menu_opens_by_keyboard_and_escape_gives_the_focus_back(open_page):
    page = open_page("/")
    summary = page.locator(".menu > summary")

    summary.focus()
    page.keyboard.press("Enter")
    is_open = page.get_by_role("button", name="Sign out").is_visible()
    page.keyboard.press("Escape")

    assert is_open
    assert not page.get_by_role("button", name="Sign out").is_visible()
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_filters_narrow_without_a_reload_and_can_be_shared_and_undone(open_page):
    from playwright.sync_api import expect

    page = open_page("/")
    page.evaluate("window.isSamePage = true")

    page.get_by_label("Asset").select_option("SOL")
    expect(page.locator("tbody tr")).to_have_count(1)

    assert page.url.endswith("/?asset=SOL")
    assert page.evaluate("window.isSamePage")
    expect(page.locator("#book")).to_contain_text("1 of 2 positions")
    expect(page.locator("#summary")).to_contain_text("1 position, 1 venue")
    expect(page.locator("[data-chart=compartments] .main-svg").first).to_be_visible()
    page.get_by_role("link", name="Show all").click()
    expect(page.locator("tbody tr")).to_have_count(2)


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_no_page_scrolls_sideways(open_page, addresses, width):
    page = open_page("/", width=width)
    too_wide = {}
    for name, address in addresses.items():
        page.goto(address)
        page.wait_for_timeout(150)
        spare = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if spare > 0:
            too_wide[name] = spare

    assert too_wide == {}


def test_dark_follows_the_system_and_a_choice_beats_it(open_page):
    from playwright.sync_api import expect

    dark = open_page("/settings/", color_scheme="dark")
    light = open_page("/settings/", color_scheme="light")

    assert brightness(dark) < 40
    assert brightness(light) > 215
    choice = light.get_by_role("button", name="Dark", exact=True)
    choice.click()
    expect(choice).to_have_attribute("aria-pressed", "true")
    light.goto("/")
    assert brightness(light) < 40


def brightness(page):
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_barrier(open_page, addresses, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page = open_page("/", color_scheme=scheme, reduced_motion="reduce")
    barriers = {}
    for name, address in addresses.items():
        page.goto(address)
        page.wait_for_timeout(200)
        found = Axe().run(page).response["violations"]
        serious = [
            f"{each['id']}: {[node['html'][:200] for node in each['nodes'][:3]]}"
            for each in found
            if each["impact"] in {"serious", "critical"}
        ]
        if serious:
            barriers[name] = serious

    assert barriers == {}


def test_names_chosen_by_an_enemy_run_nowhere(open_page, site, label, addresses):
    position = site.act("hold_hostile", label=label, text=XSS)
    page = open_page("/")

    for address in [*addresses.values(), f"/positions/{position}/"]:
        page.goto(address)
        page.wait_for_timeout(250)
        assert page.evaluate("window.isHacked") is None
        assert page.locator("img[src=x]").count() == 0
    page.goto("/")
    page.locator("[data-chart=compartments] .nsewdrag").first.hover()
    assert page.locator("img[src=x]").count() == 0


def test_without_scripts_the_pages_say_the_same(open_page, addresses):
    page = open_page("/", java_script_enabled=False)

    assert "ETH long on Bybit dies first" in page.locator("h1").inner_text()
    page.get_by_label("Asset").select_option("SOL")
    page.get_by_role("button", name="Filter").click()
    rows = page.locator("tbody tr").count()
    page.goto(addresses["add"])
    page.get_by_label("Venue").select_option("okx")
    page.get_by_role("button", name="Show its fields").click()

    assert rows == 1
    assert page.get_by_label("Passphrase").count() == 1


def test_a_vanished_position_is_explained(open_page, site, label):
    site.act("vanish", label=label, keep={"ETH": "96"})
    page = open_page("/")

    page.get_by_role("link", name="SOL long", exact=True).click()
    page.get_by_role("button", name="I closed it").click()

    assert "Noted: you closed it." in page.locator("main").inner_text()
    assert "SOL long was closed" in page.locator("h1").inner_text()


def test_an_account_is_added_with_the_fields_of_its_venue(open_page):
    from playwright.sync_api import expect

    page = open_page("/accounts/add/")
    page.get_by_label("Label").fill("treasury")

    page.get_by_label("Venue").select_option("hyperliquid")
    expect(page.get_by_label("Wallet address")).to_be_visible()
    expect(page.get_by_label("Label")).to_have_value("treasury")
    page.get_by_role("button", name="Add the account").click()
    expect(page.locator("main")).to_contain_text("Hyperliquid needs the wallet address.")
    page.get_by_label("Wallet address").fill("0x" + "3f" * 20)
    page.get_by_role("button", name="Add the account").click()

    expect(page.locator("main")).to_contain_text("treasury was added. Its key is looked at first")
    expect(page.locator("#seen")).to_contain_text("1 of 2 accounts seen")


def test_an_alert_is_acknowledged(open_page, addresses):
    page = open_page(addresses["alerts"])

    page.get_by_role("button", name=re.compile("Acknowledge ?: It is near")).click()

    assert "acknowledged by person" in page.locator("main").inner_text()


def test_a_reason_is_shown_to_touch_and_keyboard(open_page, site, label):
    from playwright.sync_api import expect

    held = site.act("poll", label=label, marks={"SOL": "101"})
    page = open_page(f"/positions/{held['SOL']}/")

    page.locator(".figure[data-source=unknown]").first.focus()

    expect(page.locator(".tip")).to_be_visible()
    expect(page.locator(".tip")).to_contain_text("Unknown:")
