"""Requests and answers as they travel: strict reading, and nothing secret in what is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from riskhub.logs import REDACTED
from venues.errors import UnreadableAnswer

_UNSHOWN_NAME = re.compile(
    r"sign?$|signature|secret|pass|key|token|auth|cookie|credential|nonce", re.IGNORECASE
)
_SIGNATURE_NAME = re.compile(r"sign?$|signature$|authorization$|passphrase$", re.IGNORECASE)
_SHORTEST_SIGNATURE = 16
_SHORTEST_SECRET = 6
_LONGEST_BODY_SHOWN = 500
_SUCCESS, _REDIRECT, _REFUSAL, _SERVER_FAULT = 2, 3, 4, 5
# A lone surrogate or a NUL written as an escape: no database text can hold either.
_ESCAPE_WORTH_A_LOOK = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


# Names are our own, so there are few.
_NAMES_KEPT = 1024
# A query that is written the same whoever encodes it.
_PLAIN_QUERY = re.compile(r"[\w.~&=-]*", re.ASCII)
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it leaves. Holds secrets; `path` and `line` do not."""

    method: str
    path: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    body: str | None = field(repr=False, default=None)

    @property
    def line(self) -> str:
        """Return "METHOD /path?query body" without credentials, signatures and nonces."""
        query = _query_shown(urlsplit(self.url).query)
        parts = [self.method, f"{self.path}?{query}" if query else self.path, self._body_shown]
        return " ".join(part for part in parts if part)

    @property
    def signatures(self) -> frozenset[str]:
        """Return what proves that this request is ours; a venue may echo it in a message."""
        query = _pairs(urlsplit(self.url).query)
        pairs = [*self.headers.items(), *query, *_fields(self.body)]
        return frozenset(
            str(value)
            for name, value in pairs
            if _is_signature(name) and len(str(value)) >= _SHORTEST_SIGNATURE
        )

    @property
    def _body_shown(self) -> str:
        fields = dict(_shown(_fields(self.body))) if self.body else {}
        return json.dumps(fields, default=str)[:_LONGEST_BODY_SHOWN] if fields else ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as received; `is_text` is False when its bytes are not UTF-8."""

    status: int
    reason: str
    headers: Mapping[str, str]
    text: str
    is_text: bool = True

    @property
    def is_success(self) -> bool:
        """Tell whether the venue calls it a success."""
        return self.status // 100 == _SUCCESS

    @property
    def is_redirect(self) -> bool:
        """Tell whether the venue names another address; it is never followed."""
        return self.status // 100 == _REDIRECT

    @property
    def is_refusal(self) -> bool:
        """Tell whether the venue calls it a fault of the request."""
        return self.status // 100 == _REFUSAL

    @property
    def is_server_fault(self) -> bool:
        """Tell whether the venue calls it a fault of its own."""
        return self.status // 100 == _SERVER_FAULT


def decode(answer: Answer) -> Any:
    """Return the object or array of an answer; every number is its exact text.

    NaN and Infinity, which are not JSON, become those words: the row that holds one is then
    quarantined like any other bad number, and the other rows are read.
    Raises UnreadableAnswer on HTML, an empty or cut off body, null, a bare value or {}.
    """
    if not answer.text.strip():
        raise UnreadableAnswer("the answer is empty")
    if not answer.is_text:
        raise UnreadableAnswer("the answer is not text")
    decoded = _parse(answer.text)
    if not isinstance(decoded, dict | list):
        raise UnreadableAnswer("the answer is a single value, not the documented object or list")
    if decoded == {}:
        raise UnreadableAnswer("the answer is an empty object")
    return decoded


def _parse(text: str) -> Any:
    try:
        decoded = _DECODER.decode(text)
        # Most answers have no backslash at all, which is seen at once.
        if "\\" in text and _ESCAPE_WORTH_A_LOOK.search(text):
            _refuse_unstorable(decoded)
    except (ValueError, RecursionError):
        decoded = None
    else:
        return decoded
    if text.lstrip().startswith("<"):
        raise UnreadableAnswer("the answer is a web page, not data")
    raise UnreadableAnswer("the answer is not complete JSON")


def _refuse_unstorable(decoded: Any) -> None:
    text = json.dumps(decoded, ensure_ascii=False)
    text.encode()
    if "\\u0000" in text:
        raise ValueError


def is_long(secret: str) -> bool:
    """Tell whether a secret is so long that it is no part of any other text by chance."""
    return len(secret) >= _SHORTEST_SIGNATURE


def hide(text: str, secrets: Iterable[str]) -> str:
    """Return `text` without any of `secrets`; what is too short to be one stays."""
    # As some venues write a solidus, too.
    spellings = {each for secret in secrets if len(secret) >= _SHORTEST_SECRET
                 for each in (secret, secret.replace("/", "\\/"))}  # fmt: skip
    for secret in sorted((each for each in spellings if each in text), key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    return text


def holds_list(value: Any, *, depth: int = 3) -> bool:
    """Tell whether there is an array in the outer levels of an answer.

    "No positions" has to be said: an answer without any list does not say it.
    """
    if isinstance(value, list):
        return True
    if not isinstance(value, dict) or depth == 0:
        return False
    return any(holds_list(item, depth=depth - 1) for item in value.values())


def _fields(body: str | None) -> list[tuple[str, Any]]:
    if not body:
        return []
    if body.lstrip().startswith("{"):
        try:
            return list(json.loads(body).items())
        except ValueError:
            return []
    return list(parse_qsl(body))


def _pairs(query: str) -> list[tuple[str, str]]:
    if not _PLAIN_QUERY.fullmatch(query):
        return parse_qsl(query, keep_blank_values=True)
    parts = (part.partition("=") for part in query.split("&") if part)
    return [(name, value) for name, _, value in parts]


def _query_shown(query: str) -> str:
    shown = _shown(_pairs(query))
    if _PLAIN_QUERY.fullmatch(query):
        return "&".join(f"{name}={value}" for name, value in shown)
    return urlencode(shown)


def _shown(pairs: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in pairs if not _is_unshown(name)]


@lru_cache(_NAMES_KEPT)
def _is_unshown(name: str) -> bool:
    return bool(_UNSHOWN_NAME.search(name))


@lru_cache(_NAMES_KEPT)
def _is_signature(name: str) -> bool:
    return bool(_SIGNATURE_NAME.search(name))
