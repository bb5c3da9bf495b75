"""Read the environment: every setting with its type, default and a sentence when it is wrong.

`SETTINGS` is the list that docs/settings.md documents and a test holds it to.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from cryptography.fernet import Fernet

ROOT = Path(__file__).resolve().parents[1]


class ConfigurationError(Exception):
    """A setting is wrong; the message says which one and what to do."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable: its name, its default as text, and what it does."""

    name: str
    default: str
    help: str


SETTINGS: tuple[Setting, ...] = (
    Setting("RISKHUB_ENV_FILE", ".env", "File of these variables, one NAME=value a line."),
    Setting("RISKHUB_DATA_DIR", ".data", "Folder of everything the embedded form keeps."),
    Setting("DATABASE_URL", "SQLite in the data folder", "postgres://user:password@host:5432/name"),
    Setting("REDIS_URL", "embedded server", "redis://:password@host:6379/0 or unix:///path"),
    Setting("SECRET_KEY", "generated into the data folder", "Signs sessions and forms."),
    Setting(
        "RISKHUB_FIELD_KEYS",
        "generated into the data folder",
        "Fernet keys for stored credentials, newest first, separated by commas.",
    ),
    Setting("RISKHUB_PRODUCTION", "0", "1 turns on HTTPS-only cookies, redirect and HSTS."),
    Setting("RISKHUB_DEBUG", "0", "1 shows Django's debug pages; never on a reachable host."),
    Setting("HOST", "127.0.0.1", "Address that the web server listens on."),
    Setting("PORT", "8000", "Port of the web server; a busy one moves on to the next."),
    Setting("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]", "Host names served, with commas."),
    Setting("RISKHUB_URL", "http://HOST:PORT", "Public address, used in links of messages."),
    Setting("RISKHUB_DEMO", "1", "0 starts without the simulated demo book."),
    Setting("EMAIL_URL", "files in the data folder", "smtp+tls://user:password@host:587"),
    Setting("EMAIL_FROM", "riskhub@localhost", "Sender of alert mail."),
    Setting(
        "RISKHUB_OUTBOUND_ALLOW",
        "empty",
        "Private networks that webhooks may reach, such as 10.0.0.0/8, with commas.",
    ),
    Setting("RISKHUB_PRICE_BUDGET_S", "2", "Seconds between refreshes of trigger prices."),
    Setting(
        "RISKHUB_FUNDING_BUDGET_S",
        "60",
        "Seconds between readings of funding where prices do not carry it.",
    ),
    Setting(
        "RISKHUB_DEPTH_BUDGET_S",
        "15",
        "Seconds between readings of the order books of markets held.",
    ),
    Setting("RISKHUB_DEPTH_LEVELS", "50", "Levels of an order book that are asked for, each side."),
    Setting(
        "RISKHUB_RULES_BUDGET_S",
        "3600",
        "Seconds between readings of tiers, limits and delistings.",
    ),
    Setting("RISKHUB_POLL_BUDGET_S", "30", "Seconds between polls of a calm account."),
    Setting("RISKHUB_POLL_FAST_BUDGET_S", "5", "Seconds between polls of an account in danger."),
    Setting("RISKHUB_POLL_DEADLINE_S", "20", "Seconds before an account's poll is cancelled."),
    Setting("RISKHUB_POLL_CONCURRENCY", "500", "Accounts read at the same time by one worker."),
    Setting(
        "RISKHUB_RATE_SHARE",
        "0.5",
        "Part of a venue's rate budget that one worker takes while Redis does not answer.",
    ),
    Setting(
        "RISKHUB_EGRESS",
        "default",
        "Name of the address that venues see; workers with the same name share rate budgets.",
    ),
    Setting("RISKHUB_HISTORY_DAYS", "90", "Days for which readings are kept."),
    Setting("RISKHUB_RAW_HOURS", "24", "Hours for which raw venue answers are kept."),
    Setting("RISKHUB_LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR."),
)

_env = environ.Env()
_LONGEST_SOCKET_PATH = 100


def _read_file() -> None:
    """Read the file of variables, if there is one; what the process was given wins."""
    path = Path(os.environ.get("RISKHUB_ENV_FILE") or ROOT / ".env")
    if path.is_file():
        environ.Env.read_env(path)


_read_file()


def text(name: str, default: str) -> str:
    """Return a setting as text; an empty variable counts as unset."""
    return os.environ.get(name, "").strip() or default


def number(name: str, default: float, *, least: float = 0.0) -> float:
    """Return a setting as a number of at least `least`; raises ConfigurationError."""
    raw = text(name, str(default))
    try:
        value = float(raw)
    except ValueError:
        value = float("nan")
    if not least <= value < float("inf"):
        raise ConfigurationError(f"{name} is {raw!r}; set it to a number of at least {least:g}.")
    return value


def flag(name: str, default: bool) -> bool:
    """Return a setting as a boolean; raises ConfigurationError on anything but 0/1/true/false."""
    raw = text(name, "1" if default else "0").lower()
    if raw not in {"0", "1", "true", "false", "yes", "no", "on", "off"}:
        raise ConfigurationError(f"{name} is {raw!r}; set it to 1 or 0.")
    return raw in {"1", "true", "yes", "on"}


