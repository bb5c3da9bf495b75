from dataclasses import replace
from datetime import timedelta
import pytest
from positions import pricing, scheduling, staleness, ingest
from positions.overview import build_overview
from positions.engine.types import *
from positions.models import *
from positions.selectors import coverage_of, PositionFilters
from tests.factories import make_account, make_asset_price, make_market, make_quote
from tests.positions.readings import *
from tests.positions.test_ingest import kinds, store
from tests.positions.test_pricing import refresh
from venues.base import *
from venues.base import RawAnswer
from venues.errors import *
from venues.models import *
from venues.models import Account
pytestmark = pytest.mark.django_db

def test_E_kept_price_pnl():
    a = make_account(); store(outcome(a, reading()))
    refresh(prices(a, seconds=20, BTC="57000"))
    store(outcome(a, reading(mark_price=SIGHTED("59000"), unrealized_pnl=SIGHTED("-1000"), maintenance_margin=SIGHTED("295")), seconds=19), cycle=10**14)
    p = Position.objects.get()
    print(p.mark_price, p.unrealized_pnl, p.maintenance_margin, p.maintenance_rate, p.provenance.sources["unrealized_pnl"], p.printed)
    assert p.maintenance_rate == pytest.approx(.005)
    assert p.unrealized_pnl == -3000

def test_poll_then_older_price():
    a = make_account(); store(outcome(a, reading(venue_time=at(-9000)), seconds=6))
    refresh(prices(a, seconds=5, BTC="57000"))
    p = Position.objects.get()
    assert p.mark_price == 60000
    assert p.price_received_at == at(6)

def test_future_quote():
    a = make_account(); store(outcome(a, reading()))
    refresh(prices(a, seconds=2, venue_time=at(10**8), BTC="57000"))
    refresh(prices(a, seconds=4, BTC="58000"))
    assert Position.objects.get().mark_price == 58000

def test_clock_back_account():
    a = make_account(next_poll_at=at(86400))
    c, cl = scheduling.claim_due(now=at(86400)); assert cl
    store(outcome(a, reading(), seconds=86400), cycle=c)
    c, cl = scheduling.claim_due(now=at(60)); 
    assert cl
    assert store(outcome(a, reading(), seconds=61), cycle=c)

def test_clock_back_feed():
    a = make_account(); store(outcome(a, reading()))
    assert scheduling.claim_price_feeds(now=at(86400))
    assert scheduling.claim_price_feeds(now=at(60))

def test_clock_back_price():
    a = make_account(); store(outcome(a, reading()))
    refresh(prices(a, seconds=86400, BTC="57000"))
    store(outcome(a, reading(), seconds=60), cycle=10**15)
    assert Position.objects.get().mark_price == 60000

def test_mode_unknown():
    a = make_account(); store(outcome(a, reading()))
    store(outcome(a, reading(margin_mode=None, collateral=Figure.unknown("mode")), seconds=30))
    assert Position.objects.count() == 1
    assert kinds(Position.objects.get()) == ["opened"]

def test_cross_other_side():
    a = make_account(); store(outcome(a, reading(margin_mode=MarginMode.CROSS, collateral=Figure.unknown("x"), liquidation_price=SIGHTED("90000"))))
    p = Position.objects.get()
    print(p.state, p.liquidation_distance, p.severity)
    assert p.state == "open"

def test_stale_race():
    a = make_account(poll_budget_s=30); store(outcome(a, reading()))
    rows = list(Position.objects.select_related("account","market","provenance"))
    Position.objects.update(state="closed")
    staleness._mark(rows, at(999))
    assert Position.objects.get().state == "closed"

def test_scope_blind_forever():
    a = make_account(); store(outcome(a, reading(), scope="linear"))
    store(outcome(a, scope="linear", seconds=30, ends=[end(seconds=20)]))
    store(outcome(a, scope="all", seconds=60))
    store(outcome(a, scope="all", seconds=6000))
    assert not coverage_of(team=a.team, now=at(6001))[0].is_blind

