"""Members of a team: by command, on the page, and what becomes of those who are shut out."""

import asyncio
import io
import re

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import Client

from positions.views import overview
from riskhub import live
from riskhub.teams import members
from riskhub.teams.members import MemberError
from riskhub.teams.middleware import is_member
from riskhub.teams.models import ApiToken, AuditEntry, Membership, Role
from tests import factories
from tests.factories import NOW, make_team, make_user
from tests.web.pages import browser, text_of

pytestmark = pytest.mark.django_db


def run(*words):
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def can_sign_in(username, password):
    answer = Client().post("/login/", {"username": username, "password": password})
    return answer.status_code == 302


def password_in(text):
    return re.search(r"(?:[a-z2-9]{4}-){3}[a-z2-9]{4}", text)


@pytest.fixture
def team():
    return make_team("Desk")


@pytest.fixture
def owner(team):
    return make_user("olga", team=team)


@pytest.fixture
def owners_client(owner):
    client = Client()
    client.force_login(owner)
    return client


def test_a_person_is_let_in_by_command_and_signs_in(team):
    out = run("add_member", "--username", "ada", "--role", "trader")

    password = password_in(out)[0]
    entry = AuditEntry.objects.get()
    assert can_sign_in("ada", password)
    assert Membership.objects.get(user__username="ada").role == "trader"
    assert (entry.action, entry.subject, entry.actor) == ("member.added", "ada", "command")
    assert password not in str(entry.detail)


def test_an_email_alone_is_the_name_too(team):
    run("add_member", "--email", "ada@example.com", "--role", "viewer")

    user = User.objects.get()
    assert (user.username, user.email) == ("ada@example.com", "ada@example.com")


@pytest.mark.parametrize("name", ["ada", "ADA"])
def test_a_login_that_is_there_is_let_in_with_its_own_password(team, name):
    make_user("ada", team=make_team("Other"))

    out = run("add_member", "--username", name, "--role", "viewer", "--team", "Desk")

    assert "its password stays" in out
    assert password_in(out) is None
    assert User.objects.count() == 1
    assert can_sign_in("ada", factories.PASSWORD)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--username", ""), "Give the name"),
        (("--username", "two words"), "without spaces"),
        (("--username", "x" * 151), "up to 150"),
        (("--email", "nonsense"), "no email address"),
        (("--username", "olga"), "member of Desk already, as owner"),
        (("--username", "gone"), "switched off"),
        (("--username", "ada", "--team", "Dsk"), "no team 'Dsk'; one of: Desk"),
    ],
)
def test_what_cannot_be_added_is_one_sentence(team, owner, words, sentence):
    make_user("gone", is_active=False)

    with pytest.raises(CommandError, match=sentence):
        run("add_member", *words, "--role", "viewer")

    assert Membership.objects.count() == 1


def test_with_two_teams_one_is_named(team):
    make_team("Other")

    with pytest.raises(CommandError, match="Name one team with --team; one of: Desk, Other"):
        run("add_member", "--username", "ada", "--role", "viewer")


def test_members_are_listed_by_command(owner):
    make_user("theo", team=make_team("Other"), role=Role.VIEWER, is_active=False)

    everybody, desk = run("members"), run("members", "--team", "Desk")

    assert everybody.splitlines() == ["Desk\tolga\towner", "Other\ttheo\tviewer\tswitched off"]
    assert desk.splitlines() == ["Desk\tolga\towner"]


def test_an_owner_lets_somebody_in_and_sees_the_password_once(owners_client):
    answer = owners_client.post("/settings/members/add/", {"username": "ada", "role": "viewer"})
    page = owners_client.get("/settings/")
    password = password_in(page.content.decode())[0]

    assert (answer.status_code, answer["Location"]) == (302, "/settings/#members")
    assert page["Cache-Control"] == "no-store"
    assert can_sign_in("ada", password)
    assert AuditEntry.objects.get().actor == "olga"
    assert password_in(owners_client.get("/settings/").content.decode()) is None


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"username": "", "role": "viewer"}, "Give the name that the person signs in with."),
        ({"username": "olga", "role": "viewer"}, "olga is a member of Desk already, as owner."),
        ({"username": "a b", "role": "viewer"}, "without spaces"),
        ({"username": "ada", "role": "king"}, "king is not one of the available choices"),
    ],
)
def test_a_member_that_cannot_be_added_is_a_sentence_at_the_field(owners_client, form, sentence):
    page = owners_client.post("/settings/members/add/", form)

    assert page.status_code == 200
    assert sentence in text_of(page)
    assert Membership.objects.count() == 1


def test_an_owner_changes_a_role_and_it_holds_at_once(owners_client, team):
    ada = make_user("ada", team=team, role=Role.VIEWER)
    hers = Client()
    hers.force_login(ada)
    before = hers.get("/accounts/add/").status_code
    member = Membership.objects.get(user=ada)

    page = owners_client.post(
        f"/settings/members/{member.pk}/role/", {"role": "trader"}, follow=True
    )

    entry = AuditEntry.objects.get()
    assert "ada is now trader." in text_of(page)
    assert (before, hers.get("/accounts/add/").status_code) == (403, 200)
    assert (entry.action, entry.detail) == (
        "member.role_changed",
        {"from": "viewer", "to": "trader"},
    )


