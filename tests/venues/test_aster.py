"""Aster: the wallet in signed requests, wrong signatures, pools, ends and API wallets."""

from __future__ import annotations

import asyncio
import importlib
from datetime import UTC, datetime
from typing import Any

import pytest

from positions.engine.types import MarginMode
from tests.paths import needs_recordings
from tests.venues import corpus
from tests.venues.binance_shape import (
    FIELDS,
    ask,
    check_fields,
    check_standings,
    missing_of,
    own,
    read_funding,
    read_key,
    read_tiers,
    recorded_body,
    table_of,
)
from tests.venues.fake_client import BTC, FakeClient, read_scope
from tests.venues.probe import WALLET
from tests.venues.reading_checks import read_account, unlisted_requests
from tests.venues.replay import Replay
from venues import ethereum, registry
from venues.base import ScopeReading
from venues.ccxt_facts import options
from venues.errors import (
    BadAccount,
    BadCredentials,
    ClockSkewed,
    Unreachable,
    UnreadableAnswer,
    VenueError,
    VenueRefused,
)
from venues.figures import Row

registry.load()

RISK = "fapiPrivateGetV3PositionRisk"
AGENTS = "fapiPrivateGetV3Agent"
OWN_KEY = "0x" + "1" * 64
NOT_IN_ROW = "the position row does not carry it"
IN_TABLE = "it stands in the maintenance table, not in the position row"
SAYS, MAKES, LACKS = "reported", "derived", "unknown"

DOC_LONG: dict[str, Any] = {
    "identity": ("BTC/USDT:USDT", "long", "isolated"),
    "side": "long",
    "auto_add_margin": False,
    "venue_time": "2021-07-05T08:38:24.765000+00:00",
    "contracts": (SAYS, "20.000"),
    "entry_price": (SAYS, "6563.66500"),
    "mark_price": (SAYS, "6679.50671178"),
    # No wallet in the row: the margin less its profit.
    "collateral": (MAKES, "13200.70726908"),
    "liquidation_price": (SAYS, "5930.78"),
    "unrealized_pnl": (SAYS, "2316.83423560"),
    "leverage": (SAYS, "10"),
    "index_price": (LACKS, NOT_IN_ROW),
    "notional": (MAKES, "133590.1342356"),
    "maintenance_margin": (LACKS, IN_TABLE),
    "maintenance_rate": (LACKS, IN_TABLE),
    "maintenance_amount": (LACKS, IN_TABLE),
    "venue_margin_ratio": (LACKS, NOT_IN_ROW),
    "adl_rank": (LACKS, "the venue gives none"),
}
EXPECTED: dict[str, list[dict[str, Any]]] = {
    "positions_flat_cross_row": [],
    "positions_isolated_long_doc": [DOC_LONG],
    "positions_isolated_long_notional": [
        {
            **DOC_LONG,
            "collateral": (SAYS, "13200.70726908"),
            "notional": (SAYS, "133590.13"),
        }
    ],
}


def read(*rows: Any, **answers: Any) -> ScopeReading:
    return read_scope("aster", "linear", FakeClient({RISK: list(rows), AGENTS: [], **answers}))


def row(**fields: Any) -> dict[str, Any]:
    return {**own("aster", "positions_long")["calls"][0]["answer"][0], **fields}


@needs_recordings
def test_every_recording_of_positions_has_its_expectation() -> None:
    assert set(corpus.scenarios(corpus.RECORDED, "aster", "positions")) == set(EXPECTED)
    told = {"identity", "side", "auto_add_margin", "venue_time", *FIELDS}
    assert all(set(each) == told for rows in EXPECTED.values() for each in rows)


@needs_recordings
@pytest.mark.parametrize("name", EXPECTED)
def test_a_recorded_answer_is_read_as_its_rows_say(name: str) -> None:
    reading = read(*recorded_body("aster", name))

    assert reading.refusals == ()
    assert len(reading.positions) == len(EXPECTED[name])
    for position, expected in zip(reading.positions, EXPECTED[name], strict=True):
        check_fields(position, expected)


@needs_recordings
def test_the_one_recorded_error_is_a_refusal_of_what_was_asked(replay: Replay) -> None:
    base = replay.recorded_url("aster", "errors_1")

    error = read_account("aster", base, {})["linear"]

    assert corpus.scenarios(corpus.RECORDED, "aster", "errors") == ["errors_1"]
    assert type(error) is VenueRefused
    assert "Invalid symbol" in str(error)


