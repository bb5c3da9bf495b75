"""Recorded errors of the venues of the generic adapter: the reaction that each of them asks for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.paths import needs_recordings
from tests.venues import corpus
from tests.venues.probe import make_adapter
from tests.venues.test_ccxt_errors import judge
from venues import client
from venues.adapters.generic import VENUES
from venues.errors import (
    BadAccount,
    BadCredentials,
    ClockSkewed,
    PermissionRefused,
    RateLimited,
    Unavailable,
    VenueError,
    VenueRefused,
)

pytestmark = needs_recordings

SENTENCE: dict[type[VenueError], str] = {
    BadCredentials: "enter them again",
    PermissionRefused: "address",
    RateLimited: "waits and tries again",
    ClockSkewed: "set this machine's clock",
    Unavailable: "tries again",
    BadAccount: "what was entered",
    VenueRefused: "refused the request",
}
# venue -> scenario without "errors_" -> what it is
REACTIONS: dict[str, dict[str, type[VenueError]]] = {
    "apex": {"code": BadCredentials},
    "bingx": {
        "bad_signature": BadCredentials, "invalid_key": BadCredentials,
        "ip_not_whitelisted": PermissionRefused, "permission_denied": PermissionRefused,
        "rate_limit": RateLimited, "timestamp": ClockSkewed,
    },
    "cryptocom": {
        "invalid_key": BadCredentials, "ip_not_whitelisted": PermissionRefused,
        "maintenance": Unavailable, "nonce": ClockSkewed,
        "permission_denied": PermissionRefused, "rate_limit": RateLimited,
    },
    "delta": {
        "bad_signature": BadCredentials, "invalid_key": BadCredentials,
        "ip_not_whitelisted": PermissionRefused, "permission_denied": PermissionRefused,
        "timestamp": ClockSkewed, "unavailable": Unavailable,
    },
    "deribit": {
        "auth_required": BadCredentials, "invalid_key": BadCredentials,
        "maintenance": Unavailable, "permission_denied": PermissionRefused,
        "rate_limit": RateLimited, "unauthorized": BadCredentials,
    },
    "derive": {"ip_not_whitelisted": PermissionRefused, "rate_limit": RateLimited},
    "digifinex": {
        "bad_key": BadCredentials, "bad_signature": BadCredentials,
        # The recording holds the answer to a wrong method, whatever its name says.
        "invalid_key": VenueRefused,
        "rate_limit": RateLimited, "timestamp": ClockSkewed,
    },
    "extended": {"maintenance": Unavailable, "unauthorized": BadCredentials},
    "grvt": {"rate_limit": RateLimited, "unauthenticated": BadCredentials},
    "hashkey": {
        "bad_signature": BadCredentials, "invalid_key": BadCredentials,
        "ip_not_whitelisted": PermissionRefused, "permission_denied": PermissionRefused,
        "rate_limit": RateLimited, "timestamp": ClockSkewed,
    },
    "hibachi": {"failed": BadAccount},
    "htx": {
        "bad_signature": BadCredentials, "invalid_key": BadCredentials,
        "maintenance": Unavailable, "permission_denied": PermissionRefused,
        "rate_limit": RateLimited, "v5_invalid_signature": BadCredentials,
    },
    "krakenfutures": {
        "invalid_key": BadCredentials, "nonce": ClockSkewed,
        "permission_denied": PermissionRefused, "rate_limit": RateLimited,
        "unavailable": Unavailable,
    },
    "kucoinfutures": {
        "bad_passphrase": BadCredentials, "bad_signature": BadCredentials,
        "invalid_key": BadCredentials, "ip_not_whitelisted": PermissionRefused,
        "permission_denied": PermissionRefused, "rate_limit": RateLimited,
        "timestamp": ClockSkewed, "unavailable": Unavailable,
    },
    "lighter": {"1": BadAccount, "rate_limit": RateLimited},
    "mexc": {
        "bad_signature": BadCredentials, "invalid_key": BadCredentials,
        "ip_not_whitelisted": PermissionRefused, "key_expired": BadCredentials,
        "maintenance": Unavailable, "permission_denied": PermissionRefused,
        "rate_limit": RateLimited,
    },
    "modetrade": {
        "invalid_token": BadCredentials, "server_error": Unavailable,
        "service_unavailable": Unavailable, "unauthorized": BadCredentials,
    },
    "nado": {"1": VenueRefused},
    "paradex": {"1": BadAccount},
    "phemex": {
        "bad_signature": BadCredentials, "invalid_key": BadCredentials,
        "ip_not_whitelisted": PermissionRefused, "key_not_found": BadCredentials,
        "permission_denied": PermissionRefused, "rate_limit": RateLimited,
    },
    "whitebit": {
        "invalid_key": BadCredentials, "key_disabled": PermissionRefused,
        "nonce": ClockSkewed, "permission_denied": PermissionRefused,
        "rate_limit": RateLimited, "unavailable": Unavailable,
    },
    "woofipro": {
        "invalid_token": BadCredentials, "key_revoked": BadCredentials,
        "rate_limit": RateLimited, "server_error": Unavailable,
        "service_unavailable": Unavailable, "unauthorized": BadCredentials,
    },
}  # fmt: skip
CASES = [(venue, name, kind) for venue, kinds in REACTIONS.items() for name, kind in kinds.items()]


@pytest.fixture(scope="module")
def exchanges() -> dict[str, Any]:
    """Instances of ccxt, which here only judge answers and send nothing."""

    async def make() -> dict[str, Any]:
        return {name: client.make_exchange(make_adapter(name), "", {}) for name in REACTIONS}

    return asyncio.run(make())


def test_each_recorded_error_of_a_generic_venue_is_here() -> None:
    recorded = {
        venue: {name.removeprefix("errors_") for name in names}
        for venue in VENUES
        if (names := corpus.scenarios(corpus.RECORDED, venue, "errors_"))
    }

    assert {venue: set(kinds) for venue, kinds in REACTIONS.items()} == recorded


@pytest.mark.parametrize(("venue", "name", "kind"), CASES)
def test_a_recorded_error_asks_for_its_reaction(
    exchanges: dict[str, Any], venue: str, name: str, kind: type[VenueError]
) -> None:
    assert corpus.RECORDED is not None
    [call] = corpus.scenario(corpus.RECORDED, venue, f"errors_{name}")[0]

    error = judge(exchanges[venue], call.status, call.body_text)

    assert error.kind == kind.kind
    assert SENTENCE[kind] in str(error)
    assert str(error).startswith("Venue ")
