"""The children of a RiskHub, in the order in which they start."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from riskhub.runhub.child import ChildSpec
from riskhub.runhub.facts import Facts
from riskhub.runhub.leftovers import RUN_ID_NAME
from riskhub.runhub.ready import FILE_NAME as READY_FILE_NAME

_ANY_HOST = frozenset({"0.0.0.0", "::"})  # noqa: S104 - recognised, not listened on


def environment(
    *, facts: Facts, run_id: str, listener: socket.socket, machine: Sequence[str]
) -> dict[str, str]:
    """Return what every child finds in its environment: the settings with the choices made.

    machine  names by which others may call this machine, best first (`machine_names`)
    """
    host, port = listener.getsockname()[:2]
    own = list(machine) if host in _ANY_HOST else [host]
    names = [] if facts.is_hosts_chosen else [_bracketed(name) for name in own]
    return {
        **os.environ,
        RUN_ID_NAME: run_id,
        "HOST": facts.host,
        "PORT": str(port),
        "RISKHUB_URL": facts.public_url or _url(own[0], port),
        "ALLOWED_HOSTS": ",".join(dict.fromkeys([*facts.allowed_hosts, *names])),
        "RISKHUB_DATA_DIR": facts.data_dir,
        "REDIS_URL": facts.redis_url,
        "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "riskhub.settings"),
        # Celery refuses to be root without it; the threads pool runs nothing but our own code.
        "C_FORCE_ROOT": "1",
        # `prepare` has run Django's checks; each process that did so again took 30 MB for it.
        "CELERY_SKIP_CHECKS": "1",
        "PYTHONUNBUFFERED": "1",
    }


def machine_names() -> list[str]:
    """Return this machine's address on its network and its name; nothing is sent to find out."""
    return [name for name in (_outward_address(), socket.gethostname()) if name] or ["localhost"]


def open_url(listener: socket.socket) -> str:
    """Return the address that a person on this machine opens."""
    host, port = listener.getsockname()[:2]
    return _url("127.0.0.1" if host == "0.0.0.0" else "::1" if host == "::" else host, port) + "/"  # noqa: S104


def broker(*, facts: Facts, env: Mapping[str, str]) -> ChildSpec:
    """Return the embedded Redis-compatible server, on a socket that its owner alone can open."""
    folder = Path(facts.data_dir) / "broker"
    folder.mkdir(mode=0o700, exist_ok=True)
    options = {
        "port": "0",
        "unixsocket": facts.broker_socket,
        "unixsocketperm": "700",
        "dir": str(folder),
        "save": "60 1",
        "appendonly": "no",
        "loglevel": "warning",
        "daemonize": "no",
    }
    words = [word for key, value in options.items() for word in (f"--{key}", *value.split(" ", 1))]
    return ChildSpec(
        name="broker",
        title="the broker",
        command=(facts.broker_program, *words),
        meanwhile="Pages do not update by themselves and polls wait until it is back.",
        environment=env,
        is_last=True,
        death_signal=signal.SIGTERM,
    )


def worker(
    *, facts: Facts, queue: str, title: str, meanwhile: str, env: Mapping[str, str]
) -> ChildSpec:
    """Return a Celery worker for one queue; threads, because polls wait and share their loop."""
    options = ("-P", "threads", "-c", "4", "--without-gossip", "--without-mingle")
    command = (*_celery(), "worker", "-Q", queue, "-n", f"{queue}@%h", *options)
    name = f"worker-{queue}"
    ready = _ready_file(facts, name)
    return ChildSpec(
        name=name,
        title=title,
        command=command,
        meanwhile=meanwhile,
        environment={**env, READY_FILE_NAME: str(ready)},
        ready_file=ready,
    )


def beat(*, facts: Facts, env: Mapping[str, str]) -> ChildSpec:
    """Return the clock of the system; its pid file is off, a stale one would block a restart."""
    folder = Path(facts.data_dir) / "beat"
    folder.mkdir(mode=0o700, exist_ok=True)
    ready = _ready_file(facts, "beat")
    return ChildSpec(
        name="beat",
        title="the scheduler",
        command=(*_celery(), "beat", "--pidfile=", "-s", str(folder / "schedule")),
        meanwhile="Nothing is polled until it is back.",
        environment={**env, READY_FILE_NAME: str(ready)},
        ready_file=ready,
    )


def web(*, listener: socket.socket, env: Mapping[str, str]) -> ChildSpec:
    """Return the web server on the socket that the supervisor holds.

    Three seconds of grace: a browser's open event stream would hold up the end for ever.
    """
    options = ("--lifespan", "off", "--timeout-graceful-shutdown", "3", "--no-access-log")
    quiet = ("--log-level", "warning", "--no-server-header")
    server = ("-m", "uvicorn", "riskhub.asgi:application", "--fd", str(listener.fileno()))
    return ChildSpec(
        name="web",
        title="the web server",
        command=(sys.executable, *server, *options, *quiet),
        environment=env,
        pass_fds=(listener.fileno(),),
    )


def _ready_file(facts: Facts, name: str) -> Path:
    return Path(facts.data_dir) / "beat" / f"{name}.ready"


def _celery() -> tuple[str, ...]:
    return (sys.executable, "-m", "celery", "-A", "riskhub.celery")


def _url(host: str, port: int) -> str:
    return f"http://{_bracketed(host)}:{port}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _outward_address() -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return ""
