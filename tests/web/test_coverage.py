"""The page of coverage."""

from __future__ import annotations

from datetime import timedelta

import pytest

from positions.models import Position
from riskhub.teams.models import AuditEntry, Role
from tests.factories import NOW, make_account, make_coverage, make_event, make_position, make_team
from tests.web.pages import browser, headline, text_of
from venues.models import Feed, HostBan, KeyCheck

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]
LATE = NOW - timedelta(minutes=5)


def test_a_team_without_accounts_is_told_where_to_begin(team):
    page = browser(team).get("/coverage/")

    assert "No account is being read" in headline(page)
    assert "Nothing is read yet" in text_of(page)


def test_every_part_says_how_old_it_is_and_what_came_last(team):
    account = make_account(team, label="main")
    make_coverage(account, "flat", rows=0)
    make_coverage(account, "held", rows=3)
    empty = {"error_kind": "unreadable", "error": "Binance: the answer is empty."}
    make_coverage(account, "empty", seen_at=LATE, rows=2, **empty)
    page_ = {"error_kind": "unreadable", "error": "Binance: the answer is a web page, not data."}
    make_coverage(account, "odd", seen_at=LATE, rows=2, **page_)

    page = browser(team).get("/coverage/")

    words = text_of(page)
    assert "warning 2 of 4 parts are not seen" in headline(page)
    assert "flat fresh 0 s 1 min 10 s flat book 0 0 none" in words.replace("\u00a0", " ")
    assert "held fresh 0 s 1 min 10 s positions 3 0 none" in words.replace("\u00a0", " ")
    assert "empty stale 5 min 1 min 10 s empty answer 2 0" in words.replace("\u00a0", " ")
    assert "odd stale 5 min 1 min 10 s unreadable answer 2 0" in words.replace("\u00a0", " ")


def test_what_is_not_seen_stands_first(team):
    make_coverage(make_account(team, label="a-fine"))
    make_coverage(make_account(team, label="z-blind"), seen_at=LATE)

    words = text_of(browser(team).get("/coverage/"))

    table = words[words.index("Last answer") :]
    assert table.index("z-blind") < table.index("a-fine")


def test_refused_rows_are_named_with_their_reasons(team):
    refusals = [{"symbol": "<b>X</b>", "reason": "liqPx is no number"}]
    make_coverage(make_account(team), rows=1, refused=3, refusals=refusals)

    page = browser(team).get("/coverage/")

    assert "But 3 rows could not be read; each may be a position." in text_of(page)
    assert "rows refused 1 3 Refused rows <b>X</b> liqPx is no number and 2 more" in text_of(page)
    assert b"<b>X</b>" not in page.content


def test_an_account_that_was_never_asked_is_listed(team):
    make_account(team, label="new")

    words = text_of(browser(team).get("/coverage/"))

    assert "account never" in words
    assert "not asked yet — — It has not been read yet." in words


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("?venue=okx", ["okx-one"]),
        ("?account=bin-one", ["bin-one"]),
        ("?state=stale", ["okx-one"]),
        ("?state=", ["okx-one", "bin-one"]),
        ("?state=nonsense", []),
        ("?venue=%00&page=%00", ["okx-one", "bin-one"]),
    ],
)
def test_the_parts_can_be_narrowed(team, query, shown):
    make_coverage(make_account(team, venue="binance", label="bin-one"))
    make_coverage(make_account(team, venue="okx", label="okx-one"), seen_at=LATE)

    body = browser(team).get(f"/coverage/{query}").content.decode()

    rows = body.split("<tbody>")[1:2]
    assert [name for name in ("okx-one", "bin-one") if rows and name in rows[0]] == shown


def test_a_long_list_has_pages(team):
    account = make_account(team)
    for number in range(103):
        make_coverage(account, f"part-{number:03}")

    page = browser(team).get("/coverage/?page=2")

    assert "101–103 of 103 parts" in text_of(page)


def test_what_is_gone_says_since_when_and_can_be_explained(team):
    position = make_position(make_account(team, label="main"), state="gone")
    make_event(position, "gone", at=LATE)
    client = browser(team)

    before = text_of(client.get("/coverage/"))
    after = client.post(f"/coverage/{position.pk}/explain/", follow=True)

    position.refresh_from_db()
    assert "BTC long BTC/USDT:USDT" in before
    assert "2026-11-22 14:55:00 UTC" in before
    assert position.state == "closed"
    assert position.life.end_reference.startswith("told by")
    assert after.redirect_chain == [("/coverage/", 302)]
    assert "Nothing has vanished without a word." in text_of(after)
    assert AuditEntry.objects.get().action == "position.explained"


