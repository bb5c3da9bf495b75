"""Look for secrets in everything that a system leaves behind; name what is found, never show it."""

from __future__ import annotations

import socket
import threading
import zlib
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import redis
from django.db import connection
from django.test import Client

# Characters of base64 that depend on what stands before and after the secret.
_AFFECTED = (0, 2, 3)


def forms(secret: str) -> set[bytes]:
    """Return how a secret may look: plain, for a URL, hexadecimal, and in base64 at any place."""
    plain = secret.encode()
    found = {plain, quote(secret, safe="").encode(), plain.hex().encode()}
    for encode in (b64encode, urlsafe_b64encode):
        for before, affected in enumerate(_AFFECTED):
            whole = encode(b"\0" * before + plain).rstrip(b"=")
            found.add(whole[affected:-1])
    return found


def _read(path: Path) -> bytes:
    """Return what a file holds; one that went away meanwhile (SQLite's own) leaves nothing."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


class Search:
    """Every form of some secrets, by a name for each."""

    def __init__(self, secrets: dict[str, str]) -> None:
        self._forms = [(name, form) for name, secret in secrets.items() for form in forms(secret)]

    def hits(self, where: str, data: bytes) -> list[str]:
        """Return "secret in place" for each secret that is found."""
        return sorted({f"{name} in {where}" for name, form in self._forms if form in data})

    def in_files(self, folder: Path) -> list[str]:
        # A process that closes a file of SQLite's gives up its locks on the whole database: an
        # open connection would then read what others are just writing.
        connection.close()
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        return [hit for path in paths for hit in self.hits(str(path), _read(path))]

    def in_tables(self) -> list[str]:
        """Search every value of every table; what is compressed is opened first."""
        found = []
        with connection.cursor() as cursor:
            for table in connection.introspection.table_names():
                cursor.execute(f'SELECT * FROM "{table}"')
                columns = [column[0] for column in cursor.description]
                for name, values in zip(
                    columns, zip(*cursor.fetchall(), strict=True), strict=False
                ):
                    data = b"\n".join(_opened(value) for value in values)
                    found += self.hits(f"{table}.{name}", data)
        return found

    def in_broker(self, broker: redis.Redis) -> list[str]:
        """Search every key and value, and make the broker write its file for `in_files`."""
        broker.config_set("rdbcompression", "no")
        broker.save()
        dumped = [repr((key, _value(broker, key))).encode() for key in broker.scan_iter()]
        return self.hits("the broker", b"\n".join(dumped))

    def in_pages(self, client: Client, addresses: Iterable[str]) -> list[str]:
        found = []
        for address in addresses:
            answer: Any = client.get(address)
            assert answer.status_code == 200, (address, answer.status_code)
            body = b"".join(answer.streaming_content) if answer.streaming else answer.content
            found += self.hits(address, body + str(answer.headers).encode())
        return found


def _opened(value: Any) -> bytes:
    if not isinstance(value, bytes | memoryview):
        return str(value).encode()
    data = bytes(value)
    try:
        return data + zlib.decompress(data)
    except zlib.error:
        return data


def _value(broker: redis.Redis, key: bytes) -> Any:
    read = {
        b"string": lambda: broker.get(key),
        b"list": lambda: broker.lrange(key, 0, -1),
        b"set": lambda: broker.smembers(key),
        b"zset": lambda: broker.zrange(key, 0, -1, withscores=True),
        b"hash": lambda: broker.hgetall(key),
        b"stream": lambda: broker.xrange(key),
    }
    kind: Any = broker.type(key)
    return read[kind]() if kind != b"none" else None


@contextmanager
def overhearing(path: str) -> Iterator[bytearray]:
    """Keep everything that anybody says to the broker, until the block ends."""
    heard = bytearray()
    with socket.socket(socket.AF_UNIX) as ear:
        ear.connect(path)
        ear.sendall(b"MONITOR\r\n")
        thread = threading.Thread(target=_listen, args=(ear, heard), daemon=True)
        thread.start()
        try:
            yield heard
        finally:
            ear.shutdown(socket.SHUT_RDWR)
            thread.join()


def _listen(ear: socket.socket, heard: bytearray) -> None:
    while data := ear.recv(65_536):
        heard += data
