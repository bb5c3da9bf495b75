from datetime import timedelta

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client
from rest_framework.test import APIRequestFactory

from positions.api.auth import HasTeamAndScope
from positions.api.throttles import PER_MINUTE
from riskhub import logs
from riskhub.teams import tokens
from riskhub.teams.models import ApiToken, Membership, Role
from tests.api.conftest import Api
from tests.factories import NOW, make_position, make_user

pytestmark = pytest.mark.django_db


def test_a_stranger_gets_401_and_is_told_how():
    response = Client().get("/api/v1/positions")

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert response.json()["error"]["code"] == "not_authenticated"


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer rh_wrong", "Bearer a b", "Bearer \u00e9\u00e9", "Bearer " + "x" * 5000],
)
def test_a_bad_token_gets_401(header):
    client = Client(headers={"authorization": header.encode().decode("latin1")})

    response = client.get("/api/v1/positions")

    assert response.status_code == 401
    assert set(response.json()["error"]) == {"code", "message"}


def test_a_token_acts_for_its_own_team_only(api):
    position = make_position(team=api.team)
    make_position()

    results = api.results("positions")

    assert [row["id"] for row in results] == [str(position.pk)]


def test_an_expired_token_is_refused_and_kept(team):
    user = make_user(team=team)
    _, text = tokens.create(team=team, user=user, label="x", now=NOW, days=1)
    client = Client(headers={"authorization": f"Bearer {text}"})

    with time_machine.travel(NOW + timedelta(hours=23), tick=False):
        before = client.get("/api/v1/venues")
    with time_machine.travel(NOW + timedelta(hours=24), tick=False):
        after = client.get("/api/v1/venues")

    assert (before.status_code, after.status_code) == (200, 401)
    assert "expired" in after.json()["error"]["message"]
    assert ApiToken.objects.count() == 1


def test_a_token_dies_with_the_membership(api):
    Membership.objects.all().delete()

    status, _ = api.get("positions")

    assert status == 401


def test_a_token_dies_with_its_user(team):
    user = make_user(team=team)
    api = Api(team, user=user)
    user.is_active = False
    user.save()

    status, _ = api.get("positions")

    assert status == 401


def test_a_revoked_token_is_refused(api, team):
    tokens.revoke(team=team, token_id=tokens.public_id(ApiToken.objects.get()), now=NOW)

    status, _ = api.get("positions")

    assert status == 401


def test_a_token_without_the_scope_read_reads_nothing(team):
    api = Api(team, scopes=("write",))

    status, document = api.get("positions")

    assert status == 403
    assert document["error"]["code"] == "forbidden"


@pytest.mark.parametrize(
    ("role", "scopes", "method", "is_allowed"),
    [
        (Role.TRADER, ["read"], "get", True),
        (Role.TRADER, ["read"], "post", False),
        (Role.TRADER, ["write"], "post", True),
        (Role.TRADER, ["write"], "get", False),
        (Role.VIEWER, ["write"], "delete", False),
        (Role.VIEWER, ["read"], "get", True),
    ],
)
def test_reading_needs_read_and_all_else_write_and_a_writer(role, scopes, method, is_allowed):
    request = getattr(APIRequestFactory(), method)("/")
    request.user = make_user()
    request.membership = Membership(role=role)
    request.auth = ApiToken(scopes=scopes)

    assert HasTeamAndScope().has_permission(request, None) is is_allowed


def test_a_person_who_is_logged_in_reads_without_a_token(team):
    client = Client()
    client.force_login(make_user(team=team))
    position = make_position(team=team)

    response = client.get("/api/v1/positions")

    assert [row["id"] for row in response.json()["results"]] == [str(position.pk)]


def test_a_person_in_no_team_is_refused():
    client = Client()
    client.force_login(make_user())

    response = client.get("/api/v1/positions")

    assert response.status_code == 403


def test_a_bad_token_is_not_rescued_by_a_session(team):
    client = Client(headers={"authorization": "Bearer rh_wrong"})
    client.force_login(make_user(team=team))

    response = client.get("/api/v1/positions")

    assert response.status_code == 401


def test_a_token_that_was_used_is_cut_from_logs(api):
    api.get("positions")

    assert api.text not in logs.scrub(f"header {api.text}")


@pytest.fixture
def counting_cache(settings):
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "api"}
    }
    yield cache
    cache.clear()


def test_too_many_requests_in_a_minute_are_refused_and_told_how_long_to_wait(api, counting_cache):
    other = Api(api.team)
    with time_machine.travel(NOW + timedelta(seconds=15), tick=False):
        minute = int(NOW.timestamp()) // 60
        token = ApiToken.objects.get(token_key=api.text[:15])
        counting_cache.set(f"api-rate:token:{token.digest[:16]}:{minute}", PER_MINUTE - 1)

        allowed, refused = api.send("venues"), api.send("venues")
        others = other.send("venues")

    assert (allowed.status_code, refused.status_code) == (200, 429)
    assert refused["Retry-After"] == "45"
    assert refused.json()["error"]["code"] == "too_many_requests"
    assert others.status_code == 200


def test_without_redis_the_api_answers(api, settings):
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "unix:///nowhere/redis.sock",
        }
    }

    status, _ = api.get("venues")

    assert status == 200
