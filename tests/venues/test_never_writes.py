"""Reading never writes: every adapter, with every credential, asks for what it lists alone."""

from __future__ import annotations

import importlib
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from riskhub import clock
from tests.venues import corpus
from tests.venues.corpus import Call
from tests.venues.probe import WALLET, use
from tests.venues.reading_checks import SECRETS, unlisted_requests
from tests.venues.replay import Asked, Replay
from tests.venues.test_generic_wire_rows import make_market
from venues import ccxt_facts, client, registry
from venues.base import REGISTRY, Held, VenueAdapter
from venues.client import CcxtClient
from venues.errors import VenueError, WriteRefused
from venues.guard import ReadGuard
from venues.market_data import RateBudget

registry.load()

REMOTE = sorted(slug for slug, adapter in REGISTRY.items() if adapter.ccxt_id)
# Where there is a folder of recordings, the venues that it or the project has answers of.
ANSWERED = [
    slug
    for slug in REMOTE
    if corpus.RECORDED is None
    or corpus.scenarios(corpus.RECORDED, slug, "positions")
    or corpus.scenarios(corpus.OWN, slug, "positions")
]
FULL = {**SECRETS, "uid": "canary-uid", "login": "canary-login", "token": "canary-token-0123"}
WRITES = re.compile(
    r"(?i)builder|referr|authori[sz]e(?!d)|api.?key/|change_?(api|pub)_?key|withdraw|transfer"
    r"|/orders?(/|$)|create|cancel|onboarding|agent"
)
SYMBOLS = ("BTC/USDT:USDT", "BTC/USDC:USDC", "BTC/USD:BTC", "ETH/USDT:USDT")


@pytest.fixture(autouse=True)
def unthrottled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for the rate limit of a venue on loopback would prove nothing."""
    make = client.make_exchange

    def make_unthrottled(*args: Any) -> Any:
        exchange = make(*args)
        exchange.enableRateLimit = False
        return exchange

    monkeypatch.setattr(client, "make_exchange", make_unthrottled)


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the guard had to stop."""
    refused: list[str] = []
    judge = ReadGuard.path

    def path(self: ReadGuard, *, method: str, url: str) -> str:
        try:
            return judge(self, method=method, url=url)
        except WriteRefused as error:
            refused.append(str(error))
            raise

    monkeypatch.setattr(ReadGuard, "path", path)
    return refused


def answers(replay: Replay, slug: str) -> list[str]:
    """Return base URLs that answer for a venue: recordings, and answers composed for it."""
    real = corpus.scenarios(corpus.RECORDED, slug, "positions")
    own = corpus.scenarios(corpus.OWN, slug, "positions")
    return [replay.recorded_url(slug, name) for name in real[-1:]] + [
        replay.url(slug, name) for name in own[-1:]
    ]


def every_name(adapter: VenueAdapter) -> tuple[str, ...]:
    """Return the name of every credential that ccxt knows of at a venue."""
    ccxt = importlib.import_module("ccxt")
    known = {*getattr(ccxt, adapter.ccxt_id)().requiredCredentials, *adapter.credentials}
    return tuple(name for name in sorted(known) if name in FULL and name != "walletAddress")


def give(
    monkeypatch: pytest.MonkeyPatch, adapter: VenueAdapter, names: tuple[str, ...]
) -> dict[str, Any]:
    """Return an account with these credentials, all of them used, and no rate to wait for."""
    monkeypatch.setattr(type(adapter), "credentials", names)
    monkeypatch.setattr(type(adapter), "rate", RateBudget(requests=100_000, window_s=1.0))
    return {
        "credentials": {name: FULL[name] for name in names},
        "wallet": WALLET,
        "options": {"symbols": SYMBOLS[0]} if is_singly(adapter) else {},
    }


def is_singly(adapter: VenueAdapter) -> bool:
    facts = getattr(adapter, "facts", None)
    return facts is not None and facts.is_asked_singly


async def read_all(adapter: VenueAdapter, asked: CcxtClient) -> None:
    """Read whatever the adapter reads; a venue that refuses is not what is tested here."""
    listed = [each for each in SYMBOLS if asked.market(each).is_known] or [SYMBOLS[0]]
    reads: list[Callable[[], Awaitable[Any]]] = []
    for scope in adapter.scopes(asked.request):
        missing = [Held(scope, listed[0], "net", "isolated", clock.now())]
        reads += [
            lambda scope=scope: adapter.read_scope(client=asked, scope=scope),
            lambda scope=scope, missing=missing: adapter.read_ends(
                client=asked, scope=scope, missing=missing
            ),
        ]
    reads += [
        lambda: adapter.read_key(client=asked),
        lambda: adapter.read_prices(client=asked, symbols=listed),
        lambda: adapter.read_tiers(client=asked, symbols=listed),
        lambda: adapter.read_funding(client=asked, symbols=listed),
        lambda: adapter.read_candles(client=asked, symbol=listed[0], count=24),
        lambda: adapter.read_depth(client=asked, symbol=listed[0], levels=20),
    ]
    for read in reads:
        try:
            await read()
        except VenueError:
            continue