def test_index_flicker():
    a = make_account(); store(outcome(a, reading()))
    out = prices(a, seconds=2, BTC="57000"); q = replace(out.reading.quotes[0], index_price=SIGHTED("57010"))
    refresh(replace(out, reading=PriceReading((q,))))
    assert Position.objects.get().index_price == 57010
    store(outcome(a, reading(), seconds=4))
    assert Position.objects.get().index_price == 57010

def test_mark_flicker():
    a = make_account(); store(outcome(a, reading(mark_price=Figure.unknown("no mark"))))
    refresh(prices(a, seconds=2, BTC="57000"))
    assert Position.objects.get().mark_price == 57000
    store(outcome(a, reading(mark_price=Figure.unknown("no mark")), seconds=4))
    assert Position.objects.get().mark_price == 57000

def test_old_funding():
    a = make_account(); store(outcome(a, reading()))
    out = prices(a, seconds=2, BTC="57000"); q = replace(out.reading.quotes[0], funding_rate=SIGHTED("0.001"), next_funding_at=at(100))
    refresh(replace(out, reading=PriceReading((q,))))
    store(outcome(a, reading(), seconds=86400))
    p = Position.objects.get()
    assert p.funding_rate is None and p.next_funding_at is None, (p.funding_rate, p.next_funding_at)

def test_testnet_values():
    a = make_account(); make_asset_price("USDT", usd=5.0, environment="http://testnet", received_at=at(0))
    store(outcome(a, reading()))
    assert Position.objects.get().notional_usd is None

def test_partial_failure_backoff():
    a = make_account()
    for i in range(6):
        o = replace(outcome(a, reading(), seconds=i), failures=(ScopeFailure("inverse", PermissionRefused("no")),))
        store(o, cycle=i+1)
    a.refresh_from_db()
    assert a.blocked_reason == ""
    assert (a.next_poll_at - at(5)).total_seconds() == 30

def test_banned_no_wish():
    a = make_account()
    for i in range(6):
        store(failure(a, Banned("x"), seconds=i), cycle=i+1)
    a.refresh_from_db()
    assert (a.next_poll_at - at(5)).total_seconds() == 300

def test_null_next_poll():
    a = make_account(next_poll_at=None)
    assert scheduling.claim_due(now=at(0))[1]

def test_older_asset_price():
    a = make_account(); store(outcome(a, reading()))
    d = lambda s,u: PriceOutcome(a.venue, "", at(s), PriceReading((), (AssetPriceReading("USDT", SIGHTED(u)),)))
    refresh(d(4,"1.0")); refresh(d(2,"0.5"))
    assert AssetPrice.objects.get().usd == 1.0

def test_gone_keeps_fast():
    a = make_account(); store(outcome(a, reading(mark_price=SIGHTED("54500"))))
    store(outcome(a, seconds=30))
    a.refresh_from_db(); assert a.poll_budget_s == 30

@pytest.mark.parametrize("raw", [{"x": "a\x00b"}, {"x": float("nan")}, {"x": "\ud800"}])
def test_garbage_raw(raw):
    a = make_account()
    assert store(outcome(a, reading(raw=raw)))

@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_garbage_refusal(text):
    a = make_account()
    assert store(outcome(a, reading(), refusals=[Refusal("bad "+text, text)]))
@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_garbage_body(text):
    a = make_account()
    assert store(replace(outcome(a, reading()), answers=(RawAnswer("GET /x", 200, text, at(0)),)))

def test_long_symbol():
    a = make_account()
    s = "X"*200+"/USDT:USDT"
    assert store(outcome(a, reading(), reading(s, market=MarketSpec(s, s))))
    assert Position.objects.count() == 2

def test_advice_matches():
    a = make_account(last_seen_at=None); make_asset_price("USDT", usd=1.0, received_at=at(0))
    store(outcome(a, reading(liquidation_price=SIGHTED("57000"))))
    o = build_overview(team=a.team, filters=PositionFilters(), now=at(1))
    print(o.summary.headline.add_margin_usd, Position.objects.get().liquidation_distance)
    assert o.summary.headline.add_margin_usd and o.summary.headline.add_margin_usd > 2900