@needs_recordings
def test_recorded_brackets() -> None:
    fake = FakeClient(
        {"fapiPrivateGetV3LeverageBracket": recorded_body("aster", "leverage_tiers_btc")}
    )

    [table] = read_tiers("aster", [BTC.symbol], fake)

    assert table_of(table) == [
        [0, 0.0065, 0, 75],
        [10_000, 0.01, 35, 50],
        [50_000, 0.025, 785, 20],
    ]


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (-1000, "Signature check failed", BadCredentials),
        (-1000, "An unknown error occured while processing the request.", VenueRefused),
        (-1022, "Signature for this request is not valid.", BadCredentials),
        (-2015, "Invalid API-key, IP, or permissions for action.", BadCredentials),
        (-4225, "Nonce Expired", ClockSkewed),
        (-1021, "Timestamp for this request is outside of the recvWindow.", ClockSkewed),
    ],
)
def test_what_a_refusal_means(
    replay: Replay, code: int, message: str, kind: type[VenueError]
) -> None:
    refusal = corpus.answering("/fapi/v3/positionRisk", {"code": code, "msg": message}, status=400)
    now = corpus.answering("/fapi/v3/time", {"serverTime": 1780000000000})
    base = replay.compose("aster", f"refusal{code}", refusal, now)

    error = read_account("aster", base, {})["linear"]

    assert isinstance(error, kind)


def test_signed_requests_name_the_wallet_and_its_signer(replay: Replay) -> None:
    base = replay.url("aster", "positions_long")

    read_account("aster", base, {})

    [asked] = [each for each in replay.asked() if each.path == "/fapi/v3/positionRisk"]
    assert asked.query["user"] == WALLET
    assert asked.query["signer"].lower() == ethereum.address_of(OWN_KEY)
    assert asked.query["signature"].startswith("0x")
    assert OWN_KEY not in str(asked)


def test_nothing_but_reads_is_sent_with_a_private_key(replay: Replay) -> None:
    for name in ("positions_long", "positions_short", "positions_empty"):
        read_account("aster", replay.url("aster", name), {})

    assert options("aster", {})["builderFee"] is False
    assert {asked.method for asked in replay.asked()} == {"GET"}
    assert not [asked for asked in replay.asked() if "uilder" in asked.path]
    assert unlisted_requests(registry.get("aster"), replay.asked()) == []


def test_a_warm_poll_of_isolated_positions_is_one_request(replay: Replay) -> None:
    base = replay.url("aster", "positions_long")

    read_account("aster", base, {})
    cold = len(replay.asked())
    read_account("aster", base, {})

    assert [asked.path for asked in replay.asked()[cold:]] == ["/fapi/v3/positionRisk"]


def test_an_empty_book_is_believed_only_with_a_right_signature() -> None:
    refused = VenueRefused("Aster refused the request. It says: -1000 Signature check failed")

    with pytest.raises(BadCredentials, match="API wallet"):
        read(**{AGENTS: refused})


def test_an_empty_book_is_not_believed_while_the_signature_is_not_checked() -> None:
    with pytest.raises(Unreachable):
        read(**{AGENTS: Unreachable("no")})


def test_the_signature_of_an_empty_book_is_checked_once_in_a_while(replay: Replay) -> None:
    base = replay.url("aster", "positions_empty")

    for _ in range(3):
        read_account("aster", base, {})

    paths = [asked.path for asked in replay.asked()]
    assert paths.count("/fapi/v3/positionRisk") == 3
    assert paths.count("/fapi/v3/agent") == 1


def test_a_book_with_positions_needs_no_check() -> None:
    fake = FakeClient({RISK: [row()]})

    read_scope("aster", "linear", fake)

    assert {method for method, _ in fake.asked} == {RISK}


def test_what_backs_cross_positions(replay: Replay) -> None:
    expected = own("aster", "positions_short")["expected"]["scopes"]["linear"]

    reading = read_account("aster", replay.url("aster", "positions_short"), {})["linear"]

    assert isinstance(reading, ScopeReading), reading
    check_standings(reading, expected["standings"])


def test_an_account_of_zeros_is_not_a_bankrupt_one() -> None:
    # What the venue answers to a wrong signature.
    zeros = {
        "assets": [{"asset": "USDT", "crossWalletBalance": "0.00000000", "crossUnPnl": "0"}],
        "positions": [{"symbol": "BTCUSDT", "isolated": False, "maintMargin": "0"}],
    }
    answers = {
        "fapiPrivateGetV3AccountWithJoinMargin": zeros,
        "fapiPrivateGetV3MultiAssetsMargin": {"multiAssetsMargin": "false"},
    }

    reading = read(row(marginType="cross", isolatedMargin="0", isolatedWallet="0"), **answers)

    [standing] = reading.standings
    assert standing.margin_mode is MarginMode.CROSS
    assert standing.ratio.value is None
    assert "does not hold the positions" in standing.ratio.reason


def test_brackets(replay: Replay) -> None:
    expected = own("aster", "tiers")["expected"]

    tables = ask("aster", replay.url("aster", "tiers"), "read_tiers", symbols=expected["symbols"])

    assert {each.symbol: table_of(each) for each in tables} == expected["tables"]


def test_how_positions_ended(replay: Replay) -> None:
    expected = own("aster", "ends")["expected"]

    ends = ask(
        "aster",
        replay.url("aster", "ends"),
        "read_ends",
        scope="linear",
        missing=missing_of(expected),
    )

    told = [
        [each.symbol, each.slot, each.state, each.price.text, each.reference, each.at.isoformat()]
        for each in ends
    ]
    assert told == expected["ends"]
    assert unlisted_requests(registry.get("aster"), replay.asked()) == []


