"""The Celery app: a doorbell between processes; the database is the truth.

Queues: `poll` (the only one whose worker imports ccxt) and `default` (alerts, exports,
housekeeping). Beat ticks once a second; what is due is decided in the database.
"""

from __future__ import annotations

import logging.config
import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, setup_logging, worker_ready

from riskhub.runhub.ready import mark_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "riskhub.settings")

app = Celery("riskhub")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["positions", "venues"])

# Each tick expires before the next one: a worker that comes back finds one, not a pile.
app.conf.beat_schedule = {
    "dispatch-due-polls": {
        "task": "positions.tasks.dispatch_due",
        "schedule": 1.0,
        "options": {"expires": 2, "queue": "default"},
    },
    "dispatch-due-prices": {
        "task": "positions.tasks.dispatch_due_prices",
        "schedule": 1.0,
        "options": {"expires": 2, "queue": "default"},
    },
    "dispatch-due-feeds": {
        "task": "positions.tasks.dispatch_due_feeds",
        "schedule": 5.0,
        "options": {"expires": 10, "queue": "default"},
    },
    "apply-announced": {
        "task": "positions.tasks.apply_announced",
        "schedule": 5.0,
        "options": {"expires": 10, "queue": "default"},
    },
    "advance-reference": {
        "task": "positions.tasks.advance_reference",
        "schedule": 1.0,
        "options": {"expires": 2, "queue": "default"},
    },
    "sweep-outbox": {
        "task": "positions.tasks.sweep_outbox",
        "schedule": 1.0,
        "options": {"expires": 2, "queue": "default"},
    },
    "evaluate-staleness": {
        "task": "positions.tasks.evaluate_staleness",
        "schedule": 5.0,
        "options": {"expires": 10, "queue": "default"},
    },
    "dispatch-due-key-checks": {
        "task": "positions.tasks.dispatch_due_key_checks",
        "schedule": 2.0,
        "options": {"expires": 4, "queue": "default"},
    },
    "keep-house": {
        "task": "positions.tasks.keep_house",
        "schedule": 600.0,
        "options": {"expires": 600, "queue": "default"},
    },
}


@beat_init.connect
@worker_ready.connect
def _tell_supervisor(**_: Any) -> None:
    mark_ready()


@setup_logging.connect
def _log_as_django_does(**_: Any) -> None:
    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)
