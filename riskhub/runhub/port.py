"""Take a free port and hold it: web processes inherit the socket.

The supervisor keeps it open, so a restart of the web process refuses nobody (requests wait), and
no other program can slip in between the choice and the start.
"""

from __future__ import annotations

import errno
import socket

_TRIES = 50
_BACKLOG = 512


class PortError(Exception):
    """The address cannot be listened on; the message says what to do."""


def open_listener(*, host: str, port: int) -> socket.socket:
    """Return a listening socket on `port` or, if that is taken, on the next free one."""
    family, address = _resolve(host)
    for candidate in range(port, min(port + _TRIES, 65536)):
        listener = _try(family, address, candidate)
        if listener:
            return listener
    listener = _try(family, address, 0)
    if listener is None:
        raise PortError(f"No free port on {host}. Stop a program that listens, or set HOST.")
    return listener


def _resolve(host: str) -> tuple[socket.AddressFamily, str]:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
    except OSError:
        raise PortError(
            f"HOST {host!r} is no address; use 127.0.0.1, or 0.0.0.0 for all."
        ) from None
    return family, str(address[0])


def _try(family: socket.AddressFamily, address: str, port: int) -> socket.socket | None:
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise PortError(_why(error, address, port)) from None
    return listener


def _why(error: OSError, address: str, port: int) -> str:
    if error.errno == errno.EACCES:
        return f"Port {port} needs special rights; set PORT to 1024 or more."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"HOST {address} is not an address of this machine; use 127.0.0.1 or 0.0.0.0."
    return f"{address}:{port} cannot be listened on: {error.strerror}. Set HOST and PORT."
