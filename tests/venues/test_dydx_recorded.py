"""Recorded answers of dYdX's indexer, each field as a person reads it in the wire row.

The adapter asks for a parent subaccount as a whole, so what `/v4/perpetualPositions` answered is
put there: the same rows, in the subaccount that they name.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from positions.engine.types import MarginMode
from tests.paths import needs_recordings
from tests.venues import corpus
from tests.venues.corpus import answering
from tests.venues.reading_checks import read_account
from tests.venues.recorded_rows import (
    CROSS,
    NONE,
    NOT_READ,
    Expected,
    check_recorded,
    check_recorded_figure,
    derived,
    held,
    read_error,
    reported,
)
from tests.venues.replay import Replay
from venues import registry
from venues.base import ScopeReading
from venues.errors import RateLimited, VenueError, VenueRefused
from venues.parts.dydx_rows import NO_SETTING

registry.load()
pytestmark = needs_recordings

SCOPE = "subaccount:0"
# The indexer tells these of no position.
NEVER = {
    **dict.fromkeys(("index_price", "venue_margin_ratio", "adl_rank"), NOT_READ),
    "liquidation_price": NONE,
    "leverage": ("unknown", NO_SETTING),
    "maintenance_amount": derived("0"),
}


def cross(**figures: Any) -> Expected:
    given = {**NEVER, "collateral": CROSS, **figures}
    return held("BTC/USDC:USDC", "net", "cross", side="short", is_auto=None, **given)


# The mark is entry + profit / size, the requirement 1.2 % (BTC) and 5 % (PEPE) of size x mark.
BTC_0407 = cross(
    contracts=reported("0.407"),
    entry_price=reported("118692.04840909090909090909"),
    mark_price=derived("118832.75312"),
    unrealized_pnl=reported("-57.26681734000000000000037"),
    notional=derived("48364.93051984"),
    maintenance_rate=reported("0.012"),
    maintenance_margin=derived("580.37916623808"),
)
BTC_0491 = cross(
    contracts=reported("0.491"),
    entry_price=reported("118703.60811320754716981132"),
    mark_price=derived("115976.26033"),
    unrealized_pnl=reported("1339.12776155490566037735812"),
    notional=derived("56944.34382203"),
    maintenance_rate=reported("0.012"),
    maintenance_margin=derived("683.33212586436"),
)
PEPE = held(
    "PEPE/USDC:USDC",
    "128",
    "isolated",
    side="long",
    is_auto=False,
    **NEVER,
    contracts=reported("500000000"),
    entry_price=reported("0.0000101"),
    mark_price=derived("0.0000105"),
    # -4500 owed and the cost 500,000,000 x 0.0000101.
    collateral=derived("550"),
    unrealized_pnl=reported("200"),
    notional=derived("5250"),
    maintenance_rate=reported("0.05"),
    maintenance_margin=derived("262.5"),
)


def recorded(name: str) -> Any:
    assert corpus.RECORDED is not None
    return json.loads((corpus.RECORDED / "dydx" / f"{name}.json").read_text())


def child(number: int, *rows: Any, quote: str = "82291.083758", equity: str = "1") -> Any:
    side = "SHORT" if quote.startswith("-") else "LONG"
    return {
        "subaccountNumber": number,
        "equity": equity,
        "openPerpetualPositions": {row["market"]: row for row in rows},
        "assetPositions": {"USDC": {"size": quote.lstrip("-"), "side": side}},
    }


def read(replay: Replay, children: list[Any]) -> ScopeReading:
    """Return what is read of these subaccounts, beside the recorded list of markets."""
    base = replay.compose(
        "dydx",
        "recorded",
        answering(
            "/v4/addresses/{address}/parentSubaccountNumber/0",
            {"subaccount": {"childSubaccounts": children}},
        ),
        answering("/v4/perpetualMarkets", recorded("markets")[0]["httpResponse"]),
    )
    found = read_account("dydx", base, {"scopes": SCOPE})[SCOPE]
    assert isinstance(found, ScopeReading), found
    return found


def test_every_recording_of_positions_is_expected() -> None:
    assert set(corpus.scenarios(corpus.RECORDED, "dydx", "positions")) == {
        "positions_cross_short_btc",
        "positions_isolated_child_subaccount",
    }


def test_a_cross_short_of_subaccount_0(replay: Replay) -> None:
    rows = recorded("positions_cross_short_btc")["httpResponse"]["positions"]

    reading = read(replay, [child(0, *rows)])

    check_recorded(reading, (BTC_0407,))


def test_a_child_subaccount_is_isolated_beside_its_parent(replay: Replay) -> None:
    btc, pepe = recorded("positions_isolated_child_subaccount")["httpResponse"]["positions"]
    children = [child(0, btc), child(128, pepe, quote="-4500", equity="750")]

    reading = read(replay, children)

    check_recorded(reading, (BTC_0407, PEPE))


def test_a_parent_and_its_child_as_the_indexer_tells_them(replay: Replay) -> None:
    answer = recorded("account_parent_subaccount")["httpResponse"]

    reading = read(replay, answer["subaccount"]["childSubaccounts"])

    check_recorded(reading, (BTC_0491, PEPE))
    [standing] = reading.standings
    assert (standing.margin_mode, standing.settle) == (MarginMode.CROSS, "USDC")
    check_recorded_figure(standing.equity, reported("25346.73993597"), name="equity")
    check_recorded_figure(standing.required, derived("683.33212586436"), name="required")
    assert standing.ratio.number == pytest.approx(683.33212586436 / 25346.73993597, rel=1e-12)


def test_the_parents_of_a_wallet_are_found_in_its_recorded_subaccounts(replay: Replay) -> None:
    base = replay.recorded_url("dydx", "account_subaccounts")

    found = read_account("dydx", base, {})

    assert list(found) == [SCOPE]
    replay.missed.clear()


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("errors_rate_429", RateLimited, "fewer requests"),
        ("errors_unknown_wallet_404", VenueRefused, "knows no subaccount 0 of this wallet"),
    ],
)
def test_recorded_errors_become_a_reaction(
    replay: Replay, name: str, kind: type[VenueError], words: str
) -> None:
    error = read_error(replay, "dydx", name, SCOPE)

    assert type(error) is kind
    assert re.search(words, str(error))
