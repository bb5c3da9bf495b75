"""What can go wrong at a venue; each class says how to react."""

from __future__ import annotations

from typing import ClassVar


class VenueError(Exception):
    """A venue could not be read. The message is a sentence for the owner, without secrets.

    kind              short name, kept with the coverage entry
    is_auth           counts towards stopping the account: trying again would not help
    is_transient      expected to pass by itself
    retry_after_s     the venue's own wish, seconds; None when it said nothing
    """

    kind: ClassVar[str] = "venue"
    is_auth: ClassVar[bool] = False
    is_transient: ClassVar[bool] = False

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Unreachable(VenueError):
    """No connection, no name, or a reset: the host cannot be reached."""

    kind = "unreachable"
    is_transient = True


class TimedOut(VenueError):
    """The account's total deadline passed; the coroutine was cancelled."""

    kind = "timeout"
    is_transient = True


class Unavailable(VenueError):
    """The venue answers that it is down, overloaded or in maintenance."""

    kind = "unavailable"
    is_transient = True


class RateLimited(VenueError):
    """Too many requests; wait `retry_after_s`, else the account's next turn."""

    kind = "rate_limited"
    is_transient = True


class Banned(VenueError):
    """This address is banned; no request to the host before `retry_after_s` has passed."""

    kind = "banned"


class ClockSkewed(VenueError):
    """The venue refuses our timestamp; its clock was asked once more and it refused again."""

    kind = "clock"
    is_transient = True


class BadCredentials(VenueError):
    """The key, secret or passphrase is wrong, revoked or expired."""

    kind = "credentials"
    is_auth = True


class KeyRejected(BadCredentials):
    """The venue says without doubt that there is no such key, or that it is no longer valid.

    Other refusals may be about one product alone.
    """


class PermissionRefused(VenueError):
    """The key is genuine but may not read this, or not from this address."""

    kind = "permission"
    is_auth = True


class BadAccount(VenueError):
    """What was entered cannot work: a malformed wallet, a missing field, a wrong option."""

    kind = "account"
    is_auth = True


class UnreadableAnswer(VenueError):
    """HTTP 200 with something that is not the documented answer: HTML, empty, null, cut off."""

    kind = "unreadable"
    is_transient = True


class WriteRefused(VenueError):
    """A request that is not on the adapter's read list was stopped before it left."""

    kind = "write_refused"


class VenueRefused(VenueError):
    """The venue answered with an error that fits no other class."""

    kind = "refused"
