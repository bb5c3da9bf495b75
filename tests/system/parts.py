"""The parts that a system test stands on: a broker, its environment, what the tables say."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings

from riskhub.runhub import plan
from riskhub.runhub.child import ChildSpec, leashed
from riskhub.runhub.facts import Facts, broker_program
from riskhub.runhub.probe import broker_answers
from tests.paths import PROJECT

_UNWANTED = ("DATABASE_URL", "REDIS_URL", "EMAIL_URL", "RISKHUB_PRODUCTION", "RISKHUB_DEBUG")


def environment(folder: Path, *, database_url: str, **more: str) -> dict[str, str]:
    """Return the environment of a process of ours that shares keys with this one."""
    kept = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "riskhub.settings",
        "RISKHUB_ENV_FILE": os.devnull,
        "RISKHUB_DATA_DIR": str(folder),
        "RISKHUB_DEMO": "0",
        "RISKHUB_OUTBOUND_ALLOW": "127.0.0.0/8",
        "RISKHUB_FIELD_KEYS": ",".join(settings.FIELD_KEYS),
        "SECRET_KEY": settings.SECRET_KEY,
        "DATABASE_URL": database_url,
        "REDIS_URL": f"unix://{folder / 'redis.sock'}",
        "C_FORCE_ROOT": "1",
        "CELERY_SKIP_CHECKS": "1",
        **more,
    }


def facts_of(folder: Path) -> Facts:
    """Return what the supervisor would know, for a system in this folder."""
    return Facts(
        data_dir=str(folder),
        host="127.0.0.1",
        port=0,
        public_url="",
        allowed_hosts=[],
        is_hosts_chosen=False,
        redis_url=f"unix://{folder / 'redis.sock'}",
        broker_program=broker_program(),
        broker_socket=str(folder / "redis.sock"),
    )


@contextmanager
def running(spec: ChildSpec, *, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process of the supervisor's plan until the block ends; it writes into `log`."""
    log.parent.mkdir(exist_ok=True)
    with log.open("ab") as file:
        process = subprocess.Popen(
            leashed(spec.command, death_signal=spec.death_signal),
            env=dict(spec.environment),
            cwd=PROJECT,
            stdout=file,
            stderr=file,
        )
    try:
        yield process
    finally:
        end(process)


@contextmanager
def kept_running(spec: ChildSpec, *, log: Path) -> Iterator[None]:
    """Run a process until the block ends, and again whenever it dies, as the supervisor does.

    A worker may die of a lost broker: kombu 5.7 raises AttributeError while it gives messages back
    to a connection that is no more.
    """
    is_over = threading.Event()

    def keep() -> None:
        while not is_over.is_set():
            with running(spec, log=log) as process:
                while not is_over.wait(0.2) and process.poll() is None:
                    pass

    keeper = threading.Thread(target=keep)
    keeper.start()
    try:
        yield
    finally:
        is_over.set()
        keeper.join()


def end(process: subprocess.Popen[bytes], *, number: int = signal.SIGTERM) -> None:
    """End a process and wait for it."""
    if process.poll() is not None:
        return
    process.send_signal(number)
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=15)


@contextmanager
def running_broker(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the embedded broker on a socket in the folder."""
    facts = facts_of(folder)
    spec = plan.broker(facts=facts, env=os.environ)
    with running(spec, log=folder / "broker.log") as process:
        assert eventually(lambda: broker_answers(facts.broker_socket)), "the broker is silent"
        yield process


def eventually(condition: Callable[[], Any], *, within_s: float = 20.0) -> bool:
    """Return True as soon as the condition holds, False if it does not in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def worker_spec(folder: Path, *, env: Mapping[str, str]) -> ChildSpec:
    """Return one Celery worker for both queues."""
    return plan.worker(
        facts=facts_of(folder), queue="poll,default", title="", meanwhile="", env=env
    )
