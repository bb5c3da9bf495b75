"""What a venue's refusal means: its own codes first, then HTTP, then ccxt's class.

ccxt's class alone misleads both ways: a missing key at OKX is a plain ExchangeError, a server
fault at Bybit too, and Binance's pause (429) and ban (418) share one class.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

from riskhub import clock, logs
from venues.errors import (
    BadAccount,
    BadCredentials,
    Banned,
    ClockSkewed,
    KeyRejected,
    PermissionRefused,
    RateLimited,
    TimedOut,
    Unavailable,
    UnreadableAnswer,
    VenueError,
    VenueRefused,
)
from venues.wire import Answer, hide

_Kind = type[VenueError]

# The regional venues speak the same API on other hosts.
_BYBIT: Mapping[str, _Kind] = {
    "10000": Unavailable,
    "10016": Unavailable,
    "10002": ClockSkewed,
    "10003": KeyRejected,
    "10004": KeyRejected,
    "10007": BadCredentials,
    "33004": KeyRejected,
    "10005": PermissionRefused,
    "10008": PermissionRefused,
    "10010": PermissionRefused,
    "10024": PermissionRefused,
    "10006": RateLimited,
    "10018": RateLimited,
    "10009": Banned,
}
_OKX: Mapping[str, _Kind] = {
    "50001": Unavailable,
    "50004": Unavailable,
    "50013": Unavailable,
    "50026": Unavailable,
    # Suspended or frozen by a liquidation under way: it passes, and reading must not stop now.
    "50009": Unavailable,
    "50020": Unavailable,
    "50022": Unavailable,
    "50011": RateLimited,
    "50040": RateLimited,
    "50061": RateLimited,
    "50102": ClockSkewed,
    "50112": ClockSkewed,
    "50101": BadCredentials,
    "50103": BadCredentials,
    "50104": BadCredentials,
    "50105": KeyRejected,
    "50111": KeyRejected,
    "50113": KeyRejected,
    "50114": BadCredentials,
    "50100": BadCredentials,
    "50119": KeyRejected,
    "50030": PermissionRefused,
    "50035": PermissionRefused,
    "50110": PermissionRefused,
    "50120": PermissionRefused,
}

_CODES: Mapping[str, Mapping[str, _Kind]] = {
    "binance": {
        "-1001": Unavailable,
        "-1007": Unavailable,
        "-1008": Unavailable,
        "-1016": Unavailable,
        "-1015": RateLimited,
        "-1021": ClockSkewed,
        "-1022": KeyRejected,
        "-2008": KeyRejected,
        "-2014": KeyRejected,
        "-2015": BadCredentials,
    },
    # Binance's codes and a few of its own; -1000 is both an unknown error and a wrong signature.
    "aster": {
        "-1001": Unavailable,
        "-1006": Unavailable,
        "-1007": Unavailable,
        "-1008": Unavailable,
        "-1016": Unavailable,
        "-1003": RateLimited,
        "-1015": RateLimited,
        "-1021": ClockSkewed,
        "-4225": ClockSkewed,
        "-1002": BadCredentials,
        "-1022": KeyRejected,
        "-2014": KeyRejected,
        "-2015": BadCredentials,
        "-1011": PermissionRefused,
    },
    "bybit": _BYBIT,
    "bybiteu": _BYBIT,
    "bybitid": _BYBIT,
    "okx": _OKX,
    "myokx": _OKX,
    "okxus": _OKX,
    "bitget": {"40725": Unavailable, "45001": Unavailable, "40005": ClockSkewed},
    "gate": {"IP_FORBIDDEN": PermissionRefused, "REQUEST_EXPIRED": ClockSkewed},
    "kucoinfutures": {"400006": PermissionRefused, "400007": PermissionRefused},
    "bingx": {"100410": RateLimited, "100421": ClockSkewed},
    "cryptocom": {"40103": PermissionRefused, "40104": PermissionRefused},
    "delta": {
        "ip_not_whitelisted_for_api_key": PermissionRefused,
        "UnauthorizedApiAccess": PermissionRefused,
        "SignatureExpired": ClockSkewed,
    },
    "deribit": {"13021": PermissionRefused, "11051": Unavailable},
    "derive": {"14029": PermissionRefused},
    "digifinex": {"10014": ClockSkewed, "10015": RateLimited},
    "apex": {"10003": BadCredentials},
    "extended": {"1010": Unavailable, "401": BadCredentials},
    "hibachi": {"3": BadAccount},
    "lighter": {"21100": BadAccount},
    "paradex": {"NOT_ONBOARDED": BadAccount},
    "krakenfutures": {"accountInactive": PermissionRefused},
    "whitebit": {"2": PermissionRefused, "4": PermissionRefused},
}

# ccxt's classes in the order in which they are looked for among an error's ancestors.
_CLASSES: tuple[tuple[str, _Kind], ...] = (
    ("InvalidNonce", ClockSkewed),
    ("RateLimitExceeded", RateLimited),
    ("DDoSProtection", RateLimited),
    ("PermissionDenied", PermissionRefused),
    ("AccountNotEnabled", PermissionRefused),
    ("AccountSuspended", PermissionRefused),
    ("AuthenticationError", BadCredentials),
    ("ArgumentsRequired", BadAccount),
    ("InvalidAddress", BadAccount),
    ("OnMaintenance", Unavailable),
    ("RequestTimeout", Unavailable),
    ("BadResponse", UnreadableAnswer),
    ("OperationFailed", Unavailable),
)

_STATUSES: Mapping[int, _Kind] = {
    HTTPStatus.UNAUTHORIZED: BadCredentials,
    HTTPStatus.FORBIDDEN: PermissionRefused,
    HTTPStatus.REQUEST_TIMEOUT: Unavailable,
    HTTPStatus.TOO_MANY_REQUESTS: RateLimited,
    HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS: PermissionRefused,
}

_SENTENCES: Mapping[_Kind, str] = {
    BadCredentials: "{label} refuses the key, secret or passphrase; enter them again, or make a "
    "new key if it was revoked or has expired.",
    KeyRejected: "{label} refuses the key, secret or passphrase; enter them again, or make a "
    "new key if it was revoked or has expired.",
    PermissionRefused: "{label} knows the key but does not let it read this from here; allow "
    "reading of derivatives, and this machine's address if the key is bound to addresses.",
    RateLimited: "{label} asks for fewer requests; RiskHub waits and tries again.",
    Banned: "{label} has banned this machine's address for a while; nothing is sent until the "
    "ban ends.",
    ClockSkewed: "{label} refuses the time of the request, also after its clock was asked; "
    "set this machine's clock (NTP).",
    Unavailable: "{label} is down, overloaded or in maintenance; RiskHub tries again.",
    UnreadableAnswer: "{label} sent something that is not its documented answer; it was refused.",
    TimedOut: "{label} did not answer in time; RiskHub tries again.",
    BadAccount: "{label} cannot be asked with what was entered for this account.",
    VenueRefused: "{label} refused the request.",
}

_ADDRESS = re.compile(
    r"(?i)\bip\b.{0,40}(whitelist|white list|mismatch|illegal|forbidden|allow|bound|match)"
    r"|(unmatched|invalid|illegal) ip\b|whitelist"
)
_PRIVILEGE = re.compile(r"(?i)insufficient (privilege|permission)")
# A venue's list of wrong fields, which has no code of its own.
_NONCE = re.compile(r'(?i)"nonce"\s*:\s*\[')
_REGION = re.compile(r"(?i)restricted (location|region)|your country|eligibility|compliance rules")
_TOO_FREQUENT = re.compile(r"(?i)access too frequent")
_BANNED_UNTIL = re.compile(r"(?a)banned until (\d{13})\b")
_MILLISECONDS = re.compile(r"(?a)(\d{13})")
_SECONDS = re.compile(r"(?a)\d{1,9}")
# Binance's word for "banned"; HTTP has none.
BAN_STATUS = 418
_SHORTEST_BAN_S = 120.0
_LONG_BAN_S = 600.0
# Binance's longest ban is three days; whatever claims more is not believed.
_LONGEST_WAIT_S = 3 * 86_400.0
_LONGEST_MESSAGE = 100
_CODE_NAMES = (
    "retCode", "code", "err-code", "err_code", "error_code", "errorCode", "label", "ret_code",
)  # fmt: skip
_MESSAGE_NAMES = (
    "retMsg", "msg", "message", "err-msg", "err_msg", "error_msg", "ret_msg", "response",
)  # fmt: skip


class Overloaded(Unavailable):
    """A fault of the venue's servers that passes by itself; it may be asked again at once."""


