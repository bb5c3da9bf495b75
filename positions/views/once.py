"""A secret that the next page shows, once: it lies sealed in the session, never in an address.

A page that is the answer to a form cannot be loaded again without sending the form again; so the
form is answered by a redirect, and what it made waits here for the page.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.http import HttpRequest

from riskhub.crypto import Secrets, UndecryptableError

_PREFIX = "once-"
# A page that never came must not show it to whoever opens it much later.
_WAITS = timedelta(minutes=5)


def keep(request: HttpRequest, *, name: str, texts: dict[str, str], now: datetime) -> None:
    """Keep texts for the next page of this session that takes `name`."""
    sealed = Secrets.of(texts).sealed.decode("ascii")
    request.session[_PREFIX + name] = {"sealed": sealed, "until": (now + _WAITS).isoformat()}


def take(request: HttpRequest, *, name: str, now: datetime) -> dict[str, str]:
    """Return the texts kept as `name` and forget them; nothing if there are none, or too old."""
    if request.method != "GET" or "prefetch" in request.headers.get("Sec-Purpose", ""):
        return {}
    kept = request.session.pop(_PREFIX + name, None)
    if not kept or datetime.fromisoformat(kept["until"]) < now:
        return {}
    try:
        return Secrets(kept["sealed"].encode("ascii")).open()
    except UndecryptableError:
        return {}
