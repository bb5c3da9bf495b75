"""The figures of a page agree with each other at each moment, whatever happens at the venues."""

import random
import re
from decimal import Decimal

from riskhub import formatting

NBSP = "\u00a0"
# Looked at in every frame that the browser draws: what is first, by the sentence and by the rows.
WATCH = """() => {
  window.disagreements = [];
  window.frames_seen = 0;
  const words = (element) => (element ? element.textContent.replaceAll("\\u00a0", " ").trim() : "");
  function look() {
    window.frames_seen += 1;
    const row = document.querySelector("tbody tr[data-position]");
    const header = document.querySelector(".headline");
    const nearest = document.querySelector('[data-extreme="nearest"]');
    const distance = words(row.querySelector("[data-field=liquidation_distance]"));
    const said = words(header.querySelector("h1"));
    const [note, value] = [".fact-note", ".fact-value"].map((part) => nearest.querySelector(part));
    const tile = `${words(note)}: ${words(value)}`;
    const isSaid = said.includes(row.dataset.label) && said.includes(distance.replace("−", ""));
    const isOnTile = tile === `${row.dataset.label}: ${distance}`;
    if (!isSaid || !isOnTile) window.disagreements.push([row.dataset.label, distance, said, tile]);
    requestAnimationFrame(look);
  }
  look();
}"""


def live(page):
    from playwright.sync_api import expect

    expect(page.locator("#live-state")).to_have_attribute("data-state", "live")


def test_sentence_total_and_first_row_agree_in_every_frame(open_page, site, label):
    from playwright.sync_api import expect

    page = open_page("/")
    live(page)
    page.evaluate(WATCH)

    for sol, eth, first in (
        ("91", "99", "SOL long on Bybit dies first: 0.6 % away"),
        ("103", "93", "ETH long on Bybit dies first: 2.7 % away"),
        ("90.2", "97", "SOL long on Bybit is beyond its liquidation price by 0.3 %, still"),
        ("99", "94", "ETH long on Bybit dies first: 3.8 % away"),
    ):
        site.act("price", label=label, SOL=sol, ETH=eth)
        expect(page.locator("h1")).to_contain_text(first)

    page.wait_for_timeout(1500)  # the second line is asked for anew meanwhile
    assert page.evaluate("window.disagreements") == []
    assert page.evaluate("window.frames_seen") > 20


def test_the_second_line_does_not_speak_of_another_position(open_page, site, label):
    from playwright.sync_api import expect

    page = open_page("/")
    live(page)
    own = page.locator(".headline-sub [data-own]")
    before = own.inner_text()

    site.act("price", label=label, SOL="91", ETH="99")
    expect(page.locator("h1")).to_contain_text("SOL long")

    expect(page.locator("h1 a")).to_have_attribute("href", re.compile(r"/positions/\d+/"))
    expect(own).to_be_visible()
    expect(own).not_to_have_text(before)
    expect(own).not_to_have_attribute("data-waits", "")
    assert page.locator(".headline").get_attribute("data-position") == own.get_attribute("data-own")


def test_an_answer_that_is_older_than_the_last_price_changes_nothing_back(open_page, site, label):
    from playwright.sync_api import expect

    page = open_page("/")
    live(page)
    held = []
    page.route("**/summary*", lambda route: held.append((route, route.fetch())))
    page.evaluate(
        "void htmx.ajax('GET', '/summary', {target: '#summary', swap: 'outerHTML',"
        " select: '#summary'})"
    )
    while not held:
        page.wait_for_timeout(50)
    site.act("price", label=label, ETH="93")
    expect(page.locator("h1")).to_contain_text("2.7 % away")
    page.evaluate(WATCH)

    route, response = held[0]
    route.fulfill(response=response)
    page.wait_for_timeout(600)

    assert page.evaluate("window.disagreements") == []
    expect(page.locator("h1")).to_contain_text("2.7 % away")


def test_a_bankrupt_position_is_the_most_alarming_everywhere(open_page, site, label):
    from playwright.sync_api import expect

    page = open_page("/")
    live(page)

    site.act("price", label=label, ETH="85")

    expect(page.locator("h1")).to_contain_text("ETH long on Bybit is bankrupt")
    fullest = page.locator('[data-extreme="fullest"]')
    expect(fullest).to_contain_text("bankrupt")
    expect(fullest.locator(".fact-value")).to_have_attribute("data-severity", "critical")
    expect(page.locator("tbody tr").first).to_contain_text("ETH")
    expect(page.locator("tbody tr").first.locator(".badge", has_text="bankrupt")).to_be_visible()
    plot = page.locator("[data-chart=compartments]")
    expect(plot).to_contain_text("bankrupt")
    assert "?" not in plot.inner_text()


