"""Which addresses RiskHub connects to when people typed in the name."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as ResolveTimeout
from typing import Any

import httpcore
from django.conf import settings

from positions.alerts.base import DeliveryError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Global by the book, but each leads to an IPv4 address that it hides.
_TUNNELS = [ipaddress.ip_network(net) for net in ("2002::/16", "2001::/32", "192.88.99.0/24")]
# A resolver may hang far beyond any deadline of ours; it does so in a thread of its own.
_resolvers = ThreadPoolExecutor(max_workers=8, thread_name_prefix="resolve")


class BlockedError(DeliveryError):
    """The URL leads somewhere that RiskHub does not go; nothing was connected."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, retryable=False)


def judge(addresses: Sequence[Address]) -> None:
    """Pass, or raise BlockedError. One bad address refuses the name: rebinding looks like that."""
    for address in addresses:
        if not is_reachable(address, allow=settings.OUTBOUND_ALLOW):
            raise BlockedError(
                f"{address} is not a public address; name its network in "
                "RISKHUB_OUTBOUND_ALLOW if messages should go there."
            )


def resolve(host: str, *, timeout_s: float) -> list[Address]:
    """Return the addresses of a host, asked once, in the resolver's order.

    Raises httpcore.ConnectError or ConnectTimeout.
    """
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        pass
    answer = _resolvers.submit(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
    try:
        found = answer.result(timeout=max(0.0, timeout_s))
    except ResolveTimeout:
        raise httpcore.ConnectTimeout("the name was not resolved in time") from None
    except (OSError, UnicodeError):
        raise httpcore.ConnectError("the name does not resolve") from None
    # The scope of a link-local address ("%eth0") is no part of what is judged.
    numbers = dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found)
    return [ipaddress.ip_address(number) for number in numbers]


def is_reachable(address: Address, *, allow: Iterable[Any]) -> bool:
    """Tell whether RiskHub may connect to `address`.

    Public addresses may be reached, and those within `allow`, networks the operator named. An
    IPv6 address that carries an IPv4 one is judged by what it carries.
    """
    carried = _carried(address)
    if any(carried.version == net.version and carried in net for net in allow):
        return True
    if not carried.is_global or carried.is_multicast or _is_tunnel(carried):
        return False
    return isinstance(carried, ipaddress.IPv4Address) or carried in _GLOBAL_UNICAST


def _carried(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(address.packed[-4:])
    return address


def _is_tunnel(address: Address) -> bool:
    return any(address.version == net.version and address in net for net in _TUNNELS)
