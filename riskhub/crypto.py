"""Encrypt what must stay secret in the database; the keys live outside it."""

from __future__ import annotations

import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class UndecryptableError(Exception):
    """A stored secret does not open with any of the configured keys."""


def _box() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_KEYS])


def encrypt(plain: dict[str, str]) -> bytes:
    """Return `plain` sealed with the newest key (authenticated)."""
    return _box().encrypt(json.dumps(plain, sort_keys=True).encode())


def decrypt(sealed: bytes) -> dict[str, str]:
    """Return what was sealed; raises UndecryptableError on a foreign key or a changed byte."""
    try:
        opened: dict[str, str] = json.loads(_box().decrypt(bytes(sealed)))
    except InvalidToken:
        raise UndecryptableError(
            "A stored secret does not open with RISKHUB_FIELD_KEYS; put the earlier key back."
        ) from None
    return opened


def rotate(sealed: bytes) -> bytes:
    """Return the same secret sealed with the newest key; raises UndecryptableError."""
    try:
        return _box().rotate(bytes(sealed))
    except InvalidToken:
        raise UndecryptableError(
            "A stored secret does not open with RISKHUB_FIELD_KEYS; put the earlier key back."
        ) from None


class SealedField(models.BinaryField):
    """A mapping of secret texts, stored encrypted; never shown, searched or serialised.

    In Python it is a `Secrets`, whose repr hides every value.
    """

    def from_db_value(self, value: Any, *_: Any) -> Secrets:
        return Secrets(sealed=bytes(value)) if value else Secrets()

    def to_python(self, value: Any) -> Any:
        return value

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if isinstance(value, dict):
            value = Secrets.of(value)
        sealed = value.sealed if isinstance(value, Secrets) else value
        return super().get_db_prep_value(sealed, connection, prepared)

    def value_to_string(self, obj: models.Model) -> str:
        return ""


class Secrets:
    """Sealed texts; `open()` is the one way in, and nothing prints them by accident."""

    __slots__ = ("sealed",)

    def __init__(self, sealed: bytes = b"") -> None:
        self.sealed = sealed

    @classmethod
    def of(cls, plain: dict[str, str]) -> Secrets:
        """Seal `plain`; an empty mapping stays empty."""
        return cls(encrypt(plain)) if plain else cls()

    def open(self) -> dict[str, str]:
        """Return the texts; raises UndecryptableError."""
        return decrypt(self.sealed) if self.sealed else {}

    def __bool__(self) -> bool:
        return bool(self.sealed)

    def __repr__(self) -> str:
        return "Secrets(…)" if self.sealed else "Secrets()"
