"""Make the virtual environment: python3 riskhub/boot/setup_env.py run|test|e2e

This file alone is read by whatever `python3` the machine has, however old, so its syntax is old
too: it finds a Python that RiskHub runs on and hands over to riskhub/boot/environment.py.
"""
# ruff: noqa: UP030, UP032
# mypy: ignore-errors

import os
import subprocess
import sys

OLDEST, NEWEST = (3, 11), (3, 14)
TOO_OLD = (
    "RiskHub needs Python 3.11 or newer; {0} is {1}.{2}. Install one (on Debian or Ubuntu: "
    "apt install python3; on macOS: brew install python) or name it: make PYTHON=python3.12 run\n"
)
TOO_NEW = (
    "RiskHub is tested on Python 3.11 to 3.14; {0} is {1}.{2}, for which not every library has a "
    "build yet. Install python3.14 beside it and try again.\n"
)


def works(name):
    """Tell whether the command is a Python; a version manager's shim may be there and refuse."""
    try:
        done = subprocess.Popen([name, "-c", ""], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except OSError:
        return False
    done.communicate()
    return done.returncode == 0


def find_other():
    """Return the name of a Python within the tested versions, newest first, or None."""
    names = ["python3.{0}".format(minor) for minor in range(NEWEST[1], OLDEST[1] - 1, -1)]
    return next((name for name in names if works(name)), None)


def main():
    version = sys.version_info[:2]
    if OLDEST <= version <= NEWEST:
        here = os.path.dirname(os.path.abspath(__file__))
        sys.path[0] = os.path.dirname(os.path.dirname(here))
        from riskhub.boot import environment

        return environment.main(sys.argv[1:])
    other = find_other()
    if other:
        os.execvp(other, [other] + sys.argv)  # noqa: RUF005, S606
    text = TOO_OLD if version < OLDEST else TOO_NEW
    sys.stderr.write(text.format(sys.executable, version[0], version[1]))
    return 1


if __name__ == "__main__":
    sys.exit(main())
