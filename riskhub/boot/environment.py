"""Make .venv and install a lock file into it, with the standard library and a pip in a wheel.

    .venv is made without pip, so that Debian's python3 without python3-venv will do;
    the vendored pip installs uv, and uv the lock file; where uv cannot be had, pip does it all;
    a stamp in .venv says which lock files are in, so that a second start takes 0.1 s;
    a venv whose making was cut short, or whose Python has gone, is made again.

What is installed is not compiled: Python does that as modules are first used, which is quicker
to the first page (measured on 2 cores: 2 s against 10 s, and 1 s more at the first start).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BOOT = Path(__file__).resolve().parent
PIP_WHEEL = BOOT / "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
LOCKS = {
    "run": "requirements.lock",
    "test": "requirements-test.lock",
    "e2e": "requirements-e2e.lock",
}

_NO_NETWORK = (
    "temporary failure in name resolution",
    "name or service not known",
    "nodename nor servname",
    "failed to establish a new connection",
    "network is unreachable",
    "connection refused",
    "dns error",
    "error sending request",
    "failed to fetch",
    "connect timeout",
    "read timed out",
    "max retries exceeded",
    "could not connect",
    "cannot connect to proxy",
)
_CAUSES = (
    (("no space left", "disk quota"), "The disk is full. Make room (about 500 MB) and try again."),
    (
        ("do not match the hashes", "hash mismatch"),
        "A downloaded library is not the one that the lock file names. Try again; if it happens "
        "again, the package index or proxy in use serves altered files.",
    ),
    (
        _NO_NETWORK,
        "The package index cannot be reached, and RiskHub's libraries are fetched from it once. "
        "Connect to the network (behind a proxy: set https_proxy; with an index of your own: set "
        "PIP_INDEX_URL) and run the same command again.",
    ),
    (
        ("no matching distribution", "no wheels", "not a supported wheel", "no usable wheels"),
        "A library has no build for this machine. RiskHub runs on Linux with glibc 2.28 or newer "
        "(x86_64, aarch64) and on macOS (arm64), with Python 3.11 to 3.14.",
    ),
)


class SetupError(Exception):
    """The environment cannot be made; the message says why and what to do."""


@dataclass(frozen=True)
class Environment:
    """A project folder, the venv in it, and the descriptor of the lock on the folder."""

    root: Path
    held: int = -1

    @property
    def folder(self) -> Path:
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def stamp(self) -> Path:
        """JSON: the sha256 of each lock file that is installed."""
        return self.folder / "riskhub-stamp.json"

    @property
    def unfinished(self) -> Path:
        """Present while something is being installed; left behind when that was cut short."""
        return self.folder / "riskhub-unfinished"

    @property
    def log(self) -> Path:
        return self.folder / "riskhub-setup.log"


def main(arguments: list[str]) -> int:
    """Make the environment for one of LOCKS; print one sentence and return 1 if it cannot be."""
    level = arguments[0] if arguments else "run"
    try:
        prepare(root=BOOT.parents[1], level=level)
    except SetupError as error:
        say(str(error))
    except KeyboardInterrupt:
        say("Stopped. The next start begins again where this one was.")
    except OSError as error:
        say(f"The environment cannot be made: {error.strerror or error} ({error.filename}).")
    else:
        return 0
    return 1


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def prepare(*, root: Path, level: str) -> None:
    """Bring .venv to the state that the level's lock file names; raises SetupError."""
    if level not in LOCKS:
        raise SetupError(f"{level!r} is no level; use one of {', '.join(LOCKS)}.")
    lock = root / LOCKS[level]
    with _one_at_a_time(root) as held:
        environment = Environment(root, held)
        if is_ready(environment=environment, lock=lock):
            return
        _make_venv(environment)
        environment.unfinished.touch()
        _install(environment, lock)
        _write_stamp(environment, lock)
        environment.unfinished.unlink()


def is_ready(*, environment: Environment, lock: Path) -> bool:
    """Tell whether the lock file, as it is now, is installed in a venv that works."""
    if environment.unfinished.exists() or not is_sound(environment=environment):
        return False
    return _read_stamp(environment).get(lock.name) == _sha256(lock)


def is_sound(*, environment: Environment) -> bool:
    """Tell whether the venv's Python starts and finds the venv's own libraries."""
    code = (
        "import site, sys; from pathlib import Path;"
        "sys.exit(sys.version_info < (3, 11) or not Path(site.getsitepackages()[0]).is_dir())"
    )
    try:
        command = [str(environment.python), "-I", "-c", code]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@contextlib.contextmanager
