import io
from datetime import timedelta

import pytest
from django.core import serializers
from django.core.management import CommandError, call_command

from riskhub.teams import tokens
from riskhub.teams.models import ApiToken, AuditEntry, Membership, Role
from tests.factories import NOW, make_team, make_token, make_user

pytestmark = pytest.mark.django_db


def create_token(*arguments):
    out, err = io.StringIO(), io.StringIO()
    call_command("create_token", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_command_prints_the_token_alone_and_once():
    make_user(team=make_team())

    out, err = create_token("--label", "grafana")

    text = out.strip()
    assert text.startswith("rh_")
    assert out == f"{text}\n"
    assert text not in err


def test_only_a_digest_is_stored():
    team = make_team()

    token, text = make_token(team=team)

    stored = serializers.serialize("json", [*ApiToken.objects.all(), *AuditEntry.objects.all()])
    assert text not in stored
    assert text[len("rh_") + 12 :] not in stored
    assert token.digest in stored


def test_the_command_makes_a_reading_token_of_the_first_owner():
    team = make_team()
    make_user("watcher", team=team, role=Role.VIEWER)
    owner = make_user("owner", team=team)

    create_token("--label", "grafana")

    token = ApiToken.objects.get()
    assert (token.user, token.team, token.scopes) == (owner, team, ["read"])
    assert token.expiry is None


def test_scopes_and_days_are_kept():
    user = make_user(team=make_team())

    create_token("--label", "x", "--user", user.username, "--scope", "write", "--scope", "read")
    token, _ = tokens.create(team=make_team_of(user), user=user, label="y", now=NOW, days=30)

    assert ApiToken.objects.get(label="x").scopes == ["read", "write"]
    assert token.expiry == NOW + timedelta(days=30)


def make_team_of(user):
    return Membership.objects.get(user=user).team


def test_making_and_revoking_a_token_is_audited_without_its_text():
    team = make_team()
    user = make_user(team=team)
    token, text = tokens.create(team=team, user=user, label="bot", now=NOW, by=user)

    tokens.revoke(team=team, token_id=tokens.public_id(token), now=NOW, by=user)

    entries = list(AuditEntry.objects.order_by("id"))
    assert [entry.action for entry in entries] == ["token.created", "token.revoked"]
    assert {entry.subject for entry in entries} == {"bot"}
    assert text not in str([entry.detail for entry in entries])
    assert not ApiToken.objects.exists()


def test_a_token_of_another_team_cannot_be_revoked_or_listed():
    token, _ = make_token(team=make_team())
    mine = make_team()

    with pytest.raises(tokens.TokenError, match="no such token"):
        tokens.revoke(team=mine, token_id=tokens.public_id(token), now=NOW)

    assert ApiToken.objects.count() == 1
    assert not tokens.list_for(team=mine)


def test_the_public_id_is_no_part_of_the_text():
    token, text = make_token(team=make_team())

    assert tokens.public_id(token) not in text


@pytest.mark.parametrize("label", ["", "   "])
def test_a_token_needs_a_label(label):
    make_user(team=make_team())

    with pytest.raises(CommandError, match="label"):
        create_token("--label", label)


@pytest.mark.parametrize("days", ["0", "-1", "99999999999"])
def test_days_must_make_sense(days):
    make_user(team=make_team())

    with pytest.raises(CommandError, match="days"):
        create_token("--label", "x", "--days", days)


def test_a_viewer_gets_no_token_that_writes():
    make_user("watcher", team=make_team(), role=Role.VIEWER)

    with pytest.raises(CommandError, match="cannot write"):
        create_token("--label", "x", "--user", "watcher", "--scope", "write")


def test_a_stranger_to_the_team_gets_none():
    make_user("stranger")

    with pytest.raises(CommandError, match="member"):
        create_token("--label", "x", "--user", "stranger")


def test_an_unknown_user_is_named():
    with pytest.raises(CommandError, match="no user 'nobody'"):
        create_token("--label", "x", "--user", "nobody")


def test_without_anybody_the_command_says_how_a_login_is_made():
    with pytest.raises(CommandError, match="make run"):
        create_token("--label", "x")


def test_two_teams_must_be_told_apart():
    one, two = make_team("One"), make_team("Two")
    make_user(team=one)
    make_user("second", team=two)

    with pytest.raises(CommandError, match="--team; one of: One, Two"):
        create_token("--label", "x")
    create_token("--label", "x", "--team", "Two")

    assert ApiToken.objects.get().team == two