def writes_in(asked: list[Asked]) -> list[Asked]:
    """Return what looks like a change: by its method, or by its words. A GET changes nothing."""
    return [
        each
        for each in asked
        if each.method not in {"GET", "POST"}
        or (each.method == "POST" and WRITES.search(f"{each.path} {each.body}"))
    ]


def know_one_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every instance list one contract, so that reading begins where no list lies here."""
    make = client.make_exchange

    def make_knowing(*args: Any) -> Any:
        exchange = make(*args)
        exchange.set_markets([make_market(exchange, "BTCUSDT", SYMBOLS[0], 1.0)])

        async def load_markets(*_: Any, **__: Any) -> Any:
            return exchange.markets

        exchange.load_markets = load_markets
        return exchange

    monkeypatch.setattr(client, "make_exchange", make_knowing)


@pytest.mark.parametrize("slug", REMOTE)
def test_the_first_request_of_each_read_is_on_the_list(
    replay: Replay, monkeypatch: pytest.MonkeyPatch, stopped: list[str], slug: str
) -> None:
    adapter = registry.get(slug)
    account = give(monkeypatch, adapter, every_name(adapter))
    know_one_contract(monkeypatch)
    anything = Call("", "", '{"code": "0", "data": [], "result": []}', is_catch_all=True)

    use(
        replay.compose(slug, "anything", anything),
        lambda asked: read_all(adapter, asked),
        adapter=adapter,
        **account,
    )

    assert stopped == []
    assert unlisted_requests(adapter, replay.asked()) == []
    assert writes_in(replay.asked()) == []


@pytest.mark.parametrize("is_full", [True, False], ids=["every-credential", "its-own"])
@pytest.mark.parametrize("slug", ANSWERED)
def test_reading_changes_nothing(
    replay: Replay,
    monkeypatch: pytest.MonkeyPatch,
    stopped: list[str],
    slug: str,
    is_full: bool,
) -> None:
    bases = answers(replay, slug)
    if not bases:
        pytest.skip(f"no answers of {slug} lie here")
    adapter = registry.get(slug)
    names = every_name(adapter) if is_full else adapter.credentials
    account = give(monkeypatch, adapter, names)

    for base in bases:
        use(base, lambda asked: read_all(adapter, asked), adapter=adapter, **account)
    # A recording holds one product; what is asked beside it has no answer.
    replay.missed.clear()

    assert stopped == []
    assert unlisted_requests(adapter, replay.asked()) == []
    assert writes_in(replay.asked()) == []


@pytest.mark.parametrize("slug", ["hyperliquid", "aster", "grvt"])
def test_the_guard_stops_what_ccxt_signs_by_itself(
    replay: Replay, monkeypatch: pytest.MonkeyPatch, stopped: list[str], slug: str
) -> None:
    bases = answers(replay, slug)
    if not bases:
        pytest.skip(f"no answers of {slug} lie here")
    monkeypatch.setattr(ccxt_facts, "_WRITES_ON_READ", {})
    adapter = registry.get(slug)
    monkeypatch.setattr(type(adapter), "ccxt_options", {})
    account = give(monkeypatch, adapter, ("privateKey",))

    async def read(asked: CcxtClient) -> None:
        # ccxt calls the second by itself, while it loads markets or signs in.
        for method in ("fetch_positions", "initialize_client"):
            try:
                await asked.fetch(method)
            except VenueError:
                continue

    use(bases[0], read, adapter=adapter, **account)
    replay.missed.clear()

    assert any(re.search(r"/exchange|builder", each, re.IGNORECASE) for each in stopped)
    assert writes_in(replay.asked()) == []


def test_the_switches_are_on_whatever_an_adapter_wishes() -> None:
    wish = {"builderFee": True, "refSet": False, "approvedBuilderFee": False}

    for ccxt_id in ("hyperliquid", "aster", "grvt"):
        assert ccxt_facts.options(ccxt_id, wish)["builderFee"] is False
    assert ccxt_facts.options("hyperliquid", wish)["approvedBuilderFee"] is True
    assert ccxt_facts.options("hyperliquid", wish)["refSet"] is True
