"""The margin that the headline advises starts from the distance that it shows."""

from __future__ import annotations

import pytest

from positions.overview import build_overview
from positions.selectors import PositionFilters
from tests.factories import make_account, make_asset_price
from tests.positions.readings import SIGHTED, at, outcome, reading
from tests.positions.test_ingest import store

pytestmark = pytest.mark.django_db

# By our formula 6,000 of collateral liquidates at 54,000 / 0.995; each dollar more moves it by
# 1 / 0.995. At 10 % the requirement is 54,000 x 0.005 = 270.
OURS = 54_000 / 0.995


@pytest.mark.parametrize(
    ("venues", "advised"),
    [
        (str(OURS), 270.0),
        ("57000", 3_000 * 0.995),
        # Breached by the venue's word: what we think is left is not there.
        ("60600", 270.0 + 5_700.0),
    ],
)
def test_advice_counts_the_gap_between_the_venues_price_and_ours(venues, advised):
    account = make_account()
    make_asset_price("USDT", usd=1.0, received_at=at(0))
    store(outcome(account, reading(liquidation_price=SIGHTED(venues))))

    overview = build_overview(team=account.team, filters=PositionFilters(), now=at(1))

    assert overview.summary.headline.add_margin_usd == pytest.approx(advised)
