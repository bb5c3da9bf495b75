"""What every test stands on: a network that ends at this machine, and a clean slate."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from django.conf import settings

_real_connect = socket.socket.connect


class NetworkBlockedError(AssertionError):
    """A test tried to leave this machine."""


def _connect(self: socket.socket, address: object) -> None:
    if self.family in {socket.AF_INET, socket.AF_INET6}:
        host = address[0]  # type: ignore[index]
        if not (host == "localhost" or ip_address(host).is_loopback):
            raise NetworkBlockedError(f"a test tried to reach {host}")
    _real_connect(self, address)  # type: ignore[arg-type]


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    socket.socket.connect = _connect  # type: ignore[method-assign]
    yield
    socket.socket.connect = _real_connect  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def _no_mail_left() -> None:
    from django.core import mail

    if hasattr(mail, "outbox"):
        mail.outbox.clear()


@pytest.fixture
def data_dir() -> object:
    """The data folder of this test process."""
    return settings.DATA_DIR
