"""Settings, and the frame around every page."""

import json
import re
from datetime import timedelta

import pytest
from django.test import Client

from riskhub import heartbeat, notices
from riskhub.teams import tokens
from riskhub.teams.models import ApiToken, Membership, Role
from tests import factories
from tests.factories import NOW, PASSWORD, make_account, make_coverage
from tests.web.pages import browser, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]


def shown_token(page):
    return re.search(r'<pre class="secret-once"[^>]*>([^<]+)</pre>', page.content.decode())


def test_the_text_of_a_token_is_shown_once_and_works(team):
    client = browser(team)

    answer = client.post("/settings/", {"label": "grafana", "days": "30"})
    page = client.get("/settings/")
    text = shown_token(page)[1]
    called = Client(headers={"authorization": f"Bearer {text}"}).get("/api/v1/accounts")

    token = ApiToken.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, "/settings/#tokens")
    assert called.status_code == 200
    assert (token.label, token.scopes, token.expiry) == (
        "grafana",
        ["read"],
        NOW + timedelta(days=30),
    )
    assert page["Cache-Control"] == "no-store"
    assert text not in client.get("/settings/").content.decode()
    assert "once-" not in str(dict(client.session.items()))


def test_a_token_waits_sealed_for_its_page_alone_and_not_for_ever(team, time_machine):
    client = browser(team)

    client.post("/settings/", {"label": "one"})
    kept = json.dumps(dict(client.session.items()))
    client.head("/settings/")
    other = client.get("/accounts/").content.decode()
    text = shown_token(client.get("/settings/"))[1]
    client.post("/settings/", {"label": "two"})
    time_machine.shift(timedelta(minutes=6))

    assert text not in kept
    assert text not in other
    assert shown_token(client.get("/settings/")) is None


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"label": ""}, "Give the token a label"),
        ({"label": "x", "days": "0"}, "greater than or equal to 1"),
        ({"label": "x", "days": "soon"}, "Enter a whole number."),
    ],
)
def test_a_token_that_cannot_be_made_is_a_sentence(team, form, sentence):
    page = browser(team).post("/settings/", form)

    assert sentence in text_of(page)
    assert shown_token(page) is None
    assert not ApiToken.objects.exists()


def test_a_viewers_token_cannot_write(team):
    page = browser(team, role="viewer").post("/settings/", {"label": "x", "may_write": "on"})

    assert "may only look; a token of theirs cannot write." in text_of(page)
    assert not ApiToken.objects.exists()


def test_a_revoked_token_is_gone(team):
    token, _ = factories.make_token(team=team, label="old")

    page = browser(team).post(f"/settings/tokens/{tokens.public_id(token)}/revoke/", follow=True)

    assert "The token was revoked." in text_of(page)
    assert not ApiToken.objects.exists()


def test_a_viewer_revokes_their_own_token_alone(team):
    viewer = factories.make_user(team=team, role=Role.VIEWER)
    client = Client()
    client.force_login(viewer)
    mine, _ = factories.make_token(team=team, user=viewer)
    others, _ = factories.make_token(team=team)

    answers = [
        client.post(f"/settings/tokens/{tokens.public_id(token)}/revoke/").status_code
        for token in (mine, others)
    ]

    assert answers == [302, 404]
    assert list(ApiToken.objects.all()) == [others]


def test_members_are_listed_with_their_roles(team):
    factories.make_user("berta", team=team, role=Role.VIEWER)

    assert "berta viewer" in text_of(browser(team).get("/settings/"))


def test_a_person_of_several_teams_chooses_one(team):
    other = factories.make_team("Other")
    user = factories.make_user("anna", team=team)
    Membership.objects.create(team=other, user=user, role=Role.VIEWER)
    client = Client()
    client.force_login(user)

    page = client.post("/settings/team/", {"team": str(other.pk)}, follow=True)

    assert "You now see the team Other." in text_of(page)
    assert client.get("/").wsgi_request.team == other


@pytest.mark.parametrize("asked", ["foreign", "", "abc", "-1"])
def test_a_team_of_others_is_not_shown(team, asked):
    foreign = factories.make_team("Foreign")
    client = browser(team)
    asked = str(foreign.pk) if asked == "foreign" else asked

    page = client.post("/settings/team/", {"team": asked}, follow=True)

    assert "Nothing was changed: you are not in that team." in text_of(page)
    assert client.get("/").wsgi_request.team == team


