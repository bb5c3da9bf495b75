"""What happens at a venue arrives on an open page, without a reload."""

import re


def keep_mark(page):
    """Leave a mark that a reload would wipe out."""
    page.evaluate("window.isSamePage = true")


def assert_not_reloaded(page):
    assert page.evaluate("window.isSamePage === true")


def row(page, asset):
    return page.locator("tbody tr", has=page.get_by_role("link", name=re.compile(f"^{asset} ")))


def test_the_overview_is_filled(open_page):
    page = open_page("/")

    headline = page.locator("h1").inner_text().replace("\u00a0", " ")
    assert "ETH long on Bybit dies first: 5.8 % away" in headline
    assert row(page, "SOL").count() == 1
    assert page.locator("#live-state").get_attribute("data-state") in {"waiting", "live"}


def test_a_price_arrives_in_its_row_in_the_headline_and_in_the_figure(open_page, site, label):
    from playwright.sync_api import expect

    page = open_page("/")
    expect(page.locator("#live-state")).to_have_attribute("data-state", "live")
    keep_mark(page)

    site.act("price", label=label, ETH="92")

    expect(row(page, "ETH").locator("[data-field=mark_price]")).to_have_text("92.000")
    expect(row(page, "ETH").locator("[data-field=liquidation_distance]")).to_have_text("1.7 %")
    expect(row(page, "ETH")).to_have_attribute("data-severity", "critical")
    expect(page.locator("h1")).to_contain_text("1.7 % away")
    expect(page.locator("#live-announce")).to_have_text("ETH long on Bybit: critical")
    assert_not_reloaded(page)


def test_the_table_stays_in_order(open_page, site, label):
    from playwright.sync_api import expect

    page = open_page("/")
    expect(page.locator("#live-state")).to_have_attribute("data-state", "live")
    expect(page.locator("tbody tr").first).to_contain_text("ETH")
    keep_mark(page)

    site.act("price", label=label, SOL="91", ETH="99")

    expect(page.locator("tbody tr").first).to_contain_text("SOL")
    expect(page.locator("h1")).to_contain_text("SOL long on Bybit dies first: 0.6 % away")
    assert_not_reloaded(page)


def test_a_position_appears_and_goes(open_page, site, label):
    from playwright.sync_api import expect

    page = open_page("/")
    expect(page.locator("#live-state")).to_have_attribute("data-state", "live")
    keep_mark(page)

    site.act("poll", label=label, marks={"SOL": "101", "ETH": "96", "DOGE": "98"})
    expect(row(page, "DOGE")).to_be_visible()
    site.act("poll", label=label, marks={"SOL": "101", "DOGE": "98"}, ended="ETH")

    expect(row(page, "ETH")).to_have_count(0)
    expect(page.locator("h1")).to_contain_text("DOGE long on Bybit dies first")
    assert_not_reloaded(page)


def test_a_state_changes_its_badge(open_page, site, label):
    from playwright.sync_api import expect

    page = open_page("/")
    expect(page.locator("#live-state")).to_have_attribute("data-state", "live")

    site.act("grow_stale", label=label)
    expect(row(page, "SOL").get_by_text("stale", exact=True)).to_be_visible()
    site.act("poll", label=label, marks={"SOL": "101", "ETH": "96"})

    expect(row(page, "SOL").get_by_text("stale", exact=True)).to_have_count(0)


def test_the_position_page_follows_the_price_and_its_chart_grows(open_page, site, label, addresses):
    from playwright.sync_api import expect

    page = open_page(addresses["position"])
    expect(page.locator("#live-state")).to_have_attribute("data-state", "live")
    expect(page.locator("[data-chart=price] .main-svg").first).to_be_visible()
    keep_mark(page)

    site.act("price", label=label, SOL="93")

    expect(page.locator("h1")).to_contain_text("2.7 % from liquidation")
    expect(page.locator("td [data-field=mark_price]")).to_have_text("93.000USDT")
    expect(page.locator("[data-chart=price]")).to_contain_text("93.000 mark")
    assert_not_reloaded(page)


def test_charts_are_drawn_and_said_in_words(open_page, addresses):
    from playwright.sync_api import expect

    page = open_page("/")

    expect(page.locator("[data-chart=compartments] .main-svg").first).to_be_visible()
    expect(page.locator("[data-chart=compartments]")).to_contain_text("liquidation, 100 %")
    page.get_by_text("The same as a list").click()
    expect(page.locator(".chart-list")).to_contain_text("SOL long")


def test_a_stranger_is_sent_to_the_login_and_comes_in(chromium, site, label):
    context = chromium.new_context(base_url=site.url)
    page = context.new_page()

    page.goto("/alerts/")
    page.get_by_label("Username").fill(f"person-{label}")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    wrong = page.locator("main").inner_text()
    page.get_by_label("Password").fill("correct horse battery staple")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/alerts/")

    assert "correct username and password" in wrong
    assert "1 alert is open" in page.locator("h1").inner_text()
    context.close()


def test_the_position_page_says_so_when_its_position_ends(open_page, site, label, addresses):
    from playwright.sync_api import expect

    page = open_page(addresses["position"])
    expect(page.locator("#live-state")).to_have_attribute("data-state", "live")
    keep_mark(page)

    site.act("poll", label=label, marks={"ETH": "96"}, ended="SOL")

    expect(page.locator("h1")).to_have_text("SOL long was liquidated")
    expect(page.locator("#events")).to_contain_text("liquidated")
    expect(page.locator("#lives")).to_contain_text("end-0")
    assert_not_reloaded(page)
