"""What every request at an endpoint passes before it leaves: bans, pauses, breaker, budget."""

from __future__ import annotations

from riskhub import clock
from venues import bans
from venues.breaker import Breaker
from venues.errors import VenueError
from venues.rates import Rate
from venues.wire import Sent

_DEFAULT_PAUSE_S = 1.0


class Pause:
    """A wish of the venue to be left alone; until it ends nothing is sent."""

    def __init__(self) -> None:
        self._until_s = 0.0
        self._error: VenueError | None = None

    def check(self) -> None:
        """Raise the error that began the pause again while it lasts."""
        if self._error is None:
            return
        left_s = self._until_s - clock.monotonic_s()
        if left_s > 0:
            raise type(self._error)(str(self._error), retry_after_s=left_s)

    def begin(self, error: VenueError) -> None:
        """Begin or prolong the pause by the venue's own wish."""
        until_s = clock.monotonic_s() + (error.retry_after_s or _DEFAULT_PAUSE_S)
        if until_s > self._until_s:
            self._until_s, self._error = until_s, error


class Passage:
    """The way out of one endpoint; each account's own pause stands before it.

    host      (venue, environment), as bans are named
    """

    def __init__(self, *, host: bans.Host, breaker: Breaker, rate: Rate) -> None:
        self.pause = Pause()
        self.breaker = breaker
        self._host = host
        self._rate = rate

    @property
    def is_rate_scarce(self) -> bool:
        """Tell whether somebody waits for the rate budget."""
        return self._rate.is_scarce

    async def enter(self, own: Pause, sent: Sent) -> bool:
        """Wait for the budget, let a request pass, and tell whether it is the breaker's probe.

        Raises Banned, RateLimited or Unavailable, and then nothing may be sent.
        """
        self._check(own)
        await self._rate.take(self._rate.weigh(sent))
        # Whoever waited may have been overtaken by a ban or a pause.
        self._check(own)
        return self.breaker.enter()

    def leave(self, *, is_probe: bool, is_failure: bool | None) -> None:
        """Note how a request ended; None: it was cancelled, which says nothing of the venue."""
        if is_failure is None:
            self.breaker.forgo(is_probe=is_probe)
        else:
            self.breaker.leave(is_probe=is_probe, is_failure=is_failure)

    def _check(self, own: Pause) -> None:
        bans.check(self._host)
        self.pause.check()
        own.check()
        self.breaker.check()