def _one_at_a_time(root: Path) -> Iterator[int]:
    """Hold the project folder, so that two chores started together do not both install.

    Installers inherit the descriptor: one that outlives its killed parent still holds the folder.
    """
    descriptor = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another command that is setting up .venv ...")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _make_venv(environment: Environment) -> None:
    if environment.folder.is_symlink():
        raise SetupError(f"{environment.folder} is a link; remove it, a folder is made there.")
    if environment.folder.exists():
        if not environment.unfinished.exists() and is_sound(environment=environment):
            return
        say("The environment in .venv is unfinished or its Python has gone: making it again.")
        shutil.rmtree(environment.folder)
    _run_venv(environment)


def _run_venv(environment: Environment) -> None:
    command = [sys.executable, "-m", "venv", "--without-pip", str(environment.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no reason given"]
        raise SetupError(
            f"Python's venv module could not make .venv: {last[0]} "
            "(on Debian or Ubuntu: apt install python3-venv)."
        )


def _install(environment: Environment, lock: Path) -> None:
    _check_pip()
    say(f"Installing the libraries of {lock.name} into .venv (once; half a minute or so) ...")
    options = ["--only-binary", ":all:", "--require-hashes", "-r"]
    if _install_by_uv(environment, [*options, str(lock)]):
        return
    done = _run(environment, [*_pip(environment), "install", "--no-compile", *options, str(lock)])
    if done.returncode:
        raise SetupError(explain(output=done.stdout, log=environment.log))


def _install_by_uv(environment: Environment, arguments: list[str]) -> bool:
    """Return True if uv installed it all; raises SetupError if trying pip would be in vain."""
    uv = environment.folder / "bin" / "uv"
    if not uv.exists():
        lock = str(BOOT / "uv.lock")
        command = [*_pip(environment), "install", "--only-binary", ":all:", "--require-hashes"]
        done = _run(environment, [*command, "-r", lock])
        if done.returncode and _says(done.stdout, _NO_NETWORK):
            raise SetupError(explain(output=done.stdout, log=environment.log))
        if done.returncode:
            say("uv cannot be had here: pip does its work, which takes a minute longer.")
            return False
    command = [str(uv), "pip", "install", "--python", str(environment.python), "--no-progress"]
    done = _run(environment, [*command, *arguments], extra=_uv_variables())
    if done.returncode:
        say("uv could not install them: trying pip, which takes a minute longer.")
    return done.returncode == 0


def _uv_variables() -> dict[str, str]:
    """Return for uv what the machine tells pip about its package index."""
    known = {"PIP_INDEX_URL": "UV_DEFAULT_INDEX", "PIP_CERT": "SSL_CERT_FILE"}
    return {
        theirs: os.environ[ours]
        for ours, theirs in known.items()
        if os.environ.get(ours) and not os.environ.get(theirs)
    }


def _pip(environment: Environment) -> list[str]:
    """Return the start of a pip command line; a wheel of pip runs as it lies, unpacked or not."""
    quiet = ["--disable-pip-version-check", "--no-input", "--retries", "2"]
    return [str(environment.python), "-I", str(PIP_WHEEL / "pip"), *quiet]


def _check_pip() -> None:
    if not PIP_WHEEL.is_file() or _sha256(PIP_WHEEL) != PIP_SHA256:
        raise SetupError(f"{PIP_WHEEL.name} is missing or altered; restore it from the project.")


def _run(
    environment: Environment, command: list[str], *, extra: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    # A folder of libraries named here would be preferred to the ones just installed.
    variables = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "PIP_TARGET"}}
    done = subprocess.run(
        command,
        env={**variables, **(extra or {}), "VIRTUAL_ENV": str(environment.folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=(environment.held,) if environment.held >= 0 else (),
        text=True,
        errors="replace",
        check=False,
    )
    with environment.log.open("a") as log:
        log.write(f"$ {' '.join(command)}\n{done.stdout}\n")
    return done


def explain(*, output: str, log: Path) -> str:
    """Return the sentence for what pip or uv printed."""
    for signs, sentence in _CAUSES:
        if _says(output, signs):
            return sentence
    errors = [line for line in output.strip().splitlines() if "error" in line.lower()]
    last = (errors or output.strip().splitlines() or ["no reason given"])[-1].strip()
    return f"The libraries could not be installed: {last} (all that was printed: {log})"


def _says(output: str, signs: tuple[str, ...]) -> bool:
    return any(sign in output.lower() for sign in signs)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read_stamp(environment: Environment) -> dict[str, str]:
    try:
        content = json.loads(environment.stamp.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write_stamp(environment: Environment, lock: Path) -> None:
    """Note the lock file, and those it contains: the test set holds the run set."""
    levels = list(LOCKS.values())
    inside = levels[: levels.index(lock.name) + 1]
    root = lock.parent
    content = {name: _sha256(root / name) for name in inside if (root / name).is_file()}
    environment.stamp.write_text(json.dumps({**_read_stamp(environment), **content}, indent=1))
