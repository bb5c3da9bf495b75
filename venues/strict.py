"""What every request of ccxt goes through: the guard, one shared session, strict reading.

`Strict` is mixed over a ccxt class at run time (venues/client.py) and replaces its `fetch`; this
module knows ccxt's interface but does not import it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

from riskhub import clock
from venues import wire
from venues.base import RawAnswer
from venues.ccxt_errors import BAN_STATUS, RefusedAnswer, is_ccxt, worded
from venues.errors import (
    Banned,
    RateLimited,
    TimedOut,
    Unavailable,
    Unreachable,
    UnreadableAnswer,
    VenueError,
    VenueRefused,
)
from venues.guard import ReadGuard
from venues.passage import Passage, Pause
from venues.transport import Transport
from venues.wire import Answer, Sent

_LONGEST_ERROR_KEPT = 4_000
# Failures of the venue as a whole, whoever asks.
_DOWN = (Unavailable, Unreachable, TimedOut)
_RATE_STATUSES = (BAN_STATUS, HTTPStatus.TOO_MANY_REQUESTS)
_UNREAD = UnreadableAnswer("the answer is not the documented one")


@dataclass(slots=True)
class Offset:
    """How far the venue's clock is ahead of ours, milliseconds, and when it was asked."""

    milliseconds: int = 0
    asked_at_s: float = float("-inf")


@dataclass(slots=True)
class PollLog:
    """What one call of an adapter sent and got.

    answers       of all calls of the account's read
    trouble       failures that ccxt may have swallowed on the way to a plausible result
    has_list      whether the last answer held an array
    sent          requests that left
    """

    answers: list[RawAnswer] = field(default_factory=list)
    trouble: list[VenueError] = field(default_factory=list)
    has_list: bool = False
    sent: int = 0


POLL: ContextVar[PollLog | None] = ContextVar("poll", default=None)


@dataclass(frozen=True, slots=True)
class Wiring:
    """What one instance needs to send: shared things of its endpoint and its own secrets.

    on_ban      told that the venue has banned this machine's address
    """

    ccxt_id: str
    label: str
    guard: ReadGuard
    transport: Transport
    timeout_s: float
    offset: Offset
    passage: Passage
    on_ban: Callable[[Banned], None]
    own_pause: Pause = field(default_factory=Pause)
    secrets: tuple[str, ...] = field(default=(), repr=False)


_BAD_ROW = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError)
# What a row has that ccxt could not read: nothing but itself.
_NO_POSITION = dict.fromkeys(
    (
        *("id", "symbol", "timestamp", "datetime", "side", "contracts", "contractSize"),
        *("entryPrice", "markPrice", "notional", "leverage", "collateral", "initialMargin"),
        *("maintenanceMargin", "unrealizedPnl", "liquidationPrice", "marginMode", "marginRatio"),
        *("hedged", "percentage"),
    )
)


