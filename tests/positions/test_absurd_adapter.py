"""A whole poll beside an adapter that returns what no contract allows."""

from __future__ import annotations

from typing import ClassVar

import pytest

from positions import ingest
from positions.models import Position
from tests.factories import NOW, make_account
from tests.positions.readings import reading
from venues import reading as reader
from venues.base import REGISTRY, PriceReading, ScopeReading, VenueAdapter
from venues.models import CoverageEntry

pytestmark = pytest.mark.django_db


class Sane(VenueAdapter):
    """Lives in this file and asks nobody."""

    label = "Sane"
    credentials = ()

    def scopes(self, request):
        return ("linear",)

    def prepare(self, *, requests, now):
        return {}

    async def read_scope(self, *, client, scope):
        return ScopeReading(scope, (reading(),))

    async def read_prices(self, *, client, symbols):
        return PriceReading()


class Absurd(Sane):
    """Puts text where a figure belongs."""

    label = "Absurd"
    columns: ClassVar = {"collateral": "a lot", "mark_price": ["1", "2"]}

    async def read_scope(self, *, client, scope):
        return ScopeReading(scope, (reading(**self.columns),))


@pytest.fixture(autouse=True)
def _venues(monkeypatch):
    for slug, adapter in (("sane", Sane), ("absurd", Absurd)):
        monkeypatch.setattr(adapter, "slug", slug)
        monkeypatch.setitem(REGISTRY, slug, adapter)


def test_an_absurd_adapter_costs_the_accounts_of_other_venues_nothing():
    accounts = [make_account(venue=venue) for venue in ("sane", "absurd", "sane")]
    ids = [account.pk for account in accounts]

    stored = [
        account_id
        for group in reader.read_accounts(account_ids=ids, now=NOW, deadline_s=5.0)
        for account_id in ingest.ingest_outcomes(outcomes=group, cycle=1, now=NOW)
    ]

    errors = dict(CoverageEntry.objects.order_by("account").values_list("account", "error_kind"))
    assert sorted(stored) == [ids[0], ids[2]]
    assert sorted(Position.objects.values_list("account", flat=True)) == [ids[0], ids[2]]
    assert errors == {ids[0]: "", ids[1]: "not_stored", ids[2]: ""}


class Silent(Sane):
    """Returns nothing where a reading belongs."""

    label = "Silent"

    async def read_scope(self, *, client, scope):
        return None


def test_an_adapter_that_returns_nothing_is_a_failed_read(monkeypatch):
    monkeypatch.setattr(Silent, "slug", "silent")
    monkeypatch.setitem(REGISTRY, "silent", Silent)
    account = make_account(venue="silent")

    [outcome] = [
        each for group in reader.read_accounts(account_ids=[account.pk], now=NOW) for each in group
    ]

    assert not outcome.scopes
    assert [failure.scope for failure in outcome.failures] == ["linear"]