def test_what_came_back_needs_no_explanation(team):
    position = make_position(make_account(team))

    page = browser(team).post(f"/coverage/{position.pk}/explain/", follow=True)

    assert "the position is not missing" in text_of(page)
    assert Position.objects.get().state == "open"


def test_who_only_looks_cannot_explain(team):
    position = make_position(make_account(team), state="gone")
    client = browser(team, Role.VIEWER)

    page, answer = client.get("/coverage/"), client.post(f"/coverage/{position.pk}/explain/")

    assert b"I closed it" not in page.content
    assert answer.status_code == 403


def test_feeds_and_bans_are_shown_with_their_age(team):
    make_position(make_account(team))
    Feed.objects.create(venue="binance", kind="prices", received_at=LATE, error="No prices came.")
    Feed.objects.create(venue="binance", kind="rules", received_at=LATE)
    until = NOW + timedelta(minutes=3)
    HostBan.objects.create(venue="binance", begun_at=NOW, until=until, reason="418")

    words = text_of(browser(team).get("/coverage/")).replace("\u00a0", " ")

    assert "Binance has banned" in words
    assert "2026-11-22 15:03:00 UTC" in words
    assert "prices stale 5 min 14 s No prices came." in words
    assert "margin rules and limits fresh 5 min" in words


def test_queries_do_not_grow_with_accounts(team, django_assert_max_num_queries):
    for _ in range(10):
        make_position(make_account(team))
    client = browser(team)

    with django_assert_max_num_queries(15):
        client.get("/coverage/")


def test_a_part_of_the_page_is_asked_again_by_itself(team):
    make_coverage(make_account(team))

    part = browser(team).get("/coverage/", headers={"HX-Request": "true"})

    assert part.content.decode().startswith('<div class="stack" id="coverage"')


def test_another_teams_parts_are_not_shown(team):
    make_coverage(make_account(make_team(), label="foreign"))

    assert "foreign" not in text_of(browser(team).get("/coverage/"))


TRADE = {"code": "trade", "severity": "warning", "sentence": "This key can trade."}


def test_a_new_account_is_shown_as_being_checked(team):
    KeyCheck.objects.create(account=make_account(team), next_at=NOW)

    assert "Key: checking…" in text_of(browser(team).get("/accounts/"))


def test_findings_stand_at_their_account(team):
    KeyCheck.objects.create(
        account=make_account(team), checked_at=LATE, findings=[TRADE], facts={"readOnly": "0"}
    )

    words = text_of(browser(team).get("/accounts/"))

    assert "look at it This key can trade. Key looked at 5 min ago." in words
    assert "What the venue says of it readOnly 0" in words


def test_a_key_with_nothing_wrong_is_said_to_have_nothing(team):
    KeyCheck.objects.create(account=make_account(team), checked_at=LATE)

    assert "Nothing was found against this key." in text_of(browser(team).get("/accounts/"))


def test_a_look_that_failed_says_why(team):
    KeyCheck.objects.create(account=make_account(team), findings=[TRADE], error="Binance is down.")

    words = text_of(browser(team).get("/accounts/"))

    assert "It could not be looked at: Binance is down." in words


def test_a_refused_account_offers_another_key_and_not_another_read(team):
    refused = {**TRADE, "severity": "refused"}
    account = make_account(team, label="main", blocked_reason="This key can withdraw money.")
    KeyCheck.objects.create(account=account, checked_at=LATE, findings=[refused])
    client = browser(team)

    page = client.get("/accounts/")
    again = client.post(f"/accounts/{account.pk}/poll/", follow=True)

    assert "Replace key" in text_of(page)
    assert "Read again" not in text_of(page)
    assert "main is not read: This key can withdraw money." in text_of(again)


def test_a_ban_elsewhere_than_at_the_venue_concerns_those_who_read_there(team):
    here, elsewhere = "https://me:secret@one.example/x", "https://two.example"
    make_account(team, environment=here)
    for environment in (here, elsewhere):
        HostBan.objects.create(
            venue="binance", environment=environment, begun_at=NOW, until=NOW + timedelta(hours=1)
        )

    page = text_of(browser(team).get("/"))

    assert "Binance at one.example has banned this machine's address until" in page
    assert "two.example" not in page
    assert "secret" not in page


def test_a_part_that_the_venue_lets_be_polled_less_often_says_so(team):
    make_coverage(make_account(team, poll_budget_s=200.0), seen_at=LATE)

    page = browser(team).get("/coverage/").content.decode()

    assert "Polled every 3 min 20 s: the venue allows no more for all accounts there." in page
    assert "parts are not seen" not in page
