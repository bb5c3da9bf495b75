"""What a poll stores, what it never closes, and what commits together."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import DatabaseError

from positions import ingest
from positions.engine.types import Side, Source
from positions.models import Event, Poll, Position, RawAnswer, Reading
from tests.factories import make_account, make_asset_price
from tests.positions.readings import (
    SIGHTED,
    at,
    failure,
    outcome,
    reading,
    spec,
)
from venues.base import RawAnswer as Answer
from venues.errors import BadCredentials
from venues.figures import Figure
from venues.models import CoverageEntry

pytestmark = pytest.mark.django_db


def store(*outcomes, cycle=None):
    received = max(each.received_at for each in outcomes)
    cycle = cycle or int(received.timestamp() * 1000)
    return ingest.ingest_outcomes(outcomes=list(outcomes), cycle=cycle, now=received)


def kinds(position):
    return list(position.events.order_by("pk").values_list("kind", flat=True))


def test_first_complete_answer_becomes_a_position_with_sources():
    account = make_account()
    make_asset_price("USDT", usd=1.0003, received_at=at(0))

    store(outcome(account, reading()))

    position = Position.objects.get()
    assert position.quantity == 1.0
    assert position.notional == 60_000.0
    assert position.notional_usd == pytest.approx(60_018.0)
    assert position.venue_liquidation_price == 54_271.36
    assert position.liquidation_price == 54_271.36
    assert position.liquidation_distance == pytest.approx((60_000 - 54_271.36) / 60_000)
    assert position.margin_ratio == pytest.approx(300 / 6000)
    assert position.engine_liquidation_price == pytest.approx((60_000 - 6_000) / (1 - 0.005))
    assert position.bankruptcy_price == pytest.approx(54_000)
    assert position.max_loss == 6_000
    assert position.printed["liquidation_price"] == "54271.36"
    assert position.provenance.sources["collateral"] == Source.REPORTED
    assert position.provenance.sources["margin_ratio"] == Source.DERIVED
    assert position.provenance.sources["probability_24h"] == Source.UNKNOWN
    assert position.provenance.reasons["probability_24h"]


def test_no_usd_price_leaves_dollar_figures_unknown_with_the_reason():
    account = make_account()

    store(outcome(account, reading()))

    position = Position.objects.get()
    assert position.notional_usd is None
    assert "USDT" in position.provenance.reasons["notional_usd"]


def test_simulated_prices_never_value_a_real_position():
    account = make_account()
    make_asset_price("USDT", usd=1.0, is_simulated=True, received_at=at(0))

    store(outcome(account, reading()))

    assert Position.objects.get().notional_usd is None


def test_cross_row_keeps_the_venues_word_and_no_isolated_formula_runs():
    account = make_account()
    cross = reading(margin_mode="cross", collateral=Figure.unknown("cross margin"))

    store(outcome(account, cross))

    position = Position.objects.get()
    assert position.liquidation_price == 54_271.36
    assert position.engine_liquidation_price is None
    assert position.margin_ratio is None
    assert position.max_loss is None


def test_unlisted_symbol_is_shown_with_unknown_risk():
    account = make_account()
    unlisted = reading(
        "NEW/USDT:USDT",
        market=spec("NEW/USDT:USDT", kind=None, contract_size=None),
        liquidation_price=Figure.unknown("the venue gives none"),
    )

    store(outcome(account, unlisted))

    position = Position.objects.get()
    assert position.severity == "unknown"
    assert position.quantity is None
    assert "does not list" in position.provenance.reasons["quantity"]


def test_missing_venue_price_is_replaced_by_ours_and_says_so():
    account = make_account()
    silent = reading(liquidation_price=Figure.unknown("the venue gives none"))

    store(outcome(account, silent))

    position = Position.objects.get()
    assert position.venue_liquidation_price is None
    assert position.liquidation_price == position.engine_liquidation_price
    assert position.provenance.sources["liquidation_price"] == Source.DERIVED


def test_the_same_cycle_twice_has_one_set_of_effects():
    account = make_account()

    store(outcome(account, reading()), cycle=7)
    stored = store(outcome(account, reading(contracts=SIGHTED("2")), seconds=1), cycle=7)

    assert stored == []
    assert Poll.objects.count() == 1
    assert Position.objects.get().contracts == 1.0


def test_older_cycle_never_overwrites_a_newer_one():
    account = make_account()
    store(outcome(account, reading(contracts=SIGHTED("2")), seconds=30), cycle=9)

    store(outcome(account, reading()), cycle=8)

    assert Position.objects.get().contracts == 2.0


def test_changes_are_told_by_difference():
    account = make_account()
    store(outcome(account, reading()))

    store(outcome(account, reading(contracts=SIGHTED("3")), seconds=10))
    store(outcome(account, reading(contracts=SIGHTED("2")), seconds=20))
    more = reading(contracts=SIGHTED("2"), collateral=SIGHTED("8000"))
    store(outcome(account, more, seconds=30))

    assert kinds(Position.objects.get()) == ["opened", "increased", "reduced", "margin_added"]


def test_crossing_the_liquidation_price_is_a_breach():
    account = make_account()
    store(outcome(account, reading()))

    store(outcome(account, reading(mark_price=SIGHTED("54000")), seconds=10))

    position = Position.objects.get()
    assert position.state == "breached"
    assert position.severity == "critical"
    assert position.liquidation_distance < 0
    assert kinds(position)[-1] == "breached"


def test_bankrupt_position_has_no_ratio_but_a_reason():
    account = make_account()
    drowned = reading(mark_price=SIGHTED("53000"), unrealized_pnl=SIGHTED("-7000"))

    store(outcome(account, drowned))

    position = Position.objects.get()
    assert position.margin_ratio is None
    assert position.provenance.reasons["margin_ratio"] == "bankrupt"
    assert position.severity == "critical"


def test_auto_add_margin_breaks_the_compartment():
    account = make_account()

    store(outcome(account, reading(auto_add_margin=True)))

    position = Position.objects.get()
    assert position.max_loss is None
    assert "free balance" in position.provenance.reasons["max_loss"]


def test_hedge_pair_keeps_two_rows():
    account = make_account()
    pair = (
        reading(slot="long"),
        reading(slot="short", side=Side.SHORT, liquidation_price=SIGHTED("65671.6")),
    )

    store(outcome(account, *pair))

    assert sorted(Position.objects.values_list("slot", "side")) == [
        ("long", "long"),
        ("short", "short"),
    ]


def test_repeated_row_makes_one_position():
    account = make_account()

    store(outcome(account, reading(), reading()))

    assert Position.objects.count() == 1


def test_raw_answers_are_kept_compressed():
    import zlib
    from dataclasses import replace

    account = make_account()
    answer = Answer("GET /fapi/v3/positionRisk", 200, '[{"symbol": "BTCUSDT"}]', at(0))

    store(replace(outcome(account, reading()), answers=(answer,)))

    row = RawAnswer.objects.get()
    assert zlib.decompress(row.body).decode() == answer.body


def test_history_is_kept_on_change_and_once_a_step():
    account = make_account()
    for seconds in (0, 2, 4, 12, 14):
        store(outcome(account, reading(), seconds=seconds))
    store(outcome(account, reading(contracts=SIGHTED("2")), seconds=15))

    times = list(Reading.objects.order_by("received_at").values_list("received_at", flat=True))

    assert times == [at(0), at(12), at(15)]


def test_a_bad_account_does_not_hold_back_the_others(monkeypatch):
    good, bad = make_account(label="good"), make_account(label="bad")
    real = ingest._apply_outcomes

    def fail_for_bad(group, outcomes):
        if any(each.account_id == bad.pk for each in outcomes):
            raise DatabaseError("deadlock detected")
        real(group, outcomes)

    monkeypatch.setattr(ingest, "_apply_outcomes", fail_for_bad)

    stored = store(outcome(good, reading()), outcome(bad, reading()))

    assert stored == [good.pk]
    assert list(Position.objects.values_list("account", flat=True)) == [good.pk]
    assert not Event.objects.filter(position__account=bad).exists()


def _raise(self):
    raise RuntimeError("an adapter's own class")


ABSURD = {
    "text for a figure": {"contracts": "1"},
    "nothing for a figure": {"mark_price": None},
    "text for an instant": {"venue_time": "yesterday"},
    "a number for a row": {"raw": 7},
    "a list for a slot": {"slot": []},
    "no market": {"market": None},
    "a market that raises": {"market": type("Market", (), {"symbol": property(_raise)})()},
}


@pytest.mark.parametrize("columns", ABSURD.values(), ids=ABSURD)
def test_an_absurd_answer_of_one_account_costs_the_others_nothing(columns):
    good, bad, other = make_account(), make_account(), make_account()
    store(outcome(bad, reading()))

    stored = store(
        outcome(good, reading(), seconds=30),
        outcome(bad, reading(**columns), seconds=30),
        outcome(other, reading(), seconds=30),
    )

    coverage = CoverageEntry.objects.get(account=bad)
    kept = Position.objects.get(account=bad)
    assert stored == [good.pk, other.pk]
    assert (coverage.seen_at, coverage.tried_at) == (at(0), at(30))
    assert coverage.error_kind == "not_stored"
    assert coverage.error.startswith("RiskHub could not store what the venue answered (")
    assert (kept.state, kept.received_at) == ("open", at(0))


@pytest.mark.parametrize("scopes", [(None,), (7, None)])
def test_what_is_no_part_of_an_account_fails_the_account_as_a_whole(scopes):
    account = make_account(poll_budget_s=30.0)

    stored = store(replace(outcome(account), scopes=scopes))

    account.refresh_from_db()
    coverage = CoverageEntry.objects.get()
    assert stored == []
    assert (coverage.scope, coverage.seen_at, coverage.error_kind) == (
        "account",
        None,
        "not_stored",
    )
    assert account.failures == 1
    # Jitter never breaks a budget: it comes up to a tenth early.
    assert at(27) <= account.next_poll_at <= at(30)


def test_a_failure_to_store_is_logged_with_its_poll(caplog):
    bad = make_account()

    store(outcome(bad, reading(contracts="1")))

    failed = [record for record in caplog.records if "ingest_failed" in str(record.msg)]
    assert len(failed) == 1
    assert "0" * 32 in str(failed[0].msg)
    assert Poll.objects.get().is_complete is False


def test_the_answer_after_an_absurd_one_is_stored_as_ever():
    account = make_account()
    store(outcome(account, reading(contracts="1")))

    stored = store(outcome(account, reading(), seconds=30))

    assert stored == [account.pk]
    assert CoverageEntry.objects.get().error == ""
    assert Position.objects.get().state == "open"


def test_query_count_does_not_grow_with_positions(django_assert_max_num_queries):
    account = make_account()
    few = [reading(f"A{n}/USDT:USDT") for n in range(3)]
    many = [reading(f"B{n}/USDT:USDT") for n in range(120)]
    store(outcome(account, *few))

    with django_assert_max_num_queries(45):
        store(outcome(account, *few, *many, seconds=30))


def test_key_refused_twice_is_not_tried_again():
    account = make_account()

    store(failure(account, BadCredentials("The key is not valid."), seconds=0))
    store(failure(account, BadCredentials("The key is not valid."), seconds=30))

    account.refresh_from_db()
    assert account.blocked_reason == "The key is not valid."
