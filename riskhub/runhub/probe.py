"""Ask the broker and the web server whether they answer; raw sockets, no library."""

from __future__ import annotations

import select
import socket

_TIMEOUT_S = 5.0


def broker_answers(path: str) -> bool:
    """Tell whether a Redis-compatible server answers PING on the Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(_TIMEOUT_S)
        try:
            client.connect(path)
            client.sendall(b"PING\r\n")
            return client.recv(64).startswith(b"+PONG")
        except OSError:
            return False


class WebProbe:
    """One question at a time to GET /readyz, asked without waiting for the answer.

    The supervisor's socket accepts before the web process runs, so a plain request would block
    until then, and with it the supervisor.
    """

    def __init__(self, *, listener: socket.socket, host_header: str) -> None:
        self._family = listener.family
        self._address = _reachable(listener)
        self._request = f"GET /readyz HTTP/1.0\r\nHost: {host_header}\r\n\r\n".encode()
        self._client: socket.socket | None = None

    def is_ready(self) -> bool:
        """Tell whether an answer has come and is 200; ask again after any other."""
        try:
            return self._ask()
        except OSError:
            self.close()
            return False

    def close(self) -> None:
        """Forget the question that is open."""
        if self._client:
            self._client.close()
            self._client = None

    def _ask(self) -> bool:
        if self._client is None:
            self._client = socket.socket(self._family, socket.SOCK_STREAM)
            self._client.settimeout(_TIMEOUT_S)
            self._client.connect(self._address)
            self._client.sendall(self._request)
        if not select.select([self._client], [], [], 0)[0]:
            return False
        answer = self._client.recv(64)
        self.close()
        return answer.split(b" ")[1:2] == [b"200"]


def _reachable(listener: socket.socket) -> tuple[str, int]:
    host, port = listener.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104
