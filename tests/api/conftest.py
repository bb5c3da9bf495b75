import pytest
from django.test import Client

from tests.factories import make_team, make_token, make_user


class Api:
    """A caller with a token: `api.get("positions?side=long")` returns (status, document)."""

    def __init__(self, team, *, scopes=("read",), user=None):
        self.team = team
        _, self.text = make_token(team=team, user=user or make_user(team=team), scopes=scopes)
        self.client = Client(
            headers={"authorization": f"Bearer {self.text}"}, raise_request_exception=False
        )

    def send(self, path, method="get"):
        return getattr(self.client, method)(f"/api/v1/{path}")

    def get(self, path):
        response = self.send(path)
        return response.status_code, response.json()

    def results(self, path):
        status, document = self.get(path)
        assert status == 200, document
        return document["results"]


@pytest.fixture
def team(db):
    return make_team()


@pytest.fixture
def api(team):
    return Api(team)
