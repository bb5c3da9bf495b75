"""Outbound HTTP to addresses that people typed in: one guarded request, no second chance.

The name is resolved once, every address it has is judged, and the connection goes to the very
number that was judged. Redirects are not followed, proxies of the environment are not used, the
whole exchange has one deadline, and no more than 64 kB of the answer are read.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpcore
import orjson
from standardwebhooks.webhooks import Webhook

from positions.alerts.addresses import BlockedError, judge, resolve
from positions.alerts.base import DeliveryError, Message
from riskhub import clock

TIMEOUT_S = 15.0
MAX_BODY = 64 * 1024
# A person waits for it.
_LOOK_UP_S = 5.0
_LONGEST_RETRY_AFTER_S = 86_400.0
_BUSY = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a receiver answered; `body` holds its first 64 kB and is never stored."""

    status: int
    retry_after_s: float | None
    body: bytes

    @property
    def is_accepted(self) -> bool:
        """Tell whether the receiver took the message; a redirect is a failure."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_worth_retrying(self) -> bool:
        """Tell whether the same message may be taken later."""
        return self.status in _BUSY or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR


def post_signed(url: str, message: Message, *, secret: str) -> Reply:
    """Post a message's payload with Standard Webhooks headers.

    secret  "whsec_…"; several, separated by spaces, each sign: a receiver may rotate

    Raises BlockedError and DeliveryError.
    """
    body = orjson.dumps(message.payload)
    signatures = [
        Webhook(each).sign(message.id, message.attempted_at, body.decode())
        for each in secret.split()
    ]
    headers = {
        "content-type": "application/json",
        "webhook-id": message.id,
        "webhook-timestamp": str(int(message.attempted_at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
    return post(url, body=body, headers=headers)


def post(
    url: str, *, body: bytes, headers: Mapping[str, str], timeout_s: float = TIMEOUT_S
) -> Reply:
    """Post `body`, all within `timeout_s` seconds. Raises BlockedError and DeliveryError."""
    target = read_url(url)
    backend = _GuardedBackend(deadline_s=clock.monotonic_s() + timeout_s)
    all_headers = {
        **headers,
        "host": _host_header(target),
        "user-agent": "RiskHub",
        "accept-encoding": "identity",
        "content-length": str(len(body)),
        "connection": "close",
    }
    try:
        with (
            httpcore.ConnectionPool(ssl_context=_tls(), network_backend=backend) as pool,
            pool.stream(
                "POST", target, headers=list(all_headers.items()), content=body
            ) as response,
        ):
            return _read_reply(response)
    except httpcore.TimeoutException:
        raise DeliveryError(f"No answer within {timeout_s:g} s.", retryable=True) from None
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        kind = type(error).__name__
        raise DeliveryError(f"The connection failed ({kind}).", retryable=True) from None


def read_url(url: str) -> httpcore.URL:
    """Return the URL taken apart; raises BlockedError unless it is plain http or https."""
    # Readers of URLs disagree on backslashes, blanks and letters that look like others.
    if not url.isascii() or not url.isprintable() or set(url) & set(" \\"):
        raise BlockedError("The URL holds characters that a URL must not hold.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BlockedError("The URL cannot be read.") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise BlockedError("The URL must begin with https:// or http:// and name a host.")
    if "@" in parts.netloc:
        raise BlockedError("The URL must not hold a user name or a password.")
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    return httpcore.URL(scheme=parts.scheme, host=parts.hostname, port=port, target=target)


def find_refusal(url: str) -> str:
    """Return why messages to `url` would be blocked, as far as can be told now; "" if they pass.

    Asks the resolver; a name that does not resolve now may do so later and is no refusal.
    """
    try:
        target = read_url(url)
        judge(resolve(target.host.decode(), timeout_s=_LOOK_UP_S))
    except BlockedError as refusal:
        return str(refusal)
    except (httpcore.NetworkError, httpcore.TimeoutException):
        return ""
    return ""


class _Deadline:
    """Time left of one exchange; each step may take what is left and no more."""

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s

    def left_s(self, wanted_s: float | None, error: type[httpcore.TimeoutException]) -> float:
        left = self._deadline_s - clock.monotonic_s()
        if left <= 0:
            raise error("the time for the whole exchange is over")
        return left if wanted_s is None else min(left, wanted_s)


class _GuardedBackend(httpcore.NetworkBackend):
    """Connects to judged numbers alone."""

    def __init__(self, *, deadline_s: float) -> None:
        self._deadline = _Deadline(deadline_s)
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        left_s = self._deadline.left_s(timeout, httpcore.ConnectTimeout)
        addresses = resolve(host, timeout_s=left_s)
        judge(addresses)
        refused: httpcore.NetworkError = httpcore.ConnectError("the name has no address")
        for address in addresses:
            try:
                left_s = self._deadline.left_s(timeout, httpcore.ConnectTimeout)
                stream = self._plain.connect_tcp(
                    str(address), port, left_s, local_address, socket_options
                )
            except httpcore.ConnectError as error:
                refused = error
            else:
                return _TimedStream(stream, self._deadline)
        raise refused


class _TimedStream(httpcore.NetworkStream):
    """Gives every read and write the time that is left, so that a slow drip ends too."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left_s(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left_s(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left_s = self._deadline.left_s(timeout, httpcore.ConnectTimeout)
        return _TimedStream(
            self._stream.start_tls(ssl_context, server_hostname, left_s), self._deadline
        )

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _read_reply(response: httpcore.Response) -> Reply:
    body = bytearray()
    for chunk in response.iter_stream():
        body += chunk
        if len(body) >= MAX_BODY:
            break
    headers = {name.lower(): value for name, value in response.headers}
    return Reply(
        status=response.status,
        retry_after_s=_seconds(headers.get(b"retry-after", b"")),
        body=bytes(body[:MAX_BODY]),
    )


def _seconds(header: bytes) -> float | None:
    """Read Retry-After in seconds; the form with a date is rare and counts as none."""
    text = header.strip()
    return min(float(text), _LONGEST_RETRY_AFTER_S) if text.isdigit() else None


def _host_header(target: httpcore.URL) -> str:
    host = target.host.decode()
    host = f"[{host}]" if ":" in host else host
    return host if target.port is None else f"{host}:{target.port}"


@cache
def _tls() -> ssl.SSLContext:
    return httpcore.default_ssl_context()
