"""Receivers on loopback that record what reaches them: HTTP and SMTP."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Hook:
    """A webhook receiver. `script` holds the answers to give in turn, then 200."""

    port: int = 0
    script: list[Any] = field(default_factory=list)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.requests]


@dataclass(frozen=True)
class Answer:
    """One answer of a Hook: status and headers, and a body given or endless."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b"ok"
    is_endless: bool = False
    drip_s: float = 0.0


@contextmanager
def serve_hook(*script: Answer) -> Iterator[Hook]:
    """Run a webhook receiver on a free port of loopback."""
    hook = Hook(script=list(script))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            headers = {name.lower(): value for name, value in self.headers.items()}
            hook.requests.append((headers, self.rfile.read(length)))
            _answer(self, hook.script.pop(0) if hook.script else Answer())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hook.port = server.server_address[1]
    with _running(server):
        yield hook


def _answer(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    handler.send_response(answer.status)
    for name, value in answer.headers:
        handler.send_header(name, value)
    handler.end_headers()
    try:
        while answer.is_endless:
            handler.wfile.write(b"x" * 65_536)
        for byte in answer.body:
            handler.wfile.write(bytes([byte]))
            time.sleep(answer.drip_s)
    except OSError:
        pass


@dataclass
class Mailbox:
    """A mail server. `script` holds the replies to RCPT in turn, then acceptance."""

    port: int = 0
    script: list[bytes] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)


@contextmanager
def serve_mail(*script: bytes) -> Iterator[Mailbox]:
    """Run a mail server on a free port of loopback."""
    box = Mailbox(script=list(script))

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 test\r\n")
            while line := self.rfile.readline().upper():
                if line.startswith(b"DATA"):
                    self.wfile.write(b"354 go on\r\n")
                    box.mails.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                    self.wfile.write(b"250 accepted\r\n")
                elif line.startswith(b"RCPT"):
                    self.wfile.write((box.script.pop(0) if box.script else b"250 ok") + b"\r\n")
                elif line.startswith(b"QUIT"):
                    self.wfile.write(b"221 bye\r\n")
                    return
                else:
                    self.wfile.write(b"250 ok\r\n")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    box.port = server.server_address[1]
    with _running(server):
        yield box


@contextmanager
def listen() -> Iterator[Listener]:
    """Listen on a free port of every local address, IPv6 too where there is any."""
    if socket.has_dualstack_ipv6():
        server = socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    else:
        server = socket.create_server(("", 0))
    with server:
        server.setblocking(False)
        yield Listener(server)


@dataclass(frozen=True)
class Listener:
    """A port that answers nothing and knows whether anybody connected."""

    server: socket.socket

    @property
    def port(self) -> int:
        return int(self.server.getsockname()[1])

    @property
    def was_connected_to(self) -> bool:
        # The kernel queues a connection before connect() returns, so no thread is needed.
        try:
            self.server.accept()[0].close()
        except BlockingIOError:
            return False
        return True


@contextmanager
def _running(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=lambda: server.serve_forever(0.01), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