def test_funding_with_its_interval(replay: Replay) -> None:
    expected = own("aster", "funding")["expected"]

    found = read_funding("aster", replay.url("aster", "funding"), expected["symbols"])

    told = {
        each.symbol: [each.rate.text, each.interval_h, each.next_at and each.next_at.isoformat()]
        for each in found
    }
    assert told == expected["funding"]


def test_an_api_wallet_that_may_only_read(replay: Replay) -> None:
    facts = read_key("aster", replay.url("aster", "key"))

    assert facts is not None
    assert (facts.can_withdraw, facts.can_transfer, facts.can_trade) == (False, False, False)
    assert facts.is_address_bound is True
    assert facts.expires_at == datetime(2027, 5, 28, 20, 26, 40, tzinfo=UTC)


def test_the_main_wallets_own_key_can_do_everything(replay: Replay) -> None:
    own_wallet = ethereum.address_of(OWN_KEY).upper().replace("0X", "0x")

    facts = read_key("aster", replay.url("aster", "key"), walletAddress=own_wallet)

    assert facts is not None
    assert (facts.can_withdraw, facts.can_transfer, facts.can_trade) == (True, True, True)
    assert {asked.path.rpartition("/")[2] for asked in replay.asked()} == {"exchangeInfo"}


@pytest.mark.parametrize(
    ("agents", "rights"),
    [
        ([], (None, None)),
        ([{"canWithdraw": True, "canSpotTrade": False, "canPerpTrade": False}], (True, False)),
        ([{"canWithdraw": False, "canSpotTrade": False, "canPerpTrade": True}], (False, True)),
        ([{}], (None, None)),
    ],
)
def test_rights_of_an_api_wallet(
    agents: list[dict[str, Any]], rights: tuple[bool | None, bool | None]
) -> None:
    listed = [{"agentAddress": ethereum.address_of(OWN_KEY), **each} for each in agents]
    other = {"agentAddress": WALLET, "canWithdraw": True, "canPerpTrade": True}
    fake = FakeClient({AGENTS: [other, *listed]})
    object.__setattr__(fake.request, "credentials", {"privateKey": OWN_KEY})

    facts = asyncio.run(registry.get("aster").read_key(client=fake))

    assert facts is not None
    assert (facts.can_withdraw, facts.can_trade) == rights


def test_a_contract_that_will_be_delisted() -> None:
    listing = registry.get("aster").read_listing(
        Row({"status": "TRADING", "deliveryDate": 1781078400000})
    )

    assert listing.delists_at == datetime(2026, 6, 10, 8, tzinfo=UTC)
    assert listing.is_active


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    ],
)
def test_published_digests(data: bytes, digest: str) -> None:
    assert ethereum.keccak256(data).hex() == digest


@pytest.mark.parametrize("length", [135, 136, 137, 272, 1000])
def test_digests_of_any_length_are_those_of_another_implementation(length: int) -> None:
    exchange = importlib.import_module("ccxt").aster()
    data = bytes(range(256)) * 4

    assert ethereum.keccak256(data[:length]).hex() == exchange.hash(data[:length], "keccak", "hex")


def test_the_address_of_a_published_key() -> None:
    key = "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318"

    assert ethereum.address_of(key) == "0x2c7536e3605d9c16a7a3d7b1898e529396a65c23"


@pytest.mark.parametrize("key", ["", "0x12", "0x" + "g" * 64, "0x" + "0" * 64, "f" * 64])
def test_what_is_no_private_key_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(BadAccount) as caught:
        ethereum.address_of(key)

    assert not key or key not in str(caught.value)


NUMBERS = (
    "positionAmt", "entryPrice", "markPrice", "unRealizedProfit", "liquidationPrice",
    "isolatedMargin", "isolatedWallet", "notional", "leverage",
)  # fmt: skip


@pytest.mark.parametrize("field", NUMBERS)
@pytest.mark.parametrize("bad", ["NaN", "Infinity", "1e400", "1,5", "abc", True, [], {}])
def test_a_bad_number_spoils_its_own_row_alone(field: str, bad: Any) -> None:
    good = row(symbol="GOODUSDT")

    reading = read(good, row(**{field: bad}), row(symbol="OTHERUSDT"))

    names = [position.market.symbol for position in reading.positions]
    assert names == ["GOODUSDT", "OTHERUSDT"]
    assert [refusal.venue_symbol for refusal in reading.refusals] == ["BTCUSDT"]


@pytest.mark.parametrize("none", ["0", "0.00000000", "", None, "-5"])
def test_no_liquidation_price_is_unknown_and_never_0(none: str | None) -> None:
    [held] = read(row(liquidationPrice=none)).positions

    assert held.liquidation_price.value is None
    assert held.liquidation_price.reason == "the venue gives none"


@pytest.mark.parametrize("answer", [None, {}, {"data": []}, "text", 5])
def test_an_answer_without_a_list_is_not_an_empty_book(answer: Any) -> None:
    with pytest.raises(UnreadableAnswer):
        read_scope("aster", "linear", FakeClient({RISK: answer, AGENTS: []}))
