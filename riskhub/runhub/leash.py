"""Run a command that dies with the process that started it: leash.py PARENT SIGNAL COMMAND...

The runner may be killed with SIGKILL and can then stop nobody. Linux can be told to signal a child
when its parent dies; that must be asked for inside the child, before the command takes its place.
Elsewhere the next start clears what was left (riskhub/runhub/leftovers.py).
"""

from __future__ import annotations

import os
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, number, *command = sys.argv[1:]
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    # The parent may have died before the line above.
    if os.getppid() != int(parent):
        sys.exit("The runner has gone; not starting.")
    os.execv(command[0], command)  # noqa: S606 - the supervisor's own command line


if __name__ == "__main__":
    main()
