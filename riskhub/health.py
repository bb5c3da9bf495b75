"""Is the process alive, is the system ready, how late is each cycle."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import redis
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

from riskhub import clock
from riskhub.heartbeat import BEATS, last_beats


@login_not_required
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 while the process can answer at all."""
    return JsonResponse({"status": "alive"})


@login_not_required
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when database and broker answer, else 503; `cycles` tells how late each one is.

    A late cycle does not make the web process unready: it goes on serving, and says so.
    """
    parts = {"database": _database_problem(), "redis": _redis_problem()}
    is_ready = not any(parts.values())
    body: dict[str, Any] = {
        "status": "ready" if is_ready else "not ready",
        "parts": {name: problem or "ok" for name, problem in parts.items()},
        "cycles": {} if parts["database"] else cycles(now=clock.now()),
    }
    return JsonResponse(body, status=200 if is_ready else 503)


def cycles(*, now: datetime) -> dict[str, dict[str, Any]]:
    """Return, per cycle, its last beat, its lag in seconds (None: never) and whether it is late."""
    last = last_beats()
    found = {}
    for name, budget_s in BEATS.items():
        at = last.get(name)
        lag_s = None if at is None else round((now - at).total_seconds(), 1)
        found[name] = {
            "at": None if at is None else at.isoformat(),
            "lag_s": lag_s,
            "is_late": lag_s is None or lag_s > budget_s,
        }
    return found


def _database_problem() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "the database does not answer"
    return ""


def _redis_problem() -> str:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2) as client:
            client.ping()
    except redis.RedisError:
        return "Redis does not answer"
    return ""