@dataclass(frozen=True, slots=True)
class RefusedAnswer:
    """An answer that is an error: who sent it, what it says and what ccxt makes of it.

    secrets     values that a venue may echo and that no sentence may hold
    """

    ccxt_id: str
    label: str
    answer: Answer
    decoded: Any
    ccxt_error: BaseException | None = None
    secrets: Sequence[str] = field(default=(), repr=False)

    def error(self) -> VenueError:
        """Return the error to raise, with a sentence for the owner and without secrets."""
        code, message = said(self.decoded)
        kind = self._kind(code)
        text = self._sentence(kind, message) + _quoted(code, hide(message, self.secrets))
        retry_after_s = self._retry_after_s(kind)
        if kind is Unavailable and self.answer.is_server_fault and not self._is_maintenance:
            kind = Overloaded
        return kind(logs.scrub(text), retry_after_s=retry_after_s)

    def _kind(self, code: str) -> _Kind:
        if self.answer.status == BAN_STATUS or _TOO_FREQUENT.search(self.answer.text):
            return Banned
        by_code = _CODES.get(self.ccxt_id, {}).get(code)
        if by_code is not None:
            return by_code
        by_class = kind_of(self.ccxt_error) or self._nonce_kind
        if _is_region(self.answer):
            return PermissionRefused
        if self.answer.status == HTTPStatus.TOO_MANY_REQUESTS or by_class is RateLimited:
            return RateLimited
        if by_class in {None, BadCredentials} and self._is_known_key:
            return PermissionRefused
        # To ccxt most of 4xx is "not available", whatever the venue says.
        is_refusal = self.answer.is_refusal and by_class is Unavailable
        return self._by_status() if by_class is None or is_refusal else by_class

    @property
    def _nonce_kind(self) -> _Kind | None:
        return ClockSkewed if _NONCE.search(self.answer.text) else None

    @property
    def _is_known_key(self) -> bool:
        """Tell whether the venue says that the key is genuine, but not for this or from here."""
        text = self.answer.text
        return _ADDRESS.search(text) is not None or _PRIVILEGE.search(text) is not None

    def _by_status(self) -> _Kind:
        if self.answer.is_server_fault or self.answer.is_redirect:
            return Unavailable
        is_page = self.decoded is None and self.answer.status == HTTPStatus.FORBIDDEN
        if is_page and not _REGION.search(self.answer.text):
            # A web page is the word of a firewall before the venue, not of the venue.
            return Unavailable
        return _STATUSES.get(self.answer.status, VenueRefused)

    def _sentence(self, kind: _Kind, message: str) -> str:
        label = self.label
        if self.answer.is_redirect:
            return f"{label} answers with another address, never followed; check the base URL."
        if kind is PermissionRefused and _is_region(self.answer):
            return f"{label} does not serve the place from which this machine connects."
        if kind is PermissionRefused and _ADDRESS.search(message):
            return f"{label} does not let this machine's address use the key; add it to the key."
        if self.answer.status == HTTPStatus.NOT_FOUND and self.decoded is None:
            return f"{label} does not know what was asked for; check the base URL."
        return _SENTENCES[kind].format(label=label)

    @property
    def _is_maintenance(self) -> bool:
        return "OnMaintenance" in _ancestors(self.ccxt_error)

    def _retry_after_s(self, kind: _Kind) -> float | None:
        if kind not in {RateLimited, Banned, Unavailable}:
            return None
        wish = retry_after_s(self.answer, now=clock.now())
        if kind is not Banned:
            return wish
        least = _LONG_BAN_S if _TOO_FREQUENT.search(self.answer.text) else _SHORTEST_BAN_S
        return wish if wish else least