def words(name: str, default: str = "") -> list[str]:
    """Return a comma-separated setting as a list without empty entries."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def networks(name: str) -> list[Any]:
    """Return a comma-separated list of IP networks; raises ConfigurationError."""
    try:
        return [ip_network(word, strict=False) for word in words(name)]
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}; give networks such as 10.0.0.0/8.") from None


def data_dir() -> Path:
    """Return the data folder, made with mode 0700 if it is not there."""
    folder = Path(text("RISKHUB_DATA_DIR", ".data")).expanduser()
    folder = folder if folder.is_absolute() else ROOT / folder
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"RISKHUB_DATA_DIR {str(folder)!r} cannot be made: {error.strerror}."
        ) from None
    return folder


def _kept_secret(name: str, make: Any) -> str:
    """Return the secret in the data folder, made once; a race leaves one winner."""
    path = data_dir() / name
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(descriptor, "w") as file:
            file.write(make())
    value = path.read_text().strip()
    if not value:
        raise ConfigurationError(f"{path} is empty; delete it to have a new one made.")
    return value


def secret_key() -> str:
    """Return Django's signing key, from SECRET_KEY or kept in the data folder."""
    return text("SECRET_KEY", "") or _kept_secret("secret_key", lambda: secrets.token_urlsafe(64))


def field_keys() -> list[str]:
    """Return the Fernet keys of stored credentials, newest first; raises ConfigurationError."""
    keys = words("RISKHUB_FIELD_KEYS") or _kept_secret(
        "field_keys", lambda: Fernet.generate_key().decode()
    ).split(",")
    for key in keys:
        try:
            Fernet(key)
        except (ValueError, TypeError):
            raise ConfigurationError(
                "RISKHUB_FIELD_KEYS holds a key that is not 32 bytes in URL-safe base64; make one "
                'with: python -c "from cryptography.fernet import Fernet; '
                'print(Fernet.generate_key().decode())"'
            ) from None
    return keys


def database() -> dict[str, Any]:
    """Return Django's DATABASES["default"]; raises ConfigurationError on a bad DATABASE_URL."""
    url = text("DATABASE_URL", "")
    if not url:
        return _sqlite(data_dir() / "db.sqlite3")
    scheme = urlsplit(url).scheme
    if scheme not in {"postgres", "postgresql", "sqlite"}:
        raise ConfigurationError(
            f"DATABASE_URL begins with {scheme or 'no scheme'!r}; it should look like "
            "postgres://user:password@host:5432/name or sqlite:////path/db.sqlite3."
        )
    try:
        config = dict(_env.db_url_config(url))
    except Exception:  # noqa: BLE001 - the library raises whatever its parser met
        raise ConfigurationError(
            "DATABASE_URL cannot be read; it should look like "
            "postgres://user:password@host:5432/name (special characters percent-encoded)."
        ) from None
    if not config.get("NAME"):
        raise ConfigurationError("DATABASE_URL names no database; add it at the end, as in /name.")
    return _sqlite(Path(config["NAME"])) if scheme == "sqlite" else _postgresql(config)


def _postgresql(config: dict[str, Any]) -> dict[str, Any]:
    options = {"connect_timeout": 5, "pool": {"min_size": 1, "max_size": 16, "timeout": 10}}
    return {
        **config,
        "OPTIONS": {**config.get("OPTIONS", {}), **options},
        "CONN_HEALTH_CHECKS": True,
    }


# IMMEDIATE takes the write lock at BEGIN: a read that later writes can then not fail with
# "database is locked" (measured: 15 % of transactions did, with two writers).
_SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA foreign_keys=ON;"
    "PRAGMA journal_size_limit=67108864;PRAGMA cache_size=-20000;"
)


def _sqlite(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": _SQLITE_PRAGMAS,
        },
    }


def redis_url() -> str:
    """Return the URL that redis-py reads; raises ConfigurationError on a bad REDIS_URL."""
    url = text("REDIS_URL", "") or f"unix://{embedded_socket()}"
    if urlsplit(url).scheme not in {"redis", "rediss", "unix"}:
        raise ConfigurationError(
            "REDIS_URL should begin with redis://, rediss:// or unix://, "
            "as in redis://:password@host:6379/0."
        )
    return url


def is_broker_embedded() -> bool:
    """Tell whether RiskHub runs its own Redis-compatible server."""
    return not text("REDIS_URL", "")


def embedded_socket() -> Path:
    """Return the socket of the embedded server.

    A Unix socket's path is limited to about 107 bytes; a data folder with a longer one keeps the
    socket under the system's temporary folder, in a folder named after the data folder's inode.
    """
    path = data_dir() / "redis.sock"
    if len(str(path).encode()) <= _LONGEST_SOCKET_PATH:
        return path
    stat = data_dir().stat()
    folder = Path("/tmp") / f"riskhub-{os.getuid()}-{stat.st_dev:x}-{stat.st_ino:x}"  # noqa: S108
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise ConfigurationError(f"{folder} belongs to somebody else; set a shorter data folder.")
    return folder / "redis.sock"


def celery_broker_url() -> str:
    """Return the same server in the dialect that Celery reads."""
    return redis_url().replace("unix://", "redis+socket://", 1)


def email(folder: Path) -> dict[str, Any]:
    """Return Django's EMAIL_* settings; by default mail is written as files into `folder`."""
    url = text("EMAIL_URL", "")
    if not url:
        return {
            "EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend",
            "EMAIL_FILE_PATH": str(folder),
        }
    if url.startswith("console"):
        return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    try:
        config = _env.email_url_config(url)
    except Exception:  # noqa: BLE001
        raise ConfigurationError(
            "EMAIL_URL cannot be read; it should look like smtp+tls://user:password@host:587."
        ) from None
    return {**config, "EMAIL_TIMEOUT": 15}
