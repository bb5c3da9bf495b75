"""Databases beside the test database, with its tables: files, or databases of the same server."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from django.db import connections


class Blocker(Protocol):
    """pytest-django's guard of the database."""

    def unblock(self) -> AbstractContextManager[None]: ...


class Databases:
    """Makes databases, copies them, and lets this thread work in one of them.

    empty    full name of one that has the tables and no rows; made outside any test, whose open
             transaction would keep the test database from being copied
    """

    def __init__(self, *, folder: Path, blocker: Blocker) -> None:
        self._folder = folder
        self._blocker = blocker
        self._made: list[str] = []
        self.empty = self._make_empty()

    @property
    def is_sqlite(self) -> bool:
        return connections["default"].vendor == "sqlite"

    def copy(self, source: str, name: str) -> str:
        """Copy a database that nobody is connected to and return its full name."""
        if not self.is_sqlite:
            with self._blocker.unblock():
                return self._copy_database(source, name)
        file = sqlite3.connect(source)
        try:
            return self._copy_file(file, name)
        finally:
            file.close()

    def url(self, full_name: str) -> str:
        """Return the DATABASE_URL by which other processes find it."""
        if self.is_sqlite:
            return f"sqlite:///{full_name}"
        return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{full_name}").geturl()

    @contextmanager
    def use(self, full_name: str) -> Iterator[None]:
        """Let the ORM work in this database, in this thread, until the block ends."""
        default = connections["default"]
        options = {k: v for k, v in default.settings_dict["OPTIONS"].items() if k != "pool"}
        config: dict[str, Any] = {**default.settings_dict, "NAME": full_name, "OPTIONS": options}
        with self._blocker.unblock():
            other = type(default)(config, alias="default")
            connections["default"] = other
            try:
                yield
            finally:
                connections["default"] = default
                other.close()

    def remove(self, full_name: str) -> None:
        """Remove a database; a file's companions too."""
        self._made.remove(full_name)
        if self.is_sqlite:
            for path in (full_name, f"{full_name}-wal", f"{full_name}-shm"):
                Path(path).unlink(missing_ok=True)
        else:
            with self._blocker.unblock():
                self._on_server(f'DROP DATABASE "{full_name}" WITH (FORCE)')

    def remove_all(self) -> None:
        for full_name in tuple(self._made):
            self.remove(full_name)

    def _make_empty(self) -> str:
        with self._blocker.unblock():
            default = connections["default"]
            if self.is_sqlite:
                default.ensure_connection()
                return self._copy_file(default.connection, "empty")
            source = str(default.settings_dict["NAME"])
            default.close()
            default.close_pool()
            return self._copy_database(source, "empty")

    def _copy_file(self, source: Any, name: str) -> str:
        path = self._folder / f"{name}.sqlite3"
        target = sqlite3.connect(path)
        source.backup(target)
        target.close()
        self._made.append(str(path))
        return str(path)

    def _copy_database(self, source: str, name: str) -> str:
        full_name = f"{connections['default'].settings_dict['NAME']}_{name}"
        self._on_server(f'DROP DATABASE IF EXISTS "{full_name}" WITH (FORCE)')
        self._on_server(f'CREATE DATABASE "{full_name}" TEMPLATE "{source}"')
        self._made.append(full_name)
        return full_name

    def _on_server(self, statement: str) -> None:
        with connections["default"]._nodb_cursor() as cursor:
            cursor.execute(statement)
