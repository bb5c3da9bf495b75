#!/usr/bin/env python3
"""RiskHub's commands; `make help` names the chores that call them."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "riskhub.settings")
    # A person at a terminal reads the command's own sentences; the running system logs everything.
    os.environ.setdefault("RISKHUB_LOG_LEVEL", "ERROR")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("Django is not installed here; run `make run`, or use .venv/bin/python.")
    from riskhub.env import ConfigurationError

    try:
        execute_from_command_line(sys.argv)
    except ConfigurationError as error:
        sys.exit(f"Configuration: {error}")


if __name__ == "__main__":
    main()
