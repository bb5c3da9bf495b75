from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from positions.engine.batch import build_batch
from positions.engine.solver import solve
from positions.engine.types import ContractKind, MarginMode, Side, Source, Terms, Tier
from tests.venues.reference_book import (
    START,
    at,
    make_paper_account,
    open_long,
    run_steps,
    start_demo,
)
from venues import registry
from venues.adapters.reference import BOOK, Reference
from venues.base import AccountRequest, PositionEnd, PositionReading, PriceReading
from venues.client import LocalClient
from venues.errors import Unavailable
from venues.models import Account
from venues.reference import services, steps
from venues.reference.models import ReferencePosition, ReferenceRun

pytestmark = pytest.mark.django_db


def connect(account_id: int, *, now: Any = START) -> tuple[Reference, LocalClient]:
    adapter = Reference()
    request = AccountRequest(
        account_id=account_id, venue="reference", environment="", label="paper"
    )
    prepared = adapter.prepare(requests=[request], now=now)[account_id]
    return adapter, LocalClient(
        AccountRequest(
            account_id=account_id,
            venue="reference",
            environment="",
            label="paper",
            prepared=prepared,
        )
    )


def read(account_id: int, *, now: Any = START) -> tuple[PositionReading, ...]:
    adapter, client = connect(account_id, now=now)
    scope = asyncio.run(adapter.read_scope(client=client, scope=BOOK))
    assert scope.refusals == ()
    return scope.positions


def read_ends(account_id: int, *, now: Any = START) -> list[PositionEnd]:
    adapter, client = connect(account_id, now=now)
    return list(asyncio.run(adapter.read_ends(client=client, scope=BOOK)))


def read_prices(*symbols: str) -> PriceReading:
    adapter, client = connect(0)
    return asyncio.run(adapter.read_prices(client=client, symbols=symbols))


def test_the_venue_is_registered_as_simulated_and_asks_for_nothing() -> None:
    adapter = registry.get("reference")

    assert adapter.is_simulated
    assert (adapter.ccxt_id, adapter.credentials, adapter.reads) == ("", (), ())


def test_the_rule_is_the_one_that_the_account_names() -> None:
    adapter = registry.get("reference")
    options = services.style_options(style="okx")

    assert adapter.rule_for(kind=ContractKind.LINEAR, options=options) == "linear-mark-fee-flat"
    assert adapter.rule_for(kind=ContractKind.INVERSE, options=options) == "inverse-mark-fee"
    assert adapter.rule_for(kind=ContractKind.LINEAR, options={"style_of": "gate"}) == (
        "linear-mark-fee"
    )
    assert adapter.rule_for(kind=ContractKind.LINEAR, options={}) is None


def test_a_reading_says_what_the_compartment_holds() -> None:
    account = make_paper_account()
    position = open_long(account)

    reading = read(account.pk)[0]

    assert reading.identity == ("BTC/USDT:USDT", "net", "isolated")
    assert (reading.side, reading.margin_mode) == (Side.LONG, MarginMode.ISOLATED)
    assert reading.contracts.text == "0.1"
    assert reading.entry_price.text == "97220.8"
    assert reading.mark_price.text == "97220.8"
    assert reading.collateral.text == "972.20800000"
    assert reading.unrealized_pnl.value == 0
    assert reading.leverage.text == "10"
    assert reading.notional.text == "9722.08000000"
    assert reading.maintenance_margin.text == "38.88832000"
    assert (reading.maintenance_rate.text, reading.maintenance_amount.text) == ("0.004", "0")
    assert reading.auto_add_margin is False
    assert reading.venue_time == START
    assert reading.raw["id"] == position.pk
    assert reading.market.settle == "USDT"
    # 97,220.8 (1 - 1/10) / (1 - 0.004), on the first tick at which it dies.
    assert reading.liquidation_price.text == "87850.1"


def test_every_figure_is_the_venues_own_word() -> None:
    account = make_paper_account()
    open_long(account)

    reading = read(account.pk)[0]

    figures = [reading.collateral, reading.liquidation_price, reading.maintenance_margin]
    figures += [reading.venue_margin_ratio, reading.index_price, reading.unrealized_pnl]
    assert {figure.source for figure in figures} == {Source.REPORTED}


def test_a_price_that_nothing_liquidates_at_is_unknown_and_never_zero() -> None:
    account = make_paper_account(USDT="100000")
    open_long(account, leverage=1, margin=Decimal(20_000))

    reading = read(account.pk)[0]

    assert reading.liquidation_price.value is None
    assert reading.liquidation_price.reason == "no price liquidates it"