def test_the_password_is_changed_with_the_old_one(team):
    client = browser(team)
    fresh = "a much longer passphrase 7"
    form = {"new_password1": fresh, "new_password2": fresh}

    wrong = client.post("/settings/password/", {**form, "old_password": "no"})
    right = client.post("/settings/password/", {**form, "old_password": PASSWORD}, follow=True)

    assert "old password was entered incorrectly" in text_of(wrong)
    assert "Your password was changed." in text_of(right)


def test_somebody_in_no_team_is_told_what_to_do():
    client = Client()
    client.force_login(factories.make_user())

    page = client.get("/")

    assert page.status_code == 403
    assert "You are in no team yet An owner of a team can add you." in text_of(page)


def test_every_page_says_what_was_not_seen(team):
    make_coverage(make_account(team, label="fine"))
    make_account(team, venue="okx", label="dark")

    for address in ("/", "/alerts/", "/settings/"):
        words = text_of(browser(team).get(address))

        assert "1 of 2 accounts seen" in words
        assert "1 blind: OKX dark" in words


def test_the_frame_alone_brings_the_strip_the_counts_and_no_banner_twice(team, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    make_coverage(make_account(team))
    notices.write(folder=tmp_path, notices=[notices.Notice("worker", "error", "It died.", NOW)])
    client = browser(team)
    page = client.get("/").content.decode()
    address = re.search(r'id="seen" data-live-refetch="([^"]+)"', page)[1]
    digest = re.search(r'id="banners" role="status" data-digest="(\w+)"', page)[1]

    known = client.get(address, headers={"X-Banners": digest}).content.decode()
    fresh = client.get("/frame").content.decode()

    assert "It died." in page
    assert 'id="seen"' in known
    assert 'id="count-alerts"' in known
    assert "It died." not in known
    assert "It died." in fresh


def test_a_late_cycle_is_a_banner_and_one_that_never_came_is_not(team):
    heartbeat.beat(cycle="polls", now=NOW - timedelta(minutes=3))
    heartbeat.beat(cycle="outbox", now=NOW - timedelta(seconds=10))

    words = text_of(browser(team).get("/settings/"))

    assert "Positions are not being read: nothing for 3 min ." in words
    assert "Alerts are not being sent" not in words
    assert "Prices are not being refreshed" not in words


def test_late_prices_are_said_where_a_position_needs_them(team):
    heartbeat.beat(cycle="prices", now=NOW - timedelta(minutes=3))
    client = browser(team)

    without = text_of(client.get("/settings/"))
    factories.make_position(team=team)

    assert "Prices are not being refreshed" not in without
    assert "Prices are not being refreshed: nothing for 3 min ." in text_of(
        client.get("/settings/")
    )


def test_an_installation_that_never_beat_has_no_banner(team):
    page = browser(team).get("/")

    assert b'class="banner"' not in page.content


@pytest.mark.parametrize("address", ["/login/", "/nothing/here", "/static/nothing.css"])
def test_strangers_pages_ask_the_database_nothing(address, django_assert_num_queries):
    with django_assert_num_queries(0):
        Client().get(address)


def test_a_page_of_an_error_reads_neither_coverage_nor_alerts(team, django_assert_max_num_queries):
    client = browser(team)

    # Session, user, membership, and the position that is not there.
    with django_assert_max_num_queries(4):
        page = client.get("/positions/987654321/")

    assert page.status_code == 404
    assert "There is no such page" in text_of(page)


def test_a_form_without_its_token_is_refused_with_a_sentence(team):
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.make_user(team=team))

    page = client.post("/settings/team/", {"team": "1"})

    assert page.status_code == 403
    assert "This form is no longer valid" in text_of(page)


def test_the_navigation_knows_where_it_is(team):
    position = factories.make_position(team=team)
    client = browser(team)

    here = {
        address: re.search(r'aria-current="page">(\w+)', client.get(address).content.decode())[1]
        for address in (
            "/",
            f"/positions/{position.pk}/",
            "/alerts/",
            "/accounts/add/",
            "/coverage/",
            "/settings/",
        )
    }

    assert list(here.values()) == [
        "Overview",
        "Overview",
        "Alerts",
        "Accounts",
        "Coverage",
        "Settings",
    ]


def test_the_style_guide_is_behind_the_login(team):
    assert Client().get("/styleguide/").status_code == 302
    assert browser(team).get("/styleguide/").status_code == 200
