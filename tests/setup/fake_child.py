"""A child for the supervisor's tests: fake_child.py NAME MODE FOLDER.

stays       until it is told to end, which it writes down
stubborn    does not end when told
parent      like stays, with a child of its own that ignores what it is told
dies        says why and ends with exit code 3
relapses    dies whenever it is started a second time or later
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def note(line: str) -> None:
    descriptor = os.open(FOLDER / "order", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def leave(*_: object) -> None:
    note(f"{NAME} down")
    os._exit(0)


def main() -> None:
    if MODE == "dies" or (MODE == "relapses" and f"{NAME} up" in (FOLDER / "order").read_text()):
        sys.exit(f"ERROR: {NAME} has no bread\n")
    if MODE == "parent":
        code = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
        subprocess.Popen([sys.executable, "-I", "-S", "-c", code])
    signal.signal(signal.SIGTERM, signal.SIG_IGN if MODE == "stubborn" else leave)
    note(f"{NAME} up {os.getpid()}")
    time.sleep(60)


NAME, MODE, FOLDER = sys.argv[1], sys.argv[2], Path(sys.argv[3])
main()
