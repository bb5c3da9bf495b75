"""Structured logs: one JSON line an event, with a poll id, and nothing secret.

Redaction works twice: by name (a key that sounds like a secret) and by value (every secret that
was opened in this process is remembered by `remember_secret` and cut from any text).
"""

from __future__ import annotations

import base64
import logging
import re
import threading
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

REDACTED = "[redacted]"
_SECRET_NAMES = re.compile(
    r"secret|password|passphrase|api_?key|private_?key|token|signature|authorization|cookie"
    r"|credential|mnemonic|seed_phrase",
    re.IGNORECASE,
)
_SECRET_PARAMETERS = re.compile(
    r"(?i)\b(signature|sign|api_?key|secret|token|password)=([^&\s\"']+)"
)
_LEAST_SECRET_LENGTH = 6
_known: set[str] = set()
_lock = threading.Lock()


def remember_secret(value: str) -> None:
    """Cut `value`, plain and in base64, from everything this process logs from now on."""
    if len(value) < _LEAST_SECRET_LENGTH:
        return
    with _lock:
        _known.add(value)
        _known.add(base64.b64encode(value.encode()).decode())


def scrub(text: str) -> str:
    """Return `text` without any known secret and without the values of secret parameters."""
    for secret in tuple(_known):
        if secret in text:
            text = text.replace(secret, REDACTED)
    return _SECRET_PARAMETERS.sub(rf"\1={REDACTED}", text)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {str(key): _clean_item(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item) for item in value]
    return value if isinstance(value, int | float | bool | type(None)) else scrub(str(value))


def _clean_item(key: str, value: Any) -> Any:
    return REDACTED if _SECRET_NAMES.search(key) and value else _clean(value)


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Structlog processor: redact by name and by value, in nested values too."""
    return {key: _clean_item(key, value) for key, value in event.items()}


class ScrubbingFormatter(structlog.stdlib.ProcessorFormatter):
    """Formats every record, foreign ones too, and scrubs the finished line and traceback."""

    def format(self, record: logging.LogRecord) -> str:
        return scrub(super().format(record))


def describe(error: BaseException) -> str:
    """Return the class and scrubbed message of an error, on one line."""
    line = "".join(traceback.format_exception_only(error)).strip()
    return scrub(line.replace("\n", " "))


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
    redact,
]


def configure() -> None:
    """Send structlog through the standard library, so that one formatter sees every line."""
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def config(*, level: str) -> dict[str, Any]:
    """Return Django's LOGGING: everything to standard error, as JSON lines."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": ScrubbingFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.JSONRenderer(),
                ],
                "foreign_pre_chain": _SHARED,
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "uvicorn.access": {"level": "WARNING"},
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
            "ccxt": {"level": "WARNING"},
            "celery.beat": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "axes": {"level": "WARNING"},
        },
    }


def get(name: str) -> Any:
    """Return a structured logger."""
    return structlog.get_logger(name)