def kind_of(error: BaseException | None) -> _Kind | None:
    """Return our class for ccxt's, or None where ccxt's says nothing reliable."""
    names = _ancestors(error)
    return next((kind for name, kind in _CLASSES if name in names), None)


def is_ccxt(error: BaseException) -> bool:
    """Tell whether an error is one of ccxt's, without importing ccxt."""
    return type(error).__module__.startswith("ccxt.")


def local_error(error: BaseException, *, label: str) -> VenueError:
    """Return our error for one that ccxt raised by itself, without an answer that refuses.

    Nothing of ccxt's text is kept but the name of a missing field.
    """
    missing = re.search(r'requires "(\w+)" credential', str(error))
    if missing:
        return BadAccount(f"{label} needs {missing[1]}; enter it for this account.")
    kind = kind_of(error)
    if kind is BadCredentials:
        kind = BadAccount
    sentence = _SENTENCES[kind or VenueRefused].format(label=label)
    return (kind or VenueRefused)(f"{sentence} ({type(error).__name__})")


def banned(*, label: str, retry_after_s: float) -> Banned:
    """Return the error of a ban that was learned of by other ways than an answer."""
    return Banned(_SENTENCES[Banned].format(label=label), retry_after_s=retry_after_s)


def worded(error: VenueError, *, label: str) -> VenueError:
    """Return an error of the transport as a sentence that names the venue."""
    return type(error)(f"{label}: {error}.", retry_after_s=error.retry_after_s)