def test_open_streams_are_told_when_a_member_is_removed(
    team, owner, monkeypatch, django_capture_on_commit_callbacks
):
    told = []
    monkeypatch.setattr(live, "publish", lambda **event: told.append(event))
    member = Membership.objects.get(user=make_user(team=team, role=Role.VIEWER))

    with django_capture_on_commit_callbacks(execute=True):
        members.remove(team=team, member_id=member.pk, now=NOW, by=owner)

    assert told == [{"team_id": team.pk, "event": live.MEMBERS, "data": None}]
    assert not is_member(pk=member.pk)


def test_a_member_who_is_removed_loses_pages_rest_and_tokens_at_once(owners_client, team):
    ada = make_user("ada", team=team, role=Role.TRADER)
    _, text = factories.make_token(team=team, user=ada, label="hers")
    hers, program = Client(), Client(headers={"authorization": f"Bearer {text}"})
    hers.force_login(ada)
    member = Membership.objects.get(user=ada)
    addresses = ("/", "/api/v1/positions", "/events")
    before = [hers.get("/").status_code, program.get("/api/v1/positions").status_code]

    page = owners_client.post(f"/settings/members/{member.pk}/remove/", follow=True)

    entry = AuditEntry.objects.get(action="member.removed")
    assert "ada no longer sees this team" in text_of(page)
    assert before == [200, 200]
    assert [hers.get(address).status_code for address in addresses] == [403, 403, 404]
    assert program.get("/api/v1/positions").status_code == 401
    assert not ApiToken.objects.exists()
    assert (entry.subject, entry.detail) == ("ada", {"role": "trader", "tokens": ["hers"]})
    assert User.objects.filter(username="ada").exists()


def test_the_last_owner_stays(owners_client, team, owner):
    make_user("idle", team=team, is_active=False)
    make_user("ada", team=team, role=Role.TRADER)
    member = Membership.objects.get(user=owner)

    demoted = owners_client.post(
        f"/settings/members/{member.pk}/role/", {"role": "viewer"}, follow=True
    )
    removed = owners_client.post(f"/settings/members/{member.pk}/remove/", follow=True)

    for page in (demoted, removed):
        assert "olga is the last owner of Desk; make somebody else an owner first." in text_of(page)
    member.refresh_from_db()
    assert member.role == "owner"
    assert not AuditEntry.objects.exists()


def test_an_owner_may_leave_when_another_stays(owners_client, team, owner):
    make_user("otto", team=team)
    member = Membership.objects.get(user=owner)

    page = owners_client.post(f"/settings/members/{member.pk}/remove/", follow=True)

    assert page.status_code == 403
    assert [each.user.username for each in members.list_for(team=team)] == ["otto"]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.TRADER])
def test_only_owners_see_and_use_the_forms(team, owner, role):
    client = browser(team, role=role)
    member = Membership.objects.get(user=owner)

    page = client.get("/settings/").content.decode()
    answers = [
        client.post("/settings/members/add/", {"username": "ada", "role": "owner"}),
        client.post(f"/settings/members/{member.pk}/role/", {"role": "viewer"}),
        client.post(f"/settings/members/{member.pk}/remove/"),
    ]

    assert "/settings/members/" not in page
    assert [answer.status_code for answer in answers] == [403] * 3
    assert "Only an owner of the team can change who is in it." in text_of(answers[0])
    assert not User.objects.filter(username="ada").exists()


def test_members_of_another_team_are_not_there(owners_client):
    theirs = Membership.objects.get(user=make_user(team=make_team("Other"), role=Role.VIEWER))

    answers = [
        owners_client.post(f"/settings/members/{theirs.pk}/role/", {"role": "owner"}),
        owners_client.post(f"/settings/members/{theirs.pk}/remove/"),
    ]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert Membership.objects.get(pk=theirs.pk).role == "viewer"


def test_a_role_that_there_is_not_is_refused(team, owner):
    member = Membership.objects.get(user=owner)

    with pytest.raises(MemberError, match="one of: viewer, trader, owner"):
        members.change_role(team=team, member_id=member.pk, role="king", now=NOW)


def test_a_database_that_is_away_ends_no_stream(monkeypatch):
    def fail(*, pk):
        raise OperationalError

    monkeypatch.setattr(overview, "is_member", fail)

    assert overview.may_go_on(pk=1)


def test_an_open_stream_ends_when_its_reader_is_no_longer_a_member(monkeypatch):
    told = []
    browsers = []
    answers = iter([True, False])

    async def is_allowed():
        return next(answers)

    class Quiet(live.Hub):
        async def begin(self, *, team_id):
            browsers.extend(self.browsers[team_id])

    monkeypatch.setattr(live, "hub", Quiet())

    async def read():
        stream = live.stream(team_id=1, last_event_id="", is_allowed=is_allowed)
        told.append(await anext(stream))
        for event in ("figures", live.MEMBERS, "membership", live.MEMBERS, "figures"):
            browsers[0].offer(live.LiveEvent(f"{len(told)}-{id(event)}", event, "{}"))
        told.extend([each async for each in stream])

    asyncio.run(asyncio.wait_for(read(), timeout=5))

    names = re.findall(r"event: (\w+)", b"".join(told).decode())
    assert names == ["ping", "figures", "membership"]
