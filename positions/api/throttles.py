"""How often one caller may ask."""

from __future__ import annotations

from django.core.cache import cache
from redis import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from riskhub import clock, logs
from riskhub.teams.models import ApiToken

log = logs.get(__name__)

PER_MINUTE = 600
_WINDOW_S = 60


class CallerThrottle(BaseThrottle):
    """At most PER_MINUTE requests in each clock minute, per token or per person.

    Counted in Redis for all web processes together. Without Redis nobody is refused: the database
    is then the only limit, and a dashboard that answers is worth more.
    """

    def allow_request(self, request: Request, *_: object) -> bool:
        """Tell whether this request is within the limit."""
        caller = self.name_caller(request)
        if not caller:
            return True
        return is_within_limit(caller=caller)

    def name_caller(self, request: Request) -> str:
        """Return whose requests are counted together; "" is not counted."""
        return _caller(request)

    def wait(self) -> float:
        """Return the seconds until the next clock minute."""
        return _WINDOW_S - clock.now().timestamp() % _WINDOW_S


class AddressThrottle(CallerThrottle):
    """The same per network address, for what needs no login."""

    def name_caller(self, request: Request) -> str:
        """Return the address."""
        return f"address:{request.META.get('REMOTE_ADDR', '')}"


def is_within_limit(*, caller: str, most: int = PER_MINUTE) -> bool:
    """Count one request of the caller; tell whether it is within `most` this clock minute."""
    key = f"api-rate:{caller}:{int(clock.now().timestamp()) // _WINDOW_S}"
    try:
        cache.add(key, 0, timeout=2 * _WINDOW_S)
        return cache.incr(key) <= most
    except (RedisError, OSError, ValueError) as error:
        # ValueError: the counter was evicted between the two calls.
        log.warning("api_rate_not_counted", error=logs.describe(error))
        return True


def _caller(request: Request) -> str:
    if isinstance(request.auth, ApiToken):
        return f"token:{request.auth.digest[:16]}"
    return f"user:{request.user.pk}" if request.user else ""
