"""Read an account of a replayed venue, and what must hold for every reading of any venue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from positions.engine.types import MarginMode, Source
from tests.venues.corpus import fits
from tests.venues.probe import WALLET, use
from tests.venues.replay import Asked
from venues import registry
from venues.base import PositionReading, PriceReading, ScopeReading, VenueAdapter
from venues.client import CcxtClient
from venues.errors import VenueError
from venues.figures import Figure

FIGURES = (
    "contracts",
    "entry_price",
    "mark_price",
    "collateral",
    "liquidation_price",
    "unrealized_pnl",
    "leverage",
    "index_price",
    "notional",
    "maintenance_margin",
    "maintenance_rate",
    "maintenance_amount",
    "venue_margin_ratio",
    "adl_rank",
)
# Good enough for every way of signing; nothing outside loopback is asked.
SECRETS = {
    "apiKey": "canary-key",
    # Base58 of 32 bytes, and base64: what every way of signing takes.
    "secret": "G9KbupSEmxCnojRRoXKbF9R2inU17FwBLqho55HrmPBK",
    "password": "canary-pass",
    "accountId": "1",
    "privateKey": "0x" + "1" * 64,
    "walletAddress": WALLET,
}


def read_account(
    venue: str, base: str, options: Mapping[str, Any]
) -> dict[str, ScopeReading | VenueError]:
    """Return what each scope of an account reads, or the error that it raises."""
    adapter = registry.get(venue)

    async def work(client: CcxtClient) -> dict[str, ScopeReading | VenueError]:
        found: dict[str, ScopeReading | VenueError] = {}
        for scope in await _find_scopes(adapter, client):
            try:
                found[scope] = await adapter.read_scope(client=client, scope=scope)
            except VenueError as error:
                found[scope] = error
        return found

    return use(base, work, adapter=adapter, **account_of(adapter, options))


async def _find_scopes(adapter: VenueAdapter, client: CcxtClient) -> Sequence[str]:
    try:
        return await adapter.discover_scopes(client=client)
    except VenueError:
        return adapter.scopes(client.request)


def read_prices(venue: str, base: str, symbols: Sequence[str]) -> PriceReading:
    """Return the prices of a venue, read as the price feed reads them: without credentials."""
    adapter = registry.get(venue)
    keyless = {"credentials": {}, "wallet": "", "options": {}}

    async def work(client: CcxtClient) -> PriceReading:
        return await adapter.read_prices(client=client, symbols=symbols)

    return use(base, work, adapter=adapter, **keyless)


def account_of(adapter: VenueAdapter, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an account that has what the venue asks for."""
    return {
        "wallet": WALLET if adapter.needs_wallet else "",
        "credentials": {name: SECRETS[name] for name in adapter.credentials},
        "options": options,
    }


def check_scope(reading: ScopeReading) -> None:
    """Assert what holds for a scope of any venue."""
    identities = [position.identity for position in reading.positions]

    assert len(set(identities)) == len(identities)
    assert all(refusal.reason for refusal in reading.refusals)
    for position in reading.positions:
        check_position(position)


def check_position(position: PositionReading) -> None:
    """Assert what holds for a position of any venue."""
    for name in FIGURES:
        check_figure(getattr(position, name), name=name)

    assert position.contracts.value is not None
    assert position.contracts.value > 0
    assert position.slot in ("net", position.side) or position.slot.isdecimal()
    assert position.margin_mode in (None, *MarginMode)
    assert position.margin_mode is MarginMode.ISOLATED or not position.collateral.is_known
    assert position.raw
    for name in ("entry_price", "mark_price", "liquidation_price", "collateral"):
        assert is_no_sentinel(getattr(position, name)), f"{name} of {position.identity}"


def check_figure(figure: Figure, *, name: str) -> None:
    """Assert that a figure says whose word it is, and nothing that it does not know."""
    if figure.source is Source.UNKNOWN:
        assert figure.value is None, name
        assert figure.reason, name
        return

    assert figure.value is not None, name
    assert figure.value.is_finite(), name
    assert figure.reason == "", name
    if figure.source is Source.REPORTED:
        assert Decimal(figure.text) == figure.value, name


def is_no_sentinel(figure: Figure) -> bool:
    """Tell whether a price or a margin is a real one: above 0 and no stand-in for "none"."""
    stand_ins = (999_999, 1_000_000, 99_999_999)
    return figure.value is None or (0 < figure.value < 10**15 and figure.value not in stand_ins)


def unlisted_requests(adapter: VenueAdapter, asked: Sequence[Asked]) -> list[Asked]:
    """Return the requests that neither the adapter lists nor can be harmless: GETs without key."""
    reads = [read.split(" ", 1) for read in adapter.reads]
    return [
        each
        for each in asked
        if not any(method == each.method and fits(path, each.path) for method, path in reads)
        and (each.method != "GET" or _is_signed(each))
    ]


def _is_signed(asked: Asked) -> bool:
    told = str({**asked.query, **asked.headers}).lower()
    return any(value.lower() in told for value in SECRETS.values() if len(value) > 1)