class Strict:
    """Overrides of a ccxt exchange; `wiring` is set right after it is made."""

    wiring: Wiring

    def milliseconds(self) -> int:
        """Return the venue's time: ccxt signs with it, at every venue alike."""
        wiring = getattr(self, "wiring", None)
        return clock.to_milliseconds(clock.now()) + (wiring.offset.milliseconds if wiring else 0)

    def seconds(self) -> int:
        """Return the venue's time in whole seconds."""
        return self.milliseconds() // 1000

    def microseconds(self) -> int:
        """Return the venue's time in microseconds, to the millisecond."""
        return self.milliseconds() * 1000

    def parse_position(self, position: Any, market: Any = None) -> Any:
        """Return ccxt's reading of a row, or the bare row where it raises.

        One bad number would otherwise lose every other row of the answer.
        """
        try:
            return super().parse_position(position, market)  # type: ignore[misc]
        except _BAD_ROW:
            return {**_NO_POSITION, "info": position}

    async def fetch(
        self,
        url: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Any:
        """Send a signed request and return its decoded answer. Raises VenueError."""
        log = POLL.get() or PollLog()
        try:
            return await self._ask(log, url=url, method=method, headers=headers, body=body)
        except VenueError as error:
            if not isinstance(error, VenueRefused) and not error.is_auth:
                log.trouble.append(error)
            raise

    def __del__(self) -> None:
        """Do nothing: the session is shared, so there is none of its own to warn about."""

    async def _ask(
        self,
        log: PollLog,
        *,
        url: str,
        method: str,
        headers: Mapping[str, str] | None,
        body: Any,
    ) -> Any:
        path = self.wiring.guard.path(method=method, url=url)
        prepared = self.prepare_request_headers(dict(headers or {}))  # type: ignore[attr-defined]
        text = body.decode() if isinstance(body, bytes) else body
        sent = Sent(method=method, path=path, url=url, headers=prepared, body=text)
        passage = self.wiring.passage
        is_probe = await passage.enter(self.wiring.own_pause, sent)
        is_failure = None
        try:
            decoded = await self._exchange(log, sent)
            is_failure = False
        except VenueError as error:
            is_failure = isinstance(error, _DOWN)
            raise
        finally:
            passage.leave(is_probe=is_probe, is_failure=is_failure)
        return decoded

    async def _exchange(self, log: PollLog, sent: Sent) -> Any:
        log.sent += 1
        answer = self._cleared(sent, await self._receive(sent))
        log.answers.append(self._kept(sent, answer))
        self.last_response_headers = answer.headers
        decoded = self._read(sent, answer)
        log.has_list = wire.holds_list(decoded)
        return decoded

    async def _receive(self, sent: Sent) -> Answer:
        try:
            return await self.wiring.transport.send(sent, timeout_s=self.wiring.timeout_s)
        except VenueError as error:
            failure = worded(error, label=self.wiring.label)
        raise failure

    def _cleared(self, sent: Sent, answer: Answer) -> Answer:
        """Return the answer without what proves us: a venue may echo it in any field of a row.

        A short passphrase stays, for it may be part of a word or a number; logs.scrub knows it.
        """
        proofs = [*sent.signatures, *filter(wire.is_long, self.wiring.secrets)]
        text = wire.hide(answer.text, proofs)
        # The same object where nothing was hidden, as nearly always.
        return answer if text is answer.text else replace(answer, text=text)

    def _kept(self, sent: Sent, answer: Answer) -> RawAnswer:
        # What is long was taken out of the answer already.
        short = [secret for secret in self.wiring.secrets if not wire.is_long(secret)]
        body = wire.hide(answer.text, short).replace("\x00", "\ufffd")
        return RawAnswer(
            request=wire.hide(sent.line, self.wiring.secrets),
            status=answer.status,
            body=body if answer.is_success else body[:_LONGEST_ERROR_KEPT],
            received_at=clock.now(),
        )

    def _read(self, sent: Sent, answer: Answer) -> Any:
        decoded, unreadable = None, None
        try:
            decoded = wire.decode(answer)
        except UnreadableAnswer as error:
            unreadable = error
        failure = self._failure(sent, answer, decoded, unreadable)
        if failure is None:
            return decoded
        if isinstance(failure, Banned):
            self.wiring.on_ban(failure)
        elif answer.status in _RATE_STATUSES:
            self.wiring.passage.pause.begin(failure)
        elif isinstance(failure, RateLimited):
            self.wiring.own_pause.begin(failure)
        raise failure

    def _failure(
        self, sent: Sent, answer: Answer, decoded: Any, unreadable: UnreadableAnswer | None
    ) -> VenueError | None:
        if answer.is_success and unreadable is not None:
            return worded(unreadable, label=self.wiring.label)
        error = self._ccxt_error(sent, answer, decoded)
        if answer.is_success and (error is None or not is_ccxt(error)):
            return worded(_UNREAD, label=self.wiring.label) if error else None
        secrets = (*self.wiring.secrets, *sent.signatures)
        return RefusedAnswer(
            self.wiring.ccxt_id, self.wiring.label, answer, decoded, error, secrets
        ).error()

    def _ccxt_error(self, sent: Sent, answer: Answer, decoded: Any) -> Exception | None:
        """Return what ccxt raises for this answer; its text holds the signed URL, so drop it."""
        what = (answer.status, answer.reason, sent.url, sent.method)
        try:
            self.handle_errors(  # type: ignore[attr-defined]
                *what, dict(answer.headers), answer.text, decoded, dict(sent.headers), sent.body
            )
            self.handle_http_status_code(*what, answer.text)  # type: ignore[attr-defined]
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is an error
            return error
        return None