def said(decoded: Any) -> tuple[str, str]:
    """Return the code and message of a venue's error object; "" where there is none."""
    if not isinstance(decoded, dict):
        return "", ""
    nested = decoded.get("error") or decoded.get("errors")
    nested = nested[0] if isinstance(nested, list) and nested else nested
    if isinstance(nested, dict) and not _first(decoded, _CODE_NAMES):
        return said(nested)
    code = _first(decoded, _CODE_NAMES)
    message = _first(decoded, (*_MESSAGE_NAMES, "error"))
    return code or _first(decoded, ("error",)), message


def retry_after_s(answer: Answer, *, now: datetime) -> float | None:
    """Return how long the venue wants to be left alone, in seconds; None if it does not say."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    until = _BANNED_UNTIL.search(answer.text)
    reset = _MILLISECONDS.fullmatch(headers.get("x-bapi-limit-reset-timestamp", ""))
    instant = until or reset
    wish = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(wish) and not until:
        return min(float(wish), _LONGEST_WAIT_S)
    if wish and not until:
        return _seconds_until(_http_date(wish), now=now)
    return _seconds_until(clock.from_milliseconds(int(instant[1])), now=now) if instant else None


def _seconds_until(instant: datetime | None, *, now: datetime) -> float | None:
    wait = (instant - now).total_seconds() if instant else 0.0
    return min(wait, _LONGEST_WAIT_S) if wait > 0 else None


def _http_date(text: str) -> datetime | None:
    try:
        instant = parsedate_to_datetime(text)
    except ValueError:
        return None
    return instant if instant.tzinfo else None


def _ancestors(error: BaseException | None) -> frozenset[str]:
    return frozenset(cls.__name__ for cls in type(error).__mro__) if error else frozenset()


def _first(fields: Mapping[str, Any], names: tuple[str, ...]) -> str:
    values = (fields.get(name) for name in names)
    return next((str(value) for value in values if isinstance(value, str | int) and value), "")


def _is_region(answer: Answer) -> bool:
    is_legal = answer.status == HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS
    return is_legal or _REGION.search(answer.text) is not None


def _quoted(code: str, message: str) -> str:
    words = " ".join(dict.fromkeys(part for part in (code, message) if part))
    printable = "".join(sign if sign.isprintable() else " " for sign in words)
    return f" It says: {printable[:_LONGEST_MESSAGE]}" if printable.strip() else ""
