"""A venue that repeats every signed request in its answer: the worst place for a secret to be."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from tests.venues import corpus

_PROOF = re.compile(r"sign|signature|authorization", re.IGNORECASE)
_TOLD = re.compile(r"sign|key|passphrase|authorization", re.IGNORECASE)
_SHORTEST_PROOF = 16
MODES = ("refused", "fault", "text", "page", "row")


class EchoVenue:
    """Answers a venue's market calls properly and all else with the request itself.

    The base URL's last two segments say which venue it plays and how it misbehaves:

    refused   401 and an error whose sentence holds the request
    fault     500 and the request as text
    text      200 and the request as text
    page      200 and the request in a web page
    row       200 and a list of unreadable rows whose fields are the key, the signature, ...
    """

    def __init__(self) -> None:
        self.port = 0
        # What proved a request to be ours; and whether "venue/mode" was asked with any.
        self.proofs: set[str] = set()
        self.signed: dict[str, bool] = {}

    def url(self, venue: str, mode: str) -> str:
        return f"http://127.0.0.1:{self.port}/{venue}/{mode}"

    def answer(self, method: str, target: str, headers: dict[str, str], body: str) -> Answer:
        """Return status, content type and text of the answer to one request."""
        parts = urlsplit(target)
        _, venue, mode, rest = parts.path.split("/", 3)
        query = dict(parse_qsl(parts.query))
        for call in corpus.market_calls(venue):
            if call.matches(method, f"/{rest}", query, json.loads(body or "null")):
                return call.status, "application/json", call.body_text
        fields = {**headers, **query}
        proofs = [fields[name] for name in fields if _PROOF.search(name)]
        self.proofs.update(proof for proof in proofs if len(proof) >= _SHORTEST_PROOF)
        self.signed[f"{venue}/{mode}"] = bool(proofs)
        if mode == "row":
            told = [value for name, value in fields.items() if _TOLD.search(name)]
            return _row_of(told, is_list="positionRisk" in rest)
        return _spoiled(mode, " ".join([method, target, str(headers), body]))


Answer = tuple[int, str, str]


def _spoiled(mode: str, echo: str) -> Answer:
    if mode == "refused":
        error = {"code": -2015, "retCode": 10003, "msg": echo, "retMsg": echo, "data": []}
        return 401, "application/json", json.dumps(error)
    text = f"<html><body>{echo}</body></html>" if mode == "page" else echo
    return 500 if mode == "fault" else 200, "text/plain", text


def _row_of(told: list[str], *, is_list: bool) -> Answer:
    """Return rows of a position, each of whose fields is what proved the request."""
    names = ("symbol", "instId", "instType", "positionAmt", "positionSide", "pos", "size", "side")
    rows = [dict.fromkeys(names, value) for value in told]
    whole = {"retCode": 0, "code": "0", "result": {"category": "linear", "list": rows}}
    answer = rows if is_list else {**whole, "data": rows}
    return 200, "application/json", json.dumps(answer)


@contextmanager
def serve_echo() -> Iterator[EchoVenue]:
    """Run the venue on a free port of loopback."""
    venue = EchoVenue()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            asked = (self.command, self.path, dict(self.headers), body)
            status, kind, text = venue.answer(*asked)
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(text.encode())))
            self.send_header("x-echo", self.path)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        # Twenty accounts connect at once; five in the queue would make the others wait seconds.
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    venue.port = server.server_address[1]
    thread = threading.Thread(target=lambda: server.serve_forever(0.05), daemon=True)
    thread.start()
    try:
        yield venue
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