def test_readings_agree_with_the_engine_to_a_tick() -> None:
    start_demo()
    run_steps(1, 60, stride=5)

    for account in Account.objects.all():
        readings = read(account.pk, now=at(60))
        found = solve(build_batch(terms=[_terms(account, each) for each in readings]))
        for reading, price in zip(readings, found.liquidation_price.tolist(), strict=True):
            assert reading.market.tick_size is not None
            assert reading.liquidation_price.number == pytest.approx(
                price, abs=1.01 * reading.market.tick_size
            )


def test_the_printed_liquidation_price_is_the_first_tick_that_kills() -> None:
    start_demo()
    run_steps(1, 20, stride=5)
    held = {row.pk: row for row in ReferencePosition.objects.select_related("market")}

    for account in Account.objects.all():
        for reading in read(account.pk, now=at(20)):
            row = held[reading.raw["id"]]
            tick = row.market.contract.tick
            price = Decimal(reading.liquidation_price.text)
            safe = price + reading.side.sign * tick
            assert row.compartment.is_liquidatable(price=services.exact(price))
            assert not row.compartment.is_liquidatable(price=services.exact(safe))


def _terms(account: Account, reading: PositionReading) -> Terms:
    market = reading.market
    assert market.kind is not None
    assert market.contract_size is not None
    rule = registry.get("reference").rule_for(kind=market.kind, options=account.options)
    return Terms(
        rule=rule or "",
        side=reading.side,
        quantity=float(reading.contracts.number or 0) * market.contract_size,
        entry_price=reading.entry_price.number or 0.0,
        collateral=reading.collateral.number or 0.0,
        trigger_price=reading.mark_price.number,
        tiers=(
            Tier(
                0.0,
                reading.maintenance_rate.number or 0.0,
                reading.maintenance_amount.number or 0.0,
            ),
        ),
        fee_rate=market.taker_fee_rate or 0.0,
    )


def test_ends_are_told_with_price_and_reference() -> None:
    account = make_paper_account()
    position = open_long(account)
    services.close_position(position=position, now=at(5))

    ends = read_ends(account.pk, now=at(6))

    assert read(account.pk) == ()
    assert [(end.symbol, end.slot, end.state) for end in ends] == [
        ("BTC/USDT:USDT", "net", "closed")
    ]
    assert ends[0].at == at(5)
    assert ends[0].price.text == "97220.8"
    assert ends[0].reference == f"reference-{position.pk}"


def test_ends_are_told_until_the_account_was_seen_after_them() -> None:
    account = make_paper_account()
    services.close_position(position=open_long(account), now=START)
    long_after = START + timedelta(days=3)

    Account.objects.update(last_seen_at=START - timedelta(seconds=5))
    not_seen_since = read_ends(account.pk, now=long_after)
    Account.objects.update(last_seen_at=long_after)
    seen_since = read_ends(account.pk, now=long_after)

    assert len(not_seen_since) == 1
    assert seen_since == []


def test_prices_are_those_of_the_contracts_asked_for() -> None:
    steps.begin_run(seed=6, now=START)

    reading = read_prices("BTC/USDT:USDT", "1000PEPE/USDT:USDT", "NO/USDT:USDT")

    assert [quote.symbol for quote in reading.quotes] == ["BTC/USDT:USDT", "1000PEPE/USDT:USDT"]
    assert [quote.mark_price.text for quote in reading.quotes] == ["97220.8", "0.0110167"]
    assert reading.quotes[0].funding_rate.text == "0.0001"
    assert reading.quotes[0].next_funding_at == START + timedelta(seconds=480)
    usd = {each.asset: each.usd.text for each in reading.asset_prices}
    assert usd["USDT"] == "1.0003"
    assert usd["BTC"] == "97250"


def test_while_nothing_advances_the_same_prices_age() -> None:
    account = make_paper_account()
    open_long(account)
    run_steps(1, 4)

    reading = read(account.pk, now=at(4_000))[0]

    assert reading.venue_time == at(4)
    assert read_prices("BTC/USDT:USDT").quotes[0].venue_time == at(4)
    assert ReferenceRun.objects.get().step == 4


def test_before_the_first_run_the_venue_is_unavailable_in_a_sentence() -> None:
    with pytest.raises(Unavailable, match="has not been started"):
        connect(0)


def test_an_account_without_positions_is_a_flat_book() -> None:
    account = make_paper_account()

    assert read(account.pk) == ()


def test_a_batch_of_accounts_is_read_with_few_queries() -> None:
    start_demo()
    requests = [
        AccountRequest(account_id=pk, venue="reference", environment="", label="")
        for pk in Account.objects.values_list("pk", flat=True)
    ]

    with CaptureQueriesContext(connection) as queries:
        answers = Reference().prepare(requests=requests, now=START)

    assert len(queries) == 4
    assert sum(len(answer.positions) for answer in answers.values()) == 18