def test_every_figure_of_a_position_follows_the_same_price(open_page, site, label, addresses):
    from playwright.sync_api import expect

    page = open_page(addresses["position"])
    live(page)
    expect(page.locator("[data-chart=price] .main-svg").first).to_be_visible()

    site.act("price", label=label, SOL="93")

    expect(page.locator("[data-chart=price]")).to_contain_text("93.000 mark")
    assert "2.7 %" in page.locator("h1").inner_text().replace(NBSP, " ")
    assert "; mark 93.000." in page.locator(".headline-sub").inner_text()
    read_at = page.locator("#times [data-time=price_at]").inner_text()
    row = page.locator("#figures tr", has=page.get_by_text(re.compile("^Mark price")))
    assert read_at in row.inner_text()


def test_beyond_liquidation_a_page_says_so_at_once(open_page, site, label, addresses):
    from playwright.sync_api import expect

    page = open_page(addresses["position"])
    live(page)

    site.act("price", label=label, SOL="90.2")

    expect(page.locator("h1")).to_contain_text("0.3 % beyond liquidation, still reported open")


def test_what_only_a_reading_tells_is_asked_for_with_it(open_page, site, label, addresses):
    from playwright.sync_api import expect

    page = open_page(addresses["position"])
    live(page)
    received = page.locator("#times dd").nth(2)
    before = received.inner_text()

    page.wait_for_timeout(1100)  # the time is shown in seconds
    site.act("poll", label=label, marks={"SOL": "102", "ETH": "96"})

    expect(received).not_to_have_text(before)


def test_a_headline_keeps_its_space_before_the_unit(open_page, site, label):
    from playwright.sync_api import expect

    page = open_page("/")
    live(page)
    before = page.locator("h1").text_content()

    site.act("price", label=label, ETH="92")
    expect(page.locator("h1")).to_contain_text("1.7")

    assert f"5.8{NBSP}% away" in before
    assert f"1.7{NBSP}% away" in page.locator("h1").text_content()


def test_a_late_cycle_is_seen_in_the_corner_and_its_age_ticks(open_page, site, label):
    from playwright.sync_api import expect

    site.act("beat", cycle="polls", seconds_ago=20)
    try:
        page = open_page("/")
        expect(page.locator("#live-state")).to_have_attribute("data-state", "late")
        age = page.locator("#banners [data-is-late] [data-age-at]")
        before = age.inner_text()

        expect(age).not_to_have_text(before)
    finally:
        site.act("beat", cycle="polls", seconds_ago=-3600)
    expect(page.locator("#live-state")).to_have_attribute("data-state", "live", timeout=15_000)


def test_a_banner_about_what_is_over_stays_dismissed(open_page, site, label):
    from playwright.sync_api import expect

    site.act("notify", texts=["Part one was restarted.", "Part two was restarted."])
    try:
        page = open_page("/")
        page.get_by_role("button", name="Dismiss").click()
        expect(page.locator(".banner")).to_be_hidden()
        page.reload()

        live(page)
        expect(page.locator(".banner")).to_be_hidden()
    finally:
        site.act("notify", texts=[])


def test_numbers_are_written_alike_by_server_and_browser(open_page):
    page = open_page("/styleguide/")
    seeded = random.Random(7)
    values = [31000.5, 31001.5, 1.00005, 0.999995, 99.995, 0.005, 123456.5, 0.0005, 0.995, 0.9995]
    values += [seeded.uniform(0, 10 ** seeded.randint(-6, 6)) for _ in range(2000)]
    values += [round(seeded.uniform(0, 2), 4) + 0.00005 for _ in range(500)]
    values += [float(Decimal(seeded.randint(0, 10**7)) / 2000) for _ in range(500)]
    values += [-value for value in values[:300]]

    written = page.evaluate(
        "(values) => values.map((value) => ['price', 'percent', 'dollars']"
        ".map((form) => RiskHub.format[form](value)))",
        values,
    )

    expected = [
        [formatting.price(value), formatting.percent(value), formatting.money(value)]
        for value in values
    ]
    differing = [
        (value, told, wanted)
        for value, told, wanted in zip(values, written, expected, strict=True)
        if told != wanted
    ]
    assert differing == []
